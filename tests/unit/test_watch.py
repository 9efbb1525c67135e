"""The watch on the hypervisor's life-cycle events, over a real websocket: on a local socket, and over TLS with certificates on both sides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom import custody, marks
from cleanroom.custody import Watch
from cleanroom.errors import CheckFailed, OutOfReach
from cleanroom.hypervisor import Hypervisor
from cleanroom.incus.door import Credential
from cleanroom.ledger import Ledger
from cleanroom.tables.machines import Incus as Settings
from cleanroom.wait import Waiting, wait_until
from tests.unit.authority import Authority
from tests.unit.incus import Incus, on_tls
from tests.unit.notes import Notes

NAME = "throwaway"


@pytest.fixture
def heard(incus: Incus, ledger: Ledger) -> Iterator[tuple[Hypervisor, Watch]]:
    """A hypervisor and a watch on the throwaway, both writing to the ledger."""
    hypervisor = Hypervisor.connect(incus.settings(), record=ledger.record)
    watch = Watch(hypervisor, NAME, ledger.record)
    yield hypervisor, watch
    watch.close()
    hypervisor.client.api.session.close()


def test_the_events_of_our_own_acts_balance(heard: tuple[Hypervisor, Watch], incus: Incus, ledger: Ledger) -> None:
    hypervisor, watch = heard
    hypervisor.create(NAME, kind="container", config=marks.marks("20261124-021500-3fa9c1"))
    hypervisor.push_file(NAME, "/root/.ssh", b"", mode=0o700, kind="directory")
    hypervisor.push_file(NAME, "/root/.ssh/authorized_keys", b"key", mode=0o600)
    hypervisor.read_file(NAME, "/root/.ssh/authorized_keys")
    hypervisor.set_config(NAME, {"user.x": "y"})
    hypervisor.restart(NAME, within=5)
    incus.tell("instance-exec", "neighbour")
    incus.tell("instance-exec", f"{NAME}-2")
    custody.check_events(ledger, watch)
    incus.tell("instance-exec", NAME)
    wait_until(lambda: strange(ledger) or Waiting("not heard yet"), what="the stranger's event", within=5, every=0.01)
    with pytest.raises(CheckFailed, match="instance-exec"):
        custody.check_events(ledger, watch)
    assert {event["instance"] for event in ledger.of("lifecycle")} == {NAME}


def strange(ledger: Ledger) -> bool:
    return any(event["action"] == "instance-exec" for event in ledger.of("lifecycle"))


def test_the_watch_asks_for_our_project_only(heard: tuple[Hypervisor, Watch], incus: Incus) -> None:
    assert heard
    asked = next(asked for asked in incus.asked if asked.path == "/1.0/events")
    assert asked.query == {"type": "lifecycle", "project": "ours"}


def test_a_line_that_breaks_is_a_gap_and_one_that_we_close_is_none(incus: Incus, ledger: Ledger) -> None:
    hypervisor = Hypervisor.connect(incus.settings(), record=ledger.record)
    watch = Watch(hypervisor, NAME, ledger.record)
    watch.close()
    watch.close()
    assert not watch.has_gap
    watch = Watch(hypervisor, NAME, ledger.record)
    incus.hang_up()
    wait_until(lambda: len(list(ledger.of("lifecycle-gap"))) == 1 or Waiting("not yet"), what="the gap to be told", within=30, every=0.01)
    assert watch.has_gap
    hypervisor.client.api.session.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


def remote(incus: Incus, authority: Authority, server_certificate: Path) -> Settings:
    client = authority.issue("client.example")
    return incus.settings(client_certificate=client.certificate, client_key=client.key, server_certificate=server_certificate)


def identity(settings: Settings) -> str:
    credential = Credential.of(settings)
    assert credential is not None
    return credential.fingerprint


def watched_machine(incus: Incus, settings: Settings, ledger: Ledger, stack: contextlib.ExitStack) -> Watch:
    """A machine made by us, who are known by our certificate, and watched since before it was."""
    hypervisor = Hypervisor.connect(settings, record=ledger.record)
    stack.callback(hypervisor.client.api.session.close)
    watch = Watch(hypervisor, NAME, ledger.record)
    stack.callback(watch.close)
    incus.username = identity(settings)
    hypervisor.create(NAME, kind="container", config=marks.marks("20261124-021500-3fa9c1"))
    return watch


def test_a_remote_server_is_reached_with_our_certificate_and_its_own_pinned(
    authority: Authority, tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = Authority(tmp_path / "server").vouch_for_itself("127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with on_tls(authority, leaf) as incus, contextlib.ExitStack() as stack:
        settings = remote(incus, authority, leaf.certificate)
        watch = watched_machine(incus, settings, ledger, stack)
        custody.check_events(ledger, watch)
        incus.username = "e" * 64
        incus.tell("instance-updated", NAME)
        incus.username = identity(settings)
        with pytest.raises(CheckFailed, match="eeee"):
            custody.check_events(ledger, watch)


def test_a_certificate_that_does_not_name_the_endpoint_is_good_for_requests_and_events_alike(
    authority: Authority, tmp_path: Path, ledger: Ledger
) -> None:
    leaf = Authority(tmp_path / "server").vouch_for_itself("hypervisor.example")
    with on_tls(authority, leaf) as incus, contextlib.ExitStack() as stack:
        settings = remote(incus, authority, leaf.certificate)
        watch = watched_machine(incus, settings, ledger, stack)
        custody.check_events(ledger, watch)


def test_a_watch_hangs_up_on_a_server_that_shows_another_certificate(authority: Authority, tmp_path: Path, ledger: Ledger) -> None:
    one, two = Authority(tmp_path / "one").vouch_for_itself("127.0.0.1"), Authority(tmp_path / "two").vouch_for_itself("127.0.0.1")
    with on_tls(authority, one) as incus, on_tls(authority, two) as other, contextlib.ExitStack() as stack:
        hypervisor = Hypervisor.connect(remote(incus, authority, one.certificate), record=ledger.record)
        stack.callback(hypervisor.client.api.session.close)
        hypervisor.client.api = hypervisor.client.api.__class__(f"{other.endpoint}/1.0", hypervisor.client.api.session, project="ours")
        with pytest.raises(OutOfReach, match="another certificate than the pinned one"):
            Watch(hypervisor, NAME, ledger.record)
        assert other.asked == []


def test_a_remote_server_with_another_certificate_gets_no_request(authority: Authority, tmp_path: Path, notes: Notes) -> None:
    leaf, pinned = Authority(tmp_path / "one").vouch_for_itself("127.0.0.1"), Authority(tmp_path / "two").vouch_for_itself("127.0.0.1")
    with on_tls(authority, leaf) as incus:
        with pytest.raises(OutOfReach):
            Hypervisor.connect(remote(incus, authority, pinned.certificate), record=notes.record)
        assert incus.asked == []
