"""The signing key: which files are one, and what becomes of the private half."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat

from cleanroom import signing
from cleanroom.cli import main
from cleanroom.errors import BadInput, HarnessError

Key = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | ec.EllipticCurvePrivateKey


def pem(key: Key, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes = b"") -> bytes:
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(passphrase) if passphrase else NoEncryption())


def ed() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def test_a_key_that_was_made_is_its_owners_alone_and_signs(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = signing.make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signing.load(path) == made
    signature = made.sign(b"message")
    public = ed25519.Ed25519PublicKey.from_public_bytes(signing.load(path)._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    public.verify(signature, b"message")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("precious")
    with pytest.raises(HarnessError, match="File exists"):
        signing.make(path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: b"", "no private key in PKCS#8 PEM"),
        (lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key in PKCS#8 PEM"),
        (lambda: ed().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "no private key in PKCS#8 PEM"),
        (lambda: pem(ed(), PrivateFormat.OpenSSH), "no private key in PKCS#8 PEM"),
        (lambda: pem(ec.generate_private_key(ec.SECP256R1())), "of another kind"),
        (lambda: pem(ed448.Ed448PrivateKey.generate()), "of another kind"),
        (lambda: pem(ed(), passphrase=b"word"), "locked by a passphrase"),
    ],
    ids=["empty", "garbage", "the public half", "OpenSSH's format", "P-256", "Ed448", "locked"],
)
def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path, make: Callable[[], bytes], problem: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(make())
    with pytest.raises(BadInput, match=problem):
        signing.load(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file") as problem:
        signing.load(tmp_path / "key.pem")
    assert problem.value.where == str(tmp_path / "key.pem")


def test_the_private_half_never_shows_itself(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signer = signing.make(path)
    body = path.read_text().splitlines()[1]
    assert body not in f"{signer!r} {signer} {signer.secret!r}"


def test_the_command_makes_a_key_and_prints_the_public_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    assert main(["evidence-key", str(path)]) == 0
    told = capsys.readouterr().out
    assert told == f"key {signing.load(path).keyid}\n{signing.load(path).public}"
    assert "PRIVATE" not in told
    assert main(["evidence-key", str(path)]) == 2
