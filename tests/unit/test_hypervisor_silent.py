"""Incus when its answers get lost: what is asked again, what never is, and what clean-up makes of a machine that may or may not come."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cleanroom import hypervisor as module
from cleanroom import marks
from cleanroom.errors import OutOfReach
from cleanroom.hypervisor import Hypervisor
from cleanroom.tables.machines import Incus as Settings
from cleanroom.wait import Waiting, wait_until
from tests.unit.authority import Authority
from tests.unit.incus import Incus, on_tls
from tests.unit.notes import Notes

NAME = "throwaway"
MARK = marks.marks("20261124-021500-3fa9c1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture
def incus(authority: Authority, tmp_path: Path) -> Iterator[Incus]:
    with on_tls(authority, Authority(tmp_path / "server").vouch_for_itself("127.0.0.1")) as server:
        yield server


@pytest.fixture
def settings(incus: Incus, authority: Authority, tmp_path: Path) -> Settings:
    client = authority.issue("client.example")
    return incus.settings(client_certificate=client.certificate, client_key=client.key, server_certificate=tmp_path / "server" / "self.pem")


@pytest.fixture
def hypervisor(settings: Settings, notes: Notes) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(settings, record=notes.record)
    yield found
    found.client.api.session.close()


@pytest.fixture
def made(incus: Incus, hypervisor: Hypervisor, notes: Notes) -> Hypervisor:
    """With a throwaway of ours, and nothing noted yet."""
    hypervisor.create(NAME, kind="container", config=MARK)
    incus.asked.clear()
    notes.clear()
    return hypervisor


def test_a_question_that_got_no_answer_is_asked_again_and_the_silence_is_told(incus: Incus, hypervisor: Hypervisor, notes: Notes) -> None:
    incus.unanswered = 2
    assert hypervisor.instances() == []
    assert [note["kind"] for note in notes] == ["hypervisor-silent", "hypervisor-answers"]
    assert [asked.path for asked in incus.asked].count("/1.0/instances") == 3


def test_a_silence_that_lasts_is_out_of_reach(incus: Incus, hypervisor: Hypervisor, notes: Notes) -> None:
    hypervisor.client.api.session.patience = 0.2
    incus.unanswered = 1000
    with pytest.raises(OutOfReach, match="does not answer: waited"):
        hypervisor.instances()
    assert [note["kind"] for note in notes] == ["hypervisor-silent"]


def test_a_first_contact_that_fails_fails_at_once(incus: Incus, settings: Settings, notes: Notes) -> None:
    incus.unanswered = 1
    with pytest.raises(OutOfReach):
        Hypervisor.connect(settings, record=notes.record)
    assert not notes


def test_a_command_that_got_no_answer_is_never_repeated(incus: Incus, made: Hypervisor, notes: Notes) -> None:
    incus.lost = 1
    with pytest.raises(OutOfReach):
        made.set_config(NAME, {"user.x": "y"})
    assert incus.changes() == [("PATCH", f"/1.0/instances/{NAME}")]
    assert incus.instances[NAME]["config"]["user.x"] == "y", "it had happened"
    assert notes[-1] | {"n": 0} == {
        "n": 0,
        "kind": "hypervisor",
        "action": "mark not known to have happened",
        "instance": NAME,
        "withdraws": ["instance-updated"],
        "uncertain": ["instance-updated"],
    }


def test_a_machine_whose_creation_got_no_answer_is_deleted_all_the_same(
    incus: Incus, hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SETTLING_SECONDS", 0.1)
    incus.lost = 1
    with pytest.raises(OutOfReach):
        hypervisor.create(NAME, kind="container", config=MARK)
    assert NAME in incus.instances
    hypervisor.delete(NAME)
    assert incus.instances == {}


def test_a_machine_that_comes_after_everybody_gave_up_on_it_is_waited_for(
    incus: Incus, hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SETTLING_SECONDS", 0.4)
    incus.lost, incus.failures = 1, ["nobody knows"]
    with pytest.raises(OutOfReach):
        hypervisor.create(NAME, kind="container", config=MARK)
    incus.running = [{"resources": {"instances": [f"/1.0/instances/{NAME}"]}}]

    def come() -> None:
        incus.instance(NAME)
        incus.running.clear()

    late = threading.Timer(0.6, come)
    late.start()
    hypervisor.delete(NAME)
    late.join()
    assert ("DELETE", f"/1.0/instances/{NAME}") in incus.changes()
    assert incus.instances == {}


def test_a_machine_that_was_never_made_is_missed_and_that_is_all(incus: Incus, hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLING_SECONDS", 0.1)
    incus.lost, incus.failures = 1, ["nobody knows"]
    with pytest.raises(OutOfReach):
        hypervisor.create(NAME, kind="container", config=MARK)
    incus.running = [{"resources": {"instances": [f"/1.0/instances/{NAME}-2"]}}]
    hypervisor.delete(NAME)
    assert incus.changes() == [("POST", "/1.0/instances")]


def once_asked(incus: Incus, act: Callable[[], object]) -> threading.Thread:
    """Let something happen as soon as the server has been given one more thing to do."""
    before = len(incus.operations)

    def wait() -> None:
        wait_until(lambda: len(incus.operations) > before or Waiting("nothing asked"), what="a command", within=30, every=0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_an_operation_that_the_server_has_forgotten_has_an_unknown_outcome(incus: Incus, made: Hypervisor, notes: Notes) -> None:
    incus.stuck = True
    forget = once_asked(incus, incus.operations.clear)
    with pytest.raises(OutOfReach, match="has forgotten that it waits"):
        made.restart(NAME, within=10)
    forget.join()
    assert notes[-1]["uncertain"] == ["instance-restarted"]


@pytest.mark.parametrize("status", ["Running", "Stopped"])
def test_a_creation_that_ended_while_nobody_could_ask_is_judged_by_the_machine(incus: Incus, hypervisor: Hypervisor, status: str) -> None:
    incus.stuck = True

    def end() -> None:
        incus.instance(NAME)["status"] = status
        incus.operations.clear()

    late = once_asked(incus, end)
    if status == "Running":
        hypervisor.create(NAME, kind="container", config=MARK)
    else:
        with pytest.raises(OutOfReach, match="has forgotten"):
            hypervisor.create(NAME, kind="container", config=MARK)
    late.join()


def test_a_command_that_nobody_was_there_to_hear_is_said_again(incus: Incus, made: Hypervisor, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon is away for a moment: no connection comes about, so nothing can have been heard."""
    refused = [ConnectionRefusedError(111, "Connection refused")] * 2
    connect = socket.socket.connect

    def connect_later(self: socket.socket, address: object) -> None:
        if refused:
            raise refused.pop()
        connect(self, address)  # type: ignore[arg-type]

    made.client.api.session.close()
    monkeypatch.setattr(socket.socket, "connect", connect_later)
    made.set_config(NAME, {"user.x": "y"})
    assert incus.changes() == [("PATCH", f"/1.0/instances/{NAME}")]
    assert [note["kind"] for note in notes] == ["hypervisor", "hypervisor-silent", "hypervisor-answers"]
