"""Public endpoints as a stranger's client sees them, though their names still point elsewhere.

Knows: how to ask one address under another's name - SNI, Host header and host-name check all by the public name - with the site's trust store.
Refuses: unverified TLS, redirects followed behind our back, proxies and trust stores of the environment.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from requests_toolbelt.adapters.host_header_ssl import HostHeaderSSLAdapter

from cleanroom.errors import CheckFailed, OutOfTime
from cleanroom.redact import Secret
from cleanroom.site import Endpoint
from cleanroom.wait import Waiting, wait_until

_VISIT_SECONDS = 10.0


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
