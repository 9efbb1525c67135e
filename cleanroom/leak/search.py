"""The search itself: all literals at once, over any amount of bytes, in constant memory.

Knows: which secret and which form each literal stands for, and to which item each byte on the belt belongs.
Refuses: to miss a match that lies across two reads, to make one up that lies across two items, and to show a value - not even in a place's name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import hyperscan

from cleanroom.errors import BadInput
from cleanroom.leak import forms as leak_forms
from cleanroom.leak import parts as leak_parts
from cleanroom.redact import Secret

#: Bytes that a belt reads at a time; with them in the processor's cache the search is fastest.
CHUNK = 2**19
#: What stays on a belt for the next pass: the longest match and a byte on either side, for patterns that look at their neighbours.
_KEPT = leak_forms.LONGEST + 1
#: A belt with less room than this is searched and emptied before the next read: tiny reads are slow ones.
_LEAST_ROOM = 2**14


@dataclass(frozen=True)
class NotChecked:
    """A secret that was not searched for, and why: never to be counted as absent."""

    secret: str
    reason: str


@dataclass(frozen=True)
class Label:
    """What a literal stands for: a secret, by its name, in a form (`raw`, `base64 (alignment 1)`), and which part of it (empty: the whole)."""

    secret: str
    form: str
    part: str = ""


class Searcher:
    """Compiled once from named secrets, then used for any number of searches, by one thread at a time.

    `patterns` are regular expressions by name, for secrets whose value nobody here knows: searched for as they are, in no other form, up to 256 bytes
    long. Raises `BadInput` if a pattern cannot be used or nothing is left to search for.
    """

    def __init__(self, secrets: Mapping[str, Secret], *, patterns: Mapping[str, str] | None = None) -> None:
        labels, self.not_checked = _labels(secrets)
        self.secrets = tuple(name for name in secrets if name not in {each.secret for each in self.not_checked})
        self._labels: list[tuple[Label, ...]] = [*map(tuple, labels.values()), *((Label(name, "pattern"),) for name in patterns or {})]
        self._lengths = [*map(len, labels), *(0 for _ in patterns or {})]
        if not self._labels:
            raise BadInput("there is nothing to search for: " + "; ".join(f"{each.secret}: {each.reason}" for each in self.not_checked))
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        literals = [b"".join(b"\\x%02x" % byte for byte in literal) for literal in labels]
        try:
            # As escaped expressions: the literal interface of this binding ends a literal at its first NUL.
            self._database.compile(
                expressions=[*literals, *(pattern.encode() for pattern in (patterns or {}).values())],
                flags=[0] * len(literals) + [hyperscan.HS_FLAG_SOM_LEFTMOST] * len(patterns or {}),
            )
        except hyperscan.HyperscanError:
            raise BadInput("a pattern cannot be searched for", where=", ".join(patterns or {}), advice="see Hyperscan's pattern support") from None

    def matches(self, data: bytes | memoryview, report: Callable[[tuple[Label, ...], int, int], None]) -> None:
        """Call `report(labels, first, last)` for every match in `data`, in no particular order."""

        def matched(index: int, first: int, last: int, _flags: int, _context: object) -> None:
            length = self._lengths[index]
            report(self._labels[index], last - length if length else first, last)

        self._database.scan(data, match_event_handler=matched)  # type: ignore[type-var]  # the stub forgets that any buffer will do

    def mask(self, text: str) -> str:
        """`text` with every path component that a match touches replaced by `[secret NAME]`: names of files are content too."""
        data = text.encode(errors="backslashreplace")
        spans: list[tuple[int, int, str]] = []
        self.matches(data, lambda labels, first, last: spans.append((first, last, labels[0].secret)))
        clean, end = b"", 0
        for first, last, name in sorted(spans):
            if last > end:
                start = max(end, data.rfind(b"/", 0, first) + 1)
                clean += data[end:start] + f"[secret {name}]".encode()
                after = data.find(b"/", last)
                end = after if after >= 0 else len(data)
        return (clean + data[end:]).decode(errors="replace")


class Belt:
    """Items one after the other, read into one buffer and searched whenever it is full; small items share a pass, large ones take several.

    What was not yet followed by enough bytes stays on the belt for the next pass. `found(label, place, offset)` is called for every match.
    """

    def __init__(self, searcher: Searcher, found: Callable[[Label, str, int], None]) -> None:
        self._searcher = searcher
        self._found = found
        self._buffer = memoryview(bytearray(CHUNK + _KEPT))
        self._filled = 0
        self._searched = 0
        #: Where on the belt each item begins, its place, and how many of its bytes have left the belt.
        self._starts: list[int] = [0]
        self._items: list[tuple[str, int]] = [("", 0)]

    def begin(self, place: str) -> None:
        """The bytes that follow belong to `place`. A NUL parts them from the item before, so that no pattern's match begins there."""
        self.put(b"\0")
        self._starts.append(self._filled)
        self._items.append((place, 0))

    def room(self) -> memoryview:
        """Where the next bytes go; never empty. They count once `advance` is called."""
        if len(self._buffer) - self._filled < _LEAST_ROOM:
            self.search()
        return self._buffer[self._filled :]

    def advance(self, count: int) -> None:
        """`count` bytes were written to `room()`."""
        self._filled += count

    def put(self, data: bytes) -> None:
        """Copy `data` onto the belt."""
        rest = memoryview(data)
        while rest:
            room = self.room()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.advance(count)
            rest = rest[count:]

    def search(self, *, at_end: bool = False) -> None:
        """Search what is on the belt, and keep of it what a match that has only begun would need. `at_end`: nothing follows."""
        end = self._filled if at_end else self._filled - 1
        self._searcher.matches(self._buffer[: self._filled], lambda labels, first, last: self._judge(labels, first, last, end))
        kept = min(self._filled, _KEPT)
        gone = self._filled - kept
        self._buffer[:kept] = self._buffer[gone : self._filled]
        first = bisect_right(self._starts, gone) - 1
        place, left = self._items[first]
        self._items = [(place, left + gone - self._starts[first]), *self._items[first + 1 :]]
        self._starts = [0, *(start - gone for start in self._starts[first + 1 :])]
        self._filled = kept
        self._searched = end - gone

    def _judge(self, labels: tuple[Label, ...], first: int, last: int, end: int) -> None:
        """Take a match for one, unless the pass before saw it, only the next can tell whether it ends here, or it belongs to no single item."""
        if not self._searched < last <= end:
            return
        item = bisect_right(self._starts, first) - 1
        item_end = self._starts[item + 1] if item + 1 < len(self._starts) else self._filled
        if last <= item_end:
            place, left = self._items[item]
            for label in labels:
                self._found(label, place, left + first - self._starts[item])


def _labels(secrets: Mapping[str, Secret]) -> tuple[dict[bytes, list[Label]], tuple[NotChecked, ...]]:
    labels: dict[bytes, list[Label]] = {}
    not_checked = []
    for name, secret in secrets.items():
        value = secret.reveal()
        parts = leak_parts.parts(value)
        if not parts:
            not_checked.append(NotChecked(name, leak_parts.why_not(value)))
        for literal, label in _labelled(name, parts):
            labels.setdefault(literal, []).append(label)
    return labels, tuple(not_checked)


def _labelled(name: str, parts: list[leak_parts.Part]) -> Iterator[tuple[bytes, Label]]:
    for part in parts:
        for literal, form in leak_forms.literals(part).items():
            yield literal, Label(name, form, part.what)
