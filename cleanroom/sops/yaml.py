"""YAML as sops reads it: node by node, typed as go-yaml v3 types, aliases expanded, several documents in one file.

Knows: two readers that agree, a quick one for what sops itself writes and a full one for everything else.
Refuses: keys that are no text, tags of its own making, two keys of one name, and anything whose type Go and we might see differently.

Specification: `stores/yaml/store.go` of getsops/sops 3.13.2.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable
from typing import Any

from cleanroom.sops.errors import Malformed, Truncated, Unsupported
from cleanroom.sops.metadata import Loaded, extract
from cleanroom.sops.tree import Branch, Comment, Leaf, Timestamp
from cleanroom.sops.yaml_scan import Scanned, scan
from cleanroom.sops.yaml_types import resolve

_TAG = "tag:yaml.org,2002:"
_COMMENT = r"(?:^|(?<=[ \t\n]))#([^\n]*)"


def load(data: bytes, *, where: str) -> Loaded:
    """A sops file; raises `Malformed`, `Truncated` or `Unsupported`."""
    documents, doubtful = documents_of(data, where=where)
    return extract(documents, doubtful=doubtful, where=where)


def documents_of(data: bytes, *, where: str) -> Scanned:
    """The documents of any YAML file; raises `Malformed`, `Truncated` or `Unsupported`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("the file is not UTF-8 text", where=where) from None
    try:
        return scan(text) or parse(text, where=where)
    except RecursionError:
        raise Malformed("the file is nested deeper than anyone would", where=where) from None


def parse(text: str, *, where: str) -> Scanned:
    """The same by the full parser, for what `scan` leaves alone. Comments are found, but not placed: they stand at the end of the first document."""
    # Imported here: the parser takes longer to load than a sops file of ordinary size takes to scan.
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        composer = _Composer(YAML(typ="safe", pure=True).parse(text), where=where)
        documents = composer.documents()
    except MarkedYAMLError as problem:
        mark = problem.problem_mark
        error = Truncated if mark and not text[mark.index :].strip() else Malformed
        raise error(f"the file is not YAML: {problem.problem or 'it does not parse'}", where=f"{where}:{mark.line + 1}" if mark else where) from None
    except YAMLError:
        raise Malformed("the file is not YAML: it holds characters that YAML forbids", where=where) from None
    comments = _comments_between(text, composer.scalars)
    if documents:
        documents[0] += [(comment, None) for comment in comments]
    return documents, bool(comments)


def _comments_between(text: str, scalars: Iterable[tuple[int, int]]) -> list[Comment]:
    """Every comment of a YAML text, given where its scalars begin and end: whatever follows a free-standing `#` outside of them."""
    found = []
    at = 0
    for start, end in [*scalars, (len(text), len(text))]:
        # One character of what came before tells whether a mark at the very beginning stands free.
        found += [Comment(match[1]) for match in re.finditer(_COMMENT, text[max(0, at - 1) : start])]
        at = end
    return found


class _Composer:
    """Builds branches from parser events."""

    def __init__(self, events: Iterable[Any], *, where: str) -> None:
        self._events = iter(events)
        self._where = where
        self.scalars: list[tuple[int, int]] = []
        self._anchors: dict[str, Any] = {}

    def documents(self) -> list[Branch]:
        found = []
        for event in self._events:
            if type(event).__name__ != "DocumentStartEvent":
                continue
            self._anchors = {}
            root = self._node(next(self._events))
            if root is not None and not isinstance(root, Branch):
                raise Malformed("a document of the file is not a mapping", where=self._where)
            found.append(Branch() if root is None else root)
        return found

    def _node(self, event: Any) -> Any:  # noqa: ANN401 - ruamel's events and our nodes
        node: Any
        match type(event).__name__:
            case "AliasEvent":
                if event.anchor not in self._anchors:
                    raise Malformed("an alias stands inside what it refers to, or refers to nothing", where=self._at(event))
                return _copy(self._anchors[event.anchor])
            case "ScalarEvent":
                node = self._scalar(event)
            case "SequenceStartEvent":
                node = self._sequence(event)
            case _:
                node = self._mapping(event)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _sequence(self, start: Any) -> list[Any]:  # noqa: ANN401 - ruamel's event
        self._refuse_tag(start, "seq")
        items = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            items.append(self._node(event))
        return items

    def _mapping(self, start: Any) -> Branch:  # noqa: ANN401 - ruamel's event
        self._refuse_tag(start, "map")
        branch = Branch()
        seen = set()
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._node(event)
            if type(key) is not str:
                raise Malformed("a key is not text (quote it)", where=self._at(event))
            if key in seen:
                raise Malformed(f"the key {key!r} stands twice in one mapping", where=self._at(event))
            seen.add(key)
            branch.append((key, self._node(next(self._events))))
        return branch

    def _scalar(self, event: Any) -> Leaf:  # noqa: ANN401 - ruamel's event
        text: str = event.value
        self.scalars.append((event.start_mark.index, event.end_mark.index))
        tag = str(event.tag) if event.tag else None
        if tag is None or tag == "!":
            return text if event.style or tag else self._resolved(text, event)
        if tag in {_TAG + "str", _TAG + "merge"}:
            return text
        if tag == _TAG + "binary":
            try:
                return a2b_base64("".join(text.split()), strict_mode=True)
            except (Base64Error, ValueError):
                raise Malformed("a !!binary value is not base64", where=self._at(event)) from None
        value = self._resolved(text, event)
        if tag == _TAG + "float" and type(value) is int:
            return float(value)
        names = {bool: "bool", int: "int", float: "float", Timestamp: "timestamp", type(None): "null"}
        if tag != _TAG + names.get(type(value), "str"):
            raise Unsupported(f"a value carries the tag {tag.replace(_TAG, '!!')}, which is not what it reads as", where=self._at(event))
        return value

    def _resolved(self, text: str, event: Any) -> Leaf:  # noqa: ANN401 - ruamel's event
        try:
            return resolve(text)
        except Unsupported as problem:
            raise Unsupported(problem.problem, where=self._at(event)) from None

    def _refuse_tag(self, event: Any, expected: str) -> None:  # noqa: ANN401 - ruamel's event
        if event.tag and str(event.tag) not in {"!", _TAG + expected}:
            raise Unsupported(f"a collection carries the tag {event.tag}", where=self._at(event))

    def _at(self, event: Any) -> str:  # noqa: ANN401 - ruamel's event
        return f"{self._where}:{event.start_mark.line + 1}"


def _copy(node: Any) -> Any:  # noqa: ANN401 - a node of any kind
    if isinstance(node, Branch):
        return Branch((key, _copy(value)) for key, value in node)
    if isinstance(node, list):
        return [_copy(item) for item in node]
    return node
