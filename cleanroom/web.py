"""Public endpoints as a stranger's client sees them, though their names still point elsewhere.

Knows: how to ask one address under another's name - SNI, Host header and host-name check all by the public name - with the site's trust store.
Refuses: unverified TLS, redirects followed behind our back, proxies and trust stores of the environment.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from cleanroom.certificate import system_bundle
from cleanroom.errors import CheckFailed, OutOfTime
from cleanroom.redact import Secret
from cleanroom.tables.serving import Endpoint, Webhook
from cleanroom.wait import Deadline, Waiting, wait_until

_VISIT_SECONDS = 10.0
#: A ping: what a bridge may take without doing anything.
_HOOK_BODY = b'{"zen":"a clean room","hook_id":0}'


@dataclass(frozen=True)
class Visit:
    """An answer: status, body, and where it came from."""

    status: int
    body: bytes
    where: str


class _UnderName(HTTPAdapter):
    """Connects to whatever address a URL names, and speaks TLS with it under `host`: SNI and the host-name check both."""

    def __init__(self, host: str) -> None:
        self._host = host
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - requests' own signature
        super().init_poolmanager(*arguments, server_hostname=self._host, assert_hostname=self._host, **options)


class Visitor:
    """Visits one address under public names. `trust` is a bundle of authorities; None is the system's."""

    def __init__(self, address: str, *, trust: Path | None, record: Callable[..., object] | None = None) -> None:
        self.address = address
        self.record = record
        self._trust = str(trust) if trust is not None else system_bundle()

    def visit(self, host: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Visit:
        """GET, or POST if there is a body. Raises requests' exceptions: the caller knows whether they are worth waiting through."""
        where = f"https://{host}{path} at {self.address}"
        authority = f"[{self.address}]" if ":" in self.address else self.address
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", _UnderName(host))
            answer = session.request(
                "GET" if body is None else "POST",
                f"https://{authority}{path}",
                headers={"Host": host, **(headers or {})},
                data=body,
                timeout=_VISIT_SECONDS,
                allow_redirects=False,
                verify=self._trust,
            )
        return Visit(answer.status_code, answer.content, where)

    def shortfall(self, endpoint: Endpoint) -> str | None:
        """What is missing from an endpoint's answer, now; None if it answers as declared."""
        try:
            visit = self.visit(endpoint.host, endpoint.path)
        except requests.RequestException as problem:
            return _plain(problem)
        if visit.status != endpoint.status:
            return f"status {visit.status}"
        if endpoint.marker.encode() not in visit.body:
            return f"status {visit.status} without the marker in {len(visit.body)} bytes"
        return None


def check_endpoints(visitor: Visitor, endpoints: Sequence[Endpoint]) -> None:
    """Each endpoint answers as declared within its limit; they are waited for together, and every one that does not is told."""
    clock = Deadline(max(endpoint.within for endpoint in endpoints))
    pending = dict.fromkeys(endpoints, "not asked yet")

    def answered() -> bool | Waiting:
        for endpoint in list(pending):
            missing = visitor.shortfall(endpoint) if clock.elapsed <= endpoint.within or pending[endpoint] == "not asked yet" else pending[endpoint]
            if missing is None:
                del pending[endpoint]
            else:
                pending[endpoint] = missing
        return Waiting("; ".join(f"https://{e.host}{e.path}: {seen}" for e, seen in pending.items())) if pending else True

    try:
        wait_until(answered, what="the public endpoints to answer", within=clock.left, where=visitor.address, record=visitor.record)
    except OutOfTime as problem:
        wanted = "; ".join(f"{e.host}: status {e.status} and {e.marker!r} within {e.within:.0f} s" for e in pending)
        seen = problem.problem.split("last seen: ", 1)[-1]
        raise CheckFailed(f"over verified TLS, {wanted}", seen=seen, where=visitor.address) from None


def check_webhook_accepted(visitor: Visitor, webhook: Webhook, secret: Secret) -> None:
    """The bridge takes a body signed with git's secret."""
    _check_hook(visitor, webhook, {webhook.header: signature(secret, _HOOK_BODY)}, webhook.accepted, "signed with git's secret")


def check_webhook_refused(visitor: Visitor, webhook: Webhook, secret: Secret) -> None:
    """The bridge refuses a signature by another secret, one over another body, and a body without any - for their signature, not by being broken."""
    check_webhook_accepted(visitor, webhook, secret)
    stranger = Secret(secret.reveal()[::-1] + b"x", name="a wrong webhook secret")
    _check_hook(visitor, webhook, {webhook.header: signature(stranger, _HOOK_BODY)}, webhook.refused, "signed with another secret")
    _check_hook(visitor, webhook, {webhook.header: signature(secret, b"another body")}, webhook.refused, "with the signature of another body")
    _check_hook(visitor, webhook, {}, webhook.refused, "without a signature")


def _check_hook(visitor: Visitor, webhook: Webhook, headers: Mapping[str, str], status: int, what: str) -> None:
    where = f"https://{webhook.host}{webhook.path} at {visitor.address}"
    try:
        visit = visitor.visit(webhook.host, webhook.path, body=_HOOK_BODY, headers={"Content-Type": "application/json", **headers})
    except requests.RequestException as problem:
        raise CheckFailed(f"the bridge answers a webhook {what}", seen=_plain(problem), where=where) from None
    if visit.status != status:
        raise CheckFailed(f"a webhook {what} is answered with status {status}", seen=f"status {visit.status}", where=where)


def signature(secret: Secret, body: bytes) -> str:
    """The HMAC-SHA256 of a webhook body, as GitHub, Gitea and Forgejo send it: `sha256=HEX` (RFC 2104)."""
    return "sha256=" + hmac.new(secret.reveal(), body, hashlib.sha256).hexdigest()


def _plain(problem: Exception) -> str:
    """The innermost reason, without urllib3's layers around it."""
    text = str(problem)
    for start in ("SSLError(", "NewConnectionError(", "Caused by "):
        if start in text:
            text = text[text.rindex(start) :]
    return f"{type(problem).__name__}: {text[:300]}"
