"""A thousand sweeps among machines that look like ours and are not: nothing foreign is ever touched, and nothing of a dead run stays."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom import marks, sweep
from cleanroom.hypervisor import Hypervisor
from tests.unit.incus import Incus, on_socket
from tests.unit.notes import Notes

SWEEPS = 1000
#: Each worker of xdist takes its share, and each share can be run again by its seed.
SHARES = 10
NAMES = (
    "throwaway",
    "throwaway-2",
    "throwaway-old",
    "throwaway2",
    "Throwaway",
    "cc-ci",
    "canonical",
    "neighbour",
    "cleanroom",
    "user.cleanroom.suite",
)
_DEAD_PROCESS = "99999999:never"
_OTHER_HOST = "0" * 16


def _at(seconds_ago: float) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds_ago)).isoformat(timespec="seconds")


def lookalike(chance: random.Random) -> tuple[dict[str, str], bool]:
    """A configuration, and whether it is a dead run's - by the rules as they are written in words, not by the code that is tested."""
    run = f"20261124-0{chance.randrange(10)}1500-{chance.randrange(1 << 24):06x}"
    dead = {**marks.marks(run), marks.PROCESS: _DEAD_PROCESS}
    kind = chance.choice(["foreign", "partial", "spoilt", "living", "dead", "kept", "elsewhere fresh", "elsewhere silent", "elsewhere unreadable"])
    match kind:
        case "foreign":
            return chance.choice([{}, {"user.owner": "somebody"}, {"user.cleanroom.lab": "true"}, {"user.cleanroom": "cleanroom"}]), False
        case "partial":
            missing = chance.sample([marks.SUITE, marks.RUN, marks.HOST, marks.PROCESS, marks.HEARTBEAT], chance.randint(1, 5))
            return {key: value for key, value in dead.items() if key not in missing}, False
        case "spoilt":
            key = chance.choice([marks.SUITE, marks.RUN, marks.HOST])
            return {**dead, key: "" if key != marks.SUITE else chance.choice(["", "Cleanroom", "cleanroom2", "true"])}, False
        case "living":
            return {**dead, marks.PROCESS: marks.this_process()}, False
        case "dead":
            return dead, True
        case "kept":
            return {**dead, marks.KEPT: "true"}, True
        case "elsewhere fresh":
            return {**dead, marks.HOST: _OTHER_HOST, marks.HEARTBEAT: _at(chance.uniform(0, marks.SILENCE - 60))}, False
        case "elsewhere silent":
            return {**dead, marks.HOST: _OTHER_HOST, marks.HEARTBEAT: _at(chance.uniform(marks.SILENCE + 60, 1e6))}, True
        case _:
            return {**dead, marks.HOST: _OTHER_HOST, marks.HEARTBEAT: chance.choice(["", "yesterday", "2026-13-45"])}, False


@pytest.fixture
def incus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Incus]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("cleanroom.wait.time.sleep", lambda _seconds: None)  # this server does at once what it does
    with on_socket(tmp_path) as server:
        yield server


@pytest.fixture
def hypervisor(incus: Incus, notes: Notes) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(incus.settings(), record=notes.record)
    yield found
    found.client.api.session.close()


def populate(incus: Incus, chance: random.Random) -> tuple[set[str], set[str]]:
    """A project full of look-alikes; returns the names of dead runs' machines, and all others."""
    incus.instances.clear()
    incus.asked.clear()
    dead: set[str] = set()
    for number in range(chance.randint(1, 8)):
        name = chance.choice(NAMES) + chance.choice(["", f"-{number}"])
        config, is_dead = lookalike(chance)
        incus.instance(name, **config)["status"] = chance.choice(["Running", "Stopped", "Frozen"])
        dead = (dead | {name}) if is_dead else (dead - {name})
    return dead, incus.instances.keys() - dead


@pytest.mark.parametrize("share", range(SHARES))
def test_a_sweep_touches_dead_runs_machines_and_nothing_else(incus: Incus, hypervisor: Hypervisor, share: int) -> None:
    chance = random.Random(share)  # noqa: S311 - chance, not secrecy
    touched: set[str] = set()
    removed = 0
    for number in range(SWEEPS // SHARES):
        dead, foreign = populate(incus, chance)
        before = {name: dict(incus.instances[name]["config"]) for name in foreign}
        remove = chance.random() < 0.8
        result = sweep.sweep(hypervisor, remove=remove, say=lambda _line: None)
        where = f"share {share}, sweep {number}"
        changed = {path.split("/")[3] for _method, path in incus.changes()}
        assert not changed & foreign, where
        assert {name: incus.instances[name]["config"] for name in foreign} == before, where
        assert set(incus.instances) == (foreign if remove else foreign | dead), where
        assert set(result.removed) == (dead if remove else set()), where
        assert hypervisor.guard.owned == set(), where
        touched |= changed
        removed += len(result.removed)
    assert removed > SWEEPS // SHARES // 2, "too few dead machines: the property was not tried"
    assert touched


@pytest.mark.parametrize("share", range(3))
def test_a_machine_that_changes_hands_while_it_is_swept_is_left_alone(
    incus: Incus, hypervisor: Hypervisor, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the list and the deletion a dead run's machine may be replaced by somebody's own of the same name."""
    chance = random.Random(share)  # noqa: S311 - chance, not secrecy
    find = sweep.find
    for _ in range(20):
        incus.instances.clear()
        incus.asked.clear()
        incus.instance("throwaway", **{**marks.marks("20261124-021500-3fa9c1"), marks.PROCESS: _DEAD_PROCESS})
        calls = [0]

        def finding(asked: Hypervisor, calls: list[int] = calls) -> tuple[marks.Leftover, ...]:
            found = find(asked)
            calls[0] += 1
            if calls[0] == 1:
                incus.instance("throwaway", **{**lookalike_foreign(chance), "volatile.uuid": "another"})
            return found

        monkeypatch.setattr(sweep, "find", finding)
        sweep.sweep(hypervisor, remove=True, say=lambda _line: None)
        assert incus.changes() == []
        assert incus.instances["throwaway"]["config"]["volatile.uuid"] == "another"


def lookalike_foreign(chance: random.Random) -> dict[str, str]:
    while True:
        config, is_dead = lookalike(chance)
        if not is_dead:
            return config
