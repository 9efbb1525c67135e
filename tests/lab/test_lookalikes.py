"""Sweeps on the real thing: instances without anything in them that look like ours, swept again and again; nothing foreign is touched."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cleanroom.errors import HarnessError
from cleanroom.hypervisor import Hypervisor
from cleanroom.site import Site
from cleanroom.sweep import sweep
from lab.daemon import Incus
from lab.names import PROJECT
from lab.state import State
from tests.proofs.test_lookalikes import lookalike

ROUNDS = 6
EACH = 5


def forget(*_arguments: object, **_fields: object) -> None:
    """Nobody wants the record."""


@pytest.fixture
def hypervisor(state: State) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(Site.load(state.site_file).incus, record=forget)
    yield found
    found.client.api.session.close()


@pytest.fixture
def project(incus: Incus) -> Iterator[Incus]:
    """Whatever of these tests is left goes."""
    yield incus
    for name in _there(incus):
        if name.startswith("lookalike"):
            with suppress(HarnessError):
                incus("delete", "--force", name, "--project", PROJECT)


def _there(incus: Incus) -> set[str]:
    return {str(path).rsplit("/", 1)[-1].partition("?")[0] for path in incus.ask(f"/1.0/instances?project={PROJECT}") or ()}


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_sweep_of_the_lab_touches_nothing_foreign(project: Incus, hypervisor: Hypervisor, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    before = _there(project)
    dead: set[str] = set()
    foreign: set[str] = set()
    for number in range(EACH):
        config, is_dead = lookalike(chance)
        name = f"lookalike-{seed}-{number}"
        project("init", name, "--empty", "--project", PROJECT, *(f"--config={key}={value}" for key, value in config.items()))
        (dead if is_dead else foreign).add(name)
    facts = {name: project.ask(f"/1.0/instances/{name}?project={PROJECT}") for name in foreign}
    result = sweep(hypervisor, remove=True, say=forget)
    assert set(result.removed) == dead
    assert _there(project) == before | foreign
    assert {name: project.ask(f"/1.0/instances/{name}?project={PROJECT}") for name in foreign} == facts


def test_the_seeds_try_both(state: State) -> None:
    """Among all rounds there are dead machines and foreign ones, or nothing was tried."""
    assert state.folder.is_dir()
    told = [lookalike(chance)[1] for chance in map(random.Random, range(ROUNDS)) for _ in range(EACH)]
    assert {True, False} == set(told)
