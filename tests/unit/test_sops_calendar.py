"""Points in time, at every edge of the calendar and of the clock: where sops sees a time, and where a text."""

from __future__ import annotations

import datetime

import pytest

from cleanroom.sops.cipher import Cipher
from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.sops.tree import Timestamp, show_float


def _exists(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("year", [1900, 1999, 2000, 2023, 2024, 2100])
def test_a_day_is_one_if_the_calendar_has_it(year: int) -> None:
    days = [(month, day) for month in range(14) for day in range(34)]
    seen = {(month, day) for month, day in days if Timestamp.parse(f"{year}-{month:02}-{day:02}") is not None}
    assert seen == {(month, day) for month, day in days if _exists(year, month, day)}


@pytest.mark.parametrize(
    ("clock", "is_time"), [("23:59:59", True), ("24:00:00", False), ("23:60:00", False), ("23:59:60", False), ("00:00:00", True), ("0:0:0", True)]
)
def test_the_clock_ends_before_midnight(clock: str, is_time: bool) -> None:  # noqa: FBT001 - a column of a table
    assert (Timestamp.parse(f"2024-02-29T{clock}Z") is not None) == is_time


def test_an_offset_is_less_than_a_day_and_its_minutes_less_than_an_hour() -> None:
    assert Timestamp.parse("2024-02-29T12:00:00+23:59") == "2024-02-29T12:00:00+23:59"
    assert Timestamp.parse("2024-02-29T12:00:00+00:00") == "2024-02-29T12:00:00Z"
    for offset in ("+24:00", "-24:00", "+00:60", "+12:99"):
        with pytest.raises(Unsupported):
            Timestamp.parse(f"2024-02-29T12:00:00{offset}")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e-7, "0.0000001"),
        (1.5e-7, "0.00000015"),
        (1e16, "10000000000000000"),
        (1.25e17, "125000000000000000"),
        (-2.5e-8, "-0.000000025"),
        (0.1, "0.1"),
    ],
)
def test_a_float_has_no_exponent_and_no_digit_too_many(number: float, text: str) -> None:
    assert show_float(number) == text


@pytest.mark.parametrize("part", ["data", "iv", "tag"])
def test_base64_with_a_stranger_in_it_is_no_value(part: str) -> None:
    sealed = Cipher(bytes(32)).seal("a value", b"name:")
    before, found, after = sealed.partition(f"{part}:")
    with pytest.raises(Malformed, match="not base64"):
        Cipher(bytes(32)).open(f"{before}{found}{after[:1]}!{after[1:]}", b"name:", where="here")
