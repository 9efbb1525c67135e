"""The roll that is read out: who did not answer, who answered unasked, and what is said of it in which words."""

from __future__ import annotations

import pytest

from cleanroom.leak.coverage import Coverage, Gap, Roll, Tally

NOTHING = Tally("unpacking", 0, 0)


def roll() -> Roll:
    return Roll("store", listed_by="find", scanned_by="tar", show=lambda name: name.replace("s3cr3t", "***"))


def closed(called: Roll, *gaps: Gap) -> Coverage:
    return called.coverage(NOTHING, gaps)


def coverage(listed: Tally, scanned: Tally, *gaps: Gap) -> Coverage:
    return Coverage("store", listed, scanned, NOTHING, (), gaps)


@pytest.mark.parametrize(
    ("tally", "text"),
    [
        (Tally("find", 3, 2048), "3 items, 2.0 KiB by find"),
        (Tally("find", 3, 0), "3 items, 0 B by find"),
        (Tally("docker image inspect", 2, None), "2 items by docker image inspect"),
    ],
)
def test_a_tally_tells_what_it_counted_and_by_which_means(tally: Tally, text: str) -> None:
    assert str(tally) == text


def test_a_gap_tells_why_it_is_lived_with() -> None:
    assert str(Gap("/a.gz", "damaged")) == "/a.gz: damaged"
    assert str(Gap("/a.gz", "damaged", "a sample")) == "/a.gz: damaged (accepted: a sample)"


@pytest.mark.parametrize(
    ("listed", "scanned", "problems"),
    [
        (Tally("find", 1, 1), Tally("tar", 1, 1), []),
        (Tally("inspect", 2, None), Tally("save", 2, 99), []),
        (
            Tally("find", 0, None),
            Tally("tar", 1, 1),
            ["nothing was listed: 0 items by find", "listed were 0 items by find, scanned 1 items, 1 B by tar"],
        ),
        (Tally("find", 1, 0), Tally("tar", 1, 0), ["nothing was listed: 1 items, 0 B by find", "nothing was scanned: 1 items, 0 B by tar"]),
        (Tally("find", 2, 9), Tally("tar", 3, 9), ["listed were 2 items, 9 B by find, scanned 3 items, 9 B by tar"]),
        (Tally("find", 2, 9), Tally("tar", 2, 8), ["listed were 2 items, 9 B by find, scanned 2 items, 8 B by tar"]),
    ],
    ids=["the same", "no sizes listed", "none listed", "only empty ones", "another count", "another size"],
)
def test_both_means_must_have_met_the_same_and_something(listed: Tally, scanned: Tally, problems: list[str]) -> None:
    assert list(coverage(listed, scanned).problems) == problems
    assert coverage(listed, scanned).complete is not bool(problems)


def test_a_gap_is_a_problem_until_somebody_lives_with_it() -> None:
    both = Tally("find", 1, 1), Tally("tar", 1, 1)
    assert coverage(*both, Gap("/a", "damaged"), Gap("/b", "damaged", "a sample")).problems == ("/a: damaged",)


def test_everyone_who_was_listed_answers() -> None:
    called = roll()
    called.expect("/a", 5)
    called.expect("/b", 0)
    assert "/a" in called
    called.answer("/a", 5)
    called.answer("/b", 0)
    assert "/a" not in called
    assert closed(called) == Coverage("store", Tally("find", 2, 5), Tally("tar", 2, 5), NOTHING)


def test_without_every_size_there_is_no_sum_of_sizes() -> None:
    called = roll()
    for name, size in (("/a", 5), ("/b", None), ("/c", 2)):
        called.expect(name, size)
        called.answer(name, size or 7)
    assert closed(called) == Coverage("store", Tally("find", 3, None), Tally("tar", 3, 14), NOTHING)


def test_every_difference_is_told_and_no_name_shows_a_value() -> None:
    called = roll()
    for name, size in (("/a", 1), ("/a", 1), ("/b", 1), ("/s3cr3t", 1)):
        called.expect(name, size)
    called.answer("/b", 2)
    called.answer("/c", 1)
    called.answer("/a", 1)
    assert closed(called).mismatches == (
        "/a: listed twice",
        "/b: listed with 1 bytes, scanned 2",
        "/c: scanned, not listed",
        "/***: listed, not scanned",
    )


@pytest.mark.parametrize(("disputes", "last"), [(20, "difference 20"), (21, "1 more mismatches"), (25, "5 more mismatches")])
def test_of_many_differences_twenty_are_told_and_the_rest_counted(disputes: int, last: str) -> None:
    called = roll()
    for number in range(disputes):
        called.dispute(f"difference {number + 1}")
    mismatches = closed(called).mismatches
    assert mismatches[:20] == tuple(f"difference {number + 1}" for number in range(20))
    assert mismatches[-1] == last
    assert len(mismatches) == min(disputes, 21)


def test_a_roll_that_was_closed_waits_for_nobody() -> None:
    called = roll()
    called.expect("/a", 1)
    assert closed(called).mismatches == closed(called).mismatches == ("/a: listed, not scanned",)
    assert "/a" not in called
