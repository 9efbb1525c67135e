"""A sops document in memory: ordered branches, comments in their places, typed leaves.

Knows: the order in which sops visits a document, the path that binds each value, and the bytes by which a typed value is hashed.
Refuses: types that sops cannot carry, and floats or times spelled otherwise than Go spells them.

Specification: `sops.go` (walkBranch, ToBytes) of getsops/sops 3.13.2; Go's strconv.FormatFloat and time.RFC3339Nano.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from cleanroom.sops_errors import Malformed, Unsupported

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Comment:
    """One line of comment without its `#`. As a key of a mapping (value None) or an item of a list it can be given to `encrypt`."""

    text: str
    inline: bool = False


class Timestamp(str):
    """A point in time in Go's RFC3339Nano spelling, which is how sops hashes and encrypts it."""

    __slots__ = ()

    _PARTS = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:([Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Timestamp | None:
        """The time that go-yaml's resolver would see in `text`, or None if it sees a string there."""
        match = cls._PARTS.fullmatch(text)
        if match is None:
            return None
        year, month, day, between, hour, minute, second, fraction, zone = match.groups()
        if between is not None and (zone is None) != (between == " "):
            return None
        try:
            date = datetime.datetime(int(year), int(month), int(day), tzinfo=datetime.UTC)
            moment = date.replace(hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0))
        except ValueError:
            return None
        if zone not in {None, "Z"} and (int(zone[1:3]) > 23 or int(zone[4:]) > 59):  # noqa: PLR2004 - hours and minutes
            raise Unsupported("a time has an offset of more than a day, which sops cannot write back")
        fraction = (fraction or "")[:9].rstrip("0")
        zone = "Z" if zone in {None, "Z", "+00:00", "-00:00"} else zone
        return cls(f"{moment:%Y-%m-%dT%H:%M:%S}".zfill(19) + (f".{fraction}" if fraction else "") + zone)


Leaf: TypeAlias = str | bytes | int | float | bool | Timestamp | None


class Branch(list[tuple[str | Comment, Any]]):
    """A mapping in document order: (key, value) pairs, where a comment stands as (Comment, None)."""


@dataclass(slots=True)
class Spot:
    """A place in a document that the walk has reached: a leaf or a comment.

    `path` (mapping keys only) binds the value cryptographically, `name` (list indices included) names it to people, `comments` are the runs of
    comments above it and above each of its ancestors.
    """

    path: tuple[str, ...]
    name: tuple[str, ...]
    comments: tuple[list[str], ...]
    value: Any
    holder: Any
    index: int

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
            key = self.holder[self.index][0]
            self.holder[self.index] = (value, None) if isinstance(value, Comment) else (key, value)
        else:
            self.holder[self.index] = value


def spots(branch: Branch) -> Iterator[Spot]:
    """Every leaf (nulls too) and comment of a document, in the order in which sops visits and hashes them."""
    return _in_branch(branch, (), (), ())


def _in_branch(branch: Branch, path: tuple[str, ...], name: tuple[str, ...], above: tuple[list[str], ...]) -> Iterator[Spot]:
    active: list[str] = []
    comments = (*above, active)
    for index, (key, value) in enumerate(branch):
        if isinstance(key, Comment):
            active.append(key.text)
            yield Spot(path, name, comments, key, branch, index)
            continue
        yield from _at(value, (*path, key), (*name, key), comments, branch, index)
        active.clear()


def _in_list(items: list[Any], path: tuple[str, ...], name: tuple[str, ...], above: tuple[list[str], ...]) -> Iterator[Spot]:
    active: list[str] = []
    comments = (*above, active)
    number = 0
    for index, value in enumerate(items):
        if isinstance(value, Comment):
            active.append(value.text)
            yield Spot(path, name, comments, value, items, index)
            continue
        yield from _at(value, path, (*name, str(number)), comments, items, index)
        number += 1
        active.clear()


def _at(value: Any, path: tuple[str, ...], name: tuple[str, ...], comments: tuple[list[str], ...], holder: Any, index: int) -> Iterator[Spot]:  # noqa: ANN401 - a node of any kind
    if isinstance(value, Branch):
        yield from _in_branch(value, path, name, comments)
    elif isinstance(value, list):
        yield from _in_list(value, path, name, comments)
    else:
        yield Spot(path, name, comments, value, holder, index)


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
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def from_python(data: Any, *, where: str) -> Any:  # noqa: ANN401 - any plain data in, a node of the same shape out
    """Plain Python data (mappings, sequences, scalars, aware datetimes, `Comment`) as a document; raises `Malformed` naming the place."""
    match data:
        case Mapping():
            if not all(isinstance(key, str | Comment) for key in data):
                raise Malformed("a key is not text", where=where)
            return Branch((key, None if isinstance(key, Comment) else from_python(value, where=f"{where}/{key}")) for key, value in data.items())
        case None | bool() | float() | str() | bytes() | Comment():
            return data
        case int():
            if not INT_MIN <= data <= INT_MAX:
                raise Malformed("an integer does not fit into 64 bits", where=where)
            return data
        case datetime.datetime() if data.tzinfo is not None:
            moment = Timestamp.parse(data.isoformat())
            if moment is not None:
                return moment
        case Sequence():
            return [from_python(item, where=f"{where}/{number}") for number, item in enumerate(data)]
    raise Malformed(f"a value is of type {type(data).__name__}, which sops cannot carry", where=where)
