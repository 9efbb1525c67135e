"""The site's document about its secrets, as far as it must be true: which secret is not in git.

Knows: where the document lists what is handed over out of band (docs/site-contract.md, "The secrets document").
Refuses: prose in place of a list - who counts sentences counts what he wants to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cleanroom.documents.reading import Document, entries
from cleanroom.errors import CheckFailed

_HEADING = re.compile(r"out[- ]of[- ]band", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One list item, or one row of a table's body: its text, and the line (from 1) on which it begins."""

    text: str
    line: int


def out_of_band(document: Document) -> tuple[Entry, ...]:
    """The entries that stand under headings which say "out of band", up to the next heading of the same rank or a higher one."""
    section = document.under(lambda heading: _HEADING.search(heading) is not None)
    return tuple(Entry(" ".join(piece.text for piece in entry), entry[0].line) for entry in entries(section))


def check_one(document: Document, *, key_path: str) -> None:
    """Exactly one secret is named as out of band, and it is the bootstrap key: its entry names the path at which the machine gets it."""
    found = out_of_band(document)
    if len(found) != 1:
        lines = ", ".join(str(entry.line) for entry in found)
        seen = f"{len(found)} entries" + (f" (lines {lines})" if found else " under a heading that says out of band")
        advice = "a list or table with one entry for each, under such a heading"
        raise CheckFailed("the document names exactly one out-of-band secret", seen=seen, where=document.file, advice=advice)
    if key_path not in found[0].text:
        expected = f"the one out-of-band secret is the bootstrap key, for {key_path}"
        raise CheckFailed(expected, seen=found[0].text, where=f"{document.file}:{found[0].line}")
