"""Nix as text: what of a file is a comment, and which literal attributes it binds, without evaluating anything.

Knows: the lexical rules of Nix - both kinds of strings with their escapes, interpolation to any depth, both kinds of comments - and where a
binding ends.
Refuses: to guess at what is computed: a value that is no literal is its text, and nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_CODE = re.compile(r"\s+|#[^\n]*|/\*.*?(?:\*/|\Z)|\"|''|[A-Za-z_][\w'-]*|\$\{|.", re.DOTALL)
#: In a string: an escape, the beginning of an interpolation, the end, or any other character.
_IN_STRING = re.compile(r"\\.|\$\$|\$\{|\"|.", re.DOTALL)
_IN_INDENTED = re.compile(r"'''|''\\.|''\$|\$\$|\$\{|''|.", re.DOTALL)
_OPENING, _CLOSING = frozenset({"{", "${", "(", "[", "let"}), frozenset({"}", ")", "]", "in"})


class Token(NamedTuple):
    """A piece of a Nix file. `kind` is `space`, `comment`, `string` (whole, with what is interpolated) or `code`."""

    kind: str
    start: int
    text: str


def tokens(text: str) -> Iterator[Token]:
    """The pieces of a file in order; together they are the file. What stands inside an interpolation is part of its string."""
    at = 0
    while at < len(text):
        word = _word(text, at)
        if word in {'"', "''"}:
            end = _string_end(text, at)
            yield Token("string", at, text[at:end])
            at = end
            continue
        kind = "comment" if word.startswith(("#", "/*")) else "space" if word.isspace() else "code"
        yield Token(kind, at, word)
        at += len(word)


def without_comments(text: str) -> str:
    """The same text with comments blanked, so that offsets and lines stay true."""
    return "".join(re.sub(r"[^\n]", " ", token.text) if token.kind == "comment" else token.text for token in tokens(text))


def bindings(text: str, top: str) -> Mapping[tuple[str, ...], str]:
    """What a file that is one attribute set binds under the attribute `top`, as deep as sets are written out: attribute path to the value's text."""
    words = [token.text for token in tokens(text) if token.kind not in {"space", "comment"} and token.text != "rec"]
    found: dict[tuple[str, ...], str] = {}
    if words[:1] == ["{"]:
        _set(words, 1, (), top, found)
    return found


def literal(value: str) -> str | None:
    """The text that a value is, if it is a plain string without escapes or interpolation, or a bare URL; otherwise None."""
    if re.fullmatch(r'"[^"\\$]*"', value):
        return value[1:-1]
    return value if re.fullmatch(r"[A-Za-z][\w+.-]*:[^\s\"'$]+", value) else None


def _set(words: list[str], at: int, prefix: tuple[str, ...], top: str, found: dict[tuple[str, ...], str]) -> int:
    """Read a set's bindings from behind its brace; returns where it has ended."""
    while at < len(words) and words[at] != "}":
        end = _end_of_binding(words, at)
        binding = words[at:end]
        if "=" in binding:
            equals = binding.index("=")
            path = (*prefix, *(word.strip('"') for word in binding[:equals] if word != "."))
            value = binding[equals + 1 :]
            if path[:1] == (top,) and value[:1] == ["{"] and value[-1:] == ["}"]:
                _set(value, 1, path, top, found)
            elif path[:1] == (top,):
                found[path] = "".join(value)
        at = end + 1
    return at


def _end_of_binding(words: list[str], at: int) -> int:
    """Where the semicolon stands that ends the binding at `at`: not one of a set, a `let`, a `with` or an `assert` inside it."""
    depth = inner = 0
    while at < len(words):
        word = words[at]
        depth += (word in _OPENING) - (word in _CLOSING)
        inner += word in {"with", "assert"} and depth == 0
        if word == ";" and depth == 0:
            if not inner:
                return at
            inner -= 1
        at += 1
    return at


def _word(text: str, at: int) -> str:
    match = _CODE.match(text, at)
    return match[0] if match else text[at]


def _string_end(text: str, at: int) -> int:
    """Where the string that begins at `at` has ended; an unfinished one ends with the file."""
    mark = '"' if text[at] == '"' else "''"
    inside = _IN_STRING if mark == '"' else _IN_INDENTED
    at += len(mark)
    while match := inside.match(text, at):
        at = match.end()
        if match[0] == mark:
            return at
        if match[0] == "${":
            at = _interpolation_end(text, at)
    return len(text)


def _interpolation_end(text: str, at: int) -> int:
    depth = 1
    while at < len(text) and depth:
        word = _word(text, at)
        depth += (word in {"{", "${"}) - (word == "}")
        at = _string_end(text, at) if word in {'"', "''"} else at + len(word)
    return at
