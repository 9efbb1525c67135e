"""Writing a sops file that sops itself opens.

Knows: plain Python data, the five forms, and what each of them cannot carry.
Refuses: to return a file that does not read back as it was meant, or one that sops could not verify.

Specification: `sops.go` (Tree.Encrypt) of getsops/sops 3.13.2.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cleanroom.errors import BadInput
from cleanroom.sops import file as sops_file
from cleanroom.sops import metadata as sops_metadata
from cleanroom.sops.cipher import Cipher
from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.sops.file import Form
from cleanroom.sops.keys import DATA_KEY_BYTES, wrap
from cleanroom.sops.metadata import Metadata
from cleanroom.sops.open import finished, mac_digest, open_file
from cleanroom.sops.rules import Rules
from cleanroom.sops.tree import INT_MAX, INT_MIN, Branch, Comment, Timestamp, kind_of, plain_bytes, spots

_WHERE = "new sops file"


def encrypt(documents: Sequence[Mapping[Any, Any]], *, recipients: Sequence[str], form: Form, rules: Rules, at: datetime.datetime) -> bytes:
    """See `vault.encrypt`."""
    if not recipients:
        raise BadInput("a sops file needs at least one recipient")
    branches = [from_python(document, where=_WHERE) for document in documents]
    meant = _content(branches)
    data_key = os.urandom(DATA_KEY_BYTES)
    metadata = Metadata(
        copies=tuple((recipient, wrap(data_key, recipient)) for recipient in dict.fromkeys(recipients)),
        foreign=(),
        groups=1,
        threshold=0,
        lastmodified=at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        mac="",
        version=sops_metadata.VERSION,
        rules=rules,
    )
    data = sops_file.emit(branches, metadata._replace(mac=_seal(branches, metadata, data_key)), form)
    # What was written is read back before anyone relies on it: a form that cannot carry a value must say so now, not when the value is needed.
    opened = open_file(sops_file.parse(data, form, where=_WHERE), data_key, where=_WHERE)
    if meant != {name: (kind, opened.values[name].reveal() if name in opened.values else b"") for name, kind in opened.types.items()}:
        raise Unsupported(f"a {form.value} file cannot carry these values: they would not read back as they are")
    return data


def from_python(data: Any, *, where: str) -> Any:  # noqa: ANN401 - any plain data in, a node of the same shape out
    """Plain Python data (mappings, sequences, scalars, aware datetimes, `Comment`) as a document; raises `Malformed` naming the place."""
    match data:
        case None | bool() | float() | str() | bytes():
            return data
        case int() if INT_MIN <= data <= INT_MAX:
            return data
        case Comment() if data.text.isprintable():
            return data
        case datetime.datetime() if data.tzinfo is not None:
            moment = Timestamp.parse(data.isoformat())
            if moment is not None:
                return moment
        case Mapping():
            return Branch(_ended([_pair(key, value, where=where) for key, value in data.items()], where=where))
        case Sequence():
            return _ended([from_python(item, where=f"{where}/{number}") for number, item in enumerate(data)], where=where)
    seen = {int: "an integer of more than 64 bits", Comment: "a comment that is not one printable line"}.get(type(data), f"a {type(data).__name__}")
    raise Malformed(f"sops cannot carry {seen}", where=where)


def _ended(items: list[Any], *, where: str) -> list[Any]:
    """The items of a collection, unless they end with a comment: it would have nothing to stand above."""
    last = items[-1][0] if items and isinstance(items[-1], tuple) else items[-1] if items else None
    if isinstance(last, Comment):
        raise Malformed("a comment stands at the end of a collection, with nothing below it", where=where)
    return items


def _pair(key: object, value: object, *, where: str) -> tuple[str | Comment, Any]:
    if isinstance(key, Comment):
        return from_python(key, where=where), None
    if not isinstance(key, str):
        raise Malformed("a key is not text", where=where)
    return key, from_python(value, where=f"{where}/{key}")


def _seal(documents: list[Branch], metadata: Metadata, data_key: bytes) -> str:
    """Encrypt the documents in place; returns the MAC of what they held, encrypted too."""
    cipher = Cipher(data_key)
    digest = mac_digest(metadata.rules)
    for spot in spots(documents):
        encrypted = metadata.rules.wants_encrypted(spot)
        if not spot.is_comment and (encrypted or not metadata.rules.mac_only_encrypted):
            digest.update(plain_bytes(spot.value))
        if not encrypted or spot.value is None:
            continue
        if spot.is_comment and not isinstance(spot.holder, Branch):
            raise Unsupported("a comment inside a list would be encrypted: sops (3.13 at least) cannot verify such a file", where=_WHERE)
        sealed = cipher.seal(spot.value, spot.aad)
        if spot.is_comment and not metadata.rules.wants_encrypted(spot._replace(above=(*spot.above[:-1], sealed))):
            raise Unsupported(f"an encrypted comment matches {metadata.rules.pattern!r} by chance: choose an expression that none can match")
        spot.put(Comment(sealed) if spot.is_comment else sealed)
    return cipher.seal(finished(digest), metadata.lastmodified.encode())


def _content(documents: list[Branch]) -> dict[str, tuple[str, bytes]]:
    """Type and bytes of every leaf by its name."""
    return {spot.name: (kind_of(spot.value), plain_bytes(spot.value)) for spot in spots(documents) if not spot.is_comment}
