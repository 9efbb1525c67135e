"""The lab's way into its own Incus: a client certificate that vouches for itself, as `incus remote generate-certificate` would make one.

Knows: where certificate and key lie, and that the daemon is told of the certificate alone.
Refuses: to make another pair while the first is good for a year: whoever trusts it would have to be told.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cleanroom.errors import HarnessError
from cleanroom.incus.door import load_certificate
from lab.ca import write_private
from lab.state import State

_NAME = "cleanroom-lab"
_DAY = datetime.timedelta(days=1)


def certificate_of(state: State) -> Path:
    return state.certificates / "incus-client.pem"


def key_of(state: State) -> Path:
    return state.keys / "incus-client-key.pem"


def server_certificate_of(state: State) -> Path:
    """The daemon's own, which it makes for itself at its first start."""
    return state.incus / "server.crt"


def make(state: State) -> Path:
    """The certificate; made with its key unless both are there."""
    certificate, key = certificate_of(state), key_of(state)
    if not key.exists() or not _is_good(certificate):
        write_pair(certificate, key, days=3650)
    return certificate


def write_pair(certificate: Path, key: Path, *, days: float) -> None:
    """A pair that is valid for `days` from now; negative ones have passed."""
    private = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(private, hashes.SHA384())
    )
    pem = serialization.Encoding.PEM
    write_private(key, private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    certificate.write_bytes(signed.public_bytes(pem))


def _is_good(certificate: Path) -> bool:
    try:
        return load_certificate(certificate).not_valid_after_utc - datetime.datetime.now(datetime.UTC) > 365 * _DAY
    except HarnessError:
        return False
