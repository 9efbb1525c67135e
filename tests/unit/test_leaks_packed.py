"""Packed data: opened as far as it goes, and whatever stays shut is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.leak import packed as leak_packed
from cleanroom.leak.archive import tar_members
from cleanroom.leaks import Result, Search, Searcher
from cleanroom.redact import Secret
from tests.unit.leak_corpus import CONTAINERS, zipped
from tests.unit.leak_doubt import VALUE, is_refused

SEARCHER = Searcher({"token": Secret(VALUE, name="token")})
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def searched(data: bytes, *, largest: int = 2**34) -> Result:
    search = Search(SEARCHER, largest=largest)
    search.texts("s", [("item", data)], {"item": len(data)}, listed_by="the test", scanned_by="the test")
    return search.result


@pytest.mark.parametrize("name", CONTAINERS)
def test_each_container_is_opened_and_covered(name: str) -> None:
    result = searched(CONTAINERS[name](b"before " + VALUE))
    assert {finding.secret for finding in result.findings} == {"token"}
    assert not result.problems


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_what_is_cut_short_is_named_and_what_came_before_is_searched(name: str, keep: float) -> None:
    data = COMPRESSORS[name](VALUE + bytes(range(256)) * 4000 + bytes(2**21))
    result = searched(data[: int(len(data) * keep)])
    assert "s: item: " in "\n".join(result.problems)
    # bzip2 and xz give nothing before a whole block is there.
    assert bool(result.findings) or name in {"bzip2", "xz"}


def test_of_a_small_file_cut_short_what_came_out_is_searched() -> None:
    result = searched(gzip.compress(b"\n".join([VALUE] * 3))[:-8])
    assert "it is cut short" in result.problems[0]
    assert [finding.place for finding in result.findings] == ["s: item (unpacked)"]


@pytest.mark.parametrize("name", COMPRESSORS)
def test_what_is_damaged_is_refused(name: str) -> None:
    data = bytearray(COMPRESSORS[name](bytes(range(256)) * 400))
    data[len(data) // 2] ^= 0xFF
    is_refused(searched(bytes(data)), "cannot be unpacked")


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_bomb_is_named_and_costs_no_memory(name: str) -> None:
    is_refused(searched(COMPRESSORS[name](bytes(2**24)), largest=2**23), f"more than {2**23} bytes")


def test_a_bomb_in_layers_has_one_budget() -> None:
    data = b"".join(gzip.compress(bytes(2**20)) for _ in range(20))
    is_refused(searched(zipped(gzip.compress(data)), largest=2**24), "unpacks to more than")


def test_too_many_layers_are_named() -> None:
    data = VALUE
    for _ in range(9):
        data = gzip.compress(data)
    is_refused(searched(data), "8 layers deep")


@pytest.mark.parametrize("memory", ["xz", "zstd"])
def test_a_decompressor_that_wants_too_much_memory_is_refused(memory: str) -> None:
    if memory == "xz":
        data = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**28, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3}])
    else:
        # A frame header (RFC 8878, 3.1.1.1) that asks for a window of 1 GiB, then one empty last block.
        data = b"\x28\xb5\x2f\xfd" + bytes([0, (30 - 10) << 3]) + b"\1\0\0"
    is_refused(searched(data), "cannot be unpacked")


@pytest.mark.parametrize(("mark", "name"), leak_packed.CLOSED)
def test_what_cannot_be_opened_is_refused(mark: bytes, name: str) -> None:
    is_refused(searched(mark + bytes(600)), name)


@pytest.mark.parametrize("head", [b"\x1f\x8b", b"BZh9 is how it begins", b"PK", b"x\x01 marks the spot", b"x\x9c" + bytes(30), b""])
def test_what_only_looks_packed_is_plain(head: bytes) -> None:
    result = searched(head + VALUE)
    assert not result.problems
    assert result.findings


def test_gits_loose_objects_are_opened() -> None:
    assert [finding.place for finding in searched(zlib.compress(b"blob 20\0" + VALUE)).findings] == ["s: item (unpacked)"]


@pytest.mark.parametrize("first", COMPRESSORS)
@pytest.mark.parametrize("second", [*COMPRESSORS, "tar"])
@pytest.mark.parametrize("padding", [0, 4, 3000])
def test_whatever_packed_follows_is_opened_too(first: str, second: str, padding: int) -> None:
    """Streams one behind the other, padded or not, as xz, tapes and initrds have them."""
    content = bytes(range(256)) * 4 + VALUE
    result = searched(COMPRESSORS[first](b"harmless" * 99) + bytes(padding) + {**COMPRESSORS, "tar": CONTAINERS["tar"]}[second](content))
    assert result.findings
    assert not result.problems


def test_what_cannot_be_opened_is_named_behind_another_as_well() -> None:
    result = searched(COMPRESSORS["xz"](b"harmless") + bytes(4) + b"7z\xbc\xaf\x27\x1c" + bytes(600))
    assert any("a 7z archive" in problem for problem in result.problems)


def test_what_follows_a_compressed_stream_is_searched() -> None:
    assert [finding.place for finding in searched(gzip.compress(b"x") + bytes(1000) + VALUE).findings] == ["s: item"]


# ---- tar


def tarred(change: Callable[[tarfile.TarInfo], None], data: bytes = VALUE, form: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        member = tarfile.TarInfo("name")
        member.size = len(data)
        change(member)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_a_name_too_long_for_its_field_comes_from_the_extension() -> None:
    def rename(member: tarfile.TarInfo) -> None:
        member.name = "d/" * 100 + "ä"

    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        (finding,) = searched(tarred(rename, form=form)).findings
        assert finding.place == "s: item: " + "d/" * 100 + "ä"


def test_a_broken_header_is_named_and_the_rest_searched_as_it_lies() -> None:
    data = bytearray(tarred(lambda _: None))
    data[0] ^= 1
    result = searched(bytes(data))
    assert "damaged tar archive" in result.problems[0]
    assert result.findings


@pytest.mark.parametrize("records", [b"0 size=1\n", b"99 path=x\n", b"size\n", b"11 size=-4\n", b"11 size=xx\n"])
def test_broken_pax_records_are_named(records: bytes) -> None:
    header = tarfile.TarInfo("pax")
    header.size, header.type = len(records), tarfile.XHDTYPE
    data = header.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0") + tarred(lambda _: None)
    is_refused(searched(data.replace(VALUE, bytes(20))), "damaged tar archive: a pax")


@given(st.data())
def test_a_damaged_archive_never_raises(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([tarred(lambda _: None, b"y" * 700), zipped(b"y" * 700), zipped(b"y" * 700, seekable=False)])))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert searched(bytes(whole)).verdict in {"none found", "cannot tell"}


def test_a_member_that_nobody_read_is_skipped() -> None:
    tape = _Tape(io.BytesIO(tarred(lambda _: None, bytes(3000)) + tarred(lambda _: None)))
    assert [member.size for member in tar_members(tape, place="t")] == [3000]
    tape = _Tape(io.BytesIO(tarred(lambda _: None, bytes(3000))[:-1024].rstrip(b"\0").ljust(3584, b"\0") + tarred(lambda _: None)))
    assert [member.size for member in tar_members(tape, place="t")] == [3000, 20]


class _Tape:
    """A tape of which nothing goes anywhere."""

    def __init__(self, data: io.BytesIO) -> None:
        self._data = data

    def read(self, size: int, *, search: bool = True) -> bytes:  # noqa: ARG002 - there is no belt
        return self._data.read(size)

    def unread(self, data: bytes) -> None:
        self._data.seek(-len(data), io.SEEK_CUR)


# ---- zip


def test_an_encrypted_member_is_named_and_its_neighbour_searched() -> None:
    data = bytearray(zipped(VALUE))
    data[6] |= 1
    result = searched(bytes(data))
    assert "etc/other: an encrypted zip member" in result.problems[0]
    assert [finding.place for finding in result.findings] == ["s: item: etc/settings"]


def test_a_member_of_a_method_nobody_knows_is_refused() -> None:
    data = bytearray(zipped(VALUE))
    data[8:10] = struct.pack("<H", 97)
    result = searched(bytes(data))
    assert "unknown method 97" in result.problems[0]
    assert result.findings


def test_a_stored_member_without_its_size_is_named_and_searched_as_it_lies() -> None:
    result = searched(zipped(VALUE, zipfile.ZIP_STORED, seekable=False))
    assert "whose end cannot be told" in result.problems[0]
    assert [finding.place for finding in result.findings] == ["s: item (headers)"]


def test_a_zip_that_goes_on_with_something_else_is_named() -> None:
    data = zipped(VALUE)
    second = data.index(b"PK\x03\x04", 4)
    is_refused(searched(data[:second] + b"PK\x00\x00" + data[second + 4 :]), "neither a member nor the directory follows")


def test_zip64_sizes_are_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive, archive.open("etc/settings", "w", force_zip64=True) as member:
        member.write(VALUE)
    result = searched(buffer.getvalue())
    assert not result.problems
    assert [finding.place for finding in result.findings] == ["s: item: etc/settings"]
