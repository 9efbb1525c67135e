"""The writer that no secret passes.

Knows: the secret values of this process, by name, in the encodings that a log could show them in.
Refuses: to show one - in a repr, a log line, a report, a ledger event.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from typing import Any

#: Shorter values would redact ordinary words; the leak search lists them as "not checked" for the same reason.
SHORTEST = 6


class Secret:
    """Bytes that never show themselves: `repr` and `str` are `***`. Read them with `reveal()`, as late as possible."""

    __slots__ = ("_value", "name")

    def __init__(self, value: bytes | str, *, name: str) -> None:
        self._value = value.encode() if isinstance(value, str) else bytes(value)
        self.name = name

    def reveal(self) -> bytes:
        return self._value

    def text(self) -> str:
        """The value as UTF-8 text; raises `UnicodeDecodeError` if it is none."""
        return self._value.decode()

    def __repr__(self) -> str:
        return f"Secret({self.name}, ***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __len__(self) -> int:
        return len(self._value)


class Redactor:
    """Replaces every registered value by `[secret NAME]`, in text and in nested data. Safe to use from several threads."""

    def __init__(self) -> None:
        self._needles: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, secret: Secret) -> None:
        """Register a value in its raw, JSON-escaped, URL, base64 and hex forms, and line by line where it has lines."""
        forms = set()
        for value in {secret.reveal(), secret.reveal().strip(), *secret.reveal().splitlines()}:
            if len(value) >= SHORTEST and not value.startswith(b"-----"):
                forms |= _forms(value)
        with self._lock:
            merged = {**self._needles, **{form: f"[secret {secret.name}]" for form in forms if len(form) >= SHORTEST}}
            self._needles = dict(sorted(merged.items(), key=lambda item: -len(item[0])))

    def clean(self, text: str) -> str:
        """`text` with every registered value replaced."""
        for needle, mask in self._needles.items():
            if needle in text:
                text = text.replace(needle, mask)
        return text

    def clean_data(self, data: Any) -> Any:  # noqa: ANN401 - JSON data, whatever its shape
        """The same for JSON-like data: keys and values, at every depth."""
        match data:
            case Secret():
                return repr(data)
            case str():
                return self.clean(data)
            case bytes():
                return self.clean(data.decode(errors="backslashreplace"))
            case dict():
                return {self.clean(str(key)): self.clean_data(value) for key, value in data.items()}
            case list() | tuple() | set() | frozenset():
                return [self.clean_data(item) for item in data]
            case None | bool() | int() | float():
                return data
            case _:
                return self.clean(str(data))


def _forms(value: bytes) -> set[str]:
    forms = {value.decode(errors="backslashreplace"), base64.b64encode(value).decode().rstrip("="), value.hex(), value.hex().upper()}
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return forms
    return forms | {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], urllib.parse.quote(text, safe="")}
