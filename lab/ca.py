"""The lab's certificate authority: a root, an intermediate, and the two leaves that the lab serves.

Knows: RFC 5280 certificates as public authorities issue them: leaf and intermediate are served, the root is trusted beforehand.
Refuses: to leave a private key readable by others; the authority's own keys are not kept at all.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.names import DOMAIN, FORGE_HOST
from lab.state import State

ROOT = "root.pem"
FORGE = "forge"
SITE = "site"
_DAY = datetime.timedelta(days=1)


class Authority:
    """A name, a key, and the certificates that stand above what it issues (nearest first, the root left out)."""

    def __init__(self, name: str, issuer: Authority | None = None, *, days: int = 3650) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        above = issuer or self
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        self.certificate = (
            _builder(self.name, above, self.key.public_key(), days=days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None if issuer is None else 0), critical=True)
            .add_extension(usage, critical=True)
            .sign(above.key, hashes.SHA256())
        )
        self.chain: list[x509.Certificate] = [] if issuer is None else [self.certificate, *issuer.chain]

    def issue(self, *names: str, days: int) -> tuple[bytes, bytes]:
        """A leaf for `names` with its chain, and its key: both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = (
            _builder(_name(names[0]), self, key.public_key(), days=days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return b"".join(map(_pem, (leaf, *self.chain))), _key_pem(key)


def make(state: State) -> None:
    """Write the root, the forge's pair and the site's wildcard pair into the state folder."""
    root = Authority("cleanroom lab root")
    intermediate = Authority("cleanroom lab intermediate", root)
    state.certificates.mkdir(exist_ok=True)
    state.keys.mkdir(mode=0o700, exist_ok=True)
    (state.certificates / ROOT).write_bytes(_pem(root.certificate))
    for name, names in ((FORGE, (FORGE_HOST,)), (SITE, (f"*.{DOMAIN}", DOMAIN))):
        chain, key = intermediate.issue(*names, days=800)
        (state.certificates / f"{name}.pem").write_bytes(chain)
        write_private(state.keys / f"{name}-key.pem", key)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody but its owner ever could read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def _builder(subject: x509.Name, issuer: Authority, key: ec.EllipticCurvePublicKey, *, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
