"""The site's document about its secrets, as far as it must be true: which secret is not in git.

Knows: where the document lists what is handed over out of band (docs/site-contract.md, "The secrets document").
Refuses: prose in place of a list - who counts sentences counts what he wants to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from cleanroom.errors import CheckFailed

_HEADING = re.compile(r"out[- ]of[- ]band", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One list item, or one row of a table's body: its text, and the line (from 1) on which it begins."""

    text: str
    line: int


def out_of_band(markdown: str) -> tuple[Entry, ...]:
    """The entries that stand under headings which say "out of band", up to the next heading of the same rank or a higher one."""
    entries: list[Entry] = []
    rank = 0
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    for position, token in enumerate(tokens):
        if token.type == "heading_open":
            if not rank or int(token.tag[1]) <= rank:
                rank = int(token.tag[1]) if _HEADING.search(tokens[position + 1].content) else 0
        elif rank and _begins_entry(token, tokens[:position]):
            text = " ".join(inner.content for inner in _within(tokens[position:]) if inner.type == "inline")
            entries.append(Entry(text, (token.map or [0])[0] + 1))
    return tuple(entries)


def check_one_out_of_band(markdown: str, *, file: str, key_path: str) -> None:
    """Exactly one secret is named as out of band, and it is the bootstrap key: its entry names the path at which the machine gets it."""
    entries = out_of_band(markdown)
    if len(entries) != 1:
        lines = ", ".join(str(entry.line) for entry in entries)
        seen = f"{len(entries)} entries" + (f" (lines {lines})" if entries else " under a heading that says out of band")
        advice = "a list or table with one entry for each, under such a heading"
        raise CheckFailed("the document names exactly one out-of-band secret", seen=seen, where=file, advice=advice)
    if key_path not in entries[0].text:
        expected = f"the one out-of-band secret is the bootstrap key, for {key_path}"
        raise CheckFailed(expected, seen=entries[0].text, where=f"{file}:{entries[0].line}")


def _begins_entry(token: Token, before: list[Token]) -> bool:
    """A list item of the outermost list, or a row that is not the table's head."""
    if token.type == "list_item_open":
        return token.level == 1
    return token.type == "tr_open" and next(other.type for other in reversed(before) if other.type in {"thead_open", "tbody_open"}) == "tbody_open"


def _within(tokens: list[Token]) -> Iterator[Token]:
    """The tokens of the element that the first one opens."""
    for token in tokens:
        yield token
        if token.nesting == -1 and token.level == tokens[0].level:
            return
