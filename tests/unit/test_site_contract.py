"""docs/site-contract.md says of every key what the models say, and of no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_origin

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cleanroom import quantities
from cleanroom.guide import parse
from cleanroom.site import Site
from cleanroom.tables.base import SecretSource
from tests.unit.sites import parts

ROOT = Path(__file__).parents[2]
CONTRACT = (ROOT / "docs" / "site-contract.md").read_text(encoding="utf-8")


def documented() -> dict[str, dict[str, list[str]]]:
    """Per heading that has a table of keys: each key's row, as cells of plain text."""
    tables: dict[str, dict[str, list[str]]] = {}
    heading, rows = "", list[list[str]]()
    tokens = MarkdownIt("commonmark").enable("table").parse(CONTRACT)
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[number + 1].content
        elif token.type == "tr_open":
            rows.append(list(_cells(tokens[number:])))
        elif token.type == "table_close":
            if rows[0][0] == "key":
                tables[heading] = {row[0].strip("`"): row for row in rows[1:]}
            rows = []
    return tables


def _cells(tokens: list[Token]) -> Iterator[str]:
    for number, token in enumerate(tokens):
        if token.type == "tr_close":
            return
        if token.type in {"td_open", "th_open"}:
            yield tokens[number + 1].content


def tables_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, dict[str, FieldInfo]]]:
    """Each table of a site file as its heading writes it, with the keys that stand in it themselves."""
    own: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        inner = next((kind for kind in parts(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None or inner is SecretSource:
            own[name] = field
            continue
        listed = any(get_origin(kind) is tuple for kind in parts(field.annotation))
        yield from tables_of(inner, f"`[[{name}]]`" if listed else f"`[{path.strip('`[]')}.{name}]`" if path else f"`[{name}]`")
    yield path or "Top level", own


DOCUMENTED = documented()
MODELS = dict(tables_of(Site)) | {"A secret's source": SecretSource.model_fields}
KEYS = [(table, key) for table, fields in MODELS.items() for key in fields]


def test_every_table_is_documented_and_no_other() -> None:
    assert sorted(DOCUMENTED) == sorted(MODELS)


@pytest.mark.parametrize("table", MODELS)
def test_every_key_is_documented_and_no_other(table: str) -> None:
    assert list(DOCUMENTED[table]) == list(MODELS[table])


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_has_a_meaning_an_example_and_its_true_default(table: str, key: str) -> None:
    _, meaning, example, default = DOCUMENTED[table][key]
    field = MODELS[table][key]
    assert meaning
    assert example.startswith("`")
    assert ("*local*" in meaning) == (Path in parts(field.annotation)), "a path on this side is marked *local*"
    if field.is_required():
        assert default == "required"
    else:
        value = field.get_default(call_default_factory=True)
        assert value in meant(default, field), f"{table} {key}: {default}, but it is {value!r}"


def meant(cell: str, field: FieldInfo) -> list[Any]:
    """The values that a cell of the last column may mean."""
    if not cell.startswith("`"):
        words: dict[str, list[Any]] = {"none": [None, {}, ()], "the system's": [None], "Gandi's": [field.get_default(call_default_factory=True)]}
        return words.get(cell, [])
    value = json.loads(cell.strip("`"))
    found = [tuple(value) if isinstance(value, list) else value]
    if isinstance(value, str):
        found += [convert(value) for convert in (quantities.size, quantities.duration) if _can(convert, value)]
    return found


def _can(convert: Any, value: str) -> bool:
    try:
        convert(value)
    except ValueError:
        return False
    return True


def test_the_example_of_a_guide_is_a_guide() -> None:
    example = re.search(r"^````markdown\n(.*?)^````$", CONTRACT, re.MULTILINE | re.DOTALL)
    assert example is not None
    commands = parse(example[1], file="docs/install.md", within=60).commands
    assert [command.place for command in commands] == ["operator", "machine", "machine"]


@pytest.mark.parametrize("word", ["machine", "operator", "within=10m", "status=4"])
def test_the_words_that_are_documented_are_known(word: str) -> None:
    assert f"| `{re.sub('=4$', '=N', word)}` |" in CONTRACT
    assert parse(f"```sh {word}\nls\n```\n", file="x", within=60).commands


def test_relative_links_lead_somewhere() -> None:
    example = re.compile(r"^````.*?^````$", re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#:]+)\)", example.sub("", CONTRACT))
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
