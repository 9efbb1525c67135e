"""The tables about what a run may use and must leave alone: sizes, and the site's own regression.

Knows: where a site records its sizing, which machines may be resized on request, and what the site's own tests print.
Refuses: a regression that would hold by naming no line.
"""

from __future__ import annotations

from pydantic import Field

from cleanroom.tables.base import Duration, Names, Table


class Resources(Table):
    """Sizes, where they are recorded, and what may be resized."""

    decisions: str = "DECISIONS.md"
    sizing: str = "sizing"
    may_resize: Names = ()


class Regression(Table):
    """The site's own regression command on the rebuilt machine, and how its lines are read."""

    command: str
    names: Names = Field(default=tuple(f"D{number}" for number in range(1, 11)), min_length=1)
    passed: Names = Field(default=("holds", "ok", "OK", "pass", "PASS", "passed", "PASSED"), min_length=1)
    failed: Names = ("FAIL", "FAILS", "FAILED", "ERROR", "not ok", "NOT OK")
    within: Duration = 300.0
