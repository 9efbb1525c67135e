"""Text as it may be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.shown import one_line, shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain, ünï, 漢字, \U0001f600", "plain, ünï, 漢字, \U0001f600"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("a\u00a0b", "a\u00a0b"),
        ("nul \x00 esc \x1b[31m", "nul [U+0000] esc [U+001B][31m"),
        ("\u202egnp.exe", "[U+202E]gnp.exe"),
        ("zero\u200bwidth", "zero[U+200B]width"),
        ("half \ud800", "half [U+D800]"),
        ("line\u2028break", "line[U+2028]break"),
        ("\ufffe", "[U+FFFE]"),
    ],
)
def test_what_shows_nothing_is_named(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_what_is_cut_is_counted() -> None:
    assert shown("x" * 1_000_003, most=3) == "xxx [cut: 1,000,000 more characters; the ledger has them]"
    assert shown("xxx", most=3) == "xxx"


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_everything_that_is_shown_shows_itself(text: str) -> None:
    seen = shown(text)
    assert all(character.isprintable() or character in "\n\t" or character.isspace() for character in seen)
    seen.encode()
    assert "\n" not in one_line(text)
