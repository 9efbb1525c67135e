"""The room's end: its own machine goes, what was put in its place does not, and ending twice is ending once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom import marks
from cleanroom.errors import NotOurs
from cleanroom.hypervisor import Hypervisor
from cleanroom.room import Room
from cleanroom.run import Run
from cleanroom.site import Site
from tests.unit import sites
from tests.unit.incus import Incus

NAME = "throwaway"


@pytest.fixture
def room(incus: Incus, run: Run, tmp_path: Path) -> Iterator[Room]:
    """With its machine made, as far as the hypervisor is concerned."""
    hypervisor = Hypervisor.connect(incus.settings(), record=run.record)
    room = Room(run, Site.load(sites.write(tmp_path)), hypervisor)
    hypervisor.create(NAME, kind="container", config=marks.marks(run.id))
    room._uuid = incus.instances[NAME]["config"]["volatile.uuid"]
    incus.asked.clear()
    yield room
    hypervisor.client.api.session.close()


def test_its_own_machine_goes_once(room: Room, incus: Incus, run: Run) -> None:
    room.close()
    assert incus.instances == {}
    assert [event["name"] for event in run.ledger.of("machine-gone")] == [NAME]
    incus.instance(NAME)
    room.close()
    assert NAME in incus.instances


def test_its_own_machine_goes_even_if_somebody_marked_it_anew(room: Room, incus: Incus) -> None:
    incus.instances[NAME]["config"][marks.RUN] = "20200101-000000-000000"
    room.close()
    assert incus.instances == {}


@pytest.mark.parametrize("config", [{}, marks.marks("20200101-000000-000000")], ids=["nobody-s", "another-run-s"])
def test_what_was_put_in_its_place_is_not_ours_to_delete(room: Room, incus: Incus, config: dict[str, str]) -> None:
    incus.instance(NAME, **{**config, "volatile.uuid": "another"})
    with pytest.raises(NotOurs, match="not the machine that this run made"):
        room.close()
    assert NAME in incus.instances
    assert incus.changes() == []


def test_a_second_room_is_what_lets_two_machines_stand(room: Room, run: Run) -> None:
    guard = room.hypervisor.guard
    assert guard.most == 1
    assert Room(run, room.site, room.hypervisor, second=True).name == f"{NAME}-2"
    assert guard.most == 2
