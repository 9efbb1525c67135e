"""A certificate authority for loopback, and a TLS server that shows its leaves."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """A certificate and its key as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs with a key of its own; `bundle` is what trusts it."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None), None)
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str) -> Issued:
        """A leaf for host names (wildcards too) and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        certificate = self._sign(x509.Name([]), key, x509.BasicConstraints(ca=False, path_length=None), alternatives)
        return self._write(names[0].replace("*", "any"), certificate, key)

    def _write(self, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
        issued = Issued(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        issued.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        issued.key.write_bytes(key.private_bytes(pem, pkcs8, plain))
        return issued

    def vouch_for_itself(self, *names: str) -> Issued:
        """A self-signed server certificate, as Incus makes for itself."""
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        return self._write("self", self._sign(self._name, self._key, x509.BasicConstraints(ca=False, path_length=None), alternatives), self._key)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, role: x509.BasicConstraints, names: x509.SubjectAlternativeName | None
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=90))
            .add_extension(role, critical=True)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=not subject.rdns)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextmanager
def tls_server(
    handler: type[BaseHTTPRequestHandler],
    leaf: Issued,
    address: tuple[str, int],
    *,
    clients: Path | None = None,
    asked: list[str | None] | None = None,
) -> Iterator[ThreadingHTTPServer]:
    """An HTTPS server in a thread. With `clients`, only holders of a certificate of that bundle are let in; `asked` collects the names of SNI."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    if asked is not None:
        context.sni_callback = lambda _socket, name, _context: asked.append(name)
    server = _Quiet(address, handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(ThreadingHTTPServer):
    """Says nothing when a visitor turns away in the middle of a handshake: that is what some tests want to see."""

    block_on_close = False

    def handle_error(self, *_: object) -> None:
        return
