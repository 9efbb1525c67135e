"""Renewal: a new certificate as a commit to secrets, tried on the throwaway.

Knows: how to make a certificate authority that lives for one rehearsal, and how to put a new pair into a sops file for the same recipients.
Refuses: to pass the new leaf off as a publicly trusted one. No authority of the site's trust store issues it, for that authority's key is not the
suite's to have: handshakes that are served it are verified in full, but against the rehearsal's own authority.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cleanroom import certificate, vault
from cleanroom.certificate import Pair
from cleanroom.errors import BadInput, CheckFailed
from cleanroom.installation import Installation
from cleanroom.redact import Redactor, Secret
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.ssh import Result
from cleanroom.trial import Trial
from cleanroom.workshop import Workshop, export

_HOUR = datetime.timedelta(hours=1)
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Renewal:
    """A rebuild from a scratch copy of secrets with a new pair; `trust` is a bundle with the rehearsal's authority alone."""

    trial: Trial
    site: Site
    old: Pair
    new: Pair
    trust: Path
    rebuilt: Result

    @staticmethod
    def of(trial: Trial, base: Repository, secrets: Repository, opened: vault.Opened, site: Site, folder: Path, redactor: Redactor) -> Renewal:
        """Commit a new pair to a scratch copy of secrets and rebuild the machine from it. `folder` is ours, on this side."""
        settings, name = site.certificate, site.secrets.file
        tree = export(secrets, folder / "secrets")
        chain, key, authority = issue(site.domain, now=datetime.datetime.now(datetime.UTC))
        redactor.add(key)
        renewed = {settings.certificate: chain, settings.key: key}
        (tree / name).write_bytes(rewritten(opened, renewed, vault.Form.of(name), where=name))
        trust = folder / "authority.pem"
        trust.write_bytes(authority)
        workshop = Workshop(trial, site, base, tree)
        rebuilt = workshop.rebuild(workshop.flake(export(base, folder / "base")))
        return Renewal(trial, site, certificate.of_secrets(settings, opened.values), certificate.of_secrets(settings, renewed), trust, rebuilt)

    def check_rebuilt(self) -> None:
        """The rebuild from the new commit ended well."""
        if not self.rebuilt.ok:
            seen = f"exit status {self.rebuilt.status}: {self.rebuilt.complaint}"
            raise CheckFailed("a rebuild takes in a renewed certificate", seen=seen, where=self.trial.machine.where)

    def check_new_leaf(self) -> None:
        """The rebuild ended well; every public name, and a random label, serves exactly the new leaf."""
        self.check_rebuilt()
        certificate.check_all_names(self.trial.machine.ssh.address, self.site, self.new, trust=self.trust, record=self.trial.machine.record)

    def check_way_back(self) -> None:
        """Rebuilt from git by the guide's own command, the machine runs what it ran before, and holds and serves git's certificate again."""
        again: Installation = self.trial.rebuild_from_git()
        again.demand_complete()
        if not self.trial.is_undone:
            expected = "a rebuild from git brings back git's system and certificate"
            raise CheckFailed(expected, seen="the system or a certificate file is another", where=self.trial.machine.where)
        certificate.check_all_names(
            self.trial.machine.ssh.address, self.site, self.old, trust=self.site.certificate.trust, record=self.trial.machine.record
        )


def issue(domain: str, *, now: datetime.datetime) -> tuple[Secret, Secret, bytes]:
    """A wildcard pair for `domain` and the authority that issued it, for this occasion only: chain, key, authority (PEM). Valid for a day."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name, subject = _name("cleanroom rehearsal, trusted by nobody else"), _name(f"*.{domain}")
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
    authority = (
        _builder(authority_name, authority_name, authority_key, authority_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        _builder(subject, authority_name, key, authority_key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"*.{domain}"), x509.DNSName(domain)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    bundle = authority.public_bytes(Encoding.PEM)
    chain = Secret(leaf.public_bytes(Encoding.PEM) + bundle, name="the rehearsal's certificate")
    return chain, Secret(private, name="the rehearsal's private key"), bundle


def rewritten(opened: vault.Opened, changes: Mapping[str, Secret], form: vault.Form, *, where: str) -> bytes:
    """The sops file with some values changed, under a new data key for the same recipients. Raises `BadInput` for what is not text in mappings."""
    tree: dict[str, Any] = {}
    for name in opened.types:
        if opened.types[name] != "str":
            raise BadInput(f"{name} is no text: this file cannot be rewritten here", where=where, advice="quote the value: sops-nix wants text, too")
        *folders, last = name.split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[last] = changes.get(name, opened.values[name]).text()
    return vault.encrypt(tree, recipients=opened.recipients, form=form, rules=opened.rules)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, above: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _HOUR)
        .not_valid_after(now + _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
