"""Whether the throwaway is the machine that this run asked for, and still is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from cleanroom import guardrails, marks
from cleanroom.errors import CheckFailed
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine
from cleanroom.throwaway import Throwaway
from tests.unit.incus import Incus, on_socket

RUN = "20261124-021500-3fa9c1"
ANOTHER = "20200101-000000-000000"


class Named:
    """A machine that is asked for nothing but who and where it is."""

    name = "throwaway"
    where = "throwaway (192.0.2.1)"


@pytest.fixture
def incus(tmp_path: Path) -> Iterator[Incus]:
    with on_socket(tmp_path) as server:
        server.instance("throwaway", **marks.marks(RUN))
        yield server


@pytest.fixture
def hypervisor(incus: Incus, ledger: Ledger) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(incus.settings(), record=ledger.record)
    yield found
    found.client.api.session.close()


@pytest.fixture
def throwaway(hypervisor: Hypervisor) -> Throwaway:
    instance = hypervisor.instance("throwaway")
    assert instance is not None
    return Throwaway(RUN, cast(Machine, Named()), instance, *cast(tuple[Any, Any, Any], (None, None, None)))


def asked(ledger: Ledger) -> None:
    ledger.record("hypervisor", action="create", instance="throwaway")


def met(ledger: Ledger, **more: str) -> None:
    ledger.record("machine", name="throwaway", **more)


def test_a_machine_that_was_asked_for_and_then_met_is_ours(ledger: Ledger, hypervisor: Hypervisor, throwaway: Throwaway) -> None:
    asked(ledger)
    met(ledger)
    guardrails.check_not_adopted(ledger, hypervisor, throwaway)


STORIES: dict[str, tuple[Callable[[Ledger], None], ...]] = {
    "never asked for": (met,),
    "met before it was asked for": (met, asked),
    "asked for and never met": (asked,),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_machine_that_the_ledger_does_not_account_for_is_adopted(ledger: Ledger, hypervisor: Hypervisor, throwaway: Throwaway, story: str) -> None:
    for step in STORIES[story]:
        step(ledger)
    with pytest.raises(CheckFailed, match="knows of no such request"):
        guardrails.check_not_adopted(ledger, hypervisor, throwaway)


def test_a_machine_that_was_gone_on_with_is_adopted(ledger: Ledger, hypervisor: Hypervisor, throwaway: Throwaway) -> None:
    asked(ledger)
    met(ledger, recalled_from=ANOTHER)
    with pytest.raises(CheckFailed, match=f"gone on with from run {ANOTHER}"):
        guardrails.check_not_adopted(ledger, hypervisor, throwaway)


def _replaced(incus: Incus) -> None:
    incus.instances["throwaway"]["config"]["volatile.uuid"] = "uuid-of-another"


def _marked_by_another(incus: Incus) -> None:
    incus.instances["throwaway"]["config"][marks.RUN] = ANOTHER


def _half_marked(incus: Incus) -> None:
    del incus.instances["throwaway"]["config"][marks.SUITE]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_replaced, "uuid-of-another"),
        (lambda incus: incus.instances.clear(), "there is none"),
        (_marked_by_another, f"run {ANOTHER}"),
        (_half_marked, f"run {RUN}"),
    ],
    ids=["another machine", "no machine", "another run's mark", "half a mark"],
)
def test_what_bears_its_name_now_must_be_it(
    ledger: Ledger, hypervisor: Hypervisor, throwaway: Throwaway, incus: Incus, change: Callable[[Incus], None], told: str
) -> None:
    asked(ledger)
    met(ledger)
    change(incus)
    with pytest.raises(CheckFailed) as caught:
        guardrails.check_not_adopted(ledger, hypervisor, throwaway)
    assert caught.value.seen == told
