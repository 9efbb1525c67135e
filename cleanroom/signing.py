"""The key that signs a run's evidence.

Knows: Ed25519 private keys in PKCS#8 PEM, a key's identity (the SHA-256 of its public half in DER), and how a new one is written for its owner alone.
Refuses: any other kind of key, one that is locked by a passphrase, to write over a file, and to show a private half.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from cleanroom.errors import BadInput, HarnessError
from cleanroom.redact import Secret

_ADVICE = "cleanroom evidence-key FILE makes one"


@dataclass(frozen=True)
class Signer:
    """One Ed25519 key: its public half (PEM), by what it is known (`keyid`), and the private half as a secret that never shows itself."""

    public: str
    keyid: str
    secret: Secret
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """The signature (64 bytes) of exactly these bytes."""
        return self._key.sign(message)


def load(path: Path) -> Signer:
    """The key in a file; raises `BadInput` if it cannot be read or is no unlocked Ed25519 key."""
    try:
        pem = path.read_bytes()
    except OSError as problem:
        raise BadInput(f"cannot read the signing key: {problem.strerror}", where=str(path), advice=_ADVICE) from None
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise BadInput("the signing key is locked by a passphrase, and nobody is here to type it", where=str(path), advice=_ADVICE) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput("the signing key is no private key in PKCS#8 PEM", where=str(path), advice=_ADVICE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"the signing key is of another kind ({type(key).__name__.strip('_')}), not Ed25519", where=str(path), advice=_ADVICE)
    public = key.public_key()
    keyid = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    return Signer(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), keyid, Secret(pem, name="signing key"), key)


def make(path: Path) -> Signer:
    """Make a new key at `path` (0600), which must not exist; raises `HarnessError`."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
    except OSError as problem:
        raise HarnessError(f"cannot write a signing key: {problem.strerror}", where=str(path)) from None
    return load(path)
