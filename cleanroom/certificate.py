"""Certificates: a pair as git has it, and a leaf as a stranger's client is served it.

Knows: whether key and certificate belong together, which names they cover, whether the chain is in order, trusted and in time, and what a verified
TLS handshake shows.
Refuses: to judge by an unverified handshake (one is made for the text of an error, after the verdict), and any look at a private key beyond its
public half and its digest.

X.509 per RFC 5280 and RFC 6125 (`cryptography`'s verifier); TLS by the standard library, whose clients are what strangers use.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import secrets
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import verification

from cleanroom.errors import BadInput, CheckFailed, OutOfTime
from cleanroom.redact import Secret
from cleanroom.site import Site
from cleanroom.tables.serving import Certificate
from cleanroom.wait import Waiting, wait_until

_HANDSHAKE_SECONDS = 10.0
#: How often in a row every name must serve the leaf.
_ROUNDS = 4
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-bundle.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True)
class Pair:
    """A certificate chain, leaf first, and what may be known of its key; `name` is how the chain's secret is called.

    `key_fingerprint` is the SHA-256 (hex) of the key's public half, the digests are those of both secrets' bytes as git holds them. `holds_key`
    says that a private key stands in the chain's secret: whoever may read the certificate, and that is everybody, may read it.
    """

    name: str
    chain: tuple[x509.Certificate, ...]
    key_fingerprint: str
    certificate_digest: str
    key_digest: str
    holds_key: bool = False

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the leaf's DER bytes."""
        return der_fingerprint(self.leaf)

    def check_match(self) -> None:
        """The key is the leaf's."""
        if self.key_fingerprint != _public_fingerprint(self.leaf):
            seen = f"leaf has public key {_public_fingerprint(self.leaf)[:16]}..., the key is {self.key_fingerprint[:16]}..."
            advice = "commit the two of one renewal together"
            raise CheckFailed("certificate and private key belong together", seen=seen, where=self.name, advice=advice)

    def check_apart(self) -> None:
        """No private key stands beside the chain."""
        if self.holds_key:
            advice = "leave it in its own secret alone, and renew it: it was in a file that is nobody's secret"
            raise CheckFailed("the certificate's secret holds no private key", seen="one stands in it", where=self.name, advice=advice)

    def check_names(self, domain: str) -> None:
        """A SAN covers every label under `domain`."""
        names = dns_names(self.leaf)
        if f"*.{domain}" not in names:
            raise CheckFailed(f"the certificate's SAN has *.{domain}", seen=", ".join(names) or "no DNS name", where=self.name)

    def check_time(self, minimum_days: int, *, now: datetime.datetime) -> None:
        """Every certificate of the chain is valid now, and for at least `minimum_days` more: a leaf is worth nothing without those above it."""
        for certificate in self.chain:
            if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
                seen = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} to {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
                raise CheckFailed("now is inside the validity window", seen=f"{_subject(certificate)}: {seen}", where=self.name)
        first = min(self.chain, key=lambda certificate: certificate.not_valid_after_utc)
        left = (first.not_valid_after_utc - now).days
        if left < minimum_days:
            seen, advice = f"{left} days: {_subject(first)}", "renew it: a commit to secrets"
            raise CheckFailed(f"at least {minimum_days} days of validity left", seen=seen, where=self.name, advice=advice)

    def check_trust(self, domain: str, trust: Path | None, *, now: datetime.datetime) -> None:
        """The chain is in order - each certificate issued by the next - and leads to an authority of the trust store.

        A leaf that is not valid now is judged at the end of its time that is nearest to now: its dates are `check_time`'s.
        """
        for one, issuer in zip(self.chain, self.chain[1:], strict=False):
            try:
                one.verify_directly_issued_by(issuer)
            except (ValueError, TypeError):
                seen = f"{_subject(one)} is followed by {_subject(issuer)}, which did not issue it"
                raise CheckFailed("the chain is in order, leaf first", seen=seen, where=self.name) from None
            except Exception:  # noqa: BLE001 - InvalidSignature and whatever a key type raises mean the same here
                raise CheckFailed("each certificate is signed by the next", seen=f"{_subject(one)} is not", where=self.name) from None
        store = verification.Store(authorities(trust))
        moment = min(max(now, self.leaf.not_valid_before_utc), self.leaf.not_valid_after_utc)
        verifier = verification.PolicyBuilder().store(store).time(moment).build_server_verifier(x509.DNSName(f"cleanroom.{domain}"))
        try:
            verifier.verify(self.leaf, list(self.chain[1:]))
        except verification.VerificationError as problem:
            where = str(trust or "the system's trust store")
            seen = f"{len(self.chain)} certificates, the last issued by {self.chain[-1].issuer.rfc4514_string()}: {problem}"
            advice = "every intermediate belongs into the secret, behind the leaf"
            raise CheckFailed("the chain leads to a trusted authority", seen=seen, where=f"{self.name}, judged by {where}", advice=advice) from None


@dataclass(frozen=True)
class Handshake:
    """What one verified handshake showed."""

    host: str
    version: str
    leaf: x509.Certificate

    @property
    def fingerprint(self) -> str:
        return der_fingerprint(self.leaf)


def pair(name: str, certificate: Secret, key: Secret) -> Pair:
    """Read a pair as PEM; raises `CheckFailed` if it is none. The private key is used for its public half only."""
    try:
        chain = tuple(x509.load_pem_x509_certificates(certificate.reveal()))
    except ValueError:
        raise CheckFailed("a PEM certificate chain", seen="text that is none", where=certificate.name) from None
    try:
        private = load_pem_private_key(key.reveal(), password=None)
    except (ValueError, TypeError):
        raise CheckFailed("an unencrypted PEM private key", seen="text that is none", where=key.name) from None
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Pair(
        name=name,
        chain=chain,
        key_fingerprint=hashlib.sha256(public).hexdigest(),
        certificate_digest=hashlib.sha256(certificate.reveal()).hexdigest(),
        key_digest=hashlib.sha256(key.reveal()).hexdigest(),
        holds_key=b"PRIVATE KEY-----" in certificate.reveal(),
    )


def of_secrets(settings: Certificate, values: Mapping[str, Secret]) -> Pair:
    """The pair that the site's secrets hold under the names that the site file gives; raises `CheckFailed` if one of them is not there."""
    for name in (settings.certificate, settings.key):
        if name not in values:
            advice = "certificate.certificate and certificate.key in the site file name them"
            raise CheckFailed(f"git holds a secret {name}", seen=f"it holds {', '.join(sorted(values))}", where="the sops file", advice=advice)
    return pair(settings.certificate, values[settings.certificate], values[settings.key])


def handshake(address: str, host: str, *, trust: Path | None, port: int = 443) -> Handshake:
    """Shake hands with `address` under the name `host`: SNI, host-name check, trust store, TLS 1.2 or newer. Raises `CheckFailed`."""
    context = ssl.create_default_context(cafile=str(trust) if trust is not None else system_bundle())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    where = f"{host} at {address}"
    try:
        with socket.create_connection((address, port), timeout=_HANDSHAKE_SECONDS) as raw, context.wrap_socket(raw, server_hostname=host) as link:
            der = link.getpeercert(binary_form=True)
            version = link.version()
    except ssl.SSLCertVerificationError as problem:
        seen = f"{problem.verify_message}; the certificate is {_shown(address, host, port) or 'not shown again'}"
        advice = "which certificate has the proxy loaded? Its log tells: docker service logs"
        raise CheckFailed("a verified TLS handshake", seen=seen, where=where, advice=advice) from None
    except OSError as problem:
        raise CheckFailed("a verified TLS handshake", seen=str(problem), where=where) from None
    if der is None or version is None:
        raise CheckFailed("a certificate in the handshake", seen="none", where=where)
    return Handshake(host, version, x509.load_der_x509_certificate(der))


def check_all_names(address: str, site: Site, expected: Pair, *, trust: Path | None, record: Callable[..., object] | None = None) -> list[Handshake]:
    """`check_served` for every public name of the site, several times over; the proxy may take as long as the site gives it to come to that.

    What serves git's leaf to one visitor and another to the next would be caught serving it to all of them, if it were asked until it does.
    """
    hosts = (*(endpoint.host for endpoint in site.endpoint), site.webhook.host)
    failures: list[CheckFailed] = []

    def served() -> list[Handshake] | Waiting:
        try:
            return [check_served(address, hosts, expected, trust=trust, domain=site.domain) for _ in range(_ROUNDS)][-1]
        except CheckFailed as problem:
            failures.append(problem)
            return Waiting(problem.seen)

    try:
        return wait_until(served, what="every public name to serve git's leaf", within=site.proxy_within, where=address, record=record)
    except OutOfTime:
        raise failures[-1] from None


def check_served(address: str, hosts: Sequence[str], expected: Pair, *, trust: Path | None, domain: str) -> list[Handshake]:
    """Every name, and a random label under the wildcard, serves exactly git's leaf, by DER and by public key."""
    shown: list[Handshake] = []
    for host in (*dict.fromkeys(hosts), f"{random_label()}.{domain}"):
        wanted = f"a verified TLS handshake with the leaf of {expected.name}, {_told(expected.leaf)}"
        try:
            seen = handshake(address, host, trust=trust)
        except CheckFailed as problem:
            raise CheckFailed(wanted, seen=problem.seen, where=problem.where, advice=problem.advice) from None
        if seen.fingerprint != expected.fingerprint or _public_fingerprint(seen.leaf) != expected.key_fingerprint:
            raise CheckFailed(wanted, seen=_told(seen.leaf), where=f"{host} at {address}", advice="has the proxy taken in the last change?")
        shown.append(seen)
    return shown


def dns_names(certificate: x509.Certificate) -> list[str]:
    """The DNS names of the SAN extension; none if there is no such extension."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        return []


def authorities(trust: Path | None) -> list[x509.Certificate]:
    """The certificates of a trust bundle; raises `BadInput` if there are none."""
    path = str(trust) if trust is not None else system_bundle()
    try:
        found = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as problem:
        raise BadInput(f"cannot read the trust store: {problem}", where=path) from None
    return found


def system_bundle() -> str:
    """The system's bundle of authorities, whatever the environment says; raises `BadInput` if there is none."""
    for path in _SYSTEM_BUNDLES:
        if Path(path).is_file():
            return path
    raise BadInput("this system has no bundle of certificate authorities", advice="install ca-certificates, or name one: certificate.trust")


def _shown(address: str, host: str, port: int) -> str:
    """Whose certificate is served, unverified: only for the text of a failure. Traefik's own is called TRAEFIK DEFAULT CERT."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        socket.create_connection((address, port), timeout=_HANDSHAKE_SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=host) as link,
    ):
        der = link.getpeercert(binary_form=True)
        return _told(x509.load_der_x509_certificate(der)) if der else ""
    return ""


def random_label() -> str:
    """A host label that nobody has configured, nor could know for ours."""
    return f"r{secrets.token_hex(6)}"


def der_fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 (hex) of a certificate's DER bytes."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _public_fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _told(certificate: x509.Certificate) -> str:
    return f"{_subject(certificate)}, SHA-256 {der_fingerprint(certificate)[:16]}..."


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "(no subject)"
