"""Metadata folded into flat keys, as dotenv and INI files keep them: `age__list_0__map_recipient`.

Knows: how a tree becomes flat keys and back.
Refuses: keys that contradict each other, and lists with a gap.

Specification: `stores/flatten.go` of getsops/sops 3.13.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from cleanroom.sops.errors import Malformed

_MAP, _LIST = "__map_", "__list_"
_STEP = re.compile(f"({_MAP}|{_LIST})")


def unflatten(pairs: Iterable[tuple[str, str]], *, where: str) -> dict[str, Any]:
    """Nested dictionaries and lists from flat keys; raises `Malformed`."""
    root: dict[str | int, Any] = {}
    for key, value in pairs:
        *way, last = _steps(key, where=where)
        place = root
        for step in way:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise Malformed(f"the metadata key {key} is a value and a collection at once", where=where)
        if last in place:
            raise Malformed(f"the metadata key {key} stands twice", where=where)
        place[last] = value
    return {str(name): _settled(value, where=where) for name, value in root.items()}


def flatten(data: Any, prefix: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - plain data of any shape
    """Flat keys and their texts from nested dictionaries and lists."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from flatten(value, f"{prefix}{_MAP}{key}" if prefix else key)
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from flatten(value, f"{prefix}{_LIST}{number}")
    else:
        yield prefix, str(data).lower() if isinstance(data, bool) else str(data)


def _steps(key: str, *, where: str) -> list[str | int]:
    first, *rest = _STEP.split(key)
    steps: list[str | int] = [first]
    for separator, name in zip(rest[::2], rest[1::2], strict=True):
        if separator == _LIST and not re.fullmatch(r"\d{1,6}", name):
            raise Malformed(f"the metadata key {key} has a list index that is no number", where=where)
        steps.append(int(name) if separator == _LIST else name)
    return steps


def _settled(value: Any, *, where: str) -> Any:  # noqa: ANN401 - plain data of any shape
    """Dictionaries whose keys are 0, 1, 2 ... become lists."""
    if not isinstance(value, dict):
        return value
    settled = {name: _settled(inner, where=where) for name, inner in value.items()}
    if all(isinstance(name, str) for name in settled):
        return settled
    if set(settled) != set(range(len(settled))):
        raise Malformed("a list in the metadata has gaps", where=where)
    return [settled[number] for number in range(len(settled))]
