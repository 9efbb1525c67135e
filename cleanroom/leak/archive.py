"""tar and zip archives, read from front to end without seeking.

Knows: POSIX tar with pax and GNU extensions; zip by its local headers, with or without data descriptors.
Refuses: a member whose end cannot be known or whose data is encrypted: it is named as not covered.

Specifications: POSIX.1-2008 pax, GNU tar manual "Basic Tar Format", PKWARE APPNOTE 6.3.
"""

from __future__ import annotations

import re
import struct
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from cleanroom.leak.packed import Budget, Inflater, Unopened

_BLOCK = 512
_PIECE = 2**16
_LONGEST_HEADER = 2**20
_EXTENSIONS = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
#: Where the header of a sparse file says how large the file is, holes included (GNU tar manual, "Basic Tar Format": realsize).
_REAL_SIZE = slice(483, 495)
_PAX_RECORD = re.compile(rb"([0-9]+) ([^=]+)=")


class Tape(Protocol):
    """Bytes that can be read once. `search=False` leaves them to the member that they are handed to; `unread` gives back what was read too far."""

    def read(self, size: int, *, search: bool = True) -> bytes: ...
    def unread(self, data: bytes) -> None: ...


class Source(Protocol):
    """Anything that fills a buffer and says with how much; 0 at its end."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


@dataclass(frozen=True)
class Member:
    """One member: `kind` is file, symlink, hard link or other; `link` where a link leads to; `size` in bytes, None if not known beforehand.

    `holes` are bytes of the file that the archive leaves out because they are zeros (GNU tar's sparse files).
    """

    name: str
    kind: str
    link: str
    size: int | None
    data: Source
    holes: int = 0


class Run:
    """A run of `size` bytes of a tape, as a source. Raises `Unopened` if the tape ends before it does."""

    def __init__(self, tape: Tape, size: int, *, place: str, search: bool) -> None:
        self._tape = tape
        self._place = place
        self._search = search
        self.left = size

    def read(self, size: int) -> bytes:
        if not self.left:
            return b""
        data = self._tape.read(min(size, self.left), search=self._search)
        if not data:
            self.left = 0
            raise Unopened(self._place, "the archive is cut short")
        self.left -= len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def skip(self) -> None:
        """Read what is left."""
        while self.read(_PIECE):
            pass


def tar_members(tape: Tape, *, place: str) -> Iterator[Member]:
    """The members of a tar archive, in order; each one's data must be read, or is skipped, before the next. Raises `Unopened` where it is damaged."""
    extras: dict[str, str] = {}
    while (header := _exactly(tape, _BLOCK, place)).count(0) < _BLOCK:
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
            if info.type in _EXTENSIONS:
                extras |= _extension(info, _padded(tape, info.size, place))
                continue
        except (tarfile.HeaderError, ValueError) as problem:
            raise Unopened(place, f"a damaged tar archive: {problem}") from None
        holes = 0
        if info.type == tarfile.GNUTYPE_SPARSE:
            holes = tarfile.nti(header[_REAL_SIZE]) - info.size  # type: ignore[attr-defined]  # the module's own reader of numbers
            more = header[482]
            while more:
                more = _exactly(tape, _BLOCK, place)[504]
        size = int(extras.get("size", info.size)) if info.isreg() or info.type not in tarfile.SUPPORTED_TYPES else 0
        if size < 0:
            raise Unopened(place, "a damaged tar archive: a member of negative size")
        if whole := extras.get("GNU.sparse.realsize", extras.get("GNU.sparse.size")):
            holes = int(whole) - size
        data = Run(tape, size, place=place, search=False)
        name = extras.get("GNU.sparse.name", extras.get("path", info.name))
        yield Member(name, _kind(info), extras.get("linkpath", info.linkname), size, data, holes)
        data.skip()
        _exactly(tape, -size % _BLOCK, place)
        extras = {}


def _kind(info: tarfile.TarInfo) -> str:
    if info.isreg():
        return "file"
    return {tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hard link"}.get(info.type, "other")


def _extension(info: tarfile.TarInfo, payload: bytes) -> dict[str, str]:
    """What an extension header says of the next member; global pax headers (comments, as git archive writes) say nothing of names and sizes."""
    match info.type:
        case tarfile.GNUTYPE_LONGNAME:
            return {"path": payload.rstrip(b"\0").decode(errors="surrogateescape")}
        case tarfile.GNUTYPE_LONGLINK:
            return {"linkpath": payload.rstrip(b"\0").decode(errors="surrogateescape")}
        case tarfile.XGLTYPE:
            return {}
    records: dict[str, str] = {}
    while payload:
        match = _PAX_RECORD.match(payload)
        if match is None or not match.end() < int(match[1]) <= len(payload):
            raise ValueError("a pax record that does not say its length")
        records[match[2].decode(errors="replace")] = payload[match.end() : int(match[1]) - 1].decode(errors="surrogateescape")
        payload = payload[int(match[1]) :]
    if not all(records.get(key, "0").isdigit() for key in ("size", "GNU.sparse.realsize", "GNU.sparse.size")):
        raise ValueError("a pax size that is no number")
    return records


def _padded(tape: Tape, size: int, place: str) -> bytes:
    if size > _LONGEST_HEADER:
        raise Unopened(place, "a damaged tar archive: an extension header of more than a mebibyte")
    return _exactly(tape, size + -size % _BLOCK, place)[:size]


def _exactly(tape: Tape, size: int, place: str) -> bytes:
    data = b""
    while len(data) < size:
        more = tape.read(size - len(data))
        if not more:
            raise Unopened(place, "the archive is cut short")
        data += more
    return data


_LOCAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
_DIRECTORY = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x08")
_ENCRYPTED, _SIZE_FOLLOWS = 1, 8
_STORED = 0
_METHODS = {8: "deflate", 12: "bzip2", 93: "zstd"}
_ZIP64, _UNKNOWN = 1, 0xFFFFFFFF
#: A data descriptor: CRC and two sizes of four or eight bytes each, with or without a mark before them.
_DESCRIPTOR_SIZES = (12, 16, 20, 24)


def zip_members(tape: Tape, *, place: str, budget: Budget, closed: Callable[[Unopened], None]) -> Iterator[Member]:
    """The members of a zip archive, in order; `closed` is told of those that cannot be opened. Raises `Unopened` where the archive is damaged."""
    while (mark := _exactly(tape, 4, place)) == _LOCAL:
        flags, method, packed, size, name_length, extra_length = struct.unpack("<2xHH8xIIHH", _exactly(tape, 26, place))
        name = _exactly(tape, name_length, place).decode(errors="surrogateescape")
        extra = _exactly(tape, extra_length, place)
        where = f"{place}: {name}"
        follows = bool(flags & _SIZE_FOLLOWS)
        run = Run(tape, _zip64_size(extra, packed, size), place=where, search=method != _STORED or bool(flags & _ENCRYPTED))
        if follows and (flags & _ENCRYPTED or method not in _METHODS):
            raise Unopened(where, "a zip member whose end cannot be told without unpacking it; what follows it was not opened either")
        if flags & _ENCRYPTED or method not in {_STORED, *_METHODS}:
            closed(Unopened(where, "an encrypted zip member" if flags & _ENCRYPTED else f"a zip member of unknown method {method}"))
        elif method == _STORED:
            yield Member(name, "file", "", run.left, run)
        else:
            inflater = Inflater(_METHODS[method], tape.read if follows else run.read, place=where, budget=budget)
            yield Member(name, "file", "", None, inflater)
            if follows:
                tape.unread(inflater.leftover)
                _skip_descriptor(tape, place)
        if not follows:
            run.skip()
    if mark not in _DIRECTORY:
        raise Unopened(place, "a damaged zip archive: neither a member nor the directory follows")


def _zip64_size(extra: bytes, packed: int, size: int) -> int:
    """The packed size, from the zip64 field if the header's own is too small for it: the field holds the unpacked size first, if that is too."""
    while packed == _UNKNOWN and len(extra) >= 4:  # noqa: PLR2004 - an identifier and a length, two bytes each
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _ZIP64:
            return int(struct.unpack_from("<Q", extra, 12 if size == _UNKNOWN else 4)[0])
        extra = extra[4 + length :]
    return packed


def _skip_descriptor(tape: Tape, place: str) -> None:
    ahead = _exactly(tape, max(_DESCRIPTOR_SIZES) + 4, place)
    for size in _DESCRIPTOR_SIZES:
        if ahead[size : size + 4] in {_LOCAL, *_DIRECTORY}:
            tape.unread(ahead[size:])
            return
    raise Unopened(place, "a damaged zip archive: no member follows a data descriptor")
