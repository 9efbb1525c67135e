"""What go-yaml v3 takes a plain scalar for.

Knows: that yes and no are text, 0777 is octal, 08 a float, 1:30 text, and a bare date a time.
Refuses: an integer of more than 63 bits, which sops refuses too.

Specification: `resolve.go` of go.yaml.in/yaml v3.0.4, Go's strconv.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cleanroom.sops.errors import Unsupported
from cleanroom.sops.tree import INT_MAX, INT_MIN, Leaf, Timestamp

_CONSTANTS: Mapping[str, Leaf] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INT = r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))"
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"


def resolve(text: str) -> Leaf:
    """What go-yaml v3 makes of a plain (unquoted) scalar; raises `Unsupported` for an integer that sops cannot carry."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] == ".":
        return _float(text) if re.fullmatch(_FLOAT, text) else text
    if text[0] not in "+-0123456789":
        return text
    moment = Timestamp.parse(text)
    if moment is not None:
        return moment
    plain = text.replace("_", "")
    match = re.fullmatch(_INT, plain)
    if match is not None:
        return _int(match, text)
    return _float(text, plain) if re.fullmatch(_FLOAT, plain) else text


def _int(match: re.Match[str], text: str) -> Leaf:
    sign, hexadecimal, binary, octal, decimal = match.groups()
    digits, base = next((digits, base) for digits, base in ((hexadecimal, 16), (binary, 2), (octal, 8), (decimal, 10)) if digits is not None)
    value = int(sign + digits, base)
    if INT_MIN <= value <= INT_MAX:
        return value
    if 0 <= value < 2**64 and not sign:
        raise Unsupported("an integer of more than 63 bits stands in clear, which sops itself cannot read")
    return _float(text, match[0]) if re.fullmatch(_FLOAT, match[0]) else text


def _float(text: str, plain: str | None = None) -> Leaf:
    """The float, or the text itself where Go finds it out of range."""
    value = float(text if plain is None else plain)
    return text if value in {float("inf"), float("-inf")} else value
