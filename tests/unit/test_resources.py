"""What a run uses and leaves, as a whole: begun before anything, ended once, over a connection that can change nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cleanroom.errors import HarnessError
from cleanroom.hypervisor import Hypervisor
from cleanroom.run import Run
from cleanroom.surroundings import estate
from cleanroom.surroundings.elsewhere import EVERYBODY_ELSE, silent
from cleanroom.surroundings.resources import Resources
from cleanroom.wait import Waiting, wait_until
from tests.unit.incus import Incus


@pytest.fixture
def incus(incus: Incus, monkeypatch: pytest.MonkeyPatch) -> Incus:
    """With a neighbour."""
    monkeypatch.setattr(estate, "_SETTLING_SECONDS", 0.1)
    incus.instance("neighbour", **{"limits.memory": "4GiB"})
    return incus


@pytest.fixture
def resources(incus: Incus, run: Run) -> Iterator[Resources]:
    hypervisor = Hypervisor.connect(incus.settings(), record=run.record)
    with Resources(run, hypervisor) as resources:
        yield resources
    hypervisor.client.api.session.close()


def test_it_is_ended_once_and_says_nothing_when_nothing_is_left(resources: Resources, run: Run, incus: Incus) -> None:
    resources.end()
    count = len(run.ledger.events)
    resources.end()
    assert len(run.ledger.events) == count
    assert [event["moment"] for event in run.ledger.of("estate")] == ["before", "after"]
    assert [event["moment"] for event in run.ledger.of("neighbour")] == ["before", "after"]
    assert not list(run.ledger.of("left-behind"))
    assert incus.changes() == []


def test_what_is_left_is_told(resources: Resources, run: Run, incus: Incus) -> None:
    incus.lists["profiles"].append({"name": "forgotten", "devices": {}})
    resources.end()
    assert next(run.ledger.of("left-behind"))["items"] == ["profile forgotten"]


def test_its_connection_can_change_nothing(resources: Resources, incus: Incus) -> None:
    with pytest.raises(HarnessError, match="did not make"):
        resources._own.delete("neighbour", within=0.1)
    with pytest.raises(HarnessError, match="did not make"):
        resources._own.set_memory("neighbour", 1)
    assert incus.changes() == []


def test_requests_are_told_as_they_left_with_operations_counted_as_one(resources: Resources, run: Run) -> None:
    resources.end()
    sent = next(run.ledger.of("requests"))["sent"]
    assert {"verb": "GET", "path": "/1.0/instances", "scope": "all projects", "keys": []}.items() <= next(
        each for each in sent if each["scope"] == "all projects"
    ).items()
    assert sum(each["count"] for each in sent) > 5


def test_what_happens_to_others_is_heard_and_what_they_do_at_home_is_not(resources: Resources, run: Run, incus: Incus) -> None:
    assert resources is not None
    for action in ("instance-exec", "instance-file-pushed", "instance-console", "instance-ready"):
        incus.tell(action, "neighbour")
    incus.tell("instance-updated", "throwaway")
    incus.tell("instance-updated", "neighbour")

    def heard() -> list[tuple[str, str]] | Waiting:
        return [(event["action"], event["instance"]) for event in run.ledger.of("elsewhere")] or Waiting("nothing")

    assert wait_until(heard, what="the event", within=5) == [("instance-updated", "neighbour")]
    assert not silent(run.ledger, 0.0, 1e9)
    assert silent(run.ledger, 1e6, 1e9)


def test_a_witness_that_was_cut_off_vouches_for_nothing(resources: Resources, run: Run, incus: Incus) -> None:
    assert resources is not None
    assert silent(run.ledger, 0.0, 1e9)
    incus.hang_up()

    def told() -> bool | Waiting:
        return any(event["instance"] == EVERYBODY_ELSE for event in run.ledger.of("lifecycle-gap")) or Waiting("nothing")

    wait_until(told, what="the gap", within=5)
    assert not silent(run.ledger, 0.0, 1e9)
