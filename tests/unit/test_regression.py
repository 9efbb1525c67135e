"""The site's own regression: which lines must be there, and what they must say."""

from __future__ import annotations

import pytest

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.regression import Outcome
from cleanroom.tables.resources import Regression

LINES = tuple(f"D{number} something is as it should be holds" for number in range(1, 11))


def outcome(*lines: str, status: int = 0, **settings: object) -> Outcome:
    return Outcome(Regression.model_validate({"command": "regress", **settings}), status, lines, "machine")


def test_ten_lines_that_hold_hold() -> None:
    outcome(*LINES).check()


def test_a_failed_word_in_a_name_is_no_failure() -> None:
    outcome(*LINES[1:], "D1 no unit has failed holds").check()


@pytest.mark.parametrize(
    "line", ["D7 FAILS: docker ps", "D7: ERROR", "D7 holds, or FAILED", "D7 not ok", "D7 is skipped", "D7", "D7 uphold", "D7 broken pipe, okay"]
)
def test_a_line_that_fails_or_says_neither_is_red(line: str) -> None:
    with pytest.raises(CheckFailed, match="the regression's D7 holds"):
        outcome(*(line if each.startswith("D7") else each for each in LINES)).check()


@pytest.mark.parametrize("line", ["D7 the dashboard answers FAILS", "D7 the dashboard answers"])
@pytest.mark.parametrize("first", [True, False])
def test_a_name_holds_in_every_line_that_bears_it(line: str, first: bool) -> None:  # noqa: FBT001 - a table
    with pytest.raises(CheckFailed, match="the regression's D7 holds"):
        outcome(*((line, *LINES) if first else (*LINES, line))).check()


@pytest.mark.parametrize("number", range(1, 11))
def test_a_missing_line_is_red_and_named(number: int) -> None:
    lines = [line for line in LINES if not line.startswith(f"D{number} ")]
    with pytest.raises(CheckFailed, match=f"has a line for D{number}"):
        outcome(*lines).check()


def test_a_line_is_known_by_its_beginning_and_by_the_whole_name() -> None:
    others = [line for line in LINES if not line.startswith("D1 ")]
    with pytest.raises(CheckFailed, match="a line for D1"):
        outcome(*others, "all of D1 holds").check()
    outcome(*others, "- [D1] holds").check()


@pytest.mark.parametrize("lines", [(), ("nothing to do",), ("holds holds holds",)])
def test_a_regression_that_says_nothing_is_an_error_and_no_pass(lines: tuple[str, ...]) -> None:
    with pytest.raises(HarnessError, match="cannot tell whether the regression holds"):
        outcome(*lines).check()


def test_a_status_may_not_contradict_the_lines() -> None:
    with pytest.raises(CheckFailed, match="status 3"):
        outcome(*LINES, status=3).check()


def test_a_site_has_its_own_names_and_words() -> None:
    outcome("alpha: fine", "beta: fine", names=["alpha", "beta"], passed=["fine"], failed=["bad"]).check()
    with pytest.raises(CheckFailed, match="beta holds"):
        outcome("alpha: fine", "beta: fine, bad", names=["alpha", "beta"], passed=["fine"], failed=["bad"]).check()


@pytest.mark.parametrize("key", ["names", "passed"])
def test_a_regression_that_names_nothing_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        Regression.model_validate({"command": "regress", key: []})
