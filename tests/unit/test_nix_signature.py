"""Who signed a store path, by Nix' own vectors of form and by a key of ours."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cleanroom.nix_signature import signers

PATH = "/nix/store/2vm9pdaik1m4dp2hgvxyq4kcz5h0kf4v-hello"
OTHER = "/nix/store/6vm9pdaik1m4dp2hgvxyq4kcz5h0kf4v-glibc"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
EMPTY = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#: The SHA-256 of nothing, as Nix itself writes it in base 32.
SIGNED = f"1;{PATH};sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73;120;{PATH},{OTHER}"


def signature(text: str = SIGNED, name: str = "cache-1") -> str:
    return f"{name}:{base64.b64encode(KEY.sign(text.encode())).decode()}"


def public(name: str = "cache-1") -> str:
    return f"{name}:{base64.b64encode(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()}"


def facts(*signatures: str, short: bool = False) -> dict[str, object]:
    references = [OTHER, PATH]
    if short:
        references = [reference.removeprefix("/nix/store/") for reference in references]
    return {"narHash": EMPTY, "narSize": 120, "references": references, "signatures": list(signatures)}


@pytest.mark.parametrize("short", [True, False])
def test_a_trusted_key_s_signature_counts(short: bool) -> None:  # noqa: FBT001 - both forms of Nix
    assert signers(PATH, facts(signature(), short=short), [public()]) == ["cache-1"]


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ((), [public()]),
        ((signature(),), []),
        ((signature(),), [public("cache-2")]),
        ((signature(name="cache-2"),), [public()]),
        ((signature(SIGNED.replace(";120;", ";121;")),), [public()]),
        ((signature(SIGNED.replace(f",{OTHER}", "")),), [public()]),
        (("cache-1:no base 64!",), [public()]),
        (("cache-1",), [public()]),
        ((signature(),), ["cache-1:short"]),
    ],
)
def test_any_other_does_not(given: tuple[str, ...], keys: list[str]) -> None:
    assert signers(PATH, facts(*given), keys) == []
