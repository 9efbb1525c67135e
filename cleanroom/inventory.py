"""What there is to run: every scenario of the feature files, found by reading the files and not by asking the run.

Knows: Gherkin (the official parser), scenario identities, and which tags mark a scenario as asked for only.
Refuses: a folder without features, and files it cannot read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gherkin import Parser
from gherkin.errors import ParserError

from cleanroom.errors import HarnessError

#: Scenarios with one of these run only when asked for by tag; a verdict without them is complete, and says that they were not asked for.
ON_REQUEST = frozenset({"@twice", "@ablation"})


@dataclass(frozen=True)
class Planned:
    """One scenario, or one row of an outline."""

    identity: str
    line: int
    tags: frozenset[str]

    @property
    def is_on_request(self) -> bool:
        return bool(self.tags & ON_REQUEST)


@dataclass(frozen=True)
class Inventory:
    """Every scenario under a folder; the SHA-256 (hex) of each feature file by its path from there, and its feature's title."""

    files: Mapping[str, str]
    scenarios: tuple[Planned, ...]
    titles: Mapping[str, str]


def identity(file: str, title: str, cells: tuple[str, ...] = ()) -> str:
    """How a scenario is called everywhere: `c4_cleanroom.feature: The machine is new`, with the cells of its row behind it."""
    row = f" [{' | '.join(cells)}]" if cells else ""
    return f"{file}: {title}{row}"


def read(folder: Path) -> Inventory:
    """The inventory of all `*.feature` files under `folder`; raises `HarnessError` if there is none or one cannot be read."""
    files: dict[str, str] = {}
    titles: dict[str, str] = {}
    scenarios: list[Planned] = []
    for path in sorted(folder.rglob("*.feature")):
        raw = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        files[name] = hashlib.sha256(raw).hexdigest()
        try:
            feature = Parser().parse(raw.decode()).get("feature")
        except (ParserError, UnicodeDecodeError) as problem:
            raise HarnessError(f"cannot read a feature file: {problem}", where=str(path)) from None
        if feature:
            titles[name] = feature["name"]
            scenarios.extend(_scenarios(feature["children"], name, _tags(feature)))
    if not scenarios:
        raise HarnessError("there is no scenario to run", where=str(folder))
    return Inventory(files, tuple(scenarios), titles)


def _scenarios(children: list[Any], file: str, inherited: frozenset[str]) -> Iterator[Planned]:
    for child in children:
        if "rule" in child:
            yield from _scenarios(child["rule"]["children"], file, inherited | _tags(child["rule"]))
        elif "scenario" in child:
            yield from _rows(child["scenario"], file, inherited)


def _rows(scenario: Any, file: str, inherited: frozenset[str]) -> Iterator[Planned]:  # noqa: ANN401 - the parser's own dictionaries
    tags = inherited | _tags(scenario)
    if not scenario["examples"]:
        yield Planned(identity(file, scenario["name"]), scenario["location"]["line"], tags)
    for examples in scenario["examples"]:
        for row in examples["tableBody"]:
            cells = tuple(cell["value"] for cell in row["cells"])
            yield Planned(identity(file, scenario["name"], cells), row["location"]["line"], tags | _tags(examples))


def _tags(node: Any) -> frozenset[str]:  # noqa: ANN401 - the parser's own dictionaries
    return frozenset(tag["name"] for tag in node["tags"])
