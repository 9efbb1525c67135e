"""Sizes and durations as people write them.

Knows: `4GiB`, `512MiB`, `30m`, `90s` and their way back.
Refuses: a number without a unit, and anything it would have to guess.
"""

from __future__ import annotations

import re

_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DURATIONS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def size(text: str) -> int:
    """Bytes of a size in Incus' spelling (`4GiB`); raises `ValueError` with an example."""
    number, factor = _split(text, _SIZES, "a size such as 4GiB or 512MiB")
    return int(number * factor)


def duration(text: str) -> float:
    """Seconds of a duration (`90s`, `30m`, `24h`); raises `ValueError` with an example."""
    number, factor = _split(text, _DURATIONS, "a duration such as 90s, 30m or 24h")
    return number * factor


def show_size(count: int) -> str:
    """Bytes for a reader: binary units, one decimal where it says something."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:  # noqa: PLR2004 - the base of binary units
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def show_duration(seconds: float) -> str:
    """Seconds for a reader: `0.4 s`, `12 s`, `3 m 05 s`."""
    if seconds < 10:  # noqa: PLR2004 - below ten, a decimal matters
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02d} s" if minutes else f"{rest} s"


def _split(text: str, units: dict[str, float] | dict[str, int], expected: str) -> tuple[float, float]:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", str(text).strip())
    if match is None or match[2] not in units:
        raise ValueError(f"expected {expected}")
    return float(match[1]), float(units[match[2]])
