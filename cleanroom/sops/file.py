"""A sops file as such: which form it has, its documents and its metadata, from bytes and back.

Knows: the five forms, and how the values in them are named.
Refuses: two values of one name.

Specification: `cmd/sops/formats` of getsops/sops 3.13.2.
"""

from __future__ import annotations

import enum
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple, cast

from cleanroom.sops import metadata as sops_metadata
from cleanroom.sops.cipher import looks_sealed
from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.sops.keys import check_copy, check_no_other_copy
from cleanroom.sops.metadata import Loaded, Metadata
from cleanroom.sops.tree import Branch, Spot, spots

if TYPE_CHECKING:
    from typing import Protocol

    class _Reader(Protocol):
        def load(self, data: bytes, *, where: str) -> Loaded: ...

    class _Writer(Protocol):
        def dump(self, documents: list[Branch], metadata: Metadata) -> bytes: ...


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


#: The modules that read and write each form; imported when a file of that form comes along.
_READERS = {Form.YAML: "yaml", Form.JSON: "json", Form.DOTENV: "dotenv", Form.INI: "ini", Form.BINARY: "json"}
_WRITERS = _READERS | {Form.YAML: "yaml_write"}


class File(NamedTuple):
    """A sops file as parsed: every leaf and comment in the order of hashing, and the metadata."""

    spots: list[Spot]
    metadata: Metadata


def parse(data: bytes, form: Form, *, where: str) -> File:
    """The file that `data` holds; raises the `VaultError` that fits."""
    reader = cast("_Reader", import_module(f"cleanroom.sops.{_READERS[form]}"))
    try:
        loaded = reader.load(data, where=where)
        found = spots(loaded.documents)
    except RecursionError:
        raise Malformed("the file is nested deeper than anyone would", where=where) from None
    sealed_values = any(looks_sealed(spot.value) for spot in found)
    metadata = sops_metadata.parse(loaded.table, sealed_values=sealed_values, where=where)
    if loaded.doubtful and metadata.rules.reads_comments:
        raise Unsupported("the encryption rule reads comments, and one of them stands where nobody can say what it is about", where=where)
    for recipient, copy in metadata.copies:
        check_copy(recipient, copy, where=where)
    if metadata.groups == 1:  # several are refused by who opens the file
        check_no_other_copy(data, len(metadata.copies) * loaded.blocks, where=where)
    names = [spot.name for spot in found if not spot.is_comment]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"two values would have the name {twice}", where=where)
    if form is Form.BINARY and (names != ["data"] or not isinstance(found[0].value, str)):
        raise Malformed("a binary file holds one value, called data", where=where)
    return File(found, metadata)


def emit(documents: list[Branch], metadata: Metadata, form: Form) -> bytes:
    """The bytes of a file; raises `Unsupported` if `form` cannot carry it."""
    writer = cast("_Writer", import_module(f"cleanroom.sops.{_WRITERS[form]}"))
    if len(documents) > 1 and form is not Form.YAML:
        raise Unsupported(f"a {form.value} file holds one document")
    return writer.dump(documents, metadata)
