"""What became of the suite under one sabotage, judged from the run's ledger.

Knows: when a scenario counts as killed: it is red, and its own trouble - what was expected, what was seen, where - says so in the words foreseen.
Refuses: to count red for another reason, red where green was declared, or a run that called itself PASSED nonetheless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cleanroom import verdict
from cleanroom.ledger import Event

if TYPE_CHECKING:
    from tests.sabotage.bench import Sabotage

_RED = {"failed", "error"}
#: The fields of a trouble that may tell a reason; the scenario's own title and our advice are no reasons.
_TELLING = ("expected", "seen", "problem", "place")
_EXCERPT = 600


@dataclass(frozen=True)
class Cell:
    """One scenario under one sabotage: `part` is `must`, `may` or `green`; `told` is its trouble and `raised` where in the code that came from."""

    state: str
    part: str
    seconds: float
    told: str = ""
    raised: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Why it survived (nothing if it was killed), and what each scenario that ran did."""

    survived: tuple[str, ...]
    cells: Mapping[str, Cell]
    seconds: float
    machines: int
    word: str

    @property
    def red(self) -> list[str]:
        return [title for title, cell in self.cells.items() if cell.state != "passed"]


def judge(sabotage: Sabotage, events: Sequence[Event], output: str, *, acted: bool, seconds: float) -> Finding:
    """What the run's ledger says of `sabotage`; without one, its `output` is all there is to tell."""
    cells = {_name(sabotage, outcome): _cell(sabotage, outcome) for outcome in verdict.scenario_outcomes(events)}
    machines = sum(event["kind"] == "hypervisor" and event["action"] == "create" for event in events)
    word = verdict.judge(events).word if events else "INCOMPLETE"
    survived = [] if cells else [f"no scenario ran: {output[-1000:]}"]
    if not acted:
        survived.append("its moment never came")
    if sabotage.static and machines:
        survived.append("declared static, and a machine was made")
    if sabotage.reddens and word == "PASSED":
        survived.append("the run called itself PASSED")
    survived += _not_killed(sabotage, cells)
    survived += [
        f"{title}: {cell.state}, and should not be: {cell.told[:_EXCERPT]}"
        for title, cell in cells.items()
        if cell.part == "green" and cell.state != "passed"
    ]
    return Finding(tuple(survived), cells, round(seconds, 1), machines, word)


def _not_killed(sabotage: Sabotage, cells: Mapping[str, Cell]) -> list[str]:
    found = []
    for title, reason in sabotage.reddens.items():
        cell = cells.get(title)
        if cell is None or cell.state not in _RED:
            found.append(f"{title}: {cell.state if cell else 'not run'}, should be red")
        elif reason not in cell.told:
            found.append(f"{title}: red, but not for `{reason}`: {cell.told[:_EXCERPT]}")
    return found


def _name(sabotage: Sabotage, outcome: verdict.Outcome) -> str:
    """The title where one feature runs, title and file where all do."""
    return outcome.scenario.split(": ", 1)[1] if sabotage.feature else outcome.scenario


def _cell(sabotage: Sabotage, outcome: verdict.Outcome) -> Cell:
    title = _name(sabotage, outcome)
    part = "must" if title in sabotage.reddens else "may" if {title, "*"} & sabotage.may_redden.keys() else "green"
    trouble = outcome.trouble or {}
    told = "; ".join(f"{key}: {trouble[key]}" for key in _TELLING if trouble.get(key))
    return Cell(outcome.state, part, outcome.seconds, told, tuple(str(trouble.get("raised", "")).split()))
