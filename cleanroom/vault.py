"""sops files, format version 3: read, decrypted, verified and written without the sops program.

Knows: YAML, JSON, dotenv, INI and binary files for age recipients; which of their values are encrypted, under which name, for whom.
Refuses: a file whose MAC does not verify - there is no way to read one here - and to show a value in a text or a repr.

Specification: getsops/sops 3.13.2; docs/decisions.md says where this reader is stricter.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cleanroom import sops_file, sops_metadata
from cleanroom.errors import BadInput
from cleanroom.redact import Secret
from cleanroom.sops_cipher import Cipher, InvalidTag, is_sealed, looks_sealed
from cleanroom.sops_config import CreationRule, creation_rules, recipients_for, rule_for
from cleanroom.sops_errors import (
    MacDamaged,
    MacMismatch,
    Unsupported,
    ValueInClear,
    ValueMoved,
    ValueTampered,
    VaultError,
)
from cleanroom.sops_file import File, Form
from cleanroom.sops_keys import DATA_KEY_BYTES, Identity, identity_of, load_identities, unwrap, wrap
from cleanroom.sops_metadata import Metadata
from cleanroom.sops_rules import Rules
from cleanroom.sops_tree import Branch, Comment, Spot, from_python, kind_of, plain_bytes

__all__ = [
    "Comment",
    "CreationRule",
    "Form",
    "Identity",
    "Opened",
    "Rules",
    "Sealed",
    "VaultError",
    "creation_rules",
    "encrypt",
    "identity_of",
    "inspect",
    "load_identities",
    "open_bytes",
    "read",
    "recipients_for",
    "rule_for",
]

_MAC_ONLY_SEED = hashlib.sha256(b"sops").digest()
_FINGERPRINT_DIGITS = 12


@dataclass(frozen=True)
class Sealed:
    """What anyone can see of a sops file without a key. Nothing here is verified: only opening the file does that.

    `encrypted`, `clear` and `empty` share out the names of all leaves: values that are encrypted as the file's rule wants, values that stand in clear
    (by the rule or against it), and empty texts and nulls, which sops never encrypts. `clear_comments` counts the comments in clear.
    """

    recipients: tuple[str, ...]
    foreign: tuple[str, ...]
    groups: int
    encrypted: tuple[str, ...]
    clear: tuple[str, ...]
    empty: tuple[str, ...]
    clear_comments: int
    rules: Rules
    lastmodified: str
    version: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.encrypted + self.clear + self.empty


@dataclass(frozen=True)
class Opened:
    """A sops file that was decrypted and whose MAC verified.

    `values` maps each name (keys and list indices, joined by `/`) to its plaintext bytes as sops hashes them, `types` each name to str, int, float,
    bool, bytes, time or null (a null has no value), `clear` holds the names that the file's rule leaves unencrypted.
    """

    values: Mapping[str, Secret]
    types: Mapping[str, str]
    clear: tuple[str, ...]
    comments: tuple[Secret, ...]
    recipients: tuple[str, ...]
    rules: Rules
    lastmodified: str
    version: str
    _data_key: Secret = field(repr=False)

    def fingerprint(self, name: str) -> str:
        """Twelve hex digits that change whenever the value changes, and say nothing to anyone who cannot open the file.

        HMAC-SHA256 under the file's data key over name and value: a plain hash of a short value could be guessed, and equal values would show.
        """
        message = name.encode() + b"\0" + self.values[name].reveal()
        return hmac.new(self._data_key.reveal(), message, hashlib.sha256).hexdigest()[:_FINGERPRINT_DIGITS]


def read(path: Path, *, identities: Sequence[Identity]) -> Opened:
    """Decrypt and verify the file at `path`; raises a `VaultError` whose `reason` says what is wrong, `BadInput` if it cannot be read at all."""
    return open_bytes(_bytes_of(path), Form.of(path), name=str(path), identities=identities)


def open_bytes(data: bytes, form: Form, *, name: str = "file", identities: Sequence[Identity]) -> Opened:
    """Decrypt and verify `data`; `name` is what errors call it. Raises like `read`."""
    file = sops_file.parse(data, form, where=name)
    sops_metadata.refuse_groups(file.metadata, where=name)
    return _open(file, unwrap(file.metadata.copies, identities, where=name), where=name)


def inspect(source: Path | bytes, *, form: Form | None = None, name: str = "") -> Sealed:
    """What can be seen of a sops file without a key: `source` is a path, or bytes with their `form`. Raises like `read`."""
    if isinstance(source, bytes):
        file = sops_file.parse(source, form or Form.of(name), where=name or "file")
    else:
        file = sops_file.parse(_bytes_of(source), form or Form.of(source), where=name or str(source))
    encrypted, clear, empty, clear_comments = [], [], [], 0
    for leaf, spot in file.leaves():
        sealed = is_sealed(spot.value.text if spot.is_comment else spot.value)
        if spot.is_comment:
            clear_comments += not sealed
        elif spot.value is None or spot.value == "":
            empty.append(leaf)
        elif sealed and file.metadata.rules.wants_encrypted(spot):
            encrypted.append(leaf)
        else:
            clear.append(leaf)
    metadata = file.metadata
    return Sealed(
        recipients=metadata.recipients,
        foreign=metadata.foreign,
        groups=metadata.groups,
        encrypted=tuple(encrypted),
        clear=tuple(clear),
        empty=tuple(empty),
        clear_comments=clear_comments,
        rules=metadata.rules,
        lastmodified=metadata.lastmodified,
        version=metadata.version,
    )


def encrypt(
    tree: Mapping[Any, Any],
    *,
    recipients: Sequence[str],
    form: Form = Form.YAML,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    further_documents: Sequence[Mapping[Any, Any]] = (),
    at: datetime.datetime | None = None,
) -> bytes:
    """A sops file of `tree` under a fresh data key, which `sops` itself opens.

    Leaves are str, int, float, bool, None, bytes and aware datetimes; a `Comment` may stand as a key (value None) or a list item. `at` is the time
    written into the file (default: now). Raises `BadInput` if there is no recipient, or `form` cannot carry the tree.
    """
    if not recipients:
        raise BadInput("a sops file needs at least one recipient")
    documents = [from_python(document, where="") for document in (tree, *further_documents)]
    data_key = os.urandom(DATA_KEY_BYTES)
    metadata = Metadata(
        copies=tuple((recipient, wrap(data_key, recipient)) for recipient in dict.fromkeys(recipients)),
        foreign=(),
        groups=1,
        threshold=0,
        lastmodified=(at or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        mac="",
        version=sops_metadata.VERSION,
        rules=rules,
    )
    meant = _content(documents)
    data = sops_file.emit(_seal(documents, metadata, data_key), form)
    # What was written is read back before anyone relies on it: a form that cannot carry a value must say so now, not when the value is needed.
    opened = _open(sops_file.parse(data, form, where="new file"), data_key, where="new file")
    if meant != {name: (kind, opened.values[name].reveal() if name in opened.values else b"") for name, kind in opened.types.items()}:
        raise Unsupported(f"a {form.value} file cannot carry these values: they would not read back as they are")
    return data


def _open(file: File, data_key: bytes, *, where: str) -> Opened:
    cipher = Cipher(data_key)
    digest = hashlib.sha512(_MAC_ONLY_SEED if file.metadata.rules.mac_only_encrypted else b"")
    values, types, clear, comments = {}, {}, [], []
    for name, spot in file.leaves():
        encrypted = file.metadata.rules.wants_encrypted(spot)
        if spot.is_comment:
            comments.append(Secret(_comment(spot, cipher) if encrypted else spot.value.text, name=f"comment in {name or 'the file'}"))
            continue
        if spot.value is None:
            types[name] = "null"
            continue
        if encrypted and spot.value != "":
            types[name], plain = _value(file, name, spot, cipher, where=where)
        else:
            types[name], plain = kind_of(spot.value), plain_bytes(spot.value)
            clear += [name] * (not encrypted)
        values[name] = Secret(plain, name=name)
        if encrypted or not file.metadata.rules.mac_only_encrypted:
            digest.update(plain)
    _check_mac(file.metadata, cipher, digest.hexdigest().upper(), where=where)
    return Opened(
        values=values,
        types=types,
        clear=tuple(clear),
        comments=tuple(comments),
        recipients=file.metadata.recipients,
        rules=file.metadata.rules,
        lastmodified=file.metadata.lastmodified,
        version=file.metadata.version,
        _data_key=Secret(data_key, name="data key"),
    )


def _value(file: File, name: str, spot: Spot, cipher: Cipher, *, where: str) -> tuple[str, bytes]:
    """Type and plaintext of an encrypted value; raises the `VaultError` that fits."""
    place = f"{where}: {name}"
    if not looks_sealed(spot.value):
        raise ValueInClear("a value stands in clear that the file's own rule wants encrypted", where=place)
    try:
        return cipher.open(spot.value, spot.aad, where=place)
    except InvalidTag:
        pass
    for other, elsewhere in file.leaves():
        try:
            cipher.open(spot.value, elsewhere.aad, where=place)
        except InvalidTag:
            continue
        raise ValueMoved(f"this value belongs to {other}: somebody moved it here", where=place)
    raise ValueTampered("this value was changed after it was encrypted: its authentication tag does not match", where=place)


def _comment(spot: Spot, cipher: Cipher) -> bytes:
    """A comment's text; as it stands where it was never encrypted, which sops accepts too. Comments are outside the MAC."""
    text: str = spot.value.text
    try:
        return cipher.open(text, spot.aad, where="")[1] if is_sealed(text) else text.encode()
    except (InvalidTag, VaultError):
        return text.encode()


