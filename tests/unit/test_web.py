"""Public endpoints, visited by address under their public names: a real TLS server on loopback."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from cleanroom.errors import CheckFailed
from cleanroom.redact import Secret
from cleanroom.tables.serving import Endpoint, Webhook
from cleanroom.web import Visitor, check_endpoints, check_webhook_accepted, check_webhook_refused, signature
from tests.unit.authority import Authority, tls_server

#: An address of this process alone: endpoints answer at port 443, and nowhere else.
ADDRESS = f"127.83.{os.getpid() // 254 % 256}.{os.getpid() % 254 + 1}"
DASHBOARD = Endpoint(host="ci.example", path="/", marker="the dashboard", within="0s")  # type: ignore[arg-type]
DRONE = Endpoint(host="drone.ci.example", path="/login", status=303, marker="drone", within="0s")  # type: ignore[arg-type]
WEBHOOK = Webhook(host="bridge.ci.example", secret="hmac")
HMAC = Secret("the-hmac-of-git", name="hmac")


class Server(BaseHTTPRequestHandler):
    """A dashboard, a drone that redirects, and a bridge that wants a signature."""

    bridge = "strict"
    seen: list[str | None]
    failures = 0

    def do_GET(self) -> None:
        host = self.headers.get("Host")
        self.seen.append(host)
        if type(self).failures:
            type(self).failures -= 1
            self._answer(502, b"bad gateway")
        elif (host, self.path) == ("ci.example", "/"):
            self._answer(200, b"<h1>the dashboard</h1>")
        elif (host, self.path) == ("drone.ci.example", "/login"):
            self._answer(303, b"drone", location="https://elsewhere.example/")
        else:
            self._answer(404, b"404 page not found")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        expected = "sha256=" + hmac.new(HMAC.reveal(), body, hashlib.sha256).hexdigest()
        good = self.headers.get("X-Hub-Signature-256") == expected
        statuses = {
            "strict": 202 if good else 401,
            "trusting": 202,
            "broken": 500,
            "deaf": 401,
            "careless": 202 if "X-Hub-Signature-256" not in self.headers or good else 401,
        }
        self._answer(statuses[self.bridge], b"")

    def _answer(self, status: int, body: bytes, *, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


Serving = Callable[..., AbstractContextManager[type[Server]]]


@pytest.fixture
def serving(authority: Authority) -> Serving:
    """Serve with a certificate for the given names; gives the handler, to look at and to change."""

    @contextmanager
    def serve(*names: str, by: Authority = authority, asked: list[str | None] | None = None) -> Iterator[type[Server]]:
        handler = type("Handler", (Server,), {"seen": []})
        with tls_server(handler, by.issue(*(names or ("*.ci.example", "ci.example"))), (ADDRESS, 443), asked=asked):
            yield handler

    return serve


@pytest.fixture
def visitor(authority: Authority) -> Visitor:
    return Visitor(ADDRESS, trust=authority.bundle)


def test_endpoints_are_asked_by_address_under_their_public_names(serving: Serving, visitor: Visitor) -> None:
    asked: list[str | None] = []
    with serving(asked=asked) as server:
        check_endpoints(visitor, [DASHBOARD, DRONE])
        assert server.seen == ["ci.example", "drone.ci.example"]
    assert asked == ["ci.example", "drone.ci.example"]


def test_a_redirect_is_an_answer_and_not_followed(serving: Serving, visitor: Visitor) -> None:
    with serving():
        visit = visitor.visit("drone.ci.example", "/login")
    assert (visit.status, visit.body) == (303, b"drone")


@pytest.mark.parametrize(
    ("changes", "seen"),
    [({"path": "/none"}, "status 404"), ({"marker": "something else"}, "without the marker"), ({"status": 204}, "status 200")],
    ids=["another path", "another marker", "another status"],
)
def test_another_answer_is_the_site_s_failure(serving: Serving, visitor: Visitor, changes: dict[str, object], seen: str) -> None:
    with serving(), pytest.raises(CheckFailed) as caught:
        check_endpoints(visitor, [DASHBOARD.model_copy(update=changes)])
    assert seen in caught.value.seen
    assert "ci.example" in caught.value.expected


def test_a_certificate_for_other_names_is_not_accepted(serving: Serving, visitor: Visitor) -> None:
    with serving("traefik.default"), pytest.raises(CheckFailed, match=r"(?i)certificate|hostname"):
        check_endpoints(visitor, [DASHBOARD])


def test_a_wildcard_covers_one_label_only(serving: Serving, visitor: Visitor) -> None:
    with serving("*.ci.example"):
        visitor.visit("drone.ci.example", "/login")
        for name in ("ci.example", "deep.drone.ci.example"):
            with pytest.raises(requests.exceptions.SSLError):
                visitor.visit(name, "/")


def test_a_certificate_of_a_strange_authority_is_not_accepted(serving: Serving, visitor: Visitor, tmp_path: Path) -> None:
    with serving(by=Authority(tmp_path / "strange")), pytest.raises(CheckFailed, match="certificate verify failed"):
        check_endpoints(visitor, [DASHBOARD])


def test_the_system_s_authorities_do_not_vouch_for_ours(serving: Serving) -> None:
    with serving(), pytest.raises(CheckFailed, match="certificate verify failed"):
        check_endpoints(Visitor(ADDRESS, trust=None), [DASHBOARD])


def test_the_environment_chooses_neither_trust_nor_way(serving: Serving, visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Authority(tmp_path / "strange").bundle))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving():
        check_endpoints(visitor, [DASHBOARD])


def test_nobody_listening_is_the_site_s_failure(visitor: Visitor) -> None:
    with pytest.raises(CheckFailed, match="refused"):
        check_endpoints(visitor, [DASHBOARD])


def test_all_endpoints_are_looked_at_before_any_is_judged(serving: Serving, visitor: Visitor) -> None:
    broken = [DASHBOARD.model_copy(update={"path": f"/{n}"}) for n in (1, 2)]
    with serving() as server:
        with pytest.raises(CheckFailed) as caught:
            check_endpoints(visitor, [broken[0], DRONE, broken[1]])
        assert len(server.seen) >= 3
    assert "/1" in caught.value.seen
    assert "/2" in caught.value.seen
    assert "drone" not in caught.value.seen


def test_an_endpoint_may_take_until_its_limit(serving: Serving, visitor: Visitor) -> None:
    with serving() as server:
        server.failures = 3
        check_endpoints(visitor, [DASHBOARD.model_copy(update={"within": 5.0})])


def test_a_bridge_that_wants_git_s_signature_is_as_it_should_be(serving: Serving, visitor: Visitor) -> None:
    with serving():
        check_webhook_accepted(visitor, WEBHOOK, HMAC)
        check_webhook_refused(visitor, WEBHOOK, HMAC)


@pytest.mark.parametrize("bridge", ["trusting", "careless", "broken", "deaf"])
def test_a_bridge_that_takes_anything_or_nothing_does_not_refuse_for_the_signature(serving: Serving, visitor: Visitor, bridge: str) -> None:
    with serving() as server:
        server.bridge = bridge
        with pytest.raises(CheckFailed) as caught:
            check_webhook_refused(visitor, WEBHOOK, HMAC)
    assert HMAC.text() not in str(caught.value)


@pytest.mark.parametrize("bridge", ["broken", "deaf"])
def test_a_bridge_that_refuses_git_s_signature_is_told(serving: Serving, visitor: Visitor, bridge: str) -> None:
    with serving() as server:
        server.bridge = bridge
        with pytest.raises(CheckFailed, match="signed with git's secret"):
            check_webhook_accepted(visitor, WEBHOOK, HMAC)


def test_a_bridge_that_does_not_answer_is_the_site_s_failure(visitor: Visitor) -> None:
    with pytest.raises(CheckFailed, match="the bridge answers"):
        check_webhook_accepted(visitor, WEBHOOK, HMAC)


def test_the_signature_is_the_one_that_forges_send() -> None:
    """The example of GitHub's own documentation."""
    secret = Secret("It's a Secret to Everybody", name="s")
    assert signature(secret, b"Hello, World!") == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
