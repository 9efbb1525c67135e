"""The `sops` block of a file: who can open it, by which rule, when it was written and what it vouches for.

Knows: the block as sops 3.5 to 3.13 write it, nested (YAML, JSON), flat (dotenv) and half flat (INI).
Refuses: key groups, a block without its last fields, and dates that are no RFC 3339.

Specification: `stores/stores.go`, `stores/metadata.go` and `stores/flatten.go` of getsops/sops 3.13.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cleanroom.sops.errors import MacMissing, Malformed, NotSops, Truncated, Unsupported
from cleanroom.sops.rules import Rules
from cleanroom.sops.tree import Branch, Comment, Timestamp

KEY = "sops"
VERSION = "3.13.2"
_FOREIGN = ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms")
_RFC3339 = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})"


class Loaded(NamedTuple):
    """What a form's reader returns: documents without metadata, and the metadata as plain data.

    `doubtful` says that a comment stands where nobody can say which collection it belongs to, `blocks` how often the metadata stand there.
    """

    documents: list[Branch]
    table: dict[str, Any] | None
    doubtful: bool = False
    blocks: int = 1


class Metadata(NamedTuple):
    """`copies` are (age recipient, armoured data key); `foreign` names the other kinds of master key that are present."""

    copies: tuple[tuple[str, str], ...]
    foreign: tuple[str, ...]
    groups: int
    threshold: int
    lastmodified: str
    mac: str
    version: str
    rules: Rules

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(recipient for recipient, _copy in self.copies)

    def table(self) -> dict[str, Any]:
        """The block as sops 3.13 writes it: sorted, nothing empty."""
        table: dict[str, Any] = {
            "age": [{"enc": copy, "recipient": recipient} for recipient, copy in self.copies],
            "lastmodified": self.lastmodified,
            "mac": self.mac,
            self.rules.kind: self.rules.pattern,
            "version": self.version,
        }
        if self.rules.mac_only_encrypted:
            table["mac_only_encrypted"] = True
        return dict(sorted(table.items()))


def parse(table: Mapping[str, Any] | None, *, sealed_values: bool, where: str) -> Metadata:
    """Metadata from the block's plain data; `sealed_values` says whether encrypted values were seen, which tells a cut file from a clear one."""
    if table is None:
        if sealed_values:
            raise Truncated(
                "there are encrypted values, but no sops metadata after them", where=where, advice="fetch the file again: it is cut short"
            )
        raise NotSops("this file is not encrypted with sops: it has no sops metadata", where=where)
    for required in ("lastmodified", "version"):
        if not table.get(required):
            raise Truncated(f"the sops metadata have no {required}", where=where, advice="fetch the file again: it may be cut short")
    if not table.get("mac"):
        raise MacMissing("the sops metadata have no mac, so nobody can tell whether the file is whole", where=where)
    copies, foreign = _keys(table, where=where)
    groups = _list(table.get("key_groups"), where=where)
    if copies or foreign:
        groups = []
    elif not groups:
        raise Truncated("the sops metadata name no key that could open the file", where=where)
    if len(groups) == 1:
        copies, foreign = _keys(_table(groups[0], where=where), where=where)
    return Metadata(
        copies=copies,
        foreign=foreign,
        groups=max(1, len(groups)),
        threshold=_number(table.get("shamir_threshold"), where=where),
        lastmodified=_moment(table["lastmodified"], where=where),
        mac=_text(table["mac"], "mac", where=where),
        version=_text(table["version"], "version", where=where),
        rules=Rules.of(table, where=where),
    )


def extract(documents: list[Branch], *, doubtful: bool = False, where: str) -> Loaded:
    """Take the nested metadata out of each document; those of the first one count, as they do for sops, which writes the same into each."""
    blocks = [_take(document) for document in documents]
    if any(block is not None and as_plain(block) != as_plain(blocks[0]) for block in blocks):
        raise Malformed("the documents of the file have different sops metadata: sops reads the first, anybody else may read the others", where=where)
    table = blocks[0] if blocks else None
    if table is not None and not isinstance(table, Branch):
        raise Malformed("the sops metadata are not a mapping", where=where)
    return Loaded(documents, None if table is None else as_plain(table), doubtful, sum(block is not None for block in blocks))


def embed(documents: list[Branch], metadata: Metadata) -> list[Branch]:
    """The documents with the nested metadata at the end of each."""
    block = as_branch(metadata.table())
    return [Branch([*document, (KEY, block)]) for document in documents]


def refuse_groups(metadata: Metadata, *, where: str) -> None:
    """Raise `Unsupported` if the data key is split among several groups, or if no age recipient holds it."""
    if metadata.groups > 1:
        needed = metadata.threshold or metadata.groups
        raise Unsupported(
            f"the data key is split among {metadata.groups} key groups, {needed} of which are needed: such files cannot be opened here",
            where=where,
            advice="one group of age recipients is what the suite reads",
        )
    if not metadata.copies:
        raise Unsupported(f"only {', '.join(metadata.foreign)} can open this file, there is no age recipient", where=where)


def as_plain(node: Any) -> Any:  # noqa: ANN401 - a node of any kind in, the same as plain data out
    """A document's node as plain dictionaries and lists, comments dropped."""
    if isinstance(node, Branch):
        return {key: as_plain(value) for key, value in node if not isinstance(key, Comment)}
    if isinstance(node, list):
        return [as_plain(item) for item in node if not isinstance(item, Comment)]
    return node


def as_branch(data: Any) -> Any:  # noqa: ANN401 - plain data of any kind in, the same as a node out
    """The way back from `as_plain`."""
    if isinstance(data, dict):
        return Branch((key, as_branch(value)) for key, value in data.items())
    return [as_branch(item) for item in data] if isinstance(data, list) else data


def _take(document: Branch) -> object:
    """Remove the metadata from a document and return them."""
    for index, (key, value) in enumerate(document):
        if key == KEY:
            del document[index]
            return value
    return None


def _keys(table: Mapping[str, Any], *, where: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    copies = []
    for entry in _list(table.get("age"), where=where):
        fields = _table(entry, where=where)
        copies.append((_text(fields.get("recipient"), "recipient", where=where), _text(fields.get("enc"), "enc", where=where)))
    foreign = tuple(kind for kind in _FOREIGN if _list(table.get(kind), where=where))
    return tuple(copies), foreign


def _list(value: object, *, where: str) -> Sequence[Any]:
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise Malformed("a list of keys in the sops metadata is no list", where=where)
    return value


def _table(value: object, *, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("a key in the sops metadata is no mapping", where=where)
    return value


def _text(value: object, name: str, *, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise Truncated(f"the sops metadata have a {name} that is empty or no text", where=where)
    return value


def _number(value: object, *, where: str) -> int:
    if value is None or value == "":
        return 0
    if isinstance(value, int | str) and re.fullmatch(r"\d+", str(value)):
        return int(value)
    raise Malformed("shamir_threshold is no number", where=where)


def _moment(value: object, *, where: str) -> str:
    """`lastmodified` as sops re-formats it before use: whole seconds, `Z` for UTC."""
    moment = Timestamp.parse(value) if isinstance(value, str) and re.fullmatch(_RFC3339, value) else None
    if moment is None:
        raise Malformed("lastmodified is no RFC 3339 date and time", where=where)
    return re.sub(r"\.\d+", "", moment)
