"""Two judges read a ledger, the suite's own and the one who was not there: whatever somebody who holds the key makes of it, they never disagree.

The suite's own judge is who C5 asks about an owner's record, and the owner has the key: a chain made anew and a signature tell nothing there.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanroom import ledger, verdict, verifier
from cleanroom.errors import HarnessError
from cleanroom.ledger import Event
from cleanroom.verifier import Findings, Story
from tests import forging
from tests.forgeries import genuine

ROUNDS = 6
EDITS = 500
#: Fields that the chain is made of: an editor of facts leaves them to whoever chains anew.
CHAIN = {"n", "prev", "at", "t", "kind"}
WORDS = ("", "passed", "failed", "skipped", "setup", "teardown", "lab", "real", "builder", "always", "virtual-machine", "container")

Edit = Callable[[random.Random, list[Event]], list[Event]]


def drop(chance: random.Random, events: list[Event]) -> list[Event]:
    at = chance.randrange(len(events))
    return events[:at] + events[at + 1 :]


def drop_a_kind(chance: random.Random, events: list[Event]) -> list[Event]:
    kind = chance.choice(events)["kind"]
    return [event for event in events if event["kind"] != kind]


def tell_twice(chance: random.Random, events: list[Event]) -> list[Event]:
    at, to = sorted(chance.choices(range(len(events)), k=2))
    return [*events[: to + 1], events[at], *events[to + 1 :]]


def swap(chance: random.Random, events: list[Event]) -> list[Event]:
    one, other = chance.sample(range(len(events)), 2)
    events[one], events[other] = events[other], events[one]
    return events


def move(chance: random.Random, events: list[Event]) -> list[Event]:
    event = events.pop(chance.randrange(len(events)))
    events.insert(chance.randrange(len(events) + 1), event)
    return events


def drop_a_field(chance: random.Random, events: list[Event]) -> list[Event]:
    at = chance.randrange(len(events))
    name = chance.choice([*(events[at].keys() - CHAIN), "none"])
    events[at] = {key: value for key, value in events[at].items() if key != name}
    return events


def alter_a_field(chance: random.Random, events: list[Event]) -> list[Event]:
    at = chance.randrange(len(events))
    if names := sorted(events[at].keys() - CHAIN):
        name = chance.choice(names)
        events[at] = {**events[at], name: altered(chance, events[at][name])}
    return events


def empty_a_field(chance: random.Random, events: list[Event]) -> list[Event]:
    """Nothing in place of a value, in one of the ways in which JSON says so; of one kind, as most events are of few."""
    kind = chance.choice(sorted({event["kind"] for event in events}))
    at = chance.choice([number for number, event in enumerate(events) if event["kind"] == kind])
    if names := sorted(events[at].keys() - CHAIN):
        events[at] = {**events[at], chance.choice(names): chance.choice((None, "", [], {}, 0))}
    return events


def altered(chance: random.Random, value: Any) -> Any:
    """Another value of the same type, deep inside if it has an inside."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice((-1, 1))
    if isinstance(value, str):
        return chance.choice((*WORDS, value + "x"))
    if isinstance(value, list):
        at = chance.randrange(len(value) + 1)
        return value[:at] + chance.choice(([], [altered(chance, each) for each in value[at : at + 1]], value[at : at + 1] * 2)) + value[at + 1 :]
    if isinstance(value, dict) and value:
        name = chance.choice(sorted(value))
        return {key: each for key, each in value.items() if key != name} | chance.choice(({}, {name: altered(chance, value[name])}))
    return value


EDITORS: tuple[Edit, ...] = (drop, drop_a_kind, tell_twice, swap, move, drop_a_field, alter_a_field, alter_a_field, empty_a_field)


def the_suites_own(path: Path) -> str:
    """The class of a run that PASSED, or nothing: what cannot be read is no pass."""
    try:
        judged = verdict.judge(ledger.read(path))
    except (HarnessError, LookupError, TypeError, ValueError, AttributeError):
        return ""
    return judged.evidence_class if judged.word == "PASSED" else ""


def the_other(path: Path) -> str:
    """The same of the verifier, by the ledger alone."""
    story, found = Story(), Findings()
    found.take("the ledger", story.read(path))
    found.take("the ledger", verifier._judge(found, story, "dev", datetime.timedelta(days=1)))
    return found.evidence_class if found.status == 0 else ""


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("kind", ["LAB", "ACCEPTANCE"])
def test_the_judges_never_disagree_about_what_somebody_with_the_key_wrote(kind: str, number: int, tmp_path: Path) -> None:
    run = genuine.make(tmp_path) if kind == "LAB" else genuine.make(tmp_path, kind="real", virtual=True)
    green, path = ledger.read(run.folder / ledger.NAME), tmp_path / ledger.NAME
    chance, answers = random.Random(number), set[str]()  # noqa: S311 - edits, no secrets
    for turn in range(EDITS):
        events = list(green)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            events = EDITORS[turn % len(EDITORS)](chance, events)
        # Time is not what is edited here: an event that was moved tells the time of its place.
        written = forging.chain(path, [{**event, "at": green[-1]["at"], "t": 0} for event in events])
        mine, other = the_suites_own(path), the_other(path)
        answers.add(mine)
        differing = [event for event in written if {**event, **dict.fromkeys(CHAIN)} not in [{**each, **dict.fromkeys(CHAIN)} for each in green]]
        assert mine == other, f"{EDITORS[turn % len(EDITORS)].__name__}: {differing}"
    assert answers >= {"", kind}
