"""What must never be sent: tried with the wire cut, and judged from what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanroom import guardrails, inventory
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.guard import Guard
from cleanroom.guardrails import MemoryTrial, Trial
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Ledger
from cleanroom.marks import marks
from cleanroom.run import Run
from tests.unit.incus import Incus

RUN = "20261124-021500-3fa9c1"
FEATURE = Path(__file__).parents[2] / "features" / "guardrails.feature"


@pytest.fixture
def hypervisor(incus: Incus, run: Run) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(incus.settings(neighbours=["neighbour"]), record=run.record)
    yield found
    found.client.api.session.close()


ROWS = [planned.identity for planned in inventory.read(FEATURE.parent).scenarios if "refused before it is sent [" in planned.identity]
WORDS = [row.rpartition("[")[2].removesuffix("]") for row in ROWS]


def test_the_feature_file_names_every_request_and_no_other(hypervisor: Hypervisor) -> None:
    assert sorted(WORDS) == sorted(guardrails.requests_of(hypervisor, RUN))


@pytest.mark.parametrize("words", WORDS)
def test_each_request_is_refused_for_its_own_reason(hypervisor: Hypervisor, run: Run, incus: Incus, words: str) -> None:
    before = len(incus.asked)
    trial = Trial.of(words, hypervisor, run)
    trial.check_refused()
    assert all(asked.method == "GET" for asked in incus.asked[before:])
    assert next(run.ledger.of("refusal"))["arrived"] == 0


@pytest.mark.parametrize("words", WORDS)
def test_a_hole_in_the_guard_is_red(hypervisor: Hypervisor, run: Run, incus: Incus, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "check", lambda *_arguments, **_options: None)
    before = len(incus.asked)
    with pytest.raises(CheckFailed, match="refused before anything is sent"):
        Trial.of(words, hypervisor, run).check_refused()
    assert incus.asked[before:] == []


def test_a_refusal_for_another_reason_is_none(hypervisor: Hypervisor, run: Run) -> None:
    trial = Trial.of("a machine without our mark", hypervisor, run)
    with pytest.raises(CheckFailed, match="because of `mark`"):
        Trial(trial.words, trial.request, "it is Tuesday", ()).check_refused()


def test_words_that_nobody_knows_are_bad_input(hypervisor: Hypervisor, run: Run) -> None:
    with pytest.raises(BadInput, match="world peace"):
        Trial.of("world peace", hypervisor, run)


def test_memory_on_a_running_machine_is_refused_and_nothing_changes(hypervisor: Hypervisor, incus: Incus) -> None:
    hypervisor.create("throwaway", kind="container", config=marks(RUN))
    trial = MemoryTrial.of(hypervisor, "throwaway")
    trial.check_refused()
    trial.check_unchanged()
    assert incus.instances["throwaway"]["config"]["limits.memory"] == str(4 * 2**30)


def test_memory_on_a_machine_that_stands_still_proves_nothing(hypervisor: Hypervisor, incus: Incus) -> None:
    hypervisor.create("throwaway", kind="container", config=marks(RUN))
    incus.instances["throwaway"]["status"] = "Stopped"
    trial = MemoryTrial.of(hypervisor, "throwaway")
    with pytest.raises(CheckFailed, match=r"not refused \(1 requests were sent\)"):
        trial.check_refused()
    with pytest.raises(HarnessError, match="did not run"):
        trial.check_unchanged()


def sent(verb: str, path: str, scope: str = "ours", **fields: Any) -> dict[str, Any]:
    return {"verb": verb, "path": path, "scope": scope, "keys": [], "count": 1, **fields}


OURS = [
    sent("GET", "/1.0", ""),
    sent("GET", "/1.0/instances", "all projects"),
    sent("GET", "/1.0/instances/neighbour"),
    sent("POST", "/1.0/instances"),
    sent("PUT", "/1.0/instances/throwaway/state"),
    sent("DELETE", "/1.0/instances/throwaway"),
    sent("DELETE", "/1.0/operations/*"),
]


def told(ledger: Ledger, *requests: dict[str, Any]) -> None:
    ledger.record("hypervisor", action="create", instance="throwaway")
    ledger.record("requests", sent=list(requests))


def test_what_a_run_sends_is_its_project_s_and_its_machine_s(ledger: Ledger) -> None:
    told(ledger, *OURS)
    guardrails.check_only_declared(ledger, "ours")


@pytest.mark.parametrize(
    "strange",
    [
        sent("GET", "/1.0/instances", "theirs"),
        sent("GET", "/1.0/instances", ""),
        sent("DELETE", "/1.0/instances/throwaway", "theirs"),
        sent("PUT", "/1.0/instances", "all projects"),
        sent("PATCH", "/1.0/instances/neighbour"),
        sent("DELETE", "/1.0/instances/throwaway2"),
        sent("PUT", "/1.0/profiles/default"),
        sent("POST", "/1.0/images"),
    ],
    ids=lambda each: f"{each['verb']}-{each['path'].replace('/', '-')}-{each['scope'] or 'none'}",
)
def test_anything_else_is_red(ledger: Ledger, strange: dict[str, Any]) -> None:
    told(ledger, *OURS, strange)
    with pytest.raises(CheckFailed, match=r"every (request|change)"):
        guardrails.check_only_declared(ledger, "ours")


def test_an_act_with_our_certificate_beside_the_guard_is_red(ledger: Ledger) -> None:
    told(ledger, *OURS)
    ledger.record("elsewhere", action="instance-stopped", instance="neighbour", with_our_certificate=False)
    guardrails.check_only_declared(ledger, "ours")
    ledger.record("elsewhere", action="instance-stopped", instance="neighbour", with_our_certificate=True)
    with pytest.raises(CheckFailed, match="instance-stopped neighbour"):
        guardrails.check_only_declared(ledger, "ours")


def test_a_run_without_a_record_of_its_requests_cannot_tell(ledger: Ledger) -> None:
    told(ledger)
    with pytest.raises(HarnessError, match="no record of the requests"):
        guardrails.check_only_declared(ledger, "ours")
