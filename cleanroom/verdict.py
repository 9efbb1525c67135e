"""The verdict and the class of a run, computed in this one place and from the ledger alone.

Knows: what PASSED needs, and what each class of evidence needs (docs/evidence.md).
Refuses: to reach PASSED by running less, and to let our own trouble count as the site's failure or the site's as ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cleanroom.ledger import Event

Word = Literal["PASSED", "FAILED", "INCOMPLETE"]
EvidenceClass = Literal["ACCEPTANCE", "LAB", "DEV"]


@dataclass(frozen=True)
class Outcome:
    """What became of one scenario: `passed`, `failed` (the site), `error` (us), `skipped`, `unfinished`."""

    scenario: str
    state: str
    seconds: float
    trouble: Event | None


@dataclass(frozen=True)
class Judged:
    """The verdict, its class, why it is no better, and whether anything but the narrowness of the request stands against it."""

    word: Word
    evidence_class: EvidenceClass
    reasons: tuple[str, ...]
    blocked: bool


def judge(events: Sequence[Event]) -> Judged:
    """Verdict and class of a run, whole or cut short."""
    outcomes = {outcome.scenario: outcome for outcome in scenario_outcomes(events)}
    failed = [outcome for outcome in outcomes.values() if outcome.state == "failed"]
    reasons = [f"failed: {outcome.scenario}" for outcome in failed]
    gaps = list(_gaps(events, outcomes))
    narrow = list(_not_asked_for(events, outcomes))
    word: Word = "FAILED" if failed else "INCOMPLETE" if gaps or narrow else "PASSED"
    return Judged(word, _evidence_class(events, complete=not gaps and not narrow), (*reasons, *gaps, *narrow), blocked=bool(failed or gaps))


def scenario_outcomes(events: Iterable[Event]) -> Iterator[Outcome]:
    """Each scenario that was selected, in order, with its worst phase."""
    phases: dict[str, list[Event]] = {}
    selected: list[str] = []
    for event in events:
        if event["kind"] == "selected":
            selected = [scenario["identity"] for scenario in event["scenarios"]]
        elif event["kind"] == "scenario-phase":
            phases.setdefault(event["scenario"], []).append(event)
    for scenario in dict.fromkeys((*selected, *phases)):
        seen = phases.get(scenario, [])
        yield Outcome(scenario, _state(seen), round(sum(event["seconds"] for event in seen), 3), next((e for e in seen if "trouble" in e), None))


def _state(phases: Sequence[Event]) -> str:
    if any(event["outcome"] == "failed" and event.get("trouble") == "check" for event in phases):
        return "failed"
    if any(event["outcome"] == "failed" for event in phases):
        return "error"
    if any(event["outcome"] == "skipped" for event in phases):
        return "skipped"
    done = {event["phase"] for event in phases if event["outcome"] == "passed"}
    return "passed" if done == {"setup", "call", "teardown"} else "unfinished"


def _gaps(events: Sequence[Event], outcomes: dict[str, Outcome]) -> Iterator[str]:
    """What keeps a run from being complete, though it was asked for."""
    if not outcomes:
        yield "no scenario ran"
    for outcome in outcomes.values():
        if outcome.state in {"error", "skipped", "unfinished"}:
            yield f"{outcome.state}: {outcome.scenario}"
    made = {event["instance"] for event in events if event["kind"] == "hypervisor" and event["action"] == "create"}
    gone = {event["name"] for event in events if event["kind"] == "machine-gone"}
    for name in sorted(made - gone):
        yield f"the throwaway {name} was not seen to be gone"
    for event in events:
        if event["kind"] == "left-behind":
            yield f"left behind: {', '.join(event['items'])}"
    ended = next((event for event in events if event["kind"] == "run-ended"), None)
    if ended is not None and ended["exit_status"] not in {0, 1}:
        yield f"pytest ended with {ended['exit_status']}: interrupted, misused, or broken itself"
    if ended is None:
        last = next((f"{e['scenario']}, {e['step']}" for e in reversed(events) if e["kind"].startswith("step-")), "no step")
        yield f"the run did not end; the last step was: {last}"


def _not_asked_for(events: Sequence[Event], outcomes: dict[str, Outcome]) -> Iterator[str]:
    inventory = next((event for event in events if event["kind"] == "inventory"), None)
    if inventory is None:
        yield "nobody knows which scenarios there are"
        return
    missing = [entry["identity"] for entry in inventory["scenarios"] if entry["identity"] not in outcomes and not entry["on_request"]]
    if missing:
        yield f"not asked for: {len(missing)} of {len(inventory['scenarios'])} scenarios, {missing[0]} among them"


def _evidence_class(events: Sequence[Event], *, complete: bool) -> EvidenceClass:
    began = next((event for event in events if event["kind"] == "run-began"), None)
    site = next((event for event in events if event["kind"] == "site"), None)
    machines = [event for event in events if event["kind"] == "machine"]
    cold = began is not None and began["role"] == "adversary" and began["keep"] == "never" and not began["reuse"]
    if site is None or not cold:
        return "DEV"
    if site["site_kind"] == "lab":
        return "LAB"
    signed = any(event["kind"] == "signing" for event in events)
    virtual = bool(machines) and all(event["type"] == "virtual-machine" for event in machines)
    return "ACCEPTANCE" if signed and virtual and complete else "DEV"
