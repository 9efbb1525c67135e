"""The verdict and the class of a run, computed in this one place and from the ledger alone.

Knows: what PASSED needs, and what each class of evidence needs (docs/evidence.md).
Refuses: to reach PASSED by running less, and to let our own trouble count as the site's failure or the site's as ours.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cleanroom.ledger import Event

Word = Literal["PASSED", "FAILED", "INCOMPLETE"]
EvidenceClass = Literal["ACCEPTANCE", "LAB", "DEV"]

_COMMIT = re.compile("[0-9a-f]{40}")
_WHOLE = [("setup", "passed"), ("call", "passed"), ("teardown", "passed")]
#: What a run tells of once.
_ONCE = ("run-began", "suite", "host", "inventory", "selected", "site", "signing", "run-ended")
#: Words on pytest's command line that no adversary says.
_WARM = ("--role builder", "--role=builder", "--reuse")


@dataclass(frozen=True)
class Outcome:
    """What became of one scenario: `passed`, `failed` (the site), `error` (us), `skipped` (expected to fail is as good), `unfinished`."""

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
    gaps = [*_misshapen(events), *_unproven(events, outcomes), *_left(events), *_undeclared(events), *_unended(events, outcomes)]
    narrow = list(_not_asked_for(events, outcomes))
    # What a part of the scenarios does not need, the whole of them does.
    missing = [] if narrow else list(_unsaid(events))
    word: Word = "FAILED" if failed else "INCOMPLETE" if gaps or narrow or missing else "PASSED"
    complete = not gaps and not narrow and not missing
    return Judged(word, _evidence_class(events, complete=complete), (*reasons, *gaps, *missing, *narrow), blocked=bool(failed or gaps or missing))


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
    """A scenario passed if it was set up, called and torn down, each once, in this order, and nobody expected anything else."""
    if any(event["outcome"] == "failed" and event.get("trouble") == "check" for event in phases):
        return "failed"
    if any(event["outcome"] == "failed" for event in phases):
        return "error"
    if any(event["outcome"] == "skipped" or event.get("expected_to_fail") for event in phases):
        return "skipped"
    return "passed" if [(event["phase"], event["outcome"]) for event in phases] == _WHOLE else "unfinished"


def _misshapen(events: Sequence[Event]) -> Iterator[str]:
    """What no run of ours writes, whoever signed it: a story without its beginning, or told twice."""
    if not events or events[0]["kind"] != "run-began":
        yield "the ledger does not begin with the run's beginning"
    told = Counter(event["kind"] for event in events)
    yield from (f"the ledger tells of {kind} more than once" for kind in _ONCE if told[kind] > 1)


def _unproven(events: Sequence[Event], outcomes: dict[str, Outcome]) -> Iterator[str]:
    """Scenarios that were asked for and do not count: not passed through no fault of the site, without a step, or of no feature file."""
    if not outcomes:
        yield "no scenario ran"
    told = [event["scenarios"] for event in events if event["kind"] == "inventory"]
    known = {entry["identity"] for scenarios in told for entry in scenarios}
    steps = {kind: [(e["scenario"], e["step"]) for e in events if e["kind"] == kind] for kind in ("step-began", "step-passed")}
    for scenario, outcome in outcomes.items():
        if outcome.state in {"error", "skipped", "unfinished"}:
            yield f"{outcome.state}: {scenario}"
        elif outcome.state == "passed" and not _every_step(steps, scenario):
            yield f"not every step was seen to pass: {scenario}"
        if told and scenario not in known:
            yield f"in no feature file: {scenario}"


def _every_step(steps: dict[str, list[tuple[str, str]]], scenario: str) -> bool:
    """There was a step, and those that began are those that passed, in their order."""
    began, passed = ([step for step in steps[kind] if step[0] == scenario] for kind in ("step-began", "step-passed"))
    return bool(began) and began == passed


def _left(events: Sequence[Event]) -> Iterator[str]:
    """What was made and not seen to be gone."""
    standing: dict[str, None] = {}
    for event in events:
        if event["kind"] == "hypervisor" and event["action"] == "create":
            standing[event["instance"]] = None
        elif event["kind"] == "machine-gone":
            standing.pop(event["name"], None)
    for name in sorted(standing):
        yield f"the throwaway {name} was not seen to be gone"
    for event in events:
        if event["kind"] == "left-behind" and event["items"]:
            yield f"left behind: {', '.join(event['items'])}"


def _undeclared(events: Sequence[Event]) -> Iterator[str]:
    """Facts that are not what was declared: revisions, image, bootstrap key."""
    settings: Mapping[str, Any] = next((event["settings"] for event in events if event["kind"] == "site"), {})
    images = {event["declared_image"] for event in events if event["kind"] == "before"}
    images |= {pinned for pinned in [settings.get("incus", {}).get("image_fingerprint")] if pinned}
    if len(images) > 1:
        yield f"the image is not the declared one: {', '.join(sorted(str(image)[:12] for image in images))}"
    for event in events:
        if event["kind"] == "machine" and event.get("image") not in images:
            yield f"{event['name']} was not made from the declared image"
        elif event["kind"] == "revision":
            declared = settings.get(event["repository"], {}).get("revision", "")
            if _COMMIT.fullmatch(declared) and event["commit"] != declared:
                yield f"the revision of {event['repository']} is not the declared one"
    keys = {event["sha256"] for event in events if event["kind"] == "bootstrap-key"}
    path = settings.get("bootstrap", {}).get("machine_path")
    if any(event["kind"] == "delivered" and event["path"] == path and event["sha256"] not in keys for event in events):
        yield "the key that was delivered is not the bootstrap key"


def _unended(events: Sequence[Event], outcomes: dict[str, Outcome]) -> Iterator[str]:
    ended = next((event for event in events if event["kind"] == "run-ended"), None)
    if ended is None:
        last = next((f"{e['scenario']}, {e['step']}" for e in reversed(events) if e["kind"].startswith("step-")), "no step")
        yield f"the run did not end; the last step was: {last}"
    elif ended["exit_status"] not in {0, 1}:
        yield f"pytest ended with {ended['exit_status']}: interrupted, misused, or broken itself"
    elif ended["exit_status"] == 1 and not any(outcome.state in {"failed", "error"} for outcome in outcomes.values()):
        yield "pytest ended with 1, and no scenario says why"


def _unsaid(events: Sequence[Event]) -> Iterator[str]:
    """Facts that a run of all scenarios must have recorded."""
    told = {event["kind"] for event in events}
    told |= {f"revision of {event['repository']}" for event in events if event["kind"] == "revision" and _COMMIT.fullmatch(event["commit"])}
    for fact in ("site", "revision of base", "revision of secrets", "before", "bootstrap-key", "machine", "toplevel"):
        if fact not in told:
            yield f"not recorded: {fact}"


def _not_asked_for(events: Sequence[Event], outcomes: dict[str, Outcome]) -> Iterator[str]:
    inventory = next((event for event in events if event["kind"] == "inventory"), None)
    if inventory is None:
        yield "nobody knows which scenarios there are"
        return
    missing = [entry["identity"] for entry in inventory["scenarios"] if entry["on_request"] is not True and entry["identity"] not in outcomes]
    if missing:
        yield f"not asked for: {len(missing)} of {len(inventory['scenarios'])} scenarios, {missing[0]} among them"


def _evidence_class(events: Sequence[Event], *, complete: bool) -> EvidenceClass:
    site = next((event for event in events if event["kind"] == "site"), None)
    if site is None or not is_cold(events):
        return "DEV"
    if "lab" in {site["site_kind"], site["settings"].get("kind")}:
        return "LAB"
    told = {event["kind"]: event for event in events}
    committed = "suite" in told and bool(told["suite"]["commit"]) and told["suite"]["dirty"] is False
    return "ACCEPTANCE" if complete and committed and "signing" in told and _is_virtual(events) else "DEV"


def is_cold(events: Sequence[Event]) -> bool:
    """The adversary's role, nothing kept, nothing reused - by the options, and by what happened."""
    began = next((event for event in events if event["kind"] == "run-began"), None)
    asked = began is not None and (began["role"], began["keep"], began["reuse"]) == ("adversary", "never", False)
    line = " ".join(word for event in events if event["kind"] == "host" for word in event["arguments"])
    return (
        asked and not any(warm in line for warm in _WARM) and not any(event["kind"] == "machine-kept" or "recalled_from" in event for event in events)
    )


def _is_virtual(events: Sequence[Event]) -> bool:
    """Every throwaway was a virtual machine: by its own type, by what the hypervisor told of it, and by what its server can make."""
    machines = [event["type"] for event in events if event["kind"] == "machine"]
    created = [event.get("context") or {} for event in events if event["kind"] == "lifecycle" and event["action"] == "instance-created"]
    types = {*machines, *(context["type"] for context in created if context.get("type"))}
    servers = [event for event in events if event["kind"] == "server"]
    able = bool(servers) and all(any("qemu" in driver for driver in event["drivers"]) for event in servers)
    return able and bool(machines) and types == {"virtual-machine"}
