"""What is searched for: the values that we hold, and the marks of those that nobody here knows.

Knows: which of a run's secrets may lie nowhere in clear, by groups that are judged apart, and what private keys look like.
Refuses: to pass over a value that cannot be searched for: it is told, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanroom.declared import SopsFile
from cleanroom.errors import BadInput
from cleanroom.leak import forms
from cleanroom.leaks import Searcher
from cleanroom.redact import Secret
from cleanroom.site import Site

#: PEM within base64, as tools that keep keys in YAML or JSON write it: the label may begin at each of three alignments.
_PEM_IN_BASE64 = f"LS0tLS1CRUdJTi[A-Za-z0-9+/]{{1,24}}({'|'.join(forms.base64_inside(b'PRIVATE KEY-----', each).decode() for each in range(3))})"
#: A private key in clear, with the beginning of its body or of its headers: a program that can read keys holds the first line too.
PRIVATE_KEYS = {
    "private key (PEM, OpenSSH)": r"-----BEGIN ([A-Z0-9]{1,12} ){0,2}PRIVATE KEY-----(\s|\\n|\\r){1,6}[A-Za-z0-9+/][A-Za-z0-9+/-]{7}",
    "private key (PGP)": r"-----BEGIN PGP PRIVATE KEY BLOCK-----(\s|\\n|\\r){1,6}[A-Za-z0-9+/]{7}",
    "private key (PEM in base64)": _PEM_IN_BASE64,
    "private key (JSON web key)": r"\"d\"\s{0,4}:\s{0,4}\"[A-Za-z0-9_-]{43}",
    "private key (age)": r"AGE-SECRET-KEY-(1|PQ-1)[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "private key (PuTTY)": r"Private-Lines: [0-9]{1,3}\s{1,2}[A-Za-z0-9+/]{16}",
}


@dataclass(frozen=True)
class Needles:
    """A searcher for everything at once, and the names by group: a place is read once, and judged as often as asked."""

    searcher: Searcher
    values: frozenset[str]
    key: frozenset[str]
    credential: frozenset[str]
    dns_token: frozenset[str]
    private_keys: frozenset[str]


def gather(site: Site, files: Sequence[SopsFile]) -> Needles:
    """Everything of this run that may lie nowhere in clear. Raises `BadInput` for a pattern of the site's that cannot be used."""
    values = _values(files)
    key = {"bootstrap key": Secret(_read(site.bootstrap.key_file), name="bootstrap key")}
    credential = _credential(site)
    patterns = {**site.leaks.dns_token_patterns, **PRIVATE_KEYS}
    return Needles(
        searcher=Searcher({**values, **key, **credential}, patterns=patterns),
        values=frozenset(values),
        key=frozenset(key),
        credential=frozenset(credential),
        dns_token=frozenset(site.leaks.dns_token_patterns),
        private_keys=frozenset(PRIVATE_KEYS),
    )


def _values(files: Sequence[SopsFile]) -> dict[str, Secret]:
    """Every value that is encrypted in git; what a file's rule leaves in clear is no secret."""
    found = {}
    for file in files:
        for name, value in file.opened.values.items():
            if name not in file.opened.clear:
                found[name if len(files) == 1 else f"{file.path}: {name}"] = value
    return found


def _credential(site: Site) -> dict[str, Secret]:
    """What fetches the private repository, on this side and in the guide's hands."""
    credential = site.secrets.credential
    found = {f"guide variable {name}": source.load(f"guide variable {name}") for name, source in site.guide.secrets.items()}
    if credential.token is not None:
        found["fetch token"] = credential.token.load("token of the private repository")
    elif credential.deploy_key is not None:
        found["deploy key"] = Secret(_read(credential.deploy_key), name="deploy key")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadInput(f"cannot read a key to search for: {problem.strerror}", where=str(path)) from None
