"""What a person reads when something failed."""

from __future__ import annotations

import pytest

from cleanroom.errors import BadInput, CheckFailed, HarnessError, NotOurs, OutOfReach, OutOfTime


def test_a_failed_check_says_what_was_expected_and_seen_and_where_and_what_next() -> None:
    problem = CheckFailed("a running sshd", seen="none", where="host-1", advice="start it")
    assert str(problem) == "expected: a running sshd\nseen:     none\nwhere:    host-1\nnext:     start it"
    assert (problem.expected, problem.seen, problem.where, problem.advice) == ("a running sshd", "none", "host-1", "start it")


def test_what_is_not_known_is_left_out() -> None:
    assert "next" not in str(CheckFailed("x", seen="y", where="z"))
    assert str(HarnessError("no answer")) == "problem:  no answer"


@pytest.mark.parametrize("kind", [BadInput, OutOfReach, NotOurs, OutOfTime])
def test_our_own_trouble_never_passes_for_the_site_s(kind: type[HarnessError]) -> None:
    problem = kind("p", where="w", advice="a")
    assert isinstance(problem, HarnessError)
    assert not isinstance(problem, AssertionError)
    assert not issubclass(CheckFailed, HarnessError)
    assert issubclass(CheckFailed, AssertionError)
