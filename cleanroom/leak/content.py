"""One item after another, each with everything that is packed inside it.

Knows: how deep to look, how much may come out, and which belt carries what: one for each depth, so that no layer interrupts another.
Refuses: to skip anything silently: what was not opened, or not to its end, is named with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cleanroom.leak import archive as leak_archive
from cleanroom.leak import packed as leak_packed
from cleanroom.leak.archive import Member, Source
from cleanroom.leak.packed import HEAD, Budget, Inflater, Unopened
from cleanroom.leak.search import CHUNK, Belt, Label, Searcher

#: Layers of packing that are opened: an image layer's compressed file in a compressed archive of archives needs six.
DEEPEST = 8
#: Bytes that one item may unpack to. What is larger is no configuration, log or source; it is named as not covered.
LARGEST = 2**34
_PIECE = 2**16


class Content:
    """Searches items through belts that they share. `found` is told of matches, `closed` of what was not looked into.

    `inside` counts the items found packed in others. With `digesting`, `digests` maps the SHA-256 (hex) of every tar archive met to its size: that is
    what an image layer is known by.
    """

    def __init__(
        self,
        searcher: Searcher,
        *,
        found: Callable[[Label, str, int], None],
        closed: Callable[[Unopened], None],
        digesting: bool = False,
        largest: int = LARGEST,
    ) -> None:
        self._searcher = searcher
        self._found = found
        self._closed = closed
        self._digesting = digesting
        self._largest = largest
        self._belts: list[Belt] = []
        self.digests: dict[str, int] = {}
        self.inside = 0
        self.inside_bytes = 0

    def scan(self, place: str, source: Source, *, look_inside: bool = True) -> int:
        """Search one item, and what is inside it; returns its own size in bytes. Raises `OSError` if it cannot be read."""
        return self._scan(place, source, depth=0, budget=Budget(self._largest), look_inside=look_inside)

    def scan_tar(self, place: str, source: Source, each: Callable[[Member, int], None]) -> int:
        """Search a tar stream member by member, and call `each(member, size)` after each, of which `size` bytes were read; returns the stream's size.

        Raises `Unopened` if the stream is no whole tar archive.
        """
        tape = _Tape(b"", source, self._belt(0), None)
        self._belt(0).begin(f"{place} (headers)")
        for member in leak_archive.tar_members(tape, place=place):
            size = self._scan(f"{place}: {member.name}", member.data, depth=1, budget=Budget(self._largest))
            each(member, size)
        tape.drain()
        return tape.count

    def finish(self) -> None:
        """Search what is still on the belts. Until then a match may be outstanding."""
        for belt in self._belts:
            belt.search(at_end=True)

    def _belt(self, depth: int) -> Belt:
        while len(self._belts) <= depth:
            self._belts.append(Belt(self._searcher, self._found))
        return self._belts[depth]

    def _scan(self, place: str, source: Source, *, depth: int, budget: Budget, look_inside: bool = True) -> int:
        belt = self._belt(depth)
        belt.begin(place)
        room = belt.room()
        count = _first_bytes(source, room, belt)
        kind = leak_packed.sniff(bytes(room[: min(count, HEAD)])) if look_inside else None
        if kind is None:
            belt.advance(count)
            return count + (_carry(source, belt) if count >= HEAD else 0)
        tape = _Tape(bytes(room[:count]), source, belt, hashlib.sha256() if self._digesting and kind == "tar" else None)
        try:
            self._open(kind, place, tape, depth, budget)
        except Unopened as problem:
            self._closed(problem)
        tape.drain()
        if tape.digest is not None:
            self.digests[tape.digest.hexdigest()] = tape.count
        return tape.count

    def _open(self, kind: str | None, place: str, tape: _Tape, depth: int, budget: Budget) -> None:
        """Open what is packed, and whatever packed follows it: xz pads its streams, the pieces of an initrd are of several kinds."""
        while kind is not None:
            tape.unread(self._open_one(kind, place, tape, depth, budget))
            kind = leak_packed.sniff(tape.beyond_padding())

    def _open_one(self, kind: str, place: str, tape: _Tape, depth: int, budget: Budget) -> bytes:
        """Open one archive or stream; returns what was read beyond its end."""
        if kind in {name for _, name in leak_packed.CLOSED}:
            raise Unopened(place, f"it is {kind}, which cannot be opened here")
        if depth == DEEPEST:
            raise Unopened(place, f"it is packed {DEEPEST} layers deep")
        if kind == "tar":
            self._belt(depth).begin(f"{place} (headers)")
            for member in leak_archive.tar_members(tape, place=place):
                self._inside(f"{place}: {member.name}", member.data, depth, budget)
        elif kind == "zip":
            self._belt(depth).begin(f"{place} (headers)")
            for member in leak_archive.zip_members(tape, place=place, budget=budget, closed=self._closed):
                self._inside(f"{place}: {member.name}", member.data, depth, budget)
        else:
            inflater = Inflater(kind, tape.read, place=place, budget=budget)
            self._inside(f"{place} (unpacked)", inflater, depth, budget)
            return inflater.leftover
        return b""

    def _inside(self, place: str, source: Source, depth: int, budget: Budget) -> None:
        self.inside += 1
        self.inside_bytes += self._scan(place, source, depth=depth + 1, budget=budget)


def _first_bytes(source: Source, room: memoryview, belt: Belt) -> int:
    """Read at least what `sniff` wants into `room`, or all there is; what came before an error stays on the belt."""
    count = 0
    try:
        while count < HEAD and (more := source.readinto(room[count:])):
            count += more
    except (Unopened, OSError):
        belt.advance(count)
        raise
    return count


def _carry(source: Source, belt: Belt) -> int:
    """Bring the rest of `source` onto the belt; returns how many bytes that was."""
    count = 0
    while more := source.readinto(belt.room()):
        belt.advance(more)
        count += more
    return count


class _Tape:
    """A packed item's bytes, read once; each goes onto the item's belt, unless a member's own belt gets it."""

    def __init__(self, first: bytes, source: Source, belt: Belt, digest: hashlib._Hash | None) -> None:
        self._first = memoryview(first)
        self._source = source
        self._belt = belt
        self._again = b""
        self.digest = digest
        self.count = 0

    def read(self, size: int, *, search: bool = True) -> bytes:
        if self._again:
            data, self._again = self._again[:size], self._again[size:]
            return data
        data = bytes(self._first[:size])
        self._first = self._first[size:]
        if not data:
            buffer = bytearray(min(size, CHUNK))
            data = bytes(buffer[: self._source.readinto(memoryview(buffer)) or 0])
        self.count += len(data)
        if search:
            self._belt.put(data)
        if self.digest is not None:
            self.digest.update(data)
        return data

    def unread(self, data: bytes) -> None:
        self._again = data + self._again

    def beyond_padding(self) -> bytes:
        """The next bytes that are no NULs, up to a head's worth; they can be read again."""
        head = b""
        while len(head := head.lstrip(b"\0")) < HEAD and (more := self.read(_PIECE)):
            head += more
        self.unread(head)
        return head[:HEAD]

    def drain(self) -> None:
        while self.read(_PIECE):
            pass
