"""Every place in the library where a check can say no, and which of them a matrix has seen to.

Knows: `raise CheckFailed` and calls of helpers that only raise, found in the code; the places that red scenarios name.
Refuses: nothing; what no sabotage reddens stands in uncovered.toml with a reason, or the whole matrix is red.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanroom.origin import HELPER
from tests.sabotage.bench import ROOT
from tests.sabotage.finding import Finding

UNCOVERED = Path(__file__).with_name("uncovered.toml")


@dataclass(frozen=True)
class Site:
    """One check: `key` names it as long as its words stay; `first` and `last` are its lines now."""

    key: str
    file: str
    first: int
    last: int


def all_sites() -> list[Site]:
    """In the order of files and lines."""
    found = []
    for path in sorted((ROOT / "cleanroom").rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        found += [
            Site(f"{file}: {function}: {_words(call)}", file, node.lineno, node.end_lineno or node.lineno)
            for function, node, call in _raising(ast.parse(path.read_text()), "")
        ]
    return found


def covered(findings: Iterable[Finding]) -> set[str]:
    """Keys of the sites that killed sabotages have reddened."""
    places = {place for finding in findings if not finding.survived for cell in finding.cells.values() for place in cell.raised}
    by_file: dict[str, set[int]] = {}
    for place in places:
        file, _, line = place.rpartition(":")
        by_file.setdefault(file, set()).add(int(line))
    return {site.key for site in all_sites() if any(site.first <= line <= site.last for line in by_file.get(site.file, ()))}


def reasons() -> Mapping[str, str]:
    """Why no sabotage reddens a site, by its key."""
    entries = tomllib.loads(UNCOVERED.read_text()).get("uncovered", ())
    return {site: entry["reason"] for entry in entries for site in entry["sites"]}


def unexplained(findings: Iterable[Finding]) -> list[str]:
    """Sites that no sabotage reddened and nobody has explained."""
    seen, excused = covered(findings), reasons()
    return [site.key for site in all_sites() if site.key not in seen and site.key not in excused]


def _raising(node: ast.AST, function: str) -> Iterator[tuple[str, ast.stmt, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            if child.name != HELPER:
                yield from _raising(child, f"{function}.{child.name}".lstrip("."))
            continue
        call = child.exc if isinstance(child, ast.Raise) else child.value if isinstance(child, ast.Expr) else None
        if isinstance(child, ast.stmt) and isinstance(call, ast.Call) and _is_check(call, raised=isinstance(child, ast.Raise)):
            yield function, child, call
        yield from _raising(child, function)


def _is_check(call: ast.Call, *, raised: bool) -> bool:
    if raised:
        return isinstance(call.func, ast.Name) and call.func.id == "CheckFailed"
    return isinstance(call.func, ast.Attribute) and call.func.attr == HELPER


def _words(call: ast.Call) -> str:
    """What it expects, with the parts that only a run knows left out."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant):
        return str(first.value)
    if isinstance(first, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in first.values)
    return ast.unparse(first) if first is not None else ""
