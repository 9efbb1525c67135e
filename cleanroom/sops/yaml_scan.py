"""The part of YAML that sops writes, read line by line: fast enough for every run, and with each comment in its place.

Knows: block mappings and lists, one-line scalars, literal blocks, comments, several documents.
Refuses: nothing. Whatever lies outside that part is left to the full parser: `scan` answers None.

Comments are given to the mapping or list in which go-yaml v3 would put them: one above an entry to that entry's collection, a deeper one to the
collection that ends there. Where go-yaml's own rules are finer than that, the result is marked doubtful.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn, TypeAlias

from cleanroom.sops.tree import Branch, Comment, Leaf
from cleanroom.sops.yaml_types import resolve

_KEY = re.compile(r"""([A-Za-z0-9_][A-Za-z0-9_.$/@+=-]*(?: [A-Za-z0-9_.$/@+=-]+)*|"(?:[^"\\]|\\.)*"|'[^']*'):(?: +|$)""")
_QUOTED = r'"((?:[^"\\]|\\.)*)"(?: +#(.*))?'
_SINGLE = r"'((?:[^']|'')*)'(?: +#(.*))?"
_ESCAPE = r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))"
_SIMPLE_ESCAPES = dict(zip('0abtnvfre "/\\N_LP', '\0\a\b\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))
_BLOCK = r"\|([1-9]?)(-?)"
_NOT_PLAIN = frozenset("[]{}&*!|>'\"%@`,?#")
_COLLECTIONS = {"{}": Branch, "[]": list}

#: Documents, and whether a comment stands where its collection is a matter of go-yaml's finer rules.
Scanned: TypeAlias = tuple[list[Branch], bool]


class _Entry:
    """A comment, a dash, a key or a bare scalar.

    `text` is the comment's or key's text, `rest` what follows on its line, `block` the literal block below it.
    """

    __slots__ = ("block", "column", "kind", "rest", "text")

    def __init__(self, kind: str, column: int, text: str = "", rest: str = "") -> None:
        self.kind = kind
        self.column = column
        self.text = text
        self.rest = rest
        self.block: str | None = None


class _Beyond(Exception):
    """The file uses more of YAML than is read here."""


def scan(text: str) -> Scanned | None:
    """The documents of a YAML file, or None if it needs the full parser."""
    # Printable in Python's sense leaves out all that YAML forbids, and a few odd spaces more.
    if not text.replace("\n", "").isprintable():
        return None
    parts = text.removeprefix("---\n").split("\n---\n")
    try:
        readers = [_Reader(part.split("\n")) for part in parts]
        return [reader.document() for reader in readers], any(reader.doubtful for reader in readers)
    except _Beyond:
        return None


class _Reader:
    """One document."""

    def __init__(self, lines: list[str]) -> None:
        self.doubtful = False
        self._lines = lines
        self._entries: list[_Entry] = []
        self._at = 0
        number = 0
        while number < len(lines):
            number = self._take(number)

    def document(self) -> Branch:
        if self._content() is None:
            _beyond()
        branch = self._mapping(0)
        if self._content() is not None:
            _beyond()
        return branch

    # Lines to entries

    def _take(self, number: int) -> int:
        """Turn line `number` into entries, with the block below it if it opens one; returns the number of the next line."""
        line = self._lines[number]
        rest = line.lstrip(" ")
        column = len(line) - len(rest)
        if not rest or rest[0] == "#":
            if rest:
                self._entries.append(_Entry("comment", column, rest[1:]))
            return number + 1
        if not column and rest.startswith(("---", "...", "%")):
            _beyond()
        outer = -1
        while rest == "-" or rest.startswith("- "):
            after = rest[1:].lstrip(" ")
            self._entries.append(_Entry("dash", column))
            column, outer = column + len(rest) - len(after), column
            rest = after
            if not rest:
                return number + 1
        match = _KEY.match(rest)
        if match is not None:
            outer = column
            rest = rest[match.end() :]
            self._entries.append(_Entry("key", column, _key(match[1]), rest))
        else:
            if outer < 0 or rest[0] == "#":
                _beyond()
            self._entries.append(_Entry("scalar", column, "", rest))
        opening = re.fullmatch(_BLOCK, rest) if rest.startswith("|") else None
        return self._literal(number, outer, opening) if opening else number + 1

    def _literal(self, opened: int, outer: int, opening: re.Match[str]) -> int:
        """A literal block below line `opened`, which becomes the value of the last entry; returns the number of the first line after it."""
        number = opened + 1
        indent = outer + int(opening[1]) if opening[1] else 0
        body: list[str] = []
        for line in self._lines[number:]:
            spaces = len(line) - len(line.lstrip(" "))
            if line and spaces <= outer:
                break
            indent = indent or spaces
            if line and (spaces < indent or spaces == len(line)):
                _beyond()
            body.append(line[indent:])
        number += len(body)
        while body and not body[-1]:
            body.pop()
        if not body or not body[0] or number == len(self._lines):
            _beyond()
        self._entries[-1].block = "\n".join(body) + ("" if opening[2] else "\n")
        return number

    # Entries to nodes

    def _content(self) -> _Entry | None:
        """The next entry that is no comment."""
        for index in range(self._at, len(self._entries)):
            if self._entries[index].kind != "comment":
                return self._entries[index]
        return None

    def _next(self) -> _Entry:
        self._at += 1
        return self._entries[self._at - 1]

    def _comes(self, kind: str) -> bool:
        return self._at < len(self._entries) and self._entries[self._at].kind == kind

    def _mapping(self, column: int) -> Branch:
        branch = Branch()
        seen = set()
        while True:
            goes_on, comments = self._approach("key", column)
            branch += [(comment, None) for comment in comments]
            if not goes_on:
                return branch
            entry = self._next()
            if entry.text in seen:
                _beyond()
            seen.add(entry.text)
            value, comment = self._value(entry)
            if comment is not None:
                branch.append((comment, None))
            branch.append((entry.text, value))

    def _sequence(self, column: int) -> list[Any]:
        items: list[Any] = []
        while True:
            goes_on, comments = self._approach("dash", column)
            items += comments
            if not goes_on:
                return items
            self._next()
            if self._comes("scalar"):
                value, comment = self._value(self._next())
                items += [value] if comment is None else [comment, value]
            else:
                self.doubtful |= self._comes("comment")
                items.append(self._below(column, dashes_too=False))

    def _approach(self, kind: str, column: int) -> tuple[bool, list[Comment]]:
        """Whether the next entry is one of the collection at `column`, and the comments before it, or else those at the collection's end."""
        if self._at < len(self._entries):
            entry = self._entries[self._at]
            if entry.kind == kind and entry.column == column:
                return True, []
        following = self._content()
        if following is not None and following.column > column:
            _beyond()
        ours = following is not None and following.column == column and following.kind == kind
        comments = []
        while self._comes("comment") and (ours or self._entries[self._at].column >= column):
            entry = self._next()
            self.doubtful |= entry.column != column
            comments.append(Comment(entry.text))
        return ours, comments

    def _value(self, entry: _Entry) -> tuple[Any, Comment | None]:
        """The value of a key or of a bare scalar, and the comment at its line's end."""
        if entry.block is not None:
            return entry.block, None
        rest = entry.rest.rstrip(" ")
        if rest and rest[0] != "#":
            return _scalar(rest)
        return self._below(entry.column, dashes_too=True), Comment(rest[1:]) if rest else None

    def _below(self, column: int, *, dashes_too: bool) -> Any:  # noqa: ANN401 - a node of any kind
        """The collection that follows, if it stands further in than `column`; a list may also stand level with the key it belongs to."""
        following = self._content()
        if following is None or following.column < column or (following.column == column and not (dashes_too and following.kind == "dash")):
            return None
        if following.kind == "key":
            return self._mapping(following.column)
        self.doubtful |= following.column == column and self._comes("comment")
        return self._sequence(following.column)


def _key(text: str) -> str:
    if text[0] == '"':
        return re.sub(_ESCAPE, _unescaped, text[1:-1])
    if text[0] == "'":
        return text[1:-1]
    if type(resolve(text)) is not str:
        _beyond()
    return text


def _scalar(rest: str) -> tuple[Leaf | Branch | list[Any], Comment | None]:
    """The value that stands in `rest`, and the comment behind it."""
    if rest[0] == '"':
        match = re.fullmatch(_QUOTED, rest)
        value: Any = re.sub(_ESCAPE, _unescaped, match[1]) if match else None
    elif rest[0] == "'":
        match = re.fullmatch(_SINGLE, rest)
        value = match[1].replace("''", "'") if match else None
    else:
        return _plain(rest)
    if match is None:
        _beyond()
    return value, None if match[2] is None else Comment(match[2])


def _plain(rest: str) -> tuple[Leaf | Branch | list[Any], Comment | None]:
    if rest.startswith("ENC[") and " " not in rest and rest[-1] == "]":
        return rest, None
    text, mark, comment = rest.partition(" #")
    text = text.rstrip(" ")
    if text in _COLLECTIONS and not mark:
        return _COLLECTIONS[text](), None
    if text[0] in _NOT_PLAIN or ": " in text or text[-1] == ":" or text.startswith("- ") or text == "-":
        _beyond()
    return resolve(text), Comment(comment) if mark else None


def _unescaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        if match[4] not in _SIMPLE_ESCAPES:
            _beyond()
        return _SIMPLE_ESCAPES[match[4]]
    code = int(digits, 16)
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:  # noqa: PLR2004 - surrogates and the end of Unicode
        _beyond()
    return chr(code)


def _beyond() -> NoReturn:
    raise _Beyond
