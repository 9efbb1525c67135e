"""The block that says DONE: it names a run, and the signed record of that run bears it out.

Knows: how such a block is known (docs/site-contract.md, "The evidence document"): its heading says DONE, and it speaks of the clean room.
Refuses: DONE without a run, of a run whose record nobody kept or signed, of one that did not pass, and of a class that the record does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cleanroom import verdict
from cleanroom.claim.record import Record
from cleanroom.claim.sections import Section, document
from cleanroom.errors import CheckFailed

_DONE: Final = re.compile(r"^\W*DONE\b")
_OF_THE_CLEAN_ROOM: Final = re.compile(r"\bC1\s?(?:to|through|-|\.\.+)\s?C7\b|\bclean[- ]?room\b|\bD8\b|\b\d{8}-\d{6}-[0-9a-f]{6}\b", re.IGNORECASE)
_CHAPTERS: Final = ("C1", "C2", "C3", "C4", "C5", "C6", "C7")
_RUN: Final = re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{6}\b")
_CLASSES: Final = re.compile(r"\b(?:ACCEPTANCE|LAB|DEV)\b")
_ADVICE: Final = "take the block from the run's own STATUS.md"


def check(documents: Mapping[str, str], record_of: Callable[[str], Record]) -> None:
    """Every block that says DONE, in Markdown documents by their paths, is borne out; `record_of` opens the signed record of a run."""
    for file, markdown in documents.items():
        for section in document(markdown).outermost(_DONE):
            told = " ".join(_words(section))
            if _OF_THE_CLEAN_ROOM.search(told):
                _check_block(told, f"{file}:{section.line}", record_of)


def _check_block(told: str, where: str, record_of: Callable[[str], Record]) -> None:
    runs = sorted(set(_RUN.findall(told)))
    if len(runs) != 1:
        expected = "whoever says DONE names the run that it rests on"
        raise CheckFailed(expected, seen=", ".join(runs) or "no run", where=where, advice=_ADVICE)
    record = record_of(runs[0])
    judged = verdict.judge(record.events)
    lacking = [f"no scenario of {chapter}" for chapter in _CHAPTERS if not any(name.startswith(f"{chapter.lower()}_") for name in record.outcomes)]
    if judged.word != "PASSED" or lacking:
        seen = f"run {runs[0]}: {judged.word}, {(*judged.reasons, *lacking)[0]}"
        raise CheckFailed("DONE is said of a run that PASSED, in C1 to C7", seen=seen, where=where, advice=_ADVICE)
    classes = {*_CLASSES.findall(told)}
    if judged.evidence_class == "DEV" or classes != {judged.evidence_class}:
        expected = f"DONE names the class of its run, {judged.evidence_class}, and no other; DEV is none of which it can be said"
        raise CheckFailed(expected, seen=", ".join(sorted(classes)) or "no class", where=where, advice=_ADVICE)


def _words(section: Section) -> Iterator[str]:
    """All that a reader sees of it."""
    yield section.title
    yield from (text.text for text in section.texts())
    for grid in section.grids():
        yield from (*grid.head, *(cell for row in grid.rows for cell in row.cells))
