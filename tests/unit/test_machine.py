"""What a machine's own programs say, and what is made of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from cleanroom.errors import CheckFailed, HarnessError, OutOfReach, OutOfTime
from cleanroom.machine import Machine, SwarmService, Unit
from cleanroom.ssh import Result, Ssh
from tests.unit.notes import Notes

Reply = tuple[int, str]


class Script:
    """In place of a connection: answers each command by its leading words, in turn where it has several answers."""

    address = "192.0.2.1"

    def __init__(self, replies: dict[str, Reply | list[Reply | Exception]]) -> None:
        self.replies = {words: reply if isinstance(reply, list) else [reply] for words, reply in replies.items()}
        self.closed = 0

    def run(self, command: str | Sequence[str], *, stdin: bytes = b"", within: float) -> Result:
        line = command if isinstance(command, str) else shlex.join(command)
        replies = next(replies for words, replies in self.replies.items() if line.startswith(words))
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return Result(line, reply[0], reply[1].encode(), b"it says so", within and 0.1, str(len(stdin)))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def at(notes: Notes) -> Callable[..., Machine]:
    def machine(replies: dict[str, Any]) -> Machine:
        return Machine("throwaway", cast(Ssh, Script(replies)), notes.record)

    return machine


AtMachine = Callable[[dict[str, Any]], Machine]


def unit_block(**changes: str) -> str:
    facts = {
        "Id": "x.service",
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "Result": "success",
        "InvocationID": "abc",
        "Job": "0",
        "InactiveExitTimestampMonotonic": "1000000",
        "ActiveEnterTimestampMonotonic": "3500000",
        "ExecMainExitTimestampMonotonic": "0",
        **changes,
    }
    return "\n".join(f"{key}={value}" for key, value in facts.items() if value != "-")


def unit(at: AtMachine, **changes: str) -> Unit:
    return at({"systemctl show": (0, unit_block(**changes))}).unit("x.service")


def test_every_command_is_recorded_with_its_purpose_before_it_is_sent(at: AtMachine, notes: Notes) -> None:
    machine = at({"boom": [OutOfReach("gone")], "ls": (3, "")})
    with pytest.raises(OutOfReach):
        machine.execute(["boom"], purpose="guide", within=1)
    assert machine.errand("repetition").execute("ls", within=1).status == 3
    assert [(note["kind"], note.get("purpose"), note.get("argv"), note.get("status")) for note in notes] == [
        ("command", "guide", ["boom"], None),
        ("command", "repetition", ["ls"], None),
        ("command-ended", None, None, 3),
    ]
    assert notes[2]["of"] == notes[1]["n"]


def test_a_long_word_is_recorded_shortened_and_sent_whole(at: AtMachine, notes: Notes) -> None:
    result = at({"bash": (0, "")}).execute(["bash", "-c", "x" * 5000], purpose="guide", within=1)
    assert "x" * 5000 in result.command
    assert len(json.dumps(notes[0])) < 1000


def test_a_probe_that_could_change_anything_is_never_sent(at: AtMachine, notes: Notes) -> None:
    with pytest.raises(HarnessError, match="read-only"):
        at({}).probe("rm", "-rf", "/")
    assert notes == []


def test_a_probe_with_an_unexpected_status_cannot_tell(at: AtMachine) -> None:
    with pytest.raises(HarnessError, match=r"cannot tell: `cat x` ended with 1: it says so"):
        at({"cat": (1, "")}).probe("cat", "x")
    assert at({"cat": (1, "")}).probe("cat", "x", ok=(0, 1)).status == 1


def test_a_probe_is_repeated_once_over_a_new_connection(at: AtMachine) -> None:
    machine = at({"cat": [OutOfReach("gone"), (0, "here")]})
    assert machine.probe("cat", "x").text == "here"
    assert cast(Script, machine.ssh).closed == 1
    with pytest.raises(OutOfReach):
        at({"cat": [OutOfReach("gone"), OutOfReach("gone")]}).probe("cat", "x")


@pytest.mark.parametrize(("status", "there"), [(0, True), (1, False)])
def test_a_path_is_there_or_not(at: AtMachine, status: int, there: bool) -> None:  # noqa: FBT001 - a table
    assert at({"find": (status, "")}).exists("/x") is there


def test_a_path_that_cannot_be_looked_for_is_neither(at: AtMachine) -> None:
    with pytest.raises(HarnessError):
        at({"find": (127, "")}).exists("/x")


@pytest.mark.parametrize("line", ["a1b2  /x\n", "\\a1b2  /odd\\nname\n"])
def test_a_digest_is_read(at: AtMachine, line: str) -> None:
    assert at({"sha256sum": (0, line)}).sha256("/x") == "a1b2"


def test_failed_units_are_listed(at: AtMachine) -> None:
    text = "a.service loaded failed failed A thing\nb.mount loaded failed failed B\n"
    assert at({"systemctl list-units": (0, text)}).failed_units() == ["a.service", "b.mount"]
    assert at({"systemctl list-units": (0, "\n")}).failed_units() == []


@pytest.mark.parametrize(("status", "state"), [(0, "running"), (1, "degraded"), (1, "starting"), (3, "maintenance")])
def test_the_system_s_state_is_told_whatever_the_status(at: AtMachine, status: int, state: str) -> None:
    assert at({"systemctl is-system-running": (status, f"{state}\n")}).system_state() == state


def test_a_unit_s_facts_are_read(at: AtMachine) -> None:
    found = unit(at)
    assert (found.name, found.invocation, found.seconds, found.describe()) == ("x.service", "abc", 2.5, "active (running), result success")
    assert found.has_converged


ONESHOT = {"ActiveState": "inactive", "SubState": "dead", "ActiveEnterTimestampMonotonic": "0"}


@pytest.mark.parametrize(
    ("changes", "converged", "failed", "missing"),
    [
        ({}, True, False, False),
        ({"SubState": "exited"}, True, False, False),
        ({"ActiveState": "activating"}, False, False, False),
        ({**ONESHOT, "ExecMainExitTimestampMonotonic": "5000000"}, True, False, False),
        ({**ONESHOT, "InactiveExitTimestampMonotonic": "0"}, False, False, False),
        ({**ONESHOT, "ExecMainExitTimestampMonotonic": "5000000", "Result": "exit-code"}, False, False, False),
        ({"ActiveState": "failed", "Result": "exit-code"}, False, True, False),
        ({"LoadState": "not-found", "ActiveState": "inactive", "InvocationID": "-", "Result": "-"}, False, False, True),
    ],
    ids=["running", "remains", "starting", "done oneshot", "never begun", "oneshot gone wrong", "failed", "missing"],
)
def test_what_a_unit_s_facts_mean(at: AtMachine, changes: dict[str, str], *, converged: bool, failed: bool, missing: bool) -> None:
    found = unit(at, **changes)
    assert (found.has_converged, found.has_failed, found.is_missing) == (converged, failed, missing)


def test_a_oneshot_took_from_its_beginning_to_its_end(at: AtMachine) -> None:
    assert unit(at, **ONESHOT, ExecMainExitTimestampMonotonic="5000000").seconds == 4.0


def test_several_units_are_told_in_the_order_asked(at: AtMachine) -> None:
    text = f"{unit_block(Id='a.service', InvocationID='1')}\n\n{unit_block(Id='b.service', InvocationID='2')}\n"
    assert [found.invocation for found in at({"systemctl show": (0, text)}).units("a.service", "b.service")] == ["1", "2"]
    with pytest.raises(HarnessError, match="told of 2"):
        at({"systemctl show": (0, text)}).units("a.service")


def test_running_units_are_told_with_their_invocation(at: AtMachine) -> None:
    replies = {
        "systemctl list-units": (0, "a.service loaded active running A\n"),
        "systemctl show": (0, unit_block(InvocationID="77")),
    }
    assert at(replies).running_units() == {"a.service": "77"}
    with pytest.raises(HarnessError, match="no active service"):
        at({"systemctl list-units": (0, "")}).running_units()


def test_generations_are_read(at: AtMachine) -> None:
    text = "system-1-link /nix/store/1-image\nsystem-2-link /nix/store/2-new\n"
    assert at({"find": (0, text)}).generations() == {"system-1-link": "/nix/store/1-image", "system-2-link": "/nix/store/2-new"}
    assert at({"find": (0, "")}).generations() == {}


@pytest.mark.parametrize(("status", "text", "state"), [(0, "active\n", "active"), (0, "inactive\n", "inactive"), (127, "", "no docker")])
def test_the_swarm_s_state_is_told(at: AtMachine, status: int, text: str, state: str) -> None:
    assert at({"docker info": (status, text)}).swarm_state() == state


def test_a_docker_that_does_not_answer_is_not_taken_for_none(at: AtMachine) -> None:
    with pytest.raises(HarnessError, match="cannot tell whether there is a swarm"):
        at({"docker info": (1, "")}).swarm_state()


def test_services_are_told_with_their_running_tasks(at: AtMachine) -> None:
    def rows(*items: dict[str, str]) -> str:
        return "".join(json.dumps(item) + "\n" for item in items)

    replies = {
        "docker service ls": (0, rows({"Name": "traefik_app", "Replicas": "1/2"}, {"Name": "drone", "Replicas": "0/1 (max 1 per node)"})),
        "docker service ps --no-trunc --filter desired-state=running --format '{{json .}}' traefik_app": (
            0,
            rows({"ID": "t1", "CurrentState": "Running 3 minutes ago"}, {"ID": "t2", "CurrentState": "Preparing 2 seconds ago"}),
        ),
        "docker service ps": (0, ""),
    }
    assert at(replies).services() == [SwarmService("traefik_app", 1, 2, ("t1",)), SwarmService("drone", 0, 1, ())]


@pytest.mark.parametrize(("mode", "desired"), [("replicated", 1), ("global", 1), ("replicated job", 0), ("global job", 0)])
def test_a_job_does_not_want_to_go_on_running(at: AtMachine, mode: str, desired: int) -> None:
    row = json.dumps({"Name": "backup", "Mode": mode, "Replicas": "0/1 (1/1 completed)"})
    assert at({"docker service ls": (0, row), "docker service ps": (0, "")}).services() == [SwarmService("backup", 0, desired, ())]


def test_no_service_at_all_is_an_empty_list(at: AtMachine) -> None:
    assert at({"docker service ls": (0, "")}).services() == []


def test_a_unit_is_waited_for_until_it_has_converged(at: AtMachine) -> None:
    machine = at({"systemctl show": [(0, unit_block(ActiveState="activating")), (0, unit_block(Job="17")), (0, unit_block())]})
    assert machine.wait_for_unit("x.service", within=5).active == "active"


@pytest.mark.parametrize(
    "changes",
    [{"ActiveState": "failed"}, {"LoadState": "not-found", "ActiveState": "inactive"}, {**ONESHOT, "InactiveExitTimestampMonotonic": "0"}],
    ids=["failed", "missing", "idle"],
)
def test_a_unit_that_will_never_converge_ends_the_wait_at_once(at: AtMachine, changes: dict[str, str]) -> None:
    with pytest.raises(CheckFailed, match=r"unit x\.service converges"):
        at({"systemctl show": (0, unit_block(**changes))}).wait_for_unit("x.service", within=60)


def test_a_unit_that_takes_too_long_is_told_with_what_was_seen_last(at: AtMachine) -> None:
    with pytest.raises(OutOfTime, match="activating"):
        at({"systemctl show": (0, unit_block(ActiveState="activating"))}).wait_for_unit("x.service", within=0)


def test_the_system_is_waited_for_until_it_has_settled(at: AtMachine) -> None:
    machine = at({"systemctl is-system-running": [(1, "initializing"), (1, "starting"), (1, "degraded")]})
    assert machine.wait_for_system(within=5) == "degraded"


def test_another_boot_is_waited_for_through_broken_connections(at: AtMachine) -> None:
    replies: list[Reply | Exception] = [(0, "old\n"), OutOfReach("gone"), OutOfReach("gone"), HarnessError("refused"), (0, "new\n")]
    assert at({"cat /proc/sys/kernel/random/boot_id": replies}).wait_for_boot(unlike="old", within=5) == "new"
