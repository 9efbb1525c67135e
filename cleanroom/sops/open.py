"""Decrypting and verifying a parsed sops file with its data key.

Knows: that a value is bound to its path, and the MAC to every value and to the time of writing.
Refuses: to hand out any value before the MAC has verified.

Specification: `sops.go` (Tree.Decrypt) and `cmd/sops/common` of getsops/sops 3.13.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, Hash
from cryptography.hazmat.primitives.hmac import HMAC

from cleanroom.redact import Secret
from cleanroom.sops.cipher import Cipher, is_sealed, looks_sealed
from cleanroom.sops.errors import MacDamaged, MacMismatch, Truncated, ValueInClear, ValueMoved, ValueTampered, VaultError
from cleanroom.sops.file import File
from cleanroom.sops.metadata import Metadata
from cleanroom.sops.rules import Rules
from cleanroom.sops.tree import Spot, kind_of, plain_bytes

#: SHA-256 of "sops": what the MAC begins with when it covers encrypted values only.
_MAC_ONLY_SEED = bytes.fromhex("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69")
_FINGERPRINT_DIGITS = 12


class Opened(NamedTuple):
    """A sops file that was decrypted and whose MAC verified.

    `values` maps each name (keys and list indices, joined by `/`) to its plaintext bytes as sops hashes them, `types` each name to str, int, float,
    bool, bytes, time or null (a null has no value; sops authenticates the bytes, not the type), `clear` holds the names that the file's rule leaves
    unencrypted. `comments` are decrypted where they were encrypted; the MAC does not cover them. `data_key` is the file's own.
    """

    values: Mapping[str, Secret]
    types: Mapping[str, str]
    clear: tuple[str, ...]
    comments: tuple[Secret, ...]
    recipients: tuple[str, ...]
    rules: Rules
    lastmodified: str
    version: str
    data_key: Secret

    def fingerprint(self, name: str) -> str:
        """Twelve hex digits that change whenever the value changes, and say nothing to anyone who cannot open the file.

        HMAC-SHA256 under the file's data key over name and value: a plain hash of a short value could be guessed, and equal values would show.
        """
        digest = HMAC(self.data_key.reveal(), SHA256())
        digest.update(name.encode() + b"\0" + self.values[name].reveal())
        return digest.finalize().hex()[:_FINGERPRINT_DIGITS]


def open_file(file: File, data_key: bytes, *, where: str) -> Opened:
    """`file` decrypted and verified; raises the `VaultError` that fits."""
    rules = file.metadata.rules
    cipher = Cipher(data_key)
    digest = mac_digest(rules)
    values: dict[str, Secret] = {}
    types: dict[str, str] = {}
    clear: list[str] = []
    comments: list[Secret] = []
    for spot in file.spots:
        name, encrypted = spot.name, rules.wants_encrypted(spot)
        if spot.is_comment:
            comments.append(Secret(_comment(file, spot, cipher) if encrypted else spot.value.text, name=f"comment {len(comments) + 1}"))
            continue
        if spot.value is None:
            types[name] = "null"
            continue
        if encrypted and spot.value != "":
            types[name], plain = _value(file, spot, cipher, where=where)
        else:
            types[name], plain = kind_of(spot.value), plain_bytes(spot.value)
            if not encrypted:
                clear.append(name)
        values[name] = Secret(plain, name=name)
        if encrypted or not rules.mac_only_encrypted:
            digest.update(plain)
    _check_mac(file.metadata, cipher, finished(digest), where=where, listed_comments="comment" in types.values())
    return Opened(
        values=values,
        types=types,
        clear=tuple(clear),
        comments=tuple(comments),
        recipients=file.metadata.recipients,
        rules=rules,
        lastmodified=file.metadata.lastmodified,
        version=file.metadata.version,
        data_key=Secret(data_key, name="data key"),
    )


def mac_digest(rules: Rules) -> Hash:
    """The hash that the MAC is made of, before the first value."""
    digest = Hash(SHA512())
    if rules.mac_only_encrypted:
        digest.update(_MAC_ONLY_SEED)
    return digest


def finished(digest: Hash) -> str:
    """The MAC's text."""
    return digest.finalize().hex().upper()


def _value(file: File, spot: Spot, cipher: Cipher, *, where: str) -> tuple[str, bytes]:
    """Type and plaintext of an encrypted value; raises the `VaultError` that fits."""
    place = f"{where}: {spot.name}"
    if not looks_sealed(spot.value):
        raise ValueInClear("a value stands in clear that the file's own rule wants encrypted", where=place)
    if "]" not in spot.value:
        raise Truncated("an encrypted value has no end", where=place)
    try:
        return cipher.open(spot.value, spot.aad, where=place)
    except InvalidTag:
        pass
    for other in file.spots:
        try:
            cipher.open(spot.value, other.aad, where=place)
        except InvalidTag:
            continue
        raise ValueMoved(f"this value was encrypted as {other.name}: somebody moved it here", where=place)
    raise ValueTampered("this value was changed after it was encrypted: its authentication tag does not match", where=place)


def _comment(file: File, spot: Spot, cipher: Cipher) -> bytes:
    """A comment's text; as it stands where it does not decrypt, which sops accepts too.

    Writers move comments to the end of a mapping or out of it, so every path of the file is tried: the tag tells which one is right.
    """
    text: str = spot.value.text
    if is_sealed(text):
        for aad in chain([spot.aad], _paths(file)):
            try:
                return cipher.open(text, aad, where="")[1]
            except (InvalidTag, VaultError):
                continue
    return text.encode()


def _paths(file: File) -> Iterator[bytes]:
    """The additional data of every mapping in the file."""
    for path in {spot.path[:depth] for spot in file.spots for depth in range(len(spot.path) + 1)}:
        yield (":".join(path) + ":").encode()


def _check_mac(metadata: Metadata, cipher: Cipher, computed: str, *, where: str, listed_comments: bool) -> None:
    try:
        _kind, stored = cipher.open(metadata.mac, metadata.lastmodified.encode(), where=f"{where}: sops/mac")
    except InvalidTag:
        raise MacDamaged("the MAC was changed, or the time it is bound to (lastmodified) was", where=where) from None
    if stored == computed.encode():  # a plain comparison: nobody times us, and what is compared is no password
        return
    advice = "do not trust this file; encrypt it anew from a source you trust"
    if listed_comments:
        advice = "there are comments inside a list, with which sops itself (3.13 at least) writes files that it cannot verify: take them out"
    raise MacMismatch(
        "the MAC does not match: a value was removed, added, swapped or changed in clear after the file was written", where=where, advice=advice
    )
