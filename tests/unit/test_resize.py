"""Another size: in which order, for whom, and when it is refused before anything happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cleanroom.errors import BadInput, CheckFailed, HarnessError, NotOurs
from cleanroom.hypervisor import Hypervisor
from cleanroom.machine import Machine
from cleanroom.marks import marks
from cleanroom.site import Site
from cleanroom.surroundings import resize
from cleanroom.surroundings.resize import Plan, Resizing, Step
from cleanroom.surroundings.survey import Seen
from tests.unit import sites
from tests.unit.incus import GIB, Incus
from tests.unit.notes import Notes

NAME = "throwaway"
SEEN = Seen(NAME, "ours", "container", "Running", {"limits.memory": "4GiB"}, {}, ("default",), "then", 1, GIB, 4 * GIB, ())


class Inside(Machine):
    """A machine as far as it says what memory it sees: per path a text, or nothing."""

    def __init__(self, **files: str) -> None:
        self.name, self.files = NAME, files

    @property
    def where(self) -> str:
        return self.name

    def probe(self, *argv: str, ok: Any = (0,), within: float = 60.0) -> Any:
        text = self.files.get(argv[-1].rsplit("/", 1)[-1].replace(".", "_"), "")
        return type("Result", (), {"text": text, "ok": ok, "within": within})()


@pytest.fixture
def hypervisor(incus: Incus, notes: Notes) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(incus.settings(canonical_host="canonical"), record=notes.record)
    yield found
    found.client.api.session.close()


def test_a_resize_is_stop_set_start(incus: Incus, hypervisor: Hypervisor, notes: Notes) -> None:
    hypervisor.create(NAME, kind="container", config=marks("20261124-021500-3fa9c1"))
    incus.asked.clear()
    step = resize.resize(hypervisor, NAME, 3 * GIB, notes.record, within=5)
    changes = [(asked.method, asked.path.rsplit("/", 1)[-1], asked.body) for asked in incus.asked if asked.method != "GET"]
    assert changes == [
        ("PUT", "state", {"action": "stop", "timeout": 5, "force": False}),
        ("PATCH", NAME, {"config": {"limits.memory": str(3 * GIB)}}),
        ("PUT", "state", {"action": "start", "timeout": 5, "force": False}),
    ]
    assert (step.before.status, step.still.status, step.after.status, step.after.limit(0)) == ("Running", "Stopped", "Running", 3 * GIB)
    assert [name for note in notes.of("hypervisor")[1:] for name in note["expects"]] == ["instance-shutdown", "instance-updated", "instance-started"]


def test_a_neighbour_is_not_resized(incus: Incus, hypervisor: Hypervisor, notes: Notes) -> None:
    incus.instance("neighbour")
    with pytest.raises(NotOurs, match="did not make instance neighbour"):
        resize.resize(hypervisor, "neighbour", 3 * GIB, notes.record, within=5)
    assert incus.changes() == []


def resizing(*, states: tuple[str, str, str] = ("Running", "Stopped", "Running"), inside: int | None = 3 * GIB, boots: str = "abc") -> Resizing:
    def step(memory: int) -> Step:
        before, still, after = (replace(SEEN, status=status, config={"limits.memory": str(memory)}) for status in states)
        return Step(memory, before, still, after)

    return Resizing(Inside(), (step(3 * GIB), step(4 * GIB)), (inside, 4 * GIB), tuple(boots))


def test_a_resize_as_it_should_be_holds() -> None:
    resizing().check_order()
    resizing().check_sizes(16 * GIB)


@pytest.mark.parametrize("states", [("Running", "Running", "Running"), ("Stopped", "Stopped", "Running"), ("Running", "Stopped", "Stopped")])
def test_memory_set_on_a_running_machine_is_red(states: tuple[str, str, str]) -> None:
    with pytest.raises(CheckFailed, match="stands still while its memory is set"):
        resizing(states=states).check_order()


def test_a_machine_that_was_not_booted_again_is_red() -> None:
    with pytest.raises(CheckFailed, match="another boot"):
        resizing(boots="abb").check_order()


def test_a_machine_that_sees_another_size_is_red_and_one_that_sees_none_cannot_tell() -> None:
    with pytest.raises(CheckFailed, match=r"sees 3\.0 GiB"):
        resizing(inside=4 * GIB).check_sizes(16 * GIB)
    with pytest.raises(HarnessError, match="shows no limit"):
        resizing(inside=None).check_sizes(16 * GIB)


def test_a_size_that_is_only_written_down_is_not_what_runs(incus: Incus, hypervisor: Hypervisor) -> None:
    incus.instance(NAME, **{"limits.memory": "4GiB"})
    resize.check_sees(hypervisor, Inside(memory_max=str(4 * GIB)), 4 * GIB)
    with pytest.raises(CheckFailed, match=r"the machine sees 4\.0 GiB of memory.*\n.*6\.0 GiB"):
        resize.check_sees(hypervisor, Inside(memory_max=str(6 * GIB)), 4 * GIB)


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        ({"memory_max": str(4 * GIB)}, 4 * GIB),
        ({"memory_limit_in_bytes": str(4 * GIB)}, 4 * GIB),
        ({"memory_max": "max\n", "meminfo": "MemTotal:  4000000 kB"}, 4000000 * 1024),
        ({"memory_limit_in_bytes": str(2**63 - 4096), "meminfo": "MemTotal:  4000000 kB"}, 4000000 * 1024),
        ({}, None),
    ],
)
def test_what_a_machine_sees_is_its_own_limit_or_its_kernel_s(files: dict[str, str], seen: int | None) -> None:
    assert resize.memory_inside(Inside(**files)) == seen


@pytest.mark.parametrize(
    ("kind", "inside", "holds"),
    [
        ("container", 4 * GIB, True),
        ("container", 4 * GIB - 4096, False),
        ("virtual-machine", 4 * GIB * 96 // 100, True),
        ("virtual-machine", 3 * GIB, False),
        ("virtual-machine", 5 * GIB, False),
    ],
)
def test_a_virtual_machine_sees_a_little_less_and_a_container_does_not(kind: str, inside: int, holds: bool) -> None:  # noqa: FBT001 - a table
    if holds:
        resize.check_inside(Inside(), kind, inside, 4 * GIB)
    else:
        with pytest.raises(CheckFailed, match=r"sees 4\.0 GiB"):
            resize.check_inside(Inside(), kind, inside, 4 * GIB)


def site(tmp_path: Path, **changes: Any) -> Site:
    canonical = {"address": "10.0.0.7", "host_key": "ssh-ed25519 AAAA", "private_key": "k"}
    edits = {"incus.canonical_host": "canonical", "canonical": canonical, "resources": {"may_resize": ["canonical", "neighbour"]}, **changes}
    return Site.load(sites.write(tmp_path, {key: value for key, value in edits.items() if value is not None}))


def test_a_plan_says_what_there_is_and_what_there_will_be(incus: Incus, hypervisor: Hypervisor, tmp_path: Path) -> None:
    incus.instance("canonical", **{"limits.memory": "6GiB"})
    incus.instance("neighbour", **{"limits.memory": "4GiB"})
    plan = Plan.of(hypervisor, site(tmp_path), "canonical", 4 * GIB)
    assert (plan.now, plan.beside, plan.memory) == (6 * GIB, 4 * GIB, 4 * GIB)
    assert incus.changes() == []


@pytest.mark.parametrize(
    ("name", "memory", "changes", "problem"),
    [
        ("canonical", 4, {"resources": {"may_resize": []}}, "does not let canonical be resized"),
        ("other", 4, {}, "does not let other be resized"),
        ("neighbour", 4, {}, "nobody could see whether neighbour is well"),
        ("canonical", 4, {"canonical": None}, "nobody could see whether canonical is well"),
        ("canonical", 9, {}, "would pass the guideline"),
    ],
)
def test_a_plan_that_may_not_be_is_refused(
    incus: Incus, hypervisor: Hypervisor, tmp_path: Path, name: str, memory: int, changes: dict[str, Any], problem: str
) -> None:
    incus.instance("canonical", **{"limits.memory": "6GiB"})
    incus.instance("neighbour", **{"limits.memory": "4GiB"})
    with pytest.raises((NotOurs, BadInput), match=problem):
        Plan.of(hypervisor, site(tmp_path, **changes), name, memory * GIB)
    assert incus.changes() == []


def test_a_host_that_stands_still_is_not_resized(incus: Incus, hypervisor: Hypervisor, tmp_path: Path) -> None:
    incus.instance("canonical", **{"limits.memory": "6GiB"})["status"] = "Stopped"
    with pytest.raises(BadInput, match="does not run"):
        Plan.of(hypervisor, site(tmp_path), "canonical", 4 * GIB)
