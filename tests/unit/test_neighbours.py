"""Everybody else's machines: what counts as a change, what does not, and which machines could be taken for ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cleanroom import marks
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.ledger import Ledger
from cleanroom.surroundings import neighbours
from cleanroom.surroundings.elsewhere import EVERYBODY_ELSE
from cleanroom.surroundings.neighbours import Neighbours
from cleanroom.surroundings.survey import Seen
from cleanroom.tables.machines import Incus as Settings

SETTINGS = Settings.model_validate(
    {"endpoint": "http+unix://x", "project": "ours", "throwaway": "throwaway", "image": "i", "canonical_host": "host", "neighbours": ["idle"]}
)
HOST = Seen(
    name="host",
    project="ours",
    type="virtual-machine",
    status="Running",
    config={"limits.memory": "4GiB", "volatile.eth0.host_name": "tap1", "cloud-init.user-data": "password: hunter2"},
    devices={"root": {"type": "disk", "pool": "p"}},
    profiles=("default",),
    last_used_at="2026-11-26T08:00:00Z",
    pid=100,
    usage=1,
    total=4 * 2**30,
    snapshots=(),
)
IDLE = replace(HOST, name="idle", pid=101)
OURS = replace(HOST, name="throwaway", config={"limits.memory": "4GiB", **marks.marks("20261124-021500-3fa9c1")})


def watched(ledger: Ledger, *looks: tuple[Seen, ...]) -> Neighbours:
    """A run that looked so often and asked for one throwaway."""
    found = Neighbours(SETTINGS, ledger.record)
    found.look(looks[0])
    ledger.record("hypervisor", action="create", instance="throwaway")
    for look in looks[1:]:
        found.look(look)
    found.tell("after")
    return found


def test_who_is_left_alone_is_unchanged(ledger: Ledger) -> None:
    watched(ledger, (HOST, IDLE), (HOST, IDLE, OURS), (HOST, IDLE))
    neighbours.check_unchanged(ledger, SETTINGS)
    neighbours.check_untold(ledger, SETTINGS)
    neighbours.check_throwaways(ledger, SETTINGS)


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("memory", {"config": {**HOST.config, "limits.memory": "3GiB"}}, "configuration limits.memory"),
    ("a key less", {"config": {"limits.memory": "4GiB"}}, "configuration cloud-init.user-data"),
    ("another interface", {"config": {**HOST.config, "volatile.eth0.host_name": "tap2"}}, "configuration volatile.eth0.host_name"),
    ("a device", {"devices": {**HOST.devices, "usb": {"type": "usb"}}}, "device usb"),
    ("a profile", {"profiles": ("default", "more")}, "profiles"),
    ("a stop", {"status": "Stopped", "pid": 0}, "process, state"),
    ("a restart", {"pid": 200, "last_used_at": "2026-11-26T09:00:00Z"}, "last start, process"),
    ("a snapshot", {"snapshots": ("s",)}, "snapshots"),
]


@pytest.mark.parametrize(("changes", "told"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_every_change_is_red_even_if_it_was_undone(ledger: Ledger, changes: dict[str, Any], told: str) -> None:
    watched(ledger, (HOST, IDLE), (replace(HOST, **changes), IDLE, OURS), (HOST, IDLE))
    with pytest.raises(CheckFailed, match=f"host: .*{told}"):
        neighbours.check_unchanged(ledger, SETTINGS)


def test_a_neighbour_that_is_gone_is_red(ledger: Ledger) -> None:
    watched(ledger, (HOST, IDLE), (HOST, OURS), (HOST,))
    with pytest.raises(CheckFailed, match="idle: it is gone"):
        neighbours.check_unchanged(ledger, SETTINGS)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "Ready"},
        {"config": {**HOST.config, "volatile.last_state.ready": "true"}},
        {"usage": 12345},
    ],
    ids=["ready", "said-ready", "usage"],
)
def test_what_changes_by_itself_is_no_change(ledger: Ledger, changes: dict[str, Any]) -> None:
    watched(ledger, (HOST, IDLE), (replace(HOST, **changes), IDLE, OURS), (HOST, IDLE))
    neighbours.check_unchanged(ledger, SETTINGS)


def test_another_project_s_machine_is_not_ours_to_judge(ledger: Ledger) -> None:
    other = replace(HOST, name="other", project="theirs")
    watched(ledger, (HOST, IDLE, other), (HOST, IDLE, OURS, replace(other, status="Stopped")))
    neighbours.check_unchanged(ledger, SETTINGS)


def test_no_configuration_is_written_down(ledger: Ledger) -> None:
    watched(ledger, (HOST, IDLE), (replace(HOST, config={**HOST.config, "cloud-init.user-data": "password: other"}), IDLE, OURS))
    assert b"hunter2" not in ledger.path.read_bytes()
    assert b"password" not in ledger.path.read_bytes()


@pytest.mark.parametrize("look", [(), (HOST,)], ids=["nobody", "one-is-missing"])
def test_whoever_was_not_seen_cannot_be_said_to_be_unchanged(ledger: Ledger, look: tuple[Seen, ...]) -> None:
    watched(ledger, look, (*look, OURS))
    with pytest.raises(HarnessError, match="cannot tell whether it was left alone"):
        neighbours.check_unchanged(ledger, SETTINGS)


def test_what_the_hypervisor_tells_counts_too(ledger: Ledger) -> None:
    watched(ledger, (HOST, IDLE), (HOST, IDLE, OURS))
    ledger.record("elsewhere", action="instance-updated", instance="theirs/host")
    neighbours.check_untold(ledger, SETTINGS)
    ledger.record("elsewhere", action="instance-updated", instance="host")
    with pytest.raises(CheckFailed, match="instance-updated host"):
        neighbours.check_untold(ledger, SETTINGS)


def test_events_that_were_not_heard_tell_nothing(ledger: Ledger) -> None:
    watched(ledger, (HOST, IDLE), (HOST, IDLE, OURS))
    ledger.record("lifecycle-gap", instance=EVERYBODY_ELSE)
    with pytest.raises(HarnessError, match="not heard"):
        neighbours.check_untold(ledger, SETTINGS)


STRANGERS: list[tuple[str, Callable[[], Seen], bool]] = [
    ("a name like ours", lambda: replace(HOST, name="throwaway-2"), True),
    ("a copied mark", lambda: replace(OURS, name="innocent"), True),
    ("half a mark", lambda: replace(HOST, name="innocent", config={marks.RUN: "x"}), True),
    ("the lab's own mark", lambda: replace(HOST, name="innocent", config={marks.LAB: "true"}), False),
    ("nothing of ours", lambda: replace(HOST, name="innocent"), False),
]


@pytest.mark.parametrize(("make", "red"), [case[1:] for case in STRANGERS], ids=[case[0] for case in STRANGERS])
def test_a_machine_that_could_be_taken_for_ours_is_a_second_throwaway(ledger: Ledger, make: Callable[[], Seen], red: bool) -> None:  # noqa: FBT001 - a table
    watched(ledger, (HOST, IDLE), (HOST, IDLE, OURS, make()), (HOST, IDLE))
    if red:
        with pytest.raises(CheckFailed, match="no throwaway but throwaway"):
            neighbours.check_throwaways(ledger, SETTINGS)
    else:
        neighbours.check_throwaways(ledger, SETTINGS)


def test_a_dead_run_s_machine_may_be_there_before_ours_is_asked_for(ledger: Ledger) -> None:
    watched(ledger, (HOST, IDLE, replace(OURS, name="throwaway-2")), (HOST, IDLE, OURS), (HOST, IDLE))
    neighbours.check_throwaways(ledger, SETTINGS)


def test_who_saw_no_throwaway_cannot_count_them(ledger: Ledger) -> None:
    watched(ledger, (HOST, IDLE), (HOST, IDLE))
    with pytest.raises(HarnessError, match="none was seen"):
        neighbours.check_throwaways(ledger, SETTINGS)
