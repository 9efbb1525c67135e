"""The scenarios of a run as the reports draw them: by feature, with their steps, and the block of what went wrong.

Knows: which events belong to a scenario, and which scenarios of the feature files did not run.
Refuses: to give a state of its own: `verdict.scenario_outcomes` says what became of each, and a step that was not seen to pass did not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cleanroom import verdict
from cleanroom.facts import chapters, not_run
from cleanroom.ledger import Event

#: What can become of a scenario, best first.
STATES = ("passed", "failed", "error", "skipped", "unfinished")


@dataclass(frozen=True)
class Step:
    """One line of a scenario: `passed`, `failed`, `unfinished` (begun, and never ended) or `not reached`."""

    text: str
    state: str
    seconds: float | None


@dataclass(frozen=True)
class Scene:
    """One scenario, or one row of an outline."""

    identity: str
    file: str
    title: str
    line: int
    state: str
    began: float
    seconds: float
    at: str
    steps: tuple[Step, ...]
    block: tuple[tuple[str, str], ...]

    @property
    def began_at_all(self) -> bool:
        return bool(self.at)

    @property
    def place(self) -> str:
        return f"features/{self.file}:{self.line}" if self.line else f"features/{self.file}"


@dataclass(frozen=True)
class Chapter:
    """One feature file: `label` C4, `title` what the customer calls it; `unasked` are the scenarios that did not run, each with its reason."""

    file: str
    label: str
    title: str
    scenes: tuple[Scene, ...]
    unasked: tuple[Scene, ...]

    @property
    def tally(self) -> str:
        return tally(self.scenes, len(self.unasked))


def tell(events: Sequence[Event]) -> list[Chapter]:
    """Every chapter that the run knew of, in order, with every scenario of it."""
    scenes = [_scene(outcome, events) for outcome in verdict.scenario_outcomes(events)]
    lines = _lines(events)
    told = []
    for file, title in chapters(events).items():
        label, dash, name = title.partition(" - ")
        told.append(
            Chapter(
                file=file,
                label=label if dash else "",
                title=name if dash else title,
                scenes=tuple(scene for scene in scenes if scene.file == file),
                unasked=tuple(_unasked(identity, why, lines) for identity, why in not_run(events).items() if _file(identity) == file),
            )
        )
    return told


def tally(scenes: Sequence[Scene], unasked: int) -> str:
    """How many of each state, in words: `8 passed, 1 failed, 2 not run`; what there is none of is left out, but passed is always told."""
    counts = Counter(scene.state for scene in scenes)
    parts = [f"{counts[state]} {state}" for state in STATES if counts[state] or state == "passed"]
    return ", ".join([*parts, f"{unasked} not run"] if unasked else parts)


def _scene(outcome: verdict.Outcome, events: Sequence[Event]) -> Scene:
    own = [event for event in events if event.get("scenario") == outcome.scenario]
    phases = [event for event in own if event["kind"] == "scenario-phase"]
    first = phases[0] if phases else own[0] if own else {}
    began = float(first.get("t", 0)) - float(first.get("seconds", 0))
    return Scene(
        identity=outcome.scenario,
        file=_file(outcome.scenario),
        title=_title(outcome.scenario),
        line=_lines(events).get(outcome.scenario, 0),
        state=outcome.state,
        began=max(began, 0.0),
        seconds=outcome.seconds,
        at=str(first.get("at", "")),
        steps=tuple(_steps(own, _planned(outcome.scenario, events))),
        block=_block(outcome, own),
    )


def _unasked(identity: str, why: str, lines: dict[str, int]) -> Scene:
    return Scene(identity, _file(identity), _title(identity), lines.get(identity, 0), "not run", 0.0, 0.0, "", (), (("why", why),))


def _steps(own: Sequence[Event], planned: Sequence[str]) -> list[Step]:
    """Steps in the order in which they began, then those that were planned and not reached."""
    found: list[Step] = []
    for event in own:
        if event["kind"] == "step-began":
            found.append(Step(str(event["step"]), "unfinished", None))
            began = float(event.get("t", 0))
        elif event["kind"] in {"step-passed", "step-failed"}:
            state = event["kind"].removeprefix("step-")
            if found and found[-1].state == "unfinished" and found[-1].text == event["step"]:
                found[-1] = Step(found[-1].text, state, max(float(event.get("t", 0)) - began, 0.0))
            else:
                found.append(Step(str(event["step"]), state, None))
    return [*found, *(Step(text, "not reached", None) for text in planned[len(found) :])]


def _block(outcome: verdict.Outcome, own: Sequence[Event]) -> tuple[tuple[str, str], ...]:
    """The fixed block of a failure: expected, seen, where, what next; our own trouble has a problem instead of the first two."""
    trouble = outcome.trouble
    if trouble is None:
        last = next((str(event["step"]) for event in reversed(own) if event["kind"].startswith("step-")), "no step began")
        return (("problem", "it did not finish"), ("last step", last)) if outcome.state == "unfinished" else ()
    keys = (("expected", "expected"), ("seen", "seen"), ("problem", "problem"), ("place", "where"), ("advice", "next"))
    return tuple((label, str(trouble[key])) for key, label in keys if trouble.get(key))


def _planned(identity: str, events: Sequence[Event]) -> Sequence[str]:
    selected = next((event for event in events if event["kind"] == "selected"), {"scenarios": ()})
    return next((scenario.get("steps", ()) for scenario in selected["scenarios"] if scenario["identity"] == identity), ())


def _lines(events: Sequence[Event]) -> dict[str, int]:
    known = (event for event in events if event["kind"] in {"inventory", "selected"})
    return {scenario["identity"]: int(scenario.get("line", 0)) for event in known for scenario in event["scenarios"]}


def _file(identity: str) -> str:
    return identity.split(": ", 1)[0]


def _title(identity: str) -> str:
    return identity.split(": ", 1)[-1]
