"""JSON as sops reads and writes it; binary files are a JSON envelope around one value.

Knows: Go's numbers (an integer that fits 64 bits stays one, anything else is a float) and Go's repair of broken surrogates.
Refuses: what is not an object at the top, two keys of one name, anything after the object's end, and comments, which JSON has not.

Specification: `stores/json/store.go` of getsops/sops 3.13.2.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from cleanroom.sops.errors import Malformed, Truncated, Unsupported
from cleanroom.sops.metadata import Loaded, Metadata, embed, extract
from cleanroom.sops.tree import INT_MAX, INT_MIN, Branch, Comment

_SURROGATES = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 20


def load(data: bytes, *, where: str) -> Loaded:
    """A sops file; raises `Malformed` or `Truncated`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("the file is not UTF-8 text", where=where) from None
    try:
        document = json.loads(text, object_pairs_hook=_branch, parse_int=_int, parse_float=_float, parse_constant=_constant)
    except json.JSONDecodeError as problem:
        cut = problem.pos >= len(text.rstrip()) or problem.msg.startswith("Unterminated string")
        error = Truncated if cut else Malformed
        raise error(f"the file is not JSON: {problem.msg}", where=f"{where}:{problem.lineno}") from None
    except Malformed as problem:
        raise Malformed(problem.problem, where=where) from None
    if not isinstance(document, Branch):
        raise Malformed("the file is not a JSON object", where=where)
    return extract([document], where=where)


def dump(documents: list[Branch], metadata: Metadata) -> bytes:
    """A sops file, indented with tabs as sops does; raises `Unsupported` for what JSON cannot carry."""
    [document] = embed(documents, metadata)
    return json.dumps(_plain(document), indent="\t", ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _branch(pairs: list[tuple[str, Any]]) -> Branch:
    names = [_repaired(key) for key, _value in pairs]
    if len(set(names)) < len(names):
        raise Malformed("a key stands twice in one object")
    return Branch(zip(names, (_value(value) for _key, value in pairs), strict=True))


def _value(value: Any) -> Any:  # noqa: ANN401 - JSON data, whatever its shape
    if isinstance(value, str):
        return _repaired(value)
    if isinstance(value, list) and not isinstance(value, Branch):
        return [_value(item) for item in value]
    return value


def _repaired(text: str) -> str:
    """Half a surrogate pair is a replacement character to Go."""
    return _SURROGATES.sub("\ufffd", text)


def _int(digits: str) -> int | float:
    if len(digits) <= _MAX_DIGITS and INT_MIN <= int(digits) <= INT_MAX:
        return int(digits)
    return _float(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Malformed("a number is out of range")
    return value


def _constant(name: str) -> float:
    raise Malformed(f"{name} is no JSON")


def _plain(node: Any) -> Any:  # noqa: ANN401 - a node of any kind
    match node:
        case Branch():
            if any(isinstance(key, Comment) for key, _value in node):
                raise Unsupported("JSON has no comments")
            return {key: _plain(value) for key, value in node}
        case list():
            return [_plain(item) for item in node]
        case Comment():
            raise Unsupported("JSON has no comments")
        case bytes():
            raise Unsupported("bytes that are no text can only stand encrypted")
        case float() if not math.isfinite(node):
            raise Unsupported("JSON has no number for infinity, nor for what is none")
        case _:
            return node
