"""Signatures of store paths: which cache vouches for one.

Knows: what Nix signs (path, NAR hash, NAR size, references) and how it writes keys and signatures: `NAME:BASE64`, Ed25519.
Refuses: a signature for its name's sake: anybody can sign under any name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"


def signers(path: str, facts: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Names of those of `keys` (as in `trusted-public-keys`) that signed a path; `facts` are what `nix path-info --json` tells of it."""
    references = sorted(reference if reference.startswith("/") else f"/nix/store/{reference}" for reference in facts.get("references") or ())
    digest = base64.b64decode(str(facts["narHash"]).removeprefix("sha256-"))
    signed = f"1;{path};sha256:{_base32(digest)};{facts['narSize']};{','.join(references)}".encode()
    known = dict(key.split(":", 1) for key in keys if ":" in key)
    named = (str(signature).partition(":")[::2] for signature in facts.get("signatures") or ())
    return sorted({name for name, signature in named if name in known and _holds(known[name], signature, signed)})


def _holds(key: str, signature: str, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(base64.b64decode(signature), signed)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _base32(digest: bytes) -> str:
    """Nix' own base 32: the last five bits first."""
    number = int.from_bytes(digest, "little")
    length = (len(digest) * 8 + 4) // 5
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))
