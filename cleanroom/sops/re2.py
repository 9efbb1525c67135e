r"""Go's regular expressions (RE2) through Python's engine, as far as both mean the same.

Knows: the constructs that both share, and those that only need another spelling (`$`, `\z`, `\s`, flags at the start).
Refuses: everything else by name - look-around, back-references, possessive repeats, Unicode classes - rather than match something else than sops did.

Specification: https://github.com/google/re2/wiki/Syntax, Go's regexp/syntax.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cleanroom.sops.errors import Unsupported

_ESCAPES = {**{letter: "\\" + letter for letter in "aftnrvdDwWbBA"}, "z": r"\Z", "s": r"[\t\n\f\r ]", "S": r"[^\t\n\f\r ]"}
_IN_CLASS = {**{letter: "\\" + letter for letter in "aftnrvdDwW"}, "s": r"\t\n\f\r "}
_GROUPS = re.compile(r"\(\?(?::|i:|s:|is:|si:|P?<(?P<name>[A-Za-z_]\w*)>)", re.ASCII)
_LEADING_FLAGS = re.compile(r"\(\?([is]+)\)")
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_REPEAT_LIMIT = 1000


@lru_cache(maxsize=256)
def compile_re2(pattern: str) -> re.Pattern[str]:
    """`pattern` for use with `search`; raises `Unsupported` where Go and Python differ, or where Go itself would refuse it."""
    flags = re.ASCII
    start = 0
    leading = _LEADING_FLAGS.match(pattern)
    if leading:
        start = leading.end()
        flags |= re.IGNORECASE if "i" in leading[1] else re.ASCII
        flags |= re.DOTALL if "s" in leading[1] else re.ASCII
    if not pattern.isascii() and "(?" in pattern:
        raise _refused(pattern, "flags together with letters beyond ASCII")
    try:
        return re.compile(_translated(pattern, start), flags)
    except re.error:
        raise _refused(pattern, "it is not a valid expression") from None


def _translated(pattern: str, at: int) -> str:
    out: list[str] = []
    repeatable = False
    while at < len(pattern):
        piece, length, now_repeatable = _piece(pattern, at)
        if not now_repeatable and piece[:1] in set("*+?{") and not repeatable:
            raise _refused(pattern, "a repeat of a repeat, or of nothing")
        out.append(piece)
        at += length
        repeatable = now_repeatable
    return "".join(out)


def _piece(pattern: str, at: int) -> tuple[str, int, bool]:
    """One element at `at`: its Python spelling, its length in the pattern, and whether a repeat may follow it."""
    match pattern[at]:
        case "\\":
            return _escape(pattern, at, _ESCAPES), _escape_length(pattern, at), True
        case "[":
            return *_class(pattern, at), True
        case "(":
            return *_group(pattern, at), False
        case "$":
            return r"\Z", 1, True
        case "*" | "+" | "?" as sign:
            lazy = pattern[at + 1 : at + 2] == "?"
            return sign + ("?" if lazy else ""), 2 if lazy else 1, False
        case "{":
            return *_repeat(pattern, at), False
        case "|":
            return "|", 1, False
        case "}" | "]" as literal:
            return "\\" + literal, 1, True
        case other:
            return other, 1, True


def _escape_length(pattern: str, at: int) -> int:
    return 4 if pattern[at + 1 : at + 2] == "x" else 2


def _escape(pattern: str, at: int, known: dict[str, str]) -> str:
    letter = pattern[at + 1 : at + 2]
    if letter == "x" and re.fullmatch(r"[0-7][0-9A-Fa-f]", pattern[at + 2 : at + 4]):
        return pattern[at : at + 4]
    if letter in known and letter:
        return known[letter]
    if letter and letter.isascii() and not letter.isalnum():
        return re.escape(letter)
    raise _refused(pattern, f"the escape \\{letter}")


def _class(pattern: str, start: int) -> tuple[str, int]:
    """A bracket expression, its inner signs escaped so that Python sees no set operation in them."""
    at = start + 1
    out = ["["]
    if pattern[at : at + 1] == "^":
        out.append("^")
        at += 1
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        if pattern[at] == "[" and pattern[at + 1 : at + 2] == ":":
            raise _refused(pattern, "a named class such as [:alpha:]")
        if pattern[at] == "\\":
            out.append(_escape(pattern, at, _IN_CLASS))
            at += _escape_length(pattern, at)
            continue
        # A hyphen keeps its meaning; everything else that Python might join into an operator does not.
        out.append(pattern[at] if pattern[at] == "-" or pattern[at].isalnum() else re.escape(pattern[at]))
        at += 1
    if at >= len(pattern):
        raise _refused(pattern, "a bracket that is not closed")
    if "--" in pattern[start:at]:
        raise _refused(pattern, "two hyphens in a class")
    return "".join(out) + "]", at + 1 - start


def _group(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at + 1 : at + 2] != "?":
        return "(", 1
    match = _GROUPS.match(pattern, at)
    if match is None:
        raise _refused(pattern, f"the group {pattern[at : at + 4]}")
    return (f"(?P<{match['name']}>" if match["name"] else match[0]), len(match[0])


def _repeat(pattern: str, at: int) -> tuple[str, int]:
    match = _REPEAT.match(pattern, at)
    if match is None:
        return r"\{", 1
    if max(int(match[1]), int(match[3] or 0)) > _REPEAT_LIMIT:
        raise _refused(pattern, f"a repeat of more than {_REPEAT_LIMIT}")
    lazy = pattern[match.end() : match.end() + 1] == "?"
    return match[0] + ("?" if lazy else ""), len(match[0]) + lazy


def _refused(pattern: str, what: str) -> Unsupported:
    return Unsupported(f"the regular expression {pattern!r} cannot be taken over from Go: {what}", advice="write it without that")
