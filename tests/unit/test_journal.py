"""The journal export format, entry by entry."""

from __future__ import annotations

import io
import struct
from types import SimpleNamespace
from typing import cast

import pytest

from cleanroom.errors import HarnessError
from cleanroom.machine import Machine
from cleanroom.sighting import journal

TEXT = b"__CURSOR=a\nMESSAGE=one\n\n"


def binary(value: bytes) -> bytes:
    return b"__CURSOR=b\nMESSAGE\n" + struct.pack("<Q", len(value)) + value + b"\n\n"


def split(data: bytes) -> list[bytes]:
    return list(journal.split(io.BufferedReader(io.BytesIO(data)), where="there"))


@pytest.mark.parametrize("value", [b"", b"two\nlines", b"\n\n__CURSOR=x\n\n", bytes(range(256)), b"=" * 70_000])
def test_a_value_may_hold_anything(value: bytes) -> None:
    entries = split(TEXT + binary(value) + TEXT)
    assert len(entries) == 3
    assert value in entries[1]
    assert entries[0] == entries[2] == TEXT[:-1]


def test_the_last_entry_counts_without_the_empty_line_after_it() -> None:
    assert len(split(TEXT + TEXT[:-1])) == 2
    assert split(b"") == []


def test_a_stream_that_ends_within_a_field_is_our_trouble() -> None:
    with pytest.raises(HarnessError, match="ends within a field"):
        split(TEXT + b"MESSAGE\n\x01\x02")
    with pytest.raises(HarnessError, match="ends within a field"):
        split(TEXT + binary(b"a long value")[:-8])


HEADERS = """File path: /var/log/journal/0815/system.journal
File ID: 1
Entry objects: 418

File path: /var/log/journal/0815.quiet/a name.journal
Entry objects: 4
"""


def told(text: str) -> Machine:
    def probe(*argv: str) -> SimpleNamespace:
        assert {"--namespace=*", "--merge"} <= set(argv)
        return SimpleNamespace(text=text)

    return cast(Machine, SimpleNamespace(where="there", probe=probe))


@pytest.mark.parametrize("text", [HEADERS, HEADERS.replace("File path", "File Path").replace("Entry objects", "Entry Objects")])
def test_every_journal_tells_how_many_entries_it_has(text: str) -> None:
    """Those too that units have of their own; older systemd writes capitals."""
    assert journal.files(told(text)) == {"/var/log/journal/0815/system.journal": 418, "/var/log/journal/0815.quiet/a name.journal": 4}


@pytest.mark.parametrize("text", ["", HEADERS.replace("Entry objects: 4\n", "")])
def test_a_header_that_does_not_tell_is_our_trouble(text: str) -> None:
    with pytest.raises(HarnessError, match="no journal file tells"):
        journal.files(told(text))
