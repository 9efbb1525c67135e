"""YAML that go-yaml reads back exactly.

Knows: which texts may stand plain; every other is written double-quoted.
Refuses: bytes in clear that are no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cleanroom.sops.errors import Unsupported
from cleanroom.sops.metadata import Metadata, embed
from cleanroom.sops.tree import Branch, Comment, Leaf, Timestamp, show_float

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./@+=-]| (?=[A-Za-z0-9_./@+=]))*")
_SEALED = re.compile(r"ENC\[AES256_GCM,[A-Za-z0-9+/=,:_]*\]")
_WORDS = {"y", "yes", "n", "no", "on", "off", "true", "false", "null"}
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def dump(documents: list[Branch], metadata: Metadata) -> bytes:
    """A sops file, indented by four as sops does."""
    return "---\n".join("".join(_branch_lines(document, 0)) for document in embed(documents, metadata)).encode()


def _branch_lines(branch: Branch, depth: int) -> Iterator[str]:
    indent = "    " * depth
    for key, value in branch:
        if isinstance(key, Comment):
            yield f"{indent}#{key.text}\n"
        else:
            yield f"{indent}{_text(key)}:"
            yield from _value_lines(value, depth)


def _value_lines(value: Any, depth: int) -> Iterator[str]:  # noqa: ANN401 - a node of any kind
    """What follows `key:` or `-`, from the space to the line's end and, for collections, the lines below."""
    if isinstance(value, list) and not value:
        yield " {}\n" if isinstance(value, Branch) else " []\n"
        return
    if isinstance(value, Branch):
        yield "\n"
        yield from _branch_lines(value, depth + 1)
    elif isinstance(value, list):
        yield "\n"
        indent = "    " * (depth + 1)
        for item in value:
            if isinstance(item, Comment):
                yield f"{indent}#{item.text}\n"
            else:
                yield f"{indent}-"
                yield from _value_lines(item, depth + 1)
    elif isinstance(value, str) and value.endswith("\n") and value.startswith("-----BEGIN AGE"):
        yield " |\n"
        yield from (f"{'    ' * (depth + 1)}{line}\n" for line in value.splitlines())
    else:
        yield f" {_scalar(value)}\n"


def _scalar(value: Leaf) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Timestamp():
            return str(value)
        case str():
            return _text(value)
        case int():
            return str(value)
        case float():
            return _float_text(value)
        case _:
            raise Unsupported("bytes that are no text can only stand encrypted")


def _float_text(value: float) -> str:
    special = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}
    text = show_float(value)
    return special.get(text) or (text if "." in text else text + ".0")


def _text(text: str) -> str:
    if _SEALED.fullmatch(text) or (_PLAIN.fullmatch(text) and text.lower() not in _WORDS):
        return text
    return '"' + "".join(map(_character, text)) + '"'


def _character(one: str) -> str:
    if one in _ESCAPED:
        return _ESCAPED[one]
    if one.isprintable() and one != "\ufeff":
        return one
    code = ord(one)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - widths of escapes
