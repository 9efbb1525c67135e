"""Sweeping up after dead runs, through a server that answers like Incus: what is ours and dead goes, nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom import marks
from cleanroom.errors import HarnessError
from cleanroom.hypervisor import Hypervisor
from cleanroom.marks import ProjectLock
from cleanroom.sweep import sweep
from tests.unit.incus import Incus, on_socket
from tests.unit.notes import Notes


@pytest.fixture
def incus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Incus]:
    """With a neighbour, a namesake without a mark, one with half a mark, a living run's machine, a kept one and a dead one."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    whole = marks.marks("20261124-021500-3fa9c1")
    dead = {**whole, marks.PROCESS: "99999999:never"}
    with on_socket(tmp_path) as server:
        server.instance("neighbour")
        server.instance("throwaway")
        server.instance("half", **{key: value for key, value in dead.items() if key != marks.HOST})
        server.instance("living", **whole)
        server.instance("kept", **{**dead, marks.KEPT: "true"})
        server.instance("dead", **dead)
        yield server


@pytest.fixture
def hypervisor(incus: Incus, notes: Notes) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(incus.settings(delete_within="0.3s"), record=notes.record)
    yield found
    found.client.api.session.close()


def test_what_is_left_is_listed_and_nothing_is_touched(incus: Incus, hypervisor: Hypervisor) -> None:
    said: list[str] = []
    swept = sweep(hypervisor, remove=False, say=said.append)
    assert [item.instance.name for item in swept.found] == ["living", "kept", "dead"]
    assert [item.instance.name for item in swept.left] == ["kept", "dead"]
    assert [line.rsplit(": ", 1)[1] for line in said] == ["its run lives", "kept on purpose", "its run is dead"]
    assert incus.changes() == []


def test_what_is_dead_is_removed_and_nothing_else(incus: Incus, hypervisor: Hypervisor) -> None:
    swept = sweep(hypervisor, remove=True, say=lambda _: None)
    assert (swept.removed, swept.left) == (("kept", "dead"), ())
    assert sorted(incus.instances) == ["half", "living", "neighbour", "throwaway"]
    assert {path.split("/")[3] for _, path in incus.changes()} == {"kept", "dead"}
    assert hypervisor.guard.owned == set()


def test_what_cannot_be_removed_is_told_and_stays_left(incus: Incus, hypervisor: Hypervisor) -> None:
    incus.failures = ["the pool is busy"] * 100
    said: list[str] = []
    swept = sweep(hypervisor, remove=True, say=said.append)
    assert [item.instance.name for item in swept.left] == ["kept", "dead"]
    assert sum("could not remove" in line for line in said) == 2


def test_a_sweep_goes_on_beside_a_living_run_and_leaves_its_lock(incus: Incus, hypervisor: Hypervisor) -> None:
    lock = ProjectLock(incus.endpoint, "ours").take("a living run")
    sweep(hypervisor, remove=True, say=lambda _: None)
    assert lock.holder() == "a living run"
    lock.release()


def test_no_run_can_begin_while_a_sweep_removes(incus: Incus, hypervisor: Hypervisor) -> None:
    refused: list[str] = []

    def say(_: str) -> None:
        if refused:
            return
        try:
            ProjectLock(incus.endpoint, "ours").take("a new run")
        except HarnessError as problem:
            refused.append(problem.problem)

    sweep(hypervisor, remove=True, say=say)
    assert refused
    assert ProjectLock(incus.endpoint, "ours").holder() is None
