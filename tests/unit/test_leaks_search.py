"""The search itself: at which byte of which item a value lies, wherever reads end, and how a text is told that holds one."""

from __future__ import annotations

import pytest

from cleanroom.errors import BadInput
from cleanroom.leak.search import CHUNK, Belt, Label, Searcher
from cleanroom.redact import Secret
from tests.unit.leak_doubt import VALUE

TAIL = VALUE[-10:]
WIDE = VALUE.decode().encode("utf-16-le")


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    return Searcher({"token": Secret(VALUE, name="token")})


def on_a_belt(searcher: Searcher, *items: bytes) -> list[tuple[str, int]]:
    """Where values were found: the item's number and the byte in it."""
    found: list[tuple[str, int]] = []
    belt = Belt(searcher, lambda _label, place, offset: found.append((place, offset)))
    for number, item in enumerate(items, start=1):
        belt.begin(str(number))
        belt.put(item)
    belt.search(at_end=True)
    return sorted(found)


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([VALUE], [("1", 0)]),
        ([b"", VALUE, b""], [("2", 0)]),
        ([b"x" * 7 + VALUE + b"y" * 7 + VALUE], [("1", 7), ("1", 34)]),
        ([b"abc" + VALUE, b"abcde" + VALUE + b"x"], [("1", 3), ("2", 5)]),
        ([VALUE[:9], VALUE[9:]], []),
        ([VALUE[:9], VALUE[9:], VALUE], [("3", 0)]),
        ([WIDE[:9], WIDE[10:]], []),
        ([WIDE[:9], WIDE[10:], WIDE], [("3", 0)]),
        ([VALUE[:-1]], []),
        ([VALUE.swapcase()], []),
    ],
    ids=[
        "alone",
        "among empty ones",
        "twice in one",
        "in each of two",
        "across two",
        "across two, then whole",
        "across two, made whole by what parts them",
        "the same, then whole",
        "not whole",
        "in other cases",
    ],
)
def test_small_items_share_a_pass(searcher: Searcher, items: list[bytes], found: list[tuple[str, int]]) -> None:
    assert on_a_belt(searcher, *items) == found


@pytest.mark.parametrize("before", [CHUNK - 300, CHUNK - 10, CHUNK, CHUNK + 240, CHUNK + 257, 2 * CHUNK - 10, 3 * CHUNK + 5])
def test_a_large_item_takes_several(searcher: Searcher, before: int) -> None:
    """One finding each, told at its byte, wherever the value lies to the end of a pass."""
    large = b"x" * before + VALUE + b"y" * CHUNK + VALUE
    assert on_a_belt(searcher, b"first" + VALUE, large, b"z" + VALUE) == [("1", 5), ("2", before), ("2", before + len(VALUE) + CHUNK), ("3", 1)]


@pytest.mark.parametrize("size", [5000, 100])
def test_many_small_items_take_several_passes_too(searcher: Searcher, size: int) -> None:
    """Of the smaller ones, some begin in what one pass leaves to the next."""
    items = [b"x" * size + VALUE for _ in range(2 * CHUNK // size)]
    assert on_a_belt(searcher, *items) == sorted((str(number), size) for number in range(1, len(items) + 1))


def test_a_patterns_match_is_told_from_its_first_byte() -> None:
    found: list[tuple[tuple[Label, ...], int, int]] = []
    searcher = Searcher({"token": Secret(VALUE, name="token")}, patterns={"Gandi": r"\bpat_[0-9]{8}\b"})
    searcher.matches(b"one pat_12345678 two " + VALUE, lambda labels, first, last: found.append((labels, first, last)))
    assert sorted(found, key=lambda each: each[1]) == [((Label("Gandi", "pattern"),), 4, 16), ((Label("token", "raw"),), 21, 41)]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("", ""),
        ("a/b c/d", "a/b c/d"),
        ("{0}", "[secret token]"),
        ("a/{0}", "a/[secret token]"),
        ("/a/x-{0}-y/b", "/a/[secret token]/b"),
        ("/{0}/{0}/é", "/[secret token]/[secret token]/é"),
        ("{0}-{0}/b", "[secret token]/b"),
    ],
)
def test_of_a_place_the_component_that_holds_a_value_is_masked_and_no_other(searcher: Searcher, text: str, masked: str) -> None:
    assert searcher.mask(text.format(VALUE.decode())) == masked


def test_a_component_that_ends_two_values_at_once_is_masked_once() -> None:
    searcher = Searcher({"token": Secret(VALUE, name="token"), "tail": Secret(TAIL, name="tail")})
    assert searcher.mask(f"/a/{VALUE.decode()}") == "/a/[secret token]"
    assert searcher.mask(f"/a/{TAIL.decode()}/{VALUE.decode()}") == "/a/[secret tail]/[secret token]"


def test_a_pattern_that_cannot_be_searched_for_is_bad_input() -> None:
    with pytest.raises(BadInput, match="Gandi token"):
        Searcher({}, patterns={"Gandi token": "("})
