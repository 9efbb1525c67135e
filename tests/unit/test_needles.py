"""What is searched for: marks of private keys and of the DNS provider's tokens, found in real ones and in nothing else."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
from pathlib import Path
from typing import Any

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from cleanroom import vault
from cleanroom.declared import SopsFile
from cleanroom.errors import BadInput
from cleanroom.leaks import Search
from cleanroom.sighting.needles import Needles, gather
from cleanroom.site import Site
from tests.unit.sites import write

IDENTITY = pyrage.x25519.Identity.generate()


def sops_file(tree: dict[str, Any]) -> SopsFile:
    data = vault.encrypt(tree, recipients=[str(IDENTITY.to_public())])
    return SopsFile("secrets.yaml", "", vault.open_bytes(data, vault.Form.YAML, identities=[vault.identity_of(str(IDENTITY))]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("FORGE_TOKEN", secrets.token_hex(20))
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/bootstrap.txt").write_text(f"# public key: {IDENTITY.to_public()}\n{IDENTITY}\n")
    return Site.load(write(tmp_path))


@pytest.fixture
def needles(site: Site) -> Needles:
    return gather(
        site, [sops_file({"drone": {"rpc": secrets.token_urlsafe(24)}, "pin": "1234", "note_unencrypted": "a clear and rather long value 0815"})]
    )


def found(needles: Needles, text: bytes) -> set[str]:
    search = Search(needles.searcher)
    search.texts("here", [("it", io.BytesIO(text))], {"it": len(text)}, listed_by="len", scanned_by="reading")
    return {finding.secret for finding in search.result.findings}


def test_the_groups_name_everything_and_what_cannot_be_searched_for_is_told(needles: Needles) -> None:
    assert needles.values == {"drone/rpc", "pin"}
    assert needles.key == {"bootstrap key"}
    assert needles.credential == {"fetch token"}
    assert [each.secret for each in needles.searcher.not_checked] == ["pin"]


def test_the_key_and_the_token_are_found(site: Site, needles: Needles) -> None:
    token = site.secrets.credential.token
    assert token is not None
    assert "bootstrap key" in found(needles, f"x = {IDENTITY}".encode())
    assert found(needles, b"machine git.example password " + token.load("token").reveal()) == {"fetch token"}
    assert found(needles, f"recipient {IDENTITY.to_public()}".encode()) == set()


def pem(key: Any, form: serialization.PrivateFormat) -> bytes:
    return bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


KEYS = {
    "RSA, PKCS 1": pem(rsa.generate_private_key(65537, 2048), serialization.PrivateFormat.TraditionalOpenSSL),
    "EC, SEC 1": pem(ec.generate_private_key(ec.SECP256R1()), serialization.PrivateFormat.TraditionalOpenSSL),
    "Ed25519, PKCS 8": pem(ed25519.Ed25519PrivateKey.generate(), serialization.PrivateFormat.PKCS8),
    "Ed25519, OpenSSH": pem(ed25519.Ed25519PrivateKey.generate(), serialization.PrivateFormat.OpenSSH),
    "age": str(pyrage.x25519.Identity.generate()).encode(),
}
KEYS["with headers, as Docker writes its own"] = KEYS["EC, SEC 1"].replace(b"-----\n", b"-----\nkek-version: 0\nraft-dek: EiBx\n\n", 1)
KEYS["with CR LF"] = KEYS["Ed25519, PKCS 8"].replace(b"\n", b"\r\n")
for alignment in range(3):
    KEYS[f"in base64, {alignment}"] = base64.b64encode(KEYS[("RSA, PKCS 1", "EC, SEC 1", "Ed25519, OpenSSH")[alignment]])
KEYS["as a JSON web key"] = json.dumps({"kty": "OKP", "crv": "Ed25519", "d": secrets.token_urlsafe(32), "x": "public"}).encode()
for headers in (b"", b"Version: GnuPG v2\n", b"Comment: mine\n"):
    KEYS[f"PGP {headers.decode()}"] = b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n" + headers + b"\nlFgEZx1v3RYJKwYBBAHaRw8BAQdAqz0dK5l1\n"
KEYS["in a JSON string"] = KEYS["Ed25519, PKCS 8"].replace(b"\n", b"\\n")


@pytest.mark.parametrize("kind", KEYS)
def test_a_private_key_of_any_kind_is_found(needles: Needles, kind: str) -> None:
    assert found(needles, b"before\n" + KEYS[kind] + b"\nafter") & needles.private_keys


@pytest.mark.parametrize(
    "text",
    [
        b"-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----\0",
        b'b"-----BEGIN OPENSSH PRIVATE KEY-----"\nb"-----END OPENSSH PRIVATE KEY-----"\n',
        b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n",
        b"a key begins with AGE-SECRET-KEY-1, in capitals",
        base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUZ2ZkY2Vy\n-----END CERTIFICATE-----\n"),
        b'{"kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "id": "d", "d": "not long enough"}',
        b"begins with -----BEGIN PGP PRIVATE KEY BLOCK----- and ends with",
    ],
)
def test_what_only_speaks_of_keys_is_none(needles: Needles, text: bytes) -> None:
    assert not found(needles, text)


# The same ones in every process: they are in the names of tests, which xdist compares.
PAT = hashlib.sha256(b"a token for tests").hexdigest()[:40]
API_KEY = f"aB3{PAT[:20]}Z"


@pytest.mark.parametrize(
    "text", [f"GANDIV5_PERSONAL_ACCESS_TOKEN={PAT}", f'gandi:\n  token: "{PAT}"', f"gandi_api_key = '{API_KEY}'", f"Gandi-Key: {API_KEY}\n"]
)
def test_a_token_of_the_dns_provider_is_found(needles: Needles, text: str) -> None:
    assert found(needles, text.encode()) & needles.dns_token


@pytest.mark.parametrize("text", [f"rev = {PAT}", "DNS is at Gandi, whose internationalisations are many", "gandi " + "x" * 80 + PAT])
def test_what_only_looks_like_a_token_is_none(needles: Needles, text: str) -> None:
    assert not found(needles, text.encode())


def test_a_key_that_cannot_be_read_is_bad_input(site: Site) -> None:
    site.bootstrap.key_file.unlink()
    with pytest.raises(BadInput, match="cannot read a key to search for"):
        gather(site, [])
