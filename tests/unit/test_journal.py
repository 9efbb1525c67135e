"""The journal export format, entry by entry."""

from __future__ import annotations

import io
import struct

import pytest

from cleanroom.errors import HarnessError
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
