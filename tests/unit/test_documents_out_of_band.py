"""Which secret a document names as out of band."""

from __future__ import annotations

import pytest

from cleanroom.documents.out_of_band import check_one, out_of_band
from cleanroom.documents.reading import read
from cleanroom.errors import CheckFailed

KEY = "/var/lib/sops-nix/key.txt"
LIST = f"# Secrets\n\n## The one out-of-band secret\n\nOnly this:\n\n- the key,\n  at `{KEY}`\n\n## In git\n\n- the rest\n"
TABLE = (
    f"## Out of band\n\n| secret | where |\n|---|---|\n| the key | `{KEY}` |\n\n### Why\n\nProse.\n\n# In git\n\n| a | b |\n|---|---|\n| x | y |\n"
)


def check(markdown: str) -> None:
    check_one(read(markdown, file="docs/secrets.md"), key_path=KEY)


@pytest.mark.parametrize("markdown", [LIST, TABLE, LIST.replace("out-of-band", "Out of Band"), LIST.replace("- the key", "1. the key")])
def test_one_entry_that_names_the_key_is_what_it_should_be(markdown: str) -> None:
    check(markdown)


def test_an_entry_knows_its_line() -> None:
    assert [(entry.line, KEY in entry.text) for entry in out_of_band(read(LIST, file="x"))] == [(7, True)]


TWO = LIST.replace("## In git", "- the DNS token\n\n## In git")


@pytest.mark.parametrize(
    ("markdown", "seen"),
    [
        (TWO, "2 entries"),
        (TABLE.replace("### Why", "| the token | `/x` |\n\n### Why").replace(f"`{KEY}` |\n\n| the", f"`{KEY}` |\n| the"), "2 entries"),
        (f"## Out of band\n\nThe key, at `{KEY}`.\n", "0 entries"),
        (LIST.replace("out-of-band", "secret"), "0 entries"),
        (LIST + f"\n## Also out-of-band\n\n- another, at `{KEY}`\n", "2 entries"),
        (LIST.replace("\n## In git", "\n### Details of it\n\n- a token\n\n## In git"), "2 entries"),
    ],
)
def test_none_or_several_are_told_with_their_lines(markdown: str, seen: str) -> None:
    with pytest.raises(CheckFailed, match="exactly one out-of-band secret") as caught:
        check(markdown)
    assert seen in caught.value.seen


def test_a_list_within_the_entry_is_part_of_it() -> None:
    check(LIST.replace(f"`{KEY}`\n", f"`{KEY}`\n  - whoever installs holds it\n  - nobody else\n"))


def test_another_secret_in_its_place_is_told() -> None:
    with pytest.raises(CheckFailed, match="is the bootstrap key") as caught:
        check(LIST.replace(KEY, "/etc/token"))
    assert caught.value.where == "docs/secrets.md:7"
