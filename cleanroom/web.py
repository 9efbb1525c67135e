"""Public endpoints as a stranger's client sees them, though their names still point elsewhere.

Knows: how to ask one address under another's name - SNI, Host header and host-name check all by the public name - with the site's trust store.
Refuses: unverified TLS, redirects followed behind our back, proxies and trust stores of the environment.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from requests_toolbelt.adapters.host_header_ssl import HostHeaderSSLAdapter

from cleanroom.errors import CheckFailed, OutOfTime
from cleanroom.redact import Secret
from cleanroom.site import Endpoint, Webhook
from cleanroom.wait import Waiting, wait_until

_VISIT_SECONDS = 10.0
#: A ping: what a bridge may take without doing anything.
_HOOK_BODY = b'{"zen":"a clean room","hook_id":0}'


@dataclass(frozen=True)
class Visit:
    """An answer: status, body, and where it came from."""

    status: int
    body: bytes
    where: str


class Visitor:
    """Visits one address under public names. `trust` is a bundle of authorities; None is the system's."""

    def __init__(self, address: str, *, trust: Path | None) -> None:
        self.address = address
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(trust) if trust is not None else True
        self._session.mount("https://", HostHeaderSSLAdapter())

    def visit(self, host: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Visit:
        """GET, or POST if there is a body. Raises requests' exceptions: the caller knows whether they are worth waiting through."""
        where = f"https://{host}{path} at {self.address}"
        authority = f"[{self.address}]" if ":" in self.address else self.address
        answer = self._session.request(
            "GET" if body is None else "POST",
            f"https://{authority}{path}",
            headers={"Host": host, **(headers or {})},
            data=body,
            timeout=_VISIT_SECONDS,
            allow_redirects=False,
        )
        return Visit(answer.status_code, answer.content, where)

    def expect(self, endpoint: Endpoint) -> Visit:
        """Wait until the endpoint answers as declared; raises `CheckFailed` with what it answered last."""
        where = f"https://{endpoint.host}{endpoint.path} at {self.address}"

        def answered() -> Visit | Waiting:
            try:
                visit = self.visit(endpoint.host, endpoint.path)
            except requests.RequestException as problem:
                return Waiting(_plain(problem))
            if visit.status != endpoint.status:
                return Waiting(f"status {visit.status}")
            if endpoint.marker.encode() not in visit.body:
                return Waiting(f"status {visit.status} without the marker in {len(visit.body)} bytes")
            return visit

        try:
            return wait_until(answered, what="the endpoint to answer", within=endpoint.within, where=where)
        except OutOfTime as problem:
            expected = f"status {endpoint.status} and the marker {endpoint.marker!r} over verified TLS within {endpoint.within:.0f} s"
            raise CheckFailed(expected, seen=problem.problem.rsplit("last seen: ", 1)[-1], where=where) from None


def check_endpoints(visitor: Visitor, endpoints: Sequence[Endpoint]) -> None:
    """Each endpoint answers as declared; all of them are looked at before any is judged, and every fault is told."""
    faults: list[CheckFailed] = []
    for endpoint in endpoints:
        try:
            visitor.expect(endpoint)
        except CheckFailed as fault:
            faults.append(fault)
    if len(faults) > 1:
        seen = "; ".join(f"{fault.where}: {fault.seen}" for fault in faults)
        raise CheckFailed(f"all {len(endpoints)} public endpoints answer as the site says", seen=seen, where=visitor.address)
    if faults:
        raise faults[0]


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
