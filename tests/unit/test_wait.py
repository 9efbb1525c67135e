"""Waiting."""

from __future__ import annotations

import itertools
import time

import pytest

from cleanroom.errors import CheckFailed, OutOfTime
from cleanroom.wait import Deadline, Waiting, wait_until
from tests.unit.notes import Notes


def test_the_first_answer_ends_the_wait() -> None:
    answers = iter([Waiting("one"), Waiting("two"), "three", "four"])
    assert wait_until(lambda: next(answers), what="three", within=5, every=0.001) == "three"


@pytest.mark.parametrize("answer", [None, False, 0, ""])
def test_an_answer_may_be_falsy(answer: object) -> None:
    assert wait_until(lambda: answer, what="anything", within=0) is answer


def test_time_runs_out_with_what_was_seen_last() -> None:
    tries = iter(range(1000))
    began = time.monotonic()
    with pytest.raises(OutOfTime) as caught:
        wait_until(lambda: Waiting(f"try {next(tries)}"), what="the moon", within=0.1, every=0.02, where="here", advice="look up")
    assert 0.1 <= time.monotonic() - began < 1
    assert "the moon" in caught.value.problem
    assert caught.value.problem.endswith(f"try {next(tries) - 1}")
    assert (caught.value.where, caught.value.advice) == ("here", "look up")


def test_a_wait_is_recorded_with_what_it_saw_each_change_once(notes: Notes) -> None:
    answers = iter([Waiting("starting"), Waiting("starting"), Waiting("degraded"), "running"])
    wait_until(lambda: next(answers), what="the system", within=5, every=0.001, where="m", record=notes.record)
    (told,) = notes
    assert (told["kind"], told["what"], told["where"], told["within"], told["outcome"]) == ("waited", "the system", "m", 5, "met")
    assert [text for _, text in told["seen"]] == ["starting", "degraded"]


def test_a_wait_that_was_not_met_is_recorded_too(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, clock = iter(range(10_000)), itertools.count(step=0.001)
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: next(clock))
        with pytest.raises(OutOfTime):
            wait_until(lambda: Waiting(f"{next(numbers)}"), what="never", within=1, every=0.001, record=notes.record)
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 // 0, what="a terminal state", within=5, record=notes.record)
    assert [each["outcome"] for each in notes] == ["out of time", "broken off"]
    assert len(notes[0]["seen"]) == 13
    assert notes[0]["seen"][-1][1] == str(next(numbers) - 1)


def test_the_last_try_is_made_at_the_deadline_itself() -> None:
    clock = Deadline(0.1)
    assert wait_until(lambda: clock.passed or Waiting("early"), what="the deadline", within=0.1, every=60) is True


def test_there_is_always_one_try() -> None:
    with pytest.raises(OutOfTime, match="seen: no"):
        wait_until(lambda: Waiting("no"), what="x", within=0)


def test_a_terminal_state_ends_the_wait_at_once() -> None:
    def probe() -> Waiting:
        raise CheckFailed("alive", seen="dead", where="here")

    with pytest.raises(CheckFailed):
        wait_until(probe, what="x", within=60)


def test_signs_of_life_are_given_after_each_try_that_did_not_succeed() -> None:
    answers = iter([Waiting("one"), Waiting("two"), "done"])
    told: list[str] = []
    wait_until(lambda: next(answers), what="x", within=5, every=0.001, alive=lambda elapsed, seen: told.append(seen) if elapsed >= 0 else None)
    assert told == ["one", "two"]


def test_a_deadline_never_shows_less_than_nothing() -> None:
    deadline = Deadline(0)
    assert (deadline.left, deadline.passed) == (0, True)
    assert not Deadline(60).passed
