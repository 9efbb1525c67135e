"""AES-256-GCM as sops uses it, value by value.

Knows: the text in which sops keeps one encrypted value, and the bytes each type has in clear.
Refuses: anything after the closing bracket (sops itself would ignore it), types it does not know, and numbers spelled as sops never writes them.

Specification: `aes/cipher.go` of getsops/sops 3.13.2. Initialisation vectors are 32 bytes, tags 16, all fields standard base64.
"""

from __future__ import annotations

import os
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.sops.tree import INT_MAX, INT_MIN, Comment, Leaf, Timestamp, kind_of, plain_bytes, show_float

_SEALED = re.compile(r"ENC\[AES256_GCM,data:([^,\]]*),iv:([^,\]]+),tag:([^,\]]+),type:([^,\]]+)\]")
_PREFIX = "ENC[AES256_GCM,"
_IV_BYTES = 32
_TAG_BYTES = 16
_INT = rb"[+-]?[0-9]+"
_FLOAT = rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?Inf|NaN"
_BOOLS = {b"1": b"True", b"t": b"True", b"T": b"True", b"true": b"True", b"TRUE": b"True", b"True": b"True"}
_BOOLS |= {b"0": b"False", b"f": b"False", b"F": b"False", b"false": b"False", b"FALSE": b"False", b"False": b"False"}


def is_sealed(value: object) -> bool:
    """Whether `value` has the form of an encrypted value from its first character to its last."""
    return isinstance(value, str) and value.startswith(_PREFIX) and _SEALED.fullmatch(value) is not None


def looks_sealed(value: object) -> bool:
    """Whether `value` begins like an encrypted value, whatever follows."""
    return isinstance(value, str) and value.startswith("ENC[")


class Cipher:
    """Opens and seals values under one data key (32 bytes)."""

    def __init__(self, data_key: bytes) -> None:
        self._gcm = AESGCM(data_key)

    def open(self, text: str, aad: bytes, *, where: str) -> tuple[str, bytes]:
        """Type and canonical plaintext bytes of an encrypted value.

        Raises `InvalidTag` (of `cryptography`) if it was not sealed under this key and `aad`, `Malformed` if the text has another form,
        `Unsupported` for a type that sops does not know either.
        """
        match = _SEALED.fullmatch(text)
        if match is None:
            raise Malformed("an encrypted value does not have the form ENC[AES256_GCM,data:..,iv:..,tag:..,type:..]", where=where)
        data, vector, tag, kind = match.groups()
        try:
            sealed = a2b_base64(data, strict_mode=True)
            iv = a2b_base64(vector, strict_mode=True)
            mark = a2b_base64(tag, strict_mode=True)
        except (Base64Error, ValueError):
            raise Malformed("an encrypted value holds text that is not base64", where=where) from None
        if len(mark) != _TAG_BYTES:
            raise Malformed(f"an encrypted value has a tag of {len(mark)} bytes instead of {_TAG_BYTES}", where=where)
        try:
            plain = self._gcm.decrypt(iv, sealed + mark, aad)
        except ValueError:
            raise Malformed(f"an encrypted value has an initialisation vector of {len(iv)} bytes", where=where) from None
        return kind, plain if kind == "str" else _canonical(kind, plain, where=where)

    def seal(self, value: Leaf | Comment, aad: bytes) -> str:
        """`value` encrypted under `aad`; empty text stays empty, as sops leaves it."""
        kind, plain = ("comment", value.text.encode()) if isinstance(value, Comment) else (kind_of(value), plain_bytes(value))
        if not plain:
            return ""
        vector = os.urandom(_IV_BYTES)
        sealed = self._gcm.encrypt(vector, plain, aad)
        data, iv, tag = (b2a_base64(field, newline=False).decode() for field in (sealed[:-_TAG_BYTES], vector, sealed[-_TAG_BYTES:]))
        return f"ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{kind}]"


def _canonical(kind: str, plain: bytes, *, where: str) -> bytes:
    """The bytes that sops hashes after it has parsed `plain` as `kind`."""
    match kind:
        case "bytes" | "comment":
            return plain
        case "int" if re.fullmatch(_INT, plain) and INT_MIN <= int(plain) <= INT_MAX:
            return str(int(plain)).encode()
        case "float" if re.fullmatch(_FLOAT, plain):
            return show_float(float(plain)).encode()
        case "bool" if plain in _BOOLS:
            return _BOOLS[plain]
        case "time":
            moment = Timestamp.parse(plain.decode(errors="replace"))
            if moment is not None:
                return moment.encode()
        case "int" | "float" | "bool":
            pass
        case _:
            raise Unsupported("an encrypted value is of a type that sops 3.13 does not know", where=where)
    raise Malformed(f"a value that decrypts as {kind} does not read as one", where=where)
