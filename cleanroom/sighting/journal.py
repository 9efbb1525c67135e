"""A machine's journals, entry by entry, and how many entries their files say they hold.

Knows: that units may have a journal of their own (LogNamespace=), and other machines' may lie beside; the
journal export format (systemd, "Journal Export Formats"), in which a field's value is text on one line or bytes of a told length.
Refuses: to guess where an entry ends: a value may hold anything, line ends and field names too.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping

from cleanroom.errors import HarnessError
from cleanroom.machine import Machine

_SECONDS = 600.0
_PIPE = 2**18
_LENGTH = struct.Struct("<Q")
_ALL = ("--namespace=*", "--merge", "--no-pager", "--quiet")


def files(machine: Machine) -> Mapping[str, int]:
    """Every journal file, and how many entries its header tells of. Raises `HarnessError` if there is no such file."""
    text = machine.probe("journalctl", "--header", *_ALL).text
    paths = re.findall(r"^File path: (.+)$", text, re.MULTILINE | re.IGNORECASE)
    counts = re.findall(r"^Entry objects: (\d+)$", text, re.MULTILINE | re.IGNORECASE)
    if not paths or len(paths) != len(counts):
        raise HarnessError("no journal file tells how many entries it has", where=machine.where)
    return dict(zip(paths, map(int, counts), strict=True))


def entries(machine: Machine) -> Iterator[bytes]:
    """Every entry, in the export format."""
    with machine.stream("journalctl", "--output=export", "--all", *_ALL, within=_SECONDS) as stream:
        yield from split(io.BufferedReader(stream, _PIPE), where=machine.where)


def split(stream: io.BufferedReader, *, where: str) -> Iterator[bytes]:
    """The entries of an export stream."""
    entry = bytearray()
    while line := stream.readline():
        if line == b"\n":
            yield bytes(entry)
            entry.clear()
            continue
        entry += line
        if b"=" not in line:
            entry += _told_length(stream, where)
    if entry:
        yield bytes(entry)


def _told_length(stream: io.BufferedReader, where: str) -> bytes:
    """A value that tells its length first, with both and the line end behind it."""
    head = stream.read(_LENGTH.size)
    size = _LENGTH.unpack(head)[0] + 1 if len(head) == _LENGTH.size else 0
    value = stream.read(size)
    if not size or len(value) < size:
        raise HarnessError("the journal's stream ends within a field", where=where)
    return head + value
