"""Compressed data, opened a little at a time.

Knows: gzip, bzip2, xz, zstd (each of several members), zlib as git's loose objects use it, deflate as zip does; and the marks of what it cannot open.
Refuses: to unpack more than it was allowed, to take a cut or damaged stream for a whole one, and more than 128 MiB for one decompressor.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

#: Bytes that are enough to tell what an item is.
HEAD = 512
_MEMORY = 2**27
_INPUT = 2**16
#: Four bytes of zstd can stand for 128 KiB: so much input at a time keeps the output of one step at 4 MiB or less, whatever it is.
_ZSTD_STEP = 128
_TAR_MARK = slice(257, 262)
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
_ZLIB_MARKS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_MARKS = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    *((bytes((byte,)) + b"*M\x18", "zstd") for byte in range(0x50, 0x60)),
)
#: What can be recognised but not opened here: an item of such a kind is never covered.
CLOSED = (
    (b"PACK\0\0\0\2", "a git pack outside a repository"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"LZIP", "lzip data"),
    (b"\x1f\x9d", "compress(1) data"),
    (b"hsqs", "a squashfs image"),
)
#: The first two bytes of anything packed but tar: nearly all items are told apart by them.
_BEGINNINGS = frozenset(mark[:2] for mark, _ in (*_MARKS, *CLOSED)) | {b"BZ", *_ZLIB_MARKS}


class Unopened(Exception):
    """Something packed that was not, or not wholly, looked into: `place` and `reason` for a reader."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class Budget:
    """How many bytes may still come out of one item, all its layers together."""

    def __init__(self, count: int) -> None:
        self.allowed = count
        self.left = count


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def sniff(head: bytes) -> str | None:
    """What kind of packed data begins with `head` (up to `HEAD` bytes); None for anything else."""
    if head[_TAR_MARK] == b"ustar":
        return "tar"
    if head[:2] not in _BEGINNINGS:
        return None
    for mark, kind in (*_MARKS, *CLOSED):
        if head.startswith(mark):
            return kind
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    return "zlib" if head.startswith(_ZLIB_MARKS) and _is_loose_object(head) else None


def _is_loose_object(head: bytes) -> bool:
    try:
        return zlib.decompressobj().decompress(head, 8).startswith((b"blob ", b"tree ", b"commit ", b"tag "))
    except zlib.error:
        return False


class Inflater:
    """The unpacked bytes of `read`, which gives packed ones; a source like any other.

    Raises `Unopened`, once, where the data is damaged, cut short, beyond the budget or wants too much memory; ends there. What lies behind the last
    member is in `leftover`.
    """

    def __init__(self, kind: str, read: Callable[[int], bytes], *, place: str, budget: Budget) -> None:
        self._kind = kind
        self._read = read
        self._place = place
        self._budget = budget
        self._decompressor = _decompressor(kind)
        self._waiting = b""
        self._surplus = memoryview(b"")
        self._ended = False
        self.leftover = b""

    def readinto(self, buffer: memoryview) -> int:
        """Fill some of `buffer`; 0 at the end."""
        data = self._surplus
        try:
            while not data and not self._ended:
                data = memoryview(self._step(len(buffer)))
        except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, MemoryError) as problem:
            self._ended = True
            raise Unopened(self._place, f"{self._kind} data that cannot be unpacked: {problem}") from None
        count = min(len(data), len(buffer))
        buffer[:count] = data[:count]
        self._surplus = data[count:]
        return count

    def _step(self, most: int) -> bytes:
        packed, ended = b"", False
        if self._decompressor.needs_input:
            packed, self._waiting = self._waiting or self._read(_INPUT), b""
            ended = not packed
        data = self._decompressor.decompress(packed, most)
        self._budget.left -= len(data)
        if self._budget.left < 0:
            self._ended = True
            raise Unopened(self._place, f"it unpacks to more than {self._budget.allowed} bytes")
        if self._decompressor.eof:
            self._end_member()
        elif ended and not data:
            raise EOFError("it is cut short")
        return data

    def _end_member(self) -> None:
        self.leftover = self._decompressor.unused_data
        if self._kind == "deflate":
            self._ended = True
            return
        while len(self.leftover) < HEAD and (more := self._read(HEAD)):
            self.leftover += more
        if sniff(self.leftover[:HEAD]) == self._kind:
            self._decompressor, self._waiting, self.leftover = _decompressor(self._kind), self.leftover, b""
        else:
            self._ended = True


class _Zlib:
    """zlib's object with the interface that bz2's and lzma's have."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Zstd:
    """zstandard's object likewise; it cannot bound its output, so its input is."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()
        self._waiting = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._waiting

    def decompress(self, data: bytes, max_length: int) -> bytes:
        rest = memoryview(self._waiting + data)
        found = bytearray()
        while rest and not self._inner.eof and len(found) < max_length:
            found += self._inner.decompress(rest[:_ZSTD_STEP])
            rest = rest[_ZSTD_STEP:]
        self._waiting = bytes(rest)
        return bytes(found)


def _decompressor(kind: str) -> _Decompressor:
    match kind:
        case "gzip":
            return _Zlib(zlib.MAX_WBITS + 16)
        case "zlib":
            return _Zlib(zlib.MAX_WBITS)
        case "deflate":
            return _Zlib(-zlib.MAX_WBITS)
        case "bzip2":
            return bz2.BZ2Decompressor()
        case "xz":
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        case _:
            return _Zstd()
