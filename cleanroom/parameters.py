"""Instance parameters: what makes this cc-ci this one, and where base says so.

Knows: how to find a literal value in base's code - Nix read as Nix, so that a comment is none - and how to change it there by one edit.
Refuses: to search nothing, to count prose or a lock as a definition, and to edit what is not defined exactly once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cleanroom import nix_text, vault
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.repository import Repository
from cleanroom.tables.git import Parameter

#: Documents explain a parameter and locks are machines' notes; neither defines one.
_PROSE = {".md", ".rst", ".txt", ".adoc", ".lock"}
_LINK_OR_SUBMODULE = {"120000", "160000"}
#: Bytes that are no UTF-8 come back as they were.
_BYTES = "surrogateescape"
_OTHER_COMMENT = re.compile(r"^[ \t]*(?:#(?!!)|//|;).*$", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """Where a value stands in base: path, line (from 1) and offset in characters."""

    path: str
    line: int
    offset: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def places(base: Repository, value: str) -> list[Place]:
    """Where `value` stands in base's code, comments apart: alone in a string, or as a part of a longer one (`"drone.VALUE"`)."""
    sought = re.compile(rf"(?<![\w-]){re.escape(value)}(?![\w-])", _case(value))
    found: list[Place] = []
    searched = 0
    for path, text in _code(base):
        searched += 1
        found += [Place(path, text.count("\n", 0, match.start()) + 1, match.start()) for match in sought.finditer(text)]
    if not searched:
        raise HarnessError("base holds no file that could define a parameter", where=base.url)
    return found


def definition(base: Repository, parameter: Parameter) -> Place:
    """The one place that defines a parameter; raises `CheckFailed` if there is none, or more than one."""
    found = places(base, parameter.value)
    if len(found) != 1:
        seen = ", ".join(map(str, found)) or "nowhere"
        advice = "say it once, and refer to that" if found else "the site file's [[parameter]] value must stand there literally"
        expected = f"instance parameter {parameter.name} is defined exactly once in base"
        raise CheckFailed(expected, seen=seen, where=f"{base.url} at {base.commit[:12]}", advice=advice)
    return found[0]


def check_defined_once(base: Repository, parameters: Sequence[Parameter]) -> None:
    """Each parameter is defined exactly once in base."""
    for parameter in _some(parameters):
        definition(base, parameter)


def check_none_in_secrets(opened: Mapping[str, vault.Opened], parameters: Sequence[Parameter], where: str) -> None:
    """No secret is called like a parameter, and none is a parameter's value, or a host or URL made of it. `opened` is the secrets by file."""
    if not any(file.values for file in opened.values()):
        raise HarnessError("no secret was opened, so none was looked at", where=where)
    for parameter in _some(parameters):
        made_of = _made_of(parameter.value)
        for path, file in opened.items():
            for name, value in file.values.items():
                text = value.reveal().decode(errors="replace").strip()
                if _plain(name.rpartition("/")[2]) == _plain(parameter.name) or made_of.fullmatch(text):
                    seen = f"{path}: {name} is {parameter.name}"
                    raise CheckFailed("no instance parameter is kept in secrets", seen=seen, where=where, advice="it belongs to base")


def parameter_of(parameters: Sequence[Parameter], value: str) -> Parameter:
    """The parameter that has `value`; raises `BadInput` if the site names none."""
    for parameter in parameters:
        if parameter.value == value:
            return parameter
    raise BadInput(f"no [[parameter]] of the site file has the value {value}", advice="name the domain among the instance parameters")


def edit(tree: Path, place: Place, *, old: str, new: str) -> None:
    """Replace `old` by `new` at `place` in an exported tree: one edit, one line of one file."""
    file = tree / place.path
    text = file.read_bytes().decode(errors=_BYTES)
    if not text.startswith(old, place.offset):
        raise HarnessError(f"`{old}` does not stand where it was found", where=str(place))
    file.write_bytes((text[: place.offset] + new + text[place.offset + len(old) :]).encode(errors=_BYTES))


def _code(base: Repository) -> Iterator[tuple[str, str]]:
    """Path and text of each file that decides something; comments are blanked, so that offsets and lines stay true."""
    for entry in base.entries():
        if entry.mode in _LINK_OR_SUBMODULE or PurePosixPath(entry.path).suffix.lower() in _PROSE:
            continue
        data = base.read(entry.path)
        if b"\0" not in data:  # whatever else is no UTF-8 is still text to who runs it
            text = data.decode(errors=_BYTES)
            yield entry.path, nix_text.without_comments(text) if entry.path.endswith(".nix") else _OTHER_COMMENT.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _made_of(value: str) -> re.Pattern[str]:
    """What is nothing but the value, or a host or URL made of it: alone, or as one setting among others (`HOST=...`, `"host": "..."`)."""
    made = rf"(?:\w+://)?(?:[\w-]+\.)*{re.escape(value)}(?:[:/].*)?"
    setting = rf"[ \t]*(?:export[ \t]+)?[\"']?[\w.-]+[\"']?[ \t]*[=:][ \t]*([\"']?){made}\1[,;]?[ \t\r]*"
    return re.compile(rf"{made}|(?s:.*\n)?{setting}(?s:\n.*)?", _case(value))


def _case(value: str) -> int:
    """To DNS, the case of a name does not matter."""
    return re.IGNORECASE if "." in value else 0


def _some(parameters: Sequence[Parameter]) -> Sequence[Parameter]:
    if not parameters:
        raise HarnessError("the site file names no instance parameter, so none was looked for", advice="[[parameter]] with name and value")
    return parameters


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().lower()
