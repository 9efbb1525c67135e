"""The guard: what may be sent, and that nothing else reaches the wire."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import requests_mock
from hypothesis import given
from hypothesis import strategies as st

from cleanroom import marks
from cleanroom.errors import NotOurs
from cleanroom.guard import Guard, GuardedSession, Sent
from tests.unit.authority import Authority, tls_server

HOST = "https://hypervisor.example:8443"
OURS: dict[str, Any] = {"project": "ours"}
MARK = marks.marks("20261124-021500-3fa9c1")
GIB = 2**30
#: A machine as this run may make it.
WANTED: dict[str, Any] = {"name": "throwaway", "source": {"type": "image", "fingerprint": "f" * 64}, "config": {"limits.memory": "4GiB", **MARK}}


@pytest.fixture
def wire() -> Iterator[requests_mock.Mocker]:
    """Every request that would be sent."""
    with requests_mock.Mocker() as mocker:
        mocker.register_uri(requests_mock.ANY, requests_mock.ANY, json={})
        yield mocker


@pytest.fixture
def guard() -> Guard:
    guard = Guard("ours", memory=4 * GIB)
    guard.creatable.add("throwaway")
    guard.owned.add("throwaway")
    return guard


@pytest.fixture
def session(guard: Guard) -> Iterator[GuardedSession]:
    with requests.Session() as inner, GuardedSession(inner, guard, timeout=5) as session:
        yield session


READS = [
    ("/1.0", {}),
    ("/1.0", OURS),
    ("/1.0/resources", {}),
    ("/1.0/projects/ours", {}),
    ("/1.0/projects/ours/state", {}),
    ("/1.0/operations/3f", {}),
    ("/1.0/instances", OURS),
    ("/1.0/instances", {"recursion": "1", "all-projects": "true"}),
    ("/1.0/instances/neighbour", OURS),
    ("/1.0/instances/neighbour/state", OURS),
    ("/1.0/images/aliases/base", OURS),
    ("/1.0/profiles", OURS),
]


@pytest.mark.parametrize(("path", "params"), READS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "get"])
def test_looking_is_allowed(wire: requests_mock.Mocker, session: GuardedSession, method: str, path: str, params: dict[str, Any]) -> None:
    session.request(method, f"{HOST}{path}", params=params)
    assert wire.call_count == 1


CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/1.0/instances", WANTED),
    ("PUT", "/1.0/instances/throwaway/state", {"action": "stop"}),
    ("PATCH", "/1.0/instances/throwaway", {"config": {}}),
    ("POST", "/1.0/instances/throwaway/files", None),
    ("POST", "/1.0/instances/throwaway/exec", {"command": []}),
    ("DELETE", "/1.0/instances/throwaway", None),
    ("DELETE", "/1.0/operations/3f", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_the_run_s_own_machine_may_be_changed(wire: requests_mock.Mocker, session: GuardedSession, method: str, path: str, body: Any) -> None:
    session.request(method, f"{HOST}{path}", params=OURS, json=body)
    assert wire.call_count == 1


@pytest.mark.parametrize(("method", "path", "body"), CHANGES[:-1])
def test_the_same_to_a_neighbour_is_refused(wire: requests_mock.Mocker, session: GuardedSession, method: str, path: str, body: Any) -> None:
    other = {**body, "name": "neighbour"} if body and "name" in body else body
    with pytest.raises(NotOurs, match="neighbour"):
        session.request(method, HOST + path.replace("throwaway", "neighbour"), params=OURS, json=other)
    assert wire.call_count == 0


REFUSED: list[tuple[str, str, str, dict[str, Any], Any]] = [
    ("a read in another project", "GET", "/1.0/instances", {"project": "theirs"}, None),
    ("another project in the address", "GET", "/1.0/instances?project=theirs", {}, None),
    ("both projects, ours by parameter", "GET", "/1.0/instances?project=theirs", OURS, None),
    ("both projects, ours in the address", "GET", "/1.0/instances?project=ours", {"project": "theirs"}, None),
    ("both projects in the address", "GET", "/1.0/instances?project=ours&project=theirs", OURS, None),
    ("no project", "GET", "/1.0/instances", {}, None),
    ("another project's description", "GET", "/1.0/projects/theirs", {}, None),
    ("another project's state", "GET", "/1.0/projects/theirs/state", {}, None),
    ("the list of certificates", "GET", "/1.0/certificates", {}, None),
    ("our machine's name in another project", "DELETE", "/1.0/instances/throwaway", {"project": "theirs"}, None),
    ("a change of all projects", "DELETE", "/1.0/instances/throwaway", {**OURS, "all-projects": "true"}, None),
    ("a change of all projects in the address", "PUT", "/1.0/instances?all-projects=true", {}, {"state": {"action": "stop"}}),
    ("a change of all instances", "PUT", "/1.0/instances", OURS, {"state": {"action": "stop"}}),
    ("a machine of another name", "POST", "/1.0/instances", OURS, {"name": "throwaway-2"}),
    ("a machine without a name", "POST", "/1.0/instances", OURS, {"source": {}}),
    ("a machine without a body", "POST", "/1.0/instances", OURS, None),
    ("a machine whose name only begins like ours", "DELETE", "/1.0/instances/throwaway2", OURS, None),
    ("a path that leads to a neighbour", "DELETE", "/1.0/instances/throwaway/../neighbour", OURS, None),
    ("the same, escaped", "DELETE", "/1.0/instances/throwaway/%2e%2e/neighbour", OURS, None),
    ("the same, with the slash escaped", "DELETE", "/1.0/instances/throwaway%2f..%2fneighbour", OURS, None),
    ("a move to another project", "POST", "/1.0/instances/throwaway", OURS, {"migration": True, "project": "theirs"}),
    ("the project itself", "PATCH", "/1.0/projects/ours", OURS, {"config": {}}),
    ("another project's making", "POST", "/1.0/projects", OURS, {"name": "theirs"}),
    ("the server's configuration", "PATCH", "/1.0", OURS, {"config": {}}),
    ("a profile", "PUT", "/1.0/profiles/default", OURS, {}),
    ("an image", "DELETE", "/1.0/images/3f", OURS, None),
    ("a certificate", "POST", "/1.0/certificates", OURS, {}),
    ("a verb nobody knows", "BREW", "/1.0/instances/neighbour", OURS, None),
]


@pytest.mark.parametrize(("method", "path", "params", "body"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_everything_else_is_refused_before_it_is_sent(
    wire: requests_mock.Mocker, session: GuardedSession, method: str, path: str, params: dict[str, Any], body: Any
) -> None:
    with pytest.raises(NotOurs, match="refused to send"):
        session.request(method, HOST + path, params=params, json=body)
    assert wire.call_count == 0


def with_config(**changes: Any) -> dict[str, Any]:
    """The wanted machine with another configuration; None takes a key away."""
    config = {**WANTED["config"], **{key.replace("__", "."): value for key, value in changes.items()}}
    return {**WANTED, "config": {key: value for key, value in config.items() if value is not None}}


CREATIONS: list[tuple[str, dict[str, Any], str]] = [
    ("no mark", {**WANTED, "config": {"limits.memory": "4GiB"}}, "mark"),
    *((f"half a mark, without {key}", with_config(**{key.replace(".", "__"): None}), "mark") for key in (marks.SUITE, marks.RUN, marks.PROCESS)),
    ("a suite that is not ours", with_config(**{marks.SUITE.replace(".", "__"): "other"}), "mark"),
    ("no memory limit", with_config(limits__memory=None), "without a limit"),
    ("a share of all memory", with_config(limits__memory="50%"), "without a limit"),
    ("a byte more than declared", with_config(limits__memory=str(4 * GIB + 1)), "are declared"),
    ("a copy of a neighbour", {**WANTED, "source": {"type": "copy", "source": "neighbour"}}, "copy neighbour"),
]


@pytest.mark.parametrize(("body", "reason"), [case[1:] for case in CREATIONS], ids=[case[0] for case in CREATIONS])
def test_a_machine_is_made_as_declared_or_not_at_all(wire: requests_mock.Mocker, session: GuardedSession, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotOurs, match=reason):
        session.post(f"{HOST}/1.0/instances", params=OURS, json=body)
    assert wire.call_count == 0


def test_a_second_machine_must_have_been_asked_for(wire: requests_mock.Mocker, session: GuardedSession, guard: Guard) -> None:
    guard.owned.add("throwaway-2")
    guard.creatable.add("throwaway-2")
    second = {**WANTED, "name": "throwaway-2"}
    with pytest.raises(NotOurs, match="throwaway stands already, and 1 may"):
        session.post(f"{HOST}/1.0/instances", params=OURS, json=second)
    assert wire.call_count == 0
    guard.most = 2
    session.post(f"{HOST}/1.0/instances", params=OURS, json=second)
    assert wire.call_count == 1


SMALLER: dict[str, Any] = {"config": {"limits.memory": "3GiB"}}


@pytest.mark.parametrize("key", ["limits.memory", "limits.memory.swap", "limits.memory.hotplug"])
def test_memory_is_set_on_a_machine_that_stands_still(wire: requests_mock.Mocker, session: GuardedSession, guard: Guard, key: str) -> None:
    body = {"config": {"limits.memory": "3GiB", key: "3GiB"}}
    guard.is_running = lambda name: name == "throwaway"
    with pytest.raises(NotOurs, match="refused to set memory on throwaway: it runs"):
        session.patch(f"{HOST}/1.0/instances/throwaway", params=OURS, json=body)
    assert wire.call_count == 0
    guard.is_running = lambda _name: False
    session.patch(f"{HOST}/1.0/instances/throwaway", params=OURS, json=body)
    assert wire.call_count == 1


@pytest.mark.parametrize("limit", ["8GiB", "", "50%", "lots"])
def test_our_own_machine_gets_no_more_than_was_declared(session: GuardedSession, guard: Guard, limit: str) -> None:
    guard.is_running = lambda _name: False
    with pytest.raises(NotOurs, match="are declared"):
        session.patch(f"{HOST}/1.0/instances/throwaway", params=OURS, json={"config": {"limits.memory": limit}})


def test_who_cannot_tell_whether_it_runs_sets_no_memory(session: GuardedSession) -> None:
    with pytest.raises(NotOurs, match="it runs"):
        session.patch(f"{HOST}/1.0/instances/throwaway", params=OURS, json=SMALLER)


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("PATCH", {"config": {marks.SUITE: ""}}),
        ("PATCH", {"config": {marks.RUN: "another"}}),
        ("PUT", {"config": {"limits.memory": "4GiB"}}),
        ("PUT", {}),
    ],
)
def test_our_machine_keeps_its_mark(wire: requests_mock.Mocker, session: GuardedSession, guard: Guard, verb: str, body: dict[str, Any]) -> None:
    guard.is_running = lambda _name: False
    with pytest.raises(NotOurs, match="would lose our mark"):
        session.request(verb, f"{HOST}/1.0/instances/throwaway", params=OURS, json=body)
    assert wire.call_count == 0


def test_somebody_else_s_machine_may_be_resized_and_nothing_else(wire: requests_mock.Mocker, session: GuardedSession, guard: Guard) -> None:
    machine = f"{HOST}/1.0/instances/canonical"
    guard.resizable.add("canonical")
    guard.is_running = lambda _name: False
    session.put(f"{machine}/state", params=OURS, json={"action": "stop", "timeout": 60, "force": False})
    session.patch(machine, params=OURS, json=SMALLER)
    session.put(f"{machine}/state", params=OURS, json={"action": "start"})
    assert wire.call_count == 3
    refused: list[tuple[str, str, Any]] = [
        ("PUT", f"{machine}/state", {"action": "stop", "force": True}),
        ("PUT", f"{machine}/state", {"action": "restart"}),
        ("PATCH", machine, {"config": {"limits.memory": "3GiB", "user.x": "y"}}),
        ("PATCH", machine, {"config": {"limits.memory": "3GiB"}, "devices": {}}),
        ("PUT", machine, SMALLER),
        ("DELETE", machine, None),
        ("POST", f"{machine}/exec", {"command": []}),
        ("POST", f"{machine}/snapshots", {"name": "x"}),
        ("PATCH", f"{machine}/snapshots", SMALLER),
    ]
    for verb, url, body in refused:
        with pytest.raises(NotOurs, match="did not make instance canonical"):
            session.request(verb, url, params=OURS, json=body)
    guard.is_running = lambda _name: True
    with pytest.raises(NotOurs, match="it runs"):
        session.patch(machine, params=OURS, json=SMALLER)
    assert wire.call_count == 3


def test_a_redirect_is_an_answer_and_not_a_way(wire: requests_mock.Mocker, session: GuardedSession) -> None:
    """Where it leads was shown to no guard."""
    wire.register_uri("GET", f"{HOST}/1.0", status_code=307, headers={"Location": f"{HOST}/1.0/instances?project=theirs"})
    assert session.get(f"{HOST}/1.0").status_code == 307
    assert wire.call_count == 1


def test_what_leaves_is_counted_where_it_leaves(wire: requests_mock.Mocker, session: GuardedSession, guard: Guard) -> None:
    guard.is_running = lambda _name: False
    session.get(f"{HOST}/1.0")
    session.get(f"{HOST}/1.0/instances", params={"all-projects": "true"})
    session.patch(f"{HOST}/1.0/instances/throwaway", params=OURS, json=SMALLER)
    with pytest.raises(NotOurs):
        session.delete(f"{HOST}/1.0/instances/neighbour", params=OURS)
    assert wire.call_count == session.sent.total() == 3
    assert sorted(session.sent) == [
        Sent("GET", "/1.0", "", ()),
        Sent("GET", "/1.0/instances", "all projects", ()),
        Sent("PATCH", "/1.0/instances/throwaway", "ours", ("limits.memory",)),
    ]


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_no_verb_of_the_session_goes_past_the_guard(wire: requests_mock.Mocker, session: GuardedSession, verb: str) -> None:
    with pytest.raises(NotOurs):
        getattr(session, verb)(f"{HOST}/1.0/instances/throwaway", params={"project": "theirs"})
    assert wire.call_count == 0


def test_a_machine_that_was_made_and_given_up_is_nobody_s_to_change(wire: requests_mock.Mocker, session: GuardedSession, guard: Guard) -> None:
    guard.owned.discard("throwaway")
    with pytest.raises(NotOurs, match="this run did not make instance throwaway"):
        session.delete(f"{HOST}/1.0/instances/throwaway", params=OURS)
    assert wire.call_count == 0


@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: name != "throwaway"),
    rest=st.sampled_from(["", "/state", "/files"]),
)
def test_no_other_name_passes_however_it_is_spelt(name: str, rest: str) -> None:
    guard = Guard("ours")
    guard.owned.add("throwaway")
    url = requests.Request("PUT", f"{HOST}/1.0/instances/{quote(name, safe='')}{rest}").prepare().url
    assert url is not None
    with pytest.raises(NotOurs):
        guard.check("PUT", url, params=OURS, body=None)


def test_every_request_is_bounded(wire: requests_mock.Mocker, session: GuardedSession) -> None:
    session.get(f"{HOST}/1.0")
    session.get(f"{HOST}/1.0", timeout=1)
    session.get(f"{HOST}/1.0", timeout=None)
    assert [request.timeout for request in wire.request_history] == [5, 1, 5]


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        return


def test_the_environment_chooses_neither_trust_nor_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with tls_server(Hello, ours.issue("127.0.0.1"), ("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.server_address[1]}/1.0"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(theirs.bundle))
        monkeypatch.setenv("CURL_CA_BUNDLE", str(theirs.bundle))
        with requests.Session() as plain:
            plain.verify = str(ours.bundle)
            with pytest.raises(requests.exceptions.SSLError):
                plain.get(url, timeout=5)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with requests.Session() as inner:
            inner.verify = str(ours.bundle)
            with GuardedSession(inner, Guard("ours"), timeout=5) as session:
                assert session.get(url).status_code == 200
            inner.verify = str(theirs.bundle)
            with GuardedSession(inner, Guard("ours"), timeout=5) as session, pytest.raises(requests.exceptions.SSLError):
                session.get(url)
