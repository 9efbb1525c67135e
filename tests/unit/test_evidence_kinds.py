"""Every kind of event that the suite records stands in the list of docs/evidence.md, and the list names no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/evidence.md"
RECORDERS = {"record", "_record"}
#: What a follower is asked to follow a guide for, somewhere: each has kinds of its own, `guide-command` and so on.
FAMILIES = frozenset({"guide", "trial", "repetition", "ablation"})
#: Where kinds that another run recorded are told again.
RETOLD = {"cleanroom/reuse.py"}


def kinds_in(text: str, path: str) -> Iterator[str]:
    """The kind of every event that is recorded there; one that cannot be read from the source is a mistake of this test's."""
    for node in ast.walk(ast.parse(text, path)):
        if not isinstance(node, ast.Call) or not node.args or ast.unparse(node.func).rpartition(".")[2] not in RECORDERS:
            continue
        match node.args[0]:
            case ast.Constant(value=str(kind)):
                yield kind
            case ast.JoinedStr(values=[ast.FormattedValue(value=ast.Name(id="kind")), ast.Constant(value=str(rest))]):
                yield from (f"{family}{rest}" for family in FAMILIES)
            case other:
                assert path in RETOLD, f"{path}:{node.lineno} records {ast.unparse(other)}"


def families_in(text: str) -> Iterator[str]:
    """What guides are followed for there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "follow":
            yield from (ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg == "kind")


def sources() -> dict[str, str]:
    """Everything that runs with the suite, by its path."""
    paths = [ROOT / "conftest.py", *(path for room in ("cleanroom", "fixtures", "steps") for path in sorted((ROOT / room).rglob("*.py")))]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def listed(text: str) -> list[str]:
    """The kinds of the table under `## The ledger`: the code spans of its first column."""
    rows = text.partition("| kinds | tell |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    return [kind for row in rows for kind in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_the_list_of_kinds_is_whole() -> None:
    kinds = {kind for path, text in sources().items() for kind in kinds_in(text, path)}
    told = listed(DOCUMENT.read_text())
    assert sorted(told) == sorted(kinds), f"not in the list: {sorted(kinds - set(told))}; nobody records: {sorted(set(told) - kinds)}"
    assert len(kinds) > 60


def test_guides_are_followed_for_what_is_known() -> None:
    assert {family for text in sources().values() for family in families_in(text)} == FAMILIES


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("run.record('one', two='three')", {"one"}),
        ("record('one')", {"one"}),
        ("self._record('command', of=1)", {"command"}),
        ("self.record(f'{kind}-x')", {"guide-x", "trial-x", "repetition-x", "ablation-x"}),
        ("wait_until(seen, record=run.record)", set()),
        ("open_record('a folder')", set()),
    ],
)
def test_a_kind_is_read_from_the_source(text: str, kinds: set[str]) -> None:
    assert set(kinds_in(text, "x.py")) == kinds


@pytest.mark.parametrize("text", ["run.record(kind)", "run.record(f'{other}-x')", "run.record(f'x-{kind}')"])
def test_a_kind_that_cannot_be_read_is_not_passed_over(text: str) -> None:
    with pytest.raises(AssertionError, match=r"x\.py:1 records"):
        list(kinds_in(text, "x.py"))
