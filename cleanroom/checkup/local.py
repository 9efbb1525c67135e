"""Everything a site file names on this side: files, folders, environment variables.

Knows: every path and every source of a secret, wherever a table has one; of the known ones also what must be in them.
Refuses: to show any of it: it says whether a file can be used, never what it says.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from pydantic import BaseModel

from cleanroom import certificate, vault
from cleanroom.checkup.points import Finding, good, note, trouble
from cleanroom.errors import BadInput, HarnessError
from cleanroom.incus import door
from cleanroom.site import Site
from cleanroom.ssh import KeyPair
from cleanroom.tables.base import SecretSource

_OTHERS = 0o077
#: What a site has only after its first run.
_LATER = ("evidence.document_file", "evidence.records", "evidence.trusted_key", "evidence.local_documents")


def look(site: Site) -> Iterator[Finding]:
    """Every file and variable that the site file names, one by one."""
    for key, value in _named(site):
        if isinstance(value, SecretSource):
            yield _source(key, value)
        elif key.startswith("leaks.repositories"):
            yield _folder(key, value)
        elif key.startswith(_LATER) and not value.exists():
            yield note(key, "not there yet: C5 judges an earlier run's record and what its owner wrote of it", where=str(value))
        elif value.is_dir():
            yield good(key, f"a folder, {value}")
        elif site.incus.endpoint.startswith("https://") or not key.startswith("incus."):
            yield _file(key, value)
    yield from _pair(site)
    yield from _trust(site)
    if site.canonical is not None:
        yield _public_key("canonical.host_key", site.canonical.host_key)


def _named(table: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every path and every source in a table, by the key that names it."""
    for name in type(table).model_fields:
        yield from _within(f"{prefix}{name}", getattr(table, name))


def _within(key: str, value: object) -> Iterator[tuple[str, Any]]:
    match value:
        case SecretSource():
            yield key, value
        case Path():
            yield key, Path(os.path.normpath(value))
        case BaseModel():
            yield from _named(value, f"{key}.")
        case dict():
            for name, item in value.items():
                yield from _within(f"{key}.{name}", item)
        case tuple():
            for number, item in enumerate(value, start=1):
                yield from _within(f"{key}.{number}", item)


def _source(key: str, source: SecretSource) -> Finding:
    place = source.file or f"environment variable {source.env}"
    try:
        source.load(key)
    except BadInput as problem:
        advice = f"put it there, or name another place: {key}" if source.file else f"export {source.env}=..., or name a file: {key}"
        return Finding(key, "wrong", problem.problem, str(place), advice)
    if source.file is not None and (finding := _too_open(key, source.file)):
        return finding
    return good(key, f"there, in {place}")


def _folder(key: str, path: Path) -> Finding:
    if not (path / "objects").is_dir():
        return Finding(key, "wrong", "this is no bare git repository", str(path))
    return good(key, str(path))


def _file(key: str, path: Path) -> Finding:
    if not path.is_file():
        return Finding(key, "wrong", "there is no such file", str(path), f"put it there, or name another: {key}")
    try:
        what = _KINDS.get(key, _readable)(path)
    except HarnessError as problem:
        return trouble(key, problem, wrong=True)
    if key in _SECRET and (finding := _too_open(key, path)):
        return finding
    return good(key, f"{what}, {path}")


def _too_open(key: str, path: Path) -> Finding | None:
    if not path.stat().st_mode & _OTHERS:
        return None
    return Finding(key, "wrong", "others on this machine can read this secret", str(path), f"chmod 600 {path}")


def _readable(path: Path) -> str:
    try:
        path.read_bytes()
    except OSError as problem:
        raise BadInput(f"cannot be read: {problem.strerror}", where=str(path)) from None
    return "readable"


def _age_key(path: Path) -> str:
    found = len(vault.load_identities(path))
    if found != 1:
        raise BadInput(f"holds {found} identities", where=str(path), advice="the claim is of one key")
    return "1 identity"


def _ed25519(path: Path) -> str:
    _readable(path)
    return f"SSH key {KeyPair.load(path.read_bytes(), str(path)).fingerprint}"


def _deploy_key(path: Path) -> str:
    _readable(path)
    try:
        serialization.load_ssh_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadInput("this is no unencrypted OpenSSH private key", where=str(path)) from None
    return "an SSH key"


def _certificate(path: Path) -> str:
    loaded = door.load_certificate(path)
    return f"a certificate, {door.fingerprint(path)[:16]}, until {loaded.not_valid_after_utc:%Y-%m-%d}"


def _client_certificate(path: Path) -> str:
    door.check_lifetime(path)
    return _certificate(path)


def _bundle(path: Path) -> str:
    return f"{len(certificate.authorities(path))} authorities"


_KINDS: dict[str, Callable[[Path], str]] = {
    "bootstrap.key_file": _age_key,
    "secrets.credential.deploy_key": _deploy_key,
    "access.private_key": _ed25519,
    "canonical.private_key": _ed25519,
    "incus.client_certificate": _client_certificate,
    "incus.server_certificate": _certificate,
    "forge.trust": _bundle,
    "certificate.trust": _bundle,
}
_SECRET = {
    "bootstrap.key_file",
    "secrets.credential.deploy_key",
    "access.private_key",
    "canonical.private_key",
    "incus.client_key",
    "evidence.signing_key",
}


def _pair(site: Site) -> Iterator[Finding]:
    """Whether the client's key is its certificate's; said only where both are there to be compared."""
    one, other = site.incus.client_certificate, site.incus.client_key
    if site.incus.endpoint.startswith("https://"):
        for key in ("client_certificate", "client_key", "server_certificate"):
            if getattr(site.incus, key) is None:
                yield Finding(f"incus.{key}", "wrong", "not given, and a remote Incus needs it", str(site.path))
    if one is not None and other is not None and one.is_file() and other.is_file():
        try:
            door.check_pair(one, other)
        except BadInput as problem:
            yield trouble("incus.client_key", problem)
        else:
            yield good("incus.client_key", "it belongs to the client certificate")


def _trust(site: Site) -> Iterator[Finding]:
    """The system's trust store, where the site file leaves it to that."""
    left = [key for key, value in (("forge.trust", site.forge.trust), ("certificate.trust", site.certificate.trust)) if value is None]
    if left:
        try:
            path = Path(certificate.system_bundle())
        except BadInput as problem:
            yield trouble(", ".join(left), problem)
        else:
            yield note(", ".join(left), f"the system's: {path.read_bytes().count(b'-----BEGIN CERTIFICATE')} authorities, {path}")


def _public_key(key: str, line: str) -> Finding:
    words = line.split()
    try:
        ok = len(words) > 1 and base64.b64decode(words[1], validate=True)[4 : 4 + len(words[0])] == words[0].encode()
    except (ValueError, binascii.Error):
        ok = False
    if not ok:
        return Finding(key, "wrong", "this is no public key line", "the site file", "ssh-keyscan, or cat /etc/ssh/ssh_host_ed25519_key.pub there")
    return good(key, f"a public key line, {words[0]}")
