"""The door to Incus: a local socket, or TLS with a certificate on either side.

Knows: how a client proves who it is, which one server certificate it accepts, and what of both can be seen to be unusable beforehand.
Refuses: a server that shows another certificate than the pinned one - whatever names stand in it - on requests and on the events' socket alike.

Incus makes its server certificate itself: it is known by its bytes, not by an authority, and not by its names, which may be internal ones.
"""

from __future__ import annotations

import datetime
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, socket
from typing import Any
from urllib.parse import quote, unquote

import pylxd.client
import pylxd.exceptions
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from urllib3.connection import HTTPConnection

from cleanroom.errors import BadInput, HarnessError, OutOfReach
from cleanroom.guard import Guard
from cleanroom.incus.patience import PatientSession
from cleanroom.tables.machines import Incus

#: As long as a daemon's restart takes, or a cable's coming back.
_PATIENCE_SECONDS = 30.0
_UNIX = "http+unix://"
#: A run that could not clean up, because the server stopped trusting it on the way, must not begin.
_SHORTEST_RUN = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Credential:
    """What a remote endpoint needs: our certificate and its key, and the server's certificate, pinned."""

    certificate: Path
    key: Path
    server: Path

    @staticmethod
    def of(settings: Incus) -> Credential | None:
        """Those of a site file, looked at; None for a local socket. Raises `BadInput` for what cannot be used, `OutOfReach` for no socket."""
        path = unix_path(settings.endpoint)
        if path is not None:
            if not path.is_socket():
                raise OutOfReach("there is no Incus socket", where=str(path), advice="is the daemon running? for the lab: cleanroom lab up")
            return None
        if not settings.endpoint.startswith("https://"):
            raise BadInput("expected https://HOST:PORT or http+unix://PATH (percent-encoded)", where=f"incus.endpoint = {settings.endpoint}")
        keys = ("client_certificate", "client_key", "server_certificate")
        files = [_file(key, path) for key, path in zip(keys, (getattr(settings, key) for key in keys), strict=True)]
        credential = Credential(*files)
        load_certificate(credential.server)
        check_pair(credential.certificate, credential.key)
        check_lifetime(credential.certificate)
        return credential

    @property
    def fingerprint(self) -> str:
        """How the server names us in its events."""
        return fingerprint(self.certificate)


def _unheard(*_arguments: object, **_fields: object) -> None:
    """For who wants no record."""


def open_door(settings: Incus, guard: Guard, *, record: Callable[..., object] = _unheard, say: Callable[[str], object] = _unheard) -> Any:  # noqa: ANN401 - pylxd is untyped
    """A client of pylxd's for the endpoint, every request of it behind the guard; once it is open, questions are asked with patience.

    Raises `BadInput` for unusable files, `OutOfReach` if nothing answers. `record` and `say` hear of silences.
    """
    credential = Credential.of(settings)
    cert, verify = ((str(credential.certificate), str(credential.key)), str(credential.server)) if credential else (None, None)
    inner = pylxd.client.get_session_for_url(settings.endpoint, verify=verify, cert=cert)
    if credential:
        inner.mount(settings.endpoint, _Abrupt())
    session = PatientSession(inner, guard, record=record, say=say)
    with speaking_of(settings.endpoint):
        client = pylxd.client.Client(endpoint=settings.endpoint, session=session, project=settings.project)
    session.patience = _PATIENCE_SECONDS
    return client


class _Abrupt(pylxd.client.LXDSSLAdapter):  # type: ignore[misc]
    """Hangs up at once: what the kernel had not sent of a command that we gave up on must not reach the server later."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - requests' own signature
        at_once = (SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        super().init_poolmanager(*arguments, socket_options=[*HTTPConnection.default_socket_options, at_once], **options)


def unix_endpoint(path: Path) -> str:
    """The endpoint of a local daemon's socket, as a site file writes it."""
    return _UNIX + quote(str(path), safe="")


def unix_path(endpoint: str) -> Path | None:
    """The socket behind an endpoint, None for a remote one."""
    return Path(unquote(endpoint.removeprefix(_UNIX))) if endpoint.startswith(_UNIX) else None


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) of the first certificate in a PEM file; raises `BadInput` if there is none."""
    return load_certificate(path).fingerprint(hashes.SHA256()).hex()


def load_certificate(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file; raises `BadInput` if there is none."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as problem:
        raise BadInput(f"cannot read a certificate: {problem.strerror}", where=str(path)) from None
    except ValueError:
        raise BadInput("this is no certificate in PEM", where=str(path)) from None


def _file(key: str, path: Path | None) -> Path:
    if path is None or not path.is_file():
        raise BadInput(f"cannot read incus.{key}", where=str(path or "(not given)"), advice="a remote Incus needs all three certificates")
    return path


def check_pair(certificate: Path, key: Path) -> None:
    """Whether a key file holds the private half of a certificate; raises `BadInput` if not."""
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except OSError as problem:
        raise BadInput(f"cannot read a private key: {problem.strerror}", where=str(key)) from None
    except (ValueError, TypeError):  # TypeError: it wants a password
        raise BadInput("this is no private key in PEM that can be read without a password", where=str(key)) from None
    if private.public_key() != load_certificate(certificate).public_key():
        raise BadInput("the client key does not belong to the client certificate", where=f"{key} and {certificate}")


def check_lifetime(certificate: Path) -> None:
    """Whether the server will go on trusting us for as long as a run takes; raises `BadInput` if not."""
    loaded, now = load_certificate(certificate), datetime.datetime.now(datetime.UTC)
    advice = "make a new pair and have its certificate added to the server's trust store, restricted to the project"
    if now < loaded.not_valid_before_utc:
        raise BadInput(f"the client certificate is not valid before {loaded.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", where=str(certificate))
    if now + _SHORTEST_RUN > loaded.not_valid_after_utc:
        word = "expired" if now > loaded.not_valid_after_utc else "expires before a run could clean up:"
        raise BadInput(f"the client certificate {word} on {loaded.not_valid_after_utc:%Y-%m-%d %H:%M} UTC", where=str(certificate), advice=advice)


def secured(plain: socket, credential: Credential) -> ssl.SSLSocket:
    """A socket, not yet connected, that will speak TLS with our certificate, and hang up on whoever does not show the pinned one."""
    pinned = load_certificate(credential.server).public_bytes(serialization.Encoding.DER)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Neither name nor authority: the bytes of the certificate are compared below, before anything is sent.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(credential.certificate, credential.key)
    context.sslsocket_class = type("Pinned", (_Pinned,), {"pinned": pinned})
    return context.wrap_socket(plain)


class _Pinned(ssl.SSLSocket):
    """Compares the server's certificate, byte for byte, as soon as there is one."""

    pinned: bytes

    def connect(self, address: Any) -> None:  # noqa: ANN401 - the standard library's own signature
        super().connect(address)
        if self.getpeercert(binary_form=True) != self.pinned:
            self.close()
            raise ssl.SSLError("the server shows another certificate than the pinned one")


@contextmanager
def speaking_of(endpoint: str) -> Iterator[None]:
    """Turn pylxd's and requests' exceptions into ours; NotFound passes, for the caller to judge."""
    try:
        yield
    except pylxd.exceptions.NotFound:
        raise
    except pylxd.exceptions.LXDAPIException as problem:
        raise HarnessError(f"the hypervisor refused: {problem}", where=endpoint) from None
    except (requests.RequestException, pylxd.exceptions.ClientConnectionFailed, OSError) as problem:
        raise OutOfReach(f"the hypervisor does not answer: {problem}", where=endpoint) from None
