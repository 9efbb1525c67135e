"""Sizes and durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.quantities import duration, show_duration, show_size, size


@pytest.mark.parametrize(
    ("text", "count"),
    [("4GiB", 4 * 2**30), ("512MiB", 512 * 2**20), ("1kB", 1000), ("1.5 GiB", 3 * 2**29), ("0B", 0), (" 2TiB ", 2 * 2**40), ("3GB", 3 * 10**9)],
)
def test_a_size_is_bytes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("1.5 h", 5400), ("2d", 172800), ("0s", 0)])
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "4", "GiB", "4 gib", "4G", "-1GiB", "4GiB4", "1,5GiB", "1e3B", "4GiB\nx", "٤GiBx", "0x4B"])
def test_a_size_nobody_can_be_sure_of_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="4GiB"):
        size(text)


@pytest.mark.parametrize("text", ["", "90", "s", "-1s", "1:30", "soon", "1 minute", "5S"])
def test_a_duration_nobody_can_be_sure_of_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="90s"):
        duration(text)


@given(text=st.text())
def test_any_text_is_a_size_or_refused_in_plain_words(text: str) -> None:
    try:
        told = f"expected a size of {size(text)}"
    except ValueError as problem:
        told = str(problem)
    assert told.startswith("expected a size")


@pytest.mark.parametrize(("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (4 * 2**30, "4.0 GiB"), (2**40, "1024.0 GiB")])
def test_sizes_for_a_reader(count: int, shown: str) -> None:
    assert show_size(count) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.44, "0.4 s"), (12.3, "12 s"), (59.6, "1 m 00 s"), (185, "3 m 05 s"), (3600, "60 m 00 s")])
def test_durations_for_a_reader(seconds: float, shown: str) -> None:
    assert show_duration(seconds) == shown
