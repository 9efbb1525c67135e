"""A sops file as such: which form it has, its documents and its metadata, from bytes and back.

Knows: the five forms, where each keeps the metadata, and how its values are named.
Refuses: two values of one name, and metadata anywhere but in the first document.

Specification: `cmd/sops/formats`, `stores/metadata.go` of getsops/sops 3.13.2.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from cleanroom import sops_dotenv, sops_ini, sops_json, sops_metadata, sops_yaml, sops_yaml_write
from cleanroom.sops_cipher import looks_sealed
from cleanroom.sops_errors import Malformed, Unsupported
from cleanroom.sops_metadata import KEY, Metadata
from cleanroom.sops_tree import Branch, Comment, Spot, spots


class Form(enum.Enum):
    """The five kinds of file that sops knows."""

    YAML = "yaml"
    JSON = "json"
    DOTENV = "dotenv"
    INI = "ini"
    BINARY = "binary"

    @classmethod
    def of(cls, path: PurePath | str) -> Form:
        """By sops' file name rule: the ending alone decides, and what has none of the known ones is binary."""
        endings = {".yaml": cls.YAML, ".yml": cls.YAML, ".json": cls.JSON, ".env": cls.DOTENV, ".ini": cls.INI}
        return next((form for ending, form in endings.items() if str(path).endswith(ending)), cls.BINARY)


@dataclass(frozen=True)
class File:
    """A sops file as parsed: its documents without metadata, and the metadata."""

    documents: list[Branch]
    metadata: Metadata

    def leaves(self) -> list[tuple[str, Spot]]:
        """Every leaf and comment with its name, in the order of hashing; names of later documents begin with `[2]/` and so on."""
        return leaves(self.documents)


def leaves(documents: list[Branch]) -> list[tuple[str, Spot]]:
    """Every leaf and comment of `documents` with its name."""
    found = []
    for number, document in enumerate(documents, start=1):
        prefix = f"[{number}]/" if number > 1 else ""
        found += [(prefix + "/".join(spot.name), spot) for spot in spots(document)]
    return found


def parse(data: bytes, form: Form, *, where: str) -> File:
    """The file that `data` holds; raises the `VaultError` that fits."""
    try:
        documents, table, doubtful = _load(data, form, where=where)
    except RecursionError:
        raise Malformed("the file is nested deeper than anyone would", where=where) from None
    found = leaves(documents)
    sealed_values = any(looks_sealed(spot.value) for _name, spot in found)
    metadata = sops_metadata.parse(table, sealed_values=sealed_values, where=where)
    if doubtful and metadata.rules.reads_comments:
        raise Unsupported("the encryption rule reads comments, and one of them stands where nobody can say what it is about", where=where)
    names = [name for name, spot in found if not spot.is_comment]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"two values would have the name {twice}", where=where)
    if form is Form.BINARY and (names != ["data"] or not isinstance(found[0][1].value, str)):
        raise Malformed("a binary file holds one value, called data", where=where)
    return File(documents, metadata)


def emit(file: File, form: Form) -> bytes:
    """The bytes of `file`; raises `Unsupported` if `form` cannot carry it."""
    table = file.metadata.table()
    if form in {Form.DOTENV, Form.INI}:
        if len(file.documents) != 1:
            raise Unsupported(f"a {form.value} file holds one document")
        return (sops_dotenv if form is Form.DOTENV else sops_ini).dump(file.documents[0], table)
    block = sops_metadata.as_branch(table)
    documents = [Branch([*document, (KEY, block)]) for document in file.documents]
    return sops_yaml_write.dump(documents) if form is Form.YAML else sops_json.dump(documents)


def _load(data: bytes, form: Form, *, where: str) -> tuple[list[Branch], dict[str, Any] | None, bool]:
    """Documents without metadata, the metadata as plain data, and whether a comment stands in a doubtful place."""
    if form in {Form.DOTENV, Form.INI}:
        branch, table = (sops_dotenv if form is Form.DOTENV else sops_ini).load(data, where=where)
        return [branch], table, False
    if form is Form.YAML:
        scanned = sops_yaml.load(data, where=where)
        documents, doubtful = scanned.documents, scanned.doubtful
    else:
        documents, doubtful = sops_json.load(data, where=where), False
    blocks = [_take(document) for document in documents]
    if not blocks or blocks[0] is None:
        return documents, None, doubtful
    if not isinstance(blocks[0], Branch):
        raise Malformed("the sops metadata are not a mapping", where=where)
    return documents, sops_metadata.as_plain(blocks[0]), doubtful


def _take(document: Branch) -> object:
    """Remove the metadata from a document and return them."""
    for index, (key, value) in enumerate(document):
        if key == KEY and not isinstance(key, Comment):
            del document[index]
            return value
    return None
