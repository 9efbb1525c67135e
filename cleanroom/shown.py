"""Text from anywhere, as it may be shown: in a page, in a table, in an XML file.

Knows: which characters show something else than they are (controls, directions, invisible ones), and how much of a text a reader can use.
Refuses: to drop anything without a word: what is replaced is named, what is cut is counted.
"""

from __future__ import annotations

import unicodedata

#: More than this is no longer read; the ledger holds the whole of it.
MOST = 6_000
_KEPT = "\n\t"


def shown(text: str, most: int = MOST) -> str:
    """`text` with every character that shows nothing, or reorders what stands beside it, as `[U+202E]`; cut after `most` characters, with a note."""
    note = f" [cut: {len(text) - most:,} more characters; the ledger has them]" if len(text) > most else ""
    kept = text[:most]
    if not kept.isprintable():
        kept = "".join(character if _shows_itself(character) else f"[U+{ord(character):04X}]" for character in kept)
    return kept + note


def one_line(text: str, most: int = MOST) -> str:
    """The same on one line: white space of any length is one blank."""
    return shown(" ".join(text.split()), most)


def _shows_itself(character: str) -> bool:
    return character.isprintable() or character in _KEPT or unicodedata.category(character) == "Zs"
