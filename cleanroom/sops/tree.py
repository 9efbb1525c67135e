"""A sops document in memory: ordered branches, comments in their places, typed leaves.

Knows: the order in which sops visits a document, the path that binds each value, and the bytes by which a typed value is hashed.
Refuses: floats and times spelled otherwise than Go spells them.

Specification: `sops.go` (walkBranch, ToBytes) of getsops/sops 3.13.2; Go's strconv.FormatFloat and time.RFC3339Nano.

Records of the vault are named tuples: defining a dataclass takes longer than reading a small file, and reading one must not be slower than sops.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeAlias

from cleanroom.sops.errors import Unsupported

INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_MOMENT = (
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?P<between>[Tt ])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})(?:[.,](?P<fraction>[0-9]+))?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_NANOSECOND_DIGITS = 9


class Comment:
    """One line of comment without its `#`. As a key of a mapping (value None) or an item of a list it can be given to `encrypt`."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Timestamp(str):
    """A point in time in Go's RFC3339Nano spelling, which is how sops hashes and encrypts it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Timestamp | None:
        """The time that go-yaml's resolver would see in `text`, or None if it sees a string there."""
        match = re.fullmatch(_MOMENT, text)
        if match is None or (match["between"] is not None and (match["zone"] is None) != (match["between"] == " ")):
            return None
        year, month, day, hour, minute, second = (int(match[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second"))
        if not (1 <= month <= 12 and 1 <= day <= _days(year, month) and hour < 24 and minute < 60 and second < 60):  # noqa: PLR2004 - the calendar
            return None
        zone = match["zone"] or "Z"
        if zone != "Z" and (int(zone[1:3]) >= 24 or int(zone[4:]) >= 60):  # noqa: PLR2004 - the clock
            raise Unsupported("a time has an offset of a day or more, which sops cannot write back")
        fraction = (match["fraction"] or "")[:_NANOSECOND_DIGITS].rstrip("0")
        clock = f"{hour:02}:{minute:02}:{second:02}" + (f".{fraction}" if fraction else "")
        return cls(f"{year:04}-{month:02}-{day:02}T{clock}{'Z' if zone[1:] == '00:00' else zone}")


def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]  # noqa: PLR2004 - February


Leaf: TypeAlias = str | bytes | int | float | bool | Timestamp | None


class Branch(list[tuple[str | Comment, Any]]):
    """A mapping in document order: (key, value) pairs, where a comment stands as (Comment, None)."""


class Spot(NamedTuple):
    """A place in a document: a leaf or a comment.

    `path` (mapping keys only) binds the value cryptographically, `name` (list indices included, joined by `/`) names it to people, `above` are the
    comments that stand over it or over what it stands in, `holder[position]` is where it is kept.
    """

    path: tuple[str, ...]
    name: str
    above: tuple[str, ...]
    value: Any
    holder: Any
    position: int

    @property
    def is_comment(self) -> bool:
        return isinstance(self.value, Comment)

    @property
    def aad(self) -> bytes:
        """The additional data under which the value is encrypted."""
        return (":".join(self.path) + ":").encode()

    def put(self, value: Leaf | Comment) -> None:
        """Replace what stands here."""
        if isinstance(self.holder, Branch):
            key = self.holder[self.position][0]
            self.holder[self.position] = (value, None) if isinstance(value, Comment) else (key, value)
        else:
            self.holder[self.position] = value


def spots(documents: list[Branch]) -> list[Spot]:
    """Every leaf (nulls too) and comment, in the order in which sops visits and hashes them; later documents' names begin with `[2]/` and so on."""
    found: list[Spot] = []
    for number, document in enumerate(documents, start=1):
        _visit_branch(document, (), f"[{number}]/" if number > 1 else "", (), found)
    return found


def _visit_branch(branch: Branch, path: tuple[str, ...], prefix: str, above: tuple[str, ...], found: list[Spot]) -> None:
    here = above
    for position, (key, value) in enumerate(branch):
        if isinstance(key, Comment):
            here = (*here, key.text)
            found.append(Spot(path, prefix, here, key, branch, position))
            continue
        if isinstance(value, list):
            _visit(value, (*path, key), f"{prefix}{key}/", here, found)
        else:
            found.append(Spot((*path, key), prefix + key, here, value, branch, position))
        here = above


def _visit_list(items: list[Any], path: tuple[str, ...], prefix: str, above: tuple[str, ...], found: list[Spot]) -> None:
    here = above
    number = 0
    for position, value in enumerate(items):
        if isinstance(value, Comment):
            here = (*here, value.text)
            found.append(Spot(path, prefix, here, value, items, position))
            continue
        if isinstance(value, list):
            _visit(value, path, f"{prefix}{number}/", here, found)
        else:
            found.append(Spot(path, f"{prefix}{number}", here, value, items, position))
        number += 1
        here = above


def _visit(node: Branch | list[Any], path: tuple[str, ...], prefix: str, above: tuple[str, ...], found: list[Spot]) -> None:
    if isinstance(node, Branch):
        _visit_branch(node, path, prefix, above, found)
    else:
        _visit_list(node, path, prefix, above, found)


def kind_of(value: Leaf) -> str:
    """The name by which sops stores a leaf's type; `null` for None."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case Timestamp():
            return "time"
        case str() | bytes():
            return "str"
        case int():
            return "int"
        case float():
            return "float"


def plain_bytes(value: Leaf) -> bytes:
    """The bytes by which sops hashes and encrypts a leaf."""
    match value:
        case None:
            return b""
        case bool():
            return b"True" if value else b"False"
        case bytes():
            return value
        case str():
            return value.encode()
        case int():
            return str(value).encode()
        case float():
            return show_float(value).encode()


def show_float(value: float) -> str:
    """Go's FormatFloat(value, 'f', -1, 64): the shortest digits that read back the same, never an exponent."""
    text = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(repr(value), repr(value))
    number, _e, exponent = text.partition("e")
    if exponent:
        whole, _point, part = number.lstrip("-").partition(".")
        digits, point = whole + part, len(whole) + int(exponent)
        text = digits.ljust(point, "0") if point > 0 else "0." + "0" * -point + digits
        text = ("-" if value < 0 else "") + text
    return text.removesuffix(".0")
