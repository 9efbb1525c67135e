"""A second rebuild and a reboot: what must be the same afterwards, and what must not."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from cleanroom.endurance import Reboot, Repetition, State
from cleanroom.errors import CheckFailed
from cleanroom.guide import Command, Guide
from cleanroom.installation import Installation, Outcome
from cleanroom.machine import Machine, SwarmService
from cleanroom.ssh import Result


class Somewhere:
    """A machine that runs what it is told to."""

    where = "throwaway (192.0.2.1)"

    def __init__(self, **units: str) -> None:
        self.units = units

    def services(self) -> list[SwarmService]:
        return [SwarmService("drone_app", 1, 1, ("task 1",))]

    def probe(self, *argv: str, within: float = 60.0) -> Result:
        assert within > 0
        return Result(argv[0], 0, b"/nix/store/1-system\n" if argv[0] == "nix" else b"7 100.0", b"", 0.1, self.where)

    def running_units(self) -> dict[str, str]:
        return self.units

    def current_system(self) -> str:
        return "/nix/store/1-system"


MACHINE = cast(Machine, Somewhere())
BEFORE = State("/nix/store/1-system", frozenset({"/nix/store/1-system"}), {"docker.service": "invocation 1"}, frozenset({"task 1"}), "7 100.0")
REBUILT = replace(BEFORE, activated="8 160.0")
COMMAND = Command(1, "install.md", 7, "machine", "echo 'Later: nixos-rebuild switch'", 60.0, 0)
ONCE = Reboot(MACHINE, "boot 1", "boot 2", BEFORE.system, BEFORE.system)


@pytest.mark.parametrize("passing", ["session-3.scope", "systemd-hostnamed.service", "sshd@4-192.0.2.1:22.service"])
def test_what_comes_and_goes_by_itself_is_no_part_of_the_state(passing: str) -> None:
    assert State.of(cast(Machine, Somewhere(**{"docker.service": "invocation 1", passing: "invocation 9"}))) == BEFORE


def again(after: State) -> Repetition:
    """A guide of one command, followed to its end: what it left is what is judged."""
    return Repetition(Installation(Guide("install.md", (COMMAND,)), MACHINE, (Outcome(COMMAND, 0, "0", 0.1, "", ""),), None), BEFORE, after)


def test_a_repetition_that_changes_nothing_holds() -> None:
    again(REBUILT).check_nothing_built()
    again(REBUILT).check_nothing_restarted()


def test_what_activated_nothing_was_no_rebuild() -> None:
    with pytest.raises(CheckFailed, match="the guide's rebuild activates the system again") as caught:
        again(BEFORE).check_nothing_built()
    assert "command 1 (install.md:7): echo 'Later: nixos-rebuild switch'" in caught.value.seen


def test_what_came_beside_what_was_there_is_no_restart() -> None:
    again(replace(BEFORE, units={**BEFORE.units, "new.service": "invocation 2"})).check_nothing_restarted()


@pytest.mark.parametrize(
    "after",
    [
        replace(REBUILT, store=BEFORE.store | {"/nix/store/2-more"}),
        replace(REBUILT, system="/nix/store/2-system"),
    ],
    ids=["another path", "another system"],
)
def test_anything_built_is_told(after: State) -> None:
    with pytest.raises(CheckFailed, match="a second rebuild builds nothing"):
        again(after).check_nothing_built()


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (replace(BEFORE, units={"docker.service": "invocation 2"}), "restarted or stopped: docker.service"),
        (replace(BEFORE, units={}), "restarted or stopped: docker.service"),
        (replace(BEFORE, tasks=frozenset({"task 2"})), "1 tasks ended, 1 are new"),
        (replace(BEFORE, tasks=frozenset()), "1 tasks ended, 0 are new"),
        (replace(BEFORE, tasks=BEFORE.tasks | {"task 2"}), "0 tasks ended, 1 are new"),
    ],
    ids=["unit restarted", "unit stopped", "task renewed", "task gone", "task more"],
)
def test_anything_restarted_is_told(after: State, told: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        again(after).check_nothing_restarted()
    assert told in caught.value.seen


def test_another_boot_of_the_same_system_holds() -> None:
    ONCE.check()


@pytest.mark.parametrize(
    ("reboot", "expected"),
    [
        (replace(ONCE, boot_after="boot 1"), "another boot"),
        (replace(ONCE, system_after="/nix/store/2-system"), "/nix/store/1-system runs after the reboot"),
    ],
    ids=["the same boot", "another system"],
)
def test_the_same_boot_and_another_system_are_told(reboot: Reboot, expected: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        reboot.check()
    assert caught.value.expected == expected
