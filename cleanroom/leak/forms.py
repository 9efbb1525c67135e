"""The guises in which a secret value can lie about.

Knows: base64 (RFC 4648) at each of its three alignments, base64url, base64 twice, hex in both cases, URL, JSON, HTML, shell, YAML and unit-file
escapes, UTF-16 - and how base64 and hex look when somebody folded their lines.
Refuses: nothing; what is not worth searching for was left out before (leak_parts.py).

Not known, hence not found: what was encrypted, or compressed and then encoded as text; hex in mixed case or with separators; two escapes at once.
"""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator

from cleanroom.leak.parts import Part, is_telling

#: Bytes of the longest literal. A longer form is searched for by its middle: heads and tails (labels, JWT headers) are what strangers share.
LONGEST = 256
#: Columns below which nobody folds encoded text (PEM 64, MIME and base64(1) 76, xxd 60): in so many characters there is one line end at most.
_NARROWEST = 48
_LINE_ENDS = (b"\n", b"\r\n", b"\\n")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_BYTE, _SEXTET, _NIBBLE = 8, 6, 4


def literals(part: Part) -> dict[bytes, str]:
    """Every literal to search for, with the name of its form; where two forms agree, the plainer one names it."""
    found: dict[bytes, str] = {}
    for form, literal in _forms(part.value):
        found.setdefault(_middle(literal, LONGEST), form)
    return found


def _forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", value
    yield from _base64(value)
    for digits in (value.hex(), value.hex().upper()):
        for literal in _folded(digits.encode(), _under(value, _NIBBLE)):
            yield "hex", literal
    for form in _url(value):
        yield "URL", form
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    for name, escaped in _escaped(text):
        yield name, escaped.encode()
    yield "UTF-16LE", text.encode("utf-16-le")
    yield "UTF-16BE", text.encode("utf-16-be")


def _base64(value: bytes) -> Iterator[tuple[str, bytes]]:
    for alignment in range(3):
        form = base64_inside(value, alignment)
        for literal in _folded(form, _under(value, _SEXTET, before=alignment)):
            yield f"base64 (alignment {alignment})", literal
            yield f"base64url (alignment {alignment})", literal.translate(_URL_SAFE)
        for outer in range(3):
            yield "base64 twice", base64_inside(form, outer)


def base64_inside(value: bytes, alignment: int) -> bytes:
    """The characters that `value` alone decides when it stands `alignment` bytes (modulo 3) into base64-encoded data."""
    encoded = base64.b64encode(bytes(alignment) + value)
    return encoded[-(-_BYTE * alignment // _SEXTET) : _BYTE * (alignment + len(value)) // _SEXTET]


def _under(value: bytes, width: int, *, before: int = 0) -> Callable[[int, int], bytes]:
    """Which bytes of `value` the characters from one up to another hold, encoded with `width` bits a character, `before` bytes into the data."""
    skipped = -(-_BYTE * before // width)

    def bytes_of(first: int, last: int) -> bytes:
        return value[-(-width * (skipped + first) // _BYTE) - before : width * (skipped + last) // _BYTE - before]

    return bytes_of


def _folded(form: bytes, under: Callable[[int, int], bytes]) -> Iterator[bytes]:
    """Literals of which at least one is found wherever line ends were put into `form`.

    A line end breaks one half of a window at most, and any indentation may then follow it. Where half a window would be too little to tell from
    chance, the window is searched for with a line end at each place it can have.
    """
    length = min(len(form), _NARROWEST)
    first = (len(form) - length) // 2
    middle, last = first + length // 2, first + length
    if is_telling(under(first, middle)) and is_telling(under(middle, last)):
        yield from (form[first:middle], form[middle:last])
        return
    yield form[first:last]
    for place in range(first + 1, last):
        yield from (form[first:place] + end + form[place:last] for end in _LINE_ENDS)


def _url(value: bytes) -> Iterator[bytes]:
    """Percent-encoding (RFC 3986) as libraries write it - everything, paths, JavaScript's components, forms - and with the escapes in lower case."""
    for quoted in (
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote(value, safe="/"),
        urllib.parse.quote(value, safe="!'()*"),
        urllib.parse.quote_plus(value),
    ):
        yield quoted.encode()
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted).encode()


def _escaped(text: str) -> Iterator[tuple[str, str]]:
    for plain in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield "JSON", plain
        yield "JSON", plain.replace("/", "\\/")
        # Go's encoding/json keeps HTML safe, and Docker speaks it.
        yield "JSON", plain.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    for quoted in (html.escape(text), html.escape(text, quote=False), html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")):
        yield "HTML", quoted
        yield "HTML", quoted.replace("\n", "&#10;")
    yield "shell quotes", text.replace("'", "'\\''")
    yield "doubled quotes", text.replace("'", "''")
    yield "doubled percent signs", text.replace("%", "%%")
    yield "doubled dollar signs", text.replace("$", "$$")


def _middle(data: bytes, length: int) -> bytes:
    start = max(0, (len(data) - length) // 2)
    return data[start : start + length]
