"""Proof that a search saw what there was: one means lists, another scans, and both must have met the same things.

Knows: counts, bytes, and by name what was met by one side only.
Refuses: to call a search complete that listed nothing, scanned nothing, or left something packed unopened without anybody having accepted that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cleanroom.quantities import show_size

#: Mismatches that are told one by one; the rest is counted.
_TOLD = 20


@dataclass(frozen=True)
class Tally:
    """How many items one means met, and how many bytes they hold; None where it does not tell."""

    means: str
    count: int
    bytes: int | None

    def __str__(self) -> str:
        return f"{self.count} items" + (f", {show_size(self.bytes)}" if self.bytes is not None else "") + f" by {self.means}"


@dataclass(frozen=True)
class Gap:
    """Something that was not, or not wholly, searched. `accepted` is the reason for which the site lives with it, empty if it does not."""

    place: str
    reason: str
    accepted: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" + (f" (accepted: {self.accepted})" if self.accepted else "")


@dataclass(frozen=True)
class Coverage:
    """What one source was listed to hold, what of it was scanned, and where these differ. `inside` tallies what was found packed in its items."""

    source: str
    listed: Tally
    scanned: Tally
    inside: Tally
    mismatches: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why "not found" would prove nothing here, one sentence each; empty if it would."""
        found = []
        for tally, verb in ((self.listed, "listed"), (self.scanned, "scanned")):
            if not tally.count or tally.bytes == 0:
                found.append(f"nothing was {verb}: {tally}")
        if self.listed.count != self.scanned.count or self.listed.bytes not in {None, self.scanned.bytes}:
            found.append(f"listed were {self.listed}, scanned {self.scanned}")
        return (*found, *self.mismatches, *(str(gap) for gap in self.gaps if not gap.accepted))

    @property
    def complete(self) -> bool:
        return not self.problems


class Roll:
    """A list that is read out: each item that one means listed answers when the other scans it. Holds every name until it has answered.

    `show` makes a name fit to be shown.
    """

    def __init__(self, source: str, *, listed_by: str, scanned_by: str, show: Callable[[str], str]) -> None:
        self.source = source
        self._by = listed_by, scanned_by
        self._show = show
        self._waiting: dict[str, int | None] = {}
        self._mismatches: list[str] = []
        self._untold = 0
        self._listed = self._listed_bytes = self._scanned = self._scanned_bytes = 0
        self._sized = True

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    def expect(self, name: str, size: int | None) -> None:
        """The lister names an item of `size` bytes; None if it cannot tell."""
        self._listed += 1
        self._listed_bytes += size or 0
        self._sized &= size is not None
        if name in self._waiting:
            self.dispute(f"{name}: listed twice")
        self._waiting[name] = size

    def answer(self, name: str, size: int) -> None:
        """The scanner has searched `size` bytes of an item."""
        self._scanned += 1
        self._scanned_bytes += size
        if name not in self._waiting:
            self.dispute(f"{name}: scanned, not listed")
            return
        expected = self._waiting.pop(name)
        if expected not in {None, size}:
            self.dispute(f"{name}: listed with {expected} bytes, scanned {size}")

    def dispute(self, text: str) -> None:
        """The two sides differ in something."""
        if len(self._mismatches) < _TOLD:
            self._mismatches.append(self._show(text))
        else:
            self._untold += 1

    def coverage(self, inside: Tally, gaps: Iterable[Gap]) -> Coverage:
        """Close the roll: who did not answer is a mismatch."""
        for name in self._waiting:
            self.dispute(f"{name}: listed, not scanned")
        self._waiting.clear()
        mismatches = (*self._mismatches, *([f"{self._untold} more mismatches"] if self._untold else []))
        listed = Tally(self._by[0], self._listed, self._listed_bytes if self._sized else None)
        return Coverage(self.source, listed, Tally(self._by[1], self._scanned, self._scanned_bytes), inside, mismatches, tuple(gaps))
