"""Memory as a series: what is told of it, what is a gap, and what passes the guideline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Ledger
from cleanroom.surroundings import memory
from cleanroom.surroundings.memory import Sampler
from tests.unit.incus import GIB, Incus, on_socket
from tests.unit.notes import Notes
from tests.unit.series import NAME, whole_series


@pytest.fixture
def incus(tmp_path: Path) -> Iterator[Incus]:
    with on_socket(tmp_path) as server:
        server.instance("neighbour", **{"limits.memory": "4GiB"})
        yield server


@pytest.fixture
def hypervisor(incus: Incus, notes: Notes) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(incus.settings(), record=notes.record)
    yield found
    found.client.api.session.close()


@pytest.mark.parametrize(
    ("kind", "limit", "bytes_"),
    [
        ("container", "4GiB", 4 * GIB),
        ("container", str(3 * GIB), 3 * GIB),
        ("container", "25%", 4 * GIB),
        ("container", "", 16 * GIB),
        ("virtual-machine", "", GIB),
        ("virtual-machine", "2GB", 2 * 10**9),
    ],
)
def test_a_limit_is_read_as_incus_writes_it(incus: Incus, hypervisor: Hypervisor, notes: Notes, kind: str, limit: str, bytes_: int) -> None:
    incus.instances["neighbour"]["type"] = kind
    incus.instances["neighbour"]["config"]["limits.memory"] = limit
    sampler = Sampler(hypervisor, notes.record)
    sampler.begin()
    sampler.end()
    assert notes.of("memory-sample")[0]["limit"] == bytes_


def test_a_series_begins_with_what_it_is_measured_against_and_ends_with_what_it_came_to(hypervisor: Hypervisor, incus: Incus, notes: Notes) -> None:
    sampler = Sampler(hypervisor, notes.record)
    sampler.begin()
    incus.instance("another", **{"limits.memory": "2GiB"})
    sampler.nudge({"kind": "hypervisor"})
    sampler.end()
    began, ended = notes.of("memory-began")[0], notes.of("memory-ended")[0]
    assert (began["guideline"], began["physical"], began["host_total"], began["hidden"]) == (12 * GIB, 16 * GIB, 16 * GIB, "")
    assert ended["samples"] >= 2
    assert (ended["peak_limit"], ended["missed"]) == (6 * GIB, 0)
    assert ended["longest_gap"] < memory.LONGEST_GAP
    first, *_, last = notes.of("memory-sample")
    assert first["instances"] == {"neighbour": {"state": "Running", "type": "virtual-machine", "limit": 4 * GIB, "usage": GIB}}
    assert sorted(last["instances"]) == ["another", "neighbour"]


def test_what_stands_still_takes_nothing_and_other_projects_have_their_names(hypervisor: Hypervisor, incus: Incus, notes: Notes) -> None:
    incus.instance("still", **{"limits.memory": "8GiB"})["status"] = "Stopped"
    incus.instance("elsewhere", **{"limits.memory": "1GiB"})["project"] = "theirs"
    sampler = Sampler(hypervisor, notes.record)
    sampler.begin()
    sampler.end()
    sample = notes.of("memory-sample")[0]
    assert sample["limit"] == 5 * GIB
    assert sample["instances"]["still"]["limit"] == 0
    assert sample["instances"]["theirs/elsewhere"]["limit"] == GIB


def test_what_a_restricted_certificate_does_not_show_is_said(hypervisor: Hypervisor, incus: Incus, notes: Notes) -> None:
    incus.denied.add("storage-pools")
    sampler = Sampler(hypervisor, notes.record)
    sampler.begin()
    sampler.end()
    assert "other projects than ours" in notes.of("memory-began")[0]["hidden"]


def test_nothing_new_is_not_told_again_and_again(hypervisor: Hypervisor, notes: Notes) -> None:
    sampler = Sampler(hypervisor, notes.record)
    sampler.begin()
    for _ in range(20):
        sampler._take()
    sampler.end()
    assert notes.of("memory-ended")[0]["samples"] >= 22
    assert len(notes.of("memory-sample")) == 1


def test_a_look_that_failed_is_a_gap_and_not_the_end(hypervisor: Hypervisor, incus: Incus, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LONGEST_GAP", 0.0)
    sampler = Sampler(hypervisor, notes.record)
    sampler.begin()
    incus.denied.add("instances")
    sampler.nudge({"kind": "lifecycle"})
    monkeypatch.setattr("cleanroom.surroundings.memory._EVERY", 0.01)
    while not notes.of("memory-missed"):
        pass
    incus.denied.clear()
    sampler.end()
    ended = notes.of("memory-ended")[0]
    assert ended["missed"] >= 1
    assert len(notes.of("memory-missed")) == 1
    assert notes.of("memory-gap")[-1]["seconds"] > 0


def test_a_whole_series_within_the_guideline_holds(ledger: Ledger, incus: Incus) -> None:
    whole_series(ledger)
    memory.check_whole(ledger)
    memory.check_guideline(ledger, incus.settings())
    memory.check_physical(ledger, incus.settings())


@pytest.mark.parametrize(
    ("without", "problem"),
    [
        ("memory-began", "no series"),
        ("memory-ended", "no series"),
        ("memory-sample", "no series"),
        ("machine-gone", "does not cover"),
        ("running", "no sample saw"),
    ],
)
def test_half_a_series_tells_nothing(ledger: Ledger, without: str, problem: str) -> None:
    whole_series(ledger, without=without)
    with pytest.raises(HarnessError, match=problem):
        memory.check_whole(ledger)


@pytest.mark.parametrize(
    ("around", "holds"),
    [
        ([], False),
        ([("watch-began", {"instance": "every other instance"})], True),
        ([("watch-began", {"instance": "every other instance"}), ("lifecycle-gap", {"instance": "every other instance"})], False),
        ([("watch-began", {"instance": "every other instance"}), ("elsewhere", {"action": "instance-updated", "instance": "x"})], False),
        ([("watch-began", {"instance": NAME})], False),
    ],
)
def test_a_gap_is_bridged_only_by_a_witness_that_heard_everything_and_nothing(
    ledger: Ledger,
    around: list[tuple[str, dict[str, Any]]],
    holds: bool,  # noqa: FBT001 - a table
) -> None:
    for kind, fields in around:
        ledger.record(kind, **fields)
    whole_series(ledger, gap=2.5)
    if holds:
        memory.check_whole(ledger)
    else:
        with pytest.raises(HarnessError, match=r"nobody looked for 2\.5 s"):
            memory.check_whole(ledger)


def test_one_sample_over_the_guideline_is_red_and_says_who(ledger: Ledger, incus: Incus) -> None:
    whole_series(ledger, more={"intruder": GIB})
    with pytest.raises(CheckFailed, match=r"12\.0 GiB.*\n.*13\.0 GiB.*intruder 1\.0 GiB"):
        memory.check_guideline(ledger, incus.settings())
    memory.check_physical(ledger, incus.settings())


def test_two_throwaways_that_were_asked_for_may_pass_the_guideline_but_not_what_is_there(ledger: Ledger, incus: Incus) -> None:
    whole_series(ledger, more={f"{NAME}-2": 4 * GIB}, twice=True)
    memory.check_guideline(ledger, incus.settings())
    with pytest.raises(CheckFailed, match="two throwaways"):
        memory.check_guideline(ledger, incus.settings(memory_physical="15GiB"))
    with pytest.raises(CheckFailed, match="physically there"):
        memory.check_physical(ledger, incus.settings(memory_physical="15GiB"))


@pytest.mark.parametrize(("kind", "holds"), [("virtual-machine", False), ("container", True)])
def test_virtual_machines_claim_their_limit_and_containers_what_they_use(ledger: Ledger, incus: Incus, kind: str, holds: bool) -> None:  # noqa: FBT001 - a table
    whole_series(ledger, kind=kind, host_total=8 * GIB)
    settings = incus.settings(fall_back_to_container=True)
    if holds:
        memory.check_physical(ledger, settings)
    else:
        with pytest.raises(CheckFailed, match=r"fits into the hypervisor's 8\.0 GiB"):
            memory.check_physical(ledger, settings)


def test_a_site_that_promises_more_than_there_is_is_red(hypervisor: Hypervisor, incus: Incus) -> None:
    incus.memory = 8 * GIB
    with pytest.raises(CheckFailed, match="it says that it has 8"):
        memory.check_room(hypervisor)


def test_there_is_room_or_there_is_not(hypervisor: Hypervisor, incus: Incus) -> None:
    memory.check_room(hypervisor)
    incus.instances["neighbour"]["config"]["limits.memory"] = "9GiB"
    with pytest.raises(CheckFailed, match=r"within the guideline of 12\.0 GiB.*\n.*beside neighbour 9\.0 GiB: 13\.0 GiB"):
        memory.check_room(hypervisor)
    incus.instances["neighbour"]["status"] = "Stopped"
    memory.check_room(hypervisor)


def test_a_namesake_in_another_project_takes_room_as_well(hypervisor: Hypervisor, incus: Incus) -> None:
    incus.instance("throwaway", **{"limits.memory": "4GiB"})
    memory.check_room(hypervisor)
    incus.instances["throwaway"]["project"] = "theirs"
    incus.instances["throwaway"]["config"]["limits.memory"] = "5GiB"
    with pytest.raises(CheckFailed, match=r"theirs/throwaway 5\.0 GiB"):
        memory.check_room(hypervisor)