def _check_mac(metadata: Metadata, cipher: Cipher, computed: str, *, where: str) -> None:
    try:
        _kind, stored = cipher.open(metadata.mac, metadata.lastmodified.encode(), where=f"{where}: sops/mac")
    except InvalidTag:
        raise MacDamaged("the MAC was changed, or the time it is bound to (lastmodified) was", where=where) from None
    if not hmac.compare_digest(stored, computed.encode()):
        problem = "the MAC does not match: a value was removed, added, swapped or changed in clear after the file was written"
        raise MacMismatch(problem, where=where, advice="do not trust this file; encrypt it anew from a source you trust")


def _seal(documents: list[Branch], metadata: Metadata, data_key: bytes) -> File:
    """The documents encrypted in place, with the MAC of what they held."""
    cipher = Cipher(data_key)
    digest = hashlib.sha512(_MAC_ONLY_SEED if metadata.rules.mac_only_encrypted else b"")
    for _name, spot in sops_file.leaves(documents):
        encrypted = metadata.rules.wants_encrypted(spot)
        if not spot.is_comment and (encrypted or not metadata.rules.mac_only_encrypted):
            digest.update(plain_bytes(spot.value))
        if encrypted and spot.value is not None:
            sealed = cipher.seal(spot.value, spot.aad)
            spot.put(Comment(sealed, inline=spot.value.inline) if spot.is_comment else sealed)
    return File(documents, replace(metadata, mac=cipher.seal(digest.hexdigest().upper(), metadata.lastmodified.encode())))


def _content(documents: list[Branch]) -> dict[str, tuple[str, bytes]]:
    """Type and bytes of every leaf by its name."""
    return {name: (kind_of(spot.value), plain_bytes(spot.value)) for name, spot in sops_file.leaves(documents) if not spot.is_comment}


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadInput(f"cannot read the sops file: {problem.strerror}", where=str(path)) from None
