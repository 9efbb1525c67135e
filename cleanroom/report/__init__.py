"""Drawings of the ledger: JUnit for machines, one HTML page for people, and what may be claimed of the run.

Knows: how to render events that were recorded; it asks nobody else and adds no fact.
Refuses: to render a skipped, unfinished or unasked scenario as green, and to leave a run without a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cleanroom import claims
from cleanroom.ledger import Event
from cleanroom.report.junit import junit
from cleanroom.report.page import page

__all__ = ["junit", "page", "write"]


def write(folder: Path, events: Sequence[Event]) -> None:
    """Write `junit.xml`, `report.html`, `REVIEW.md` and `STATUS.md` into `folder`, replacing older ones in one step each."""
    _replace(folder / "junit.xml", junit(events))
    _replace(folder / "report.html", page(events))
    _replace(folder / "REVIEW.md", claims.review(events).encode(errors="backslashreplace"))
    _replace(folder / "STATUS.md", claims.status(events).encode(errors="backslashreplace"))


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)
