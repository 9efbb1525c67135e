"""What base declares against what secrets holds, and what of it a machine has decrypted.

Knows: sops-nix's options as an evaluation tells them, which sops file in git each declared secret comes from, and which value it must have.
Refuses: to take a file on the machine for git's unless their digests agree, and to compare a whole file's worth of values as one secret.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanroom import split, vault
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.machine import Machine
from cleanroom.redact import Secret
from cleanroom.repository import Repository
from cleanroom.site import Site

#: Where decrypted secrets belong: in memory, below these.
DECRYPTED = ("/run/secrets.d", "/run/secrets-for-users.d")
#: What sops-nix itself puts there: identities that it imported, and templates, which are made of declared secrets.
_OF_SOPS_NIX = re.compile(r"age-keys\.txt|[0-9]+/rendered/.*")
_EVALUATION_SECONDS = 300.0
#: sops-nix's options as data. Older versions lack some; a path is told as text, without copying it into the store.
_OPTIONS = """secrets: builtins.mapAttrs (name: secret: {
  key = secret.key or name; path = secret.path; mode = secret.mode; sopsFile = toString secret.sopsFile; format = secret.format or "yaml";
  owner = secret.owner or null; uid = secret.uid or null; group = secret.group or null; gid = secret.gid or null;
}) secrets"""
_WHOLE_FILES = {"binary", "dotenv", "ini"}


@dataclass(frozen=True)
class SopsFile:
    """One sops file in git, opened: its path in secrets, the digest (SHA-256, hex) of its bytes, and what it holds."""

    path: str
    digest: str
    opened: vault.Opened


@dataclass(frozen=True)
class Declared:
    """One secret as base declares it. `file` is the sops file's path on the machine; owner and group are names or numbers."""

    name: str
    key: str
    path: str
    mode: int
    owner: str
    group: str
    file: str
    format: str

    @property
    def is_whole_file(self) -> bool:
        return self.key == "" or self.format in _WHOLE_FILES


@dataclass(frozen=True)
class Pair:
    """A declared secret and the file in git that it comes from."""

    declared: Declared
    file: SopsFile

    @property
    def names(self) -> frozenset[str]:
        """The names in git that this declaration stands for, the file's path in front."""
        wanted = self.file.opened.values if self.declared.is_whole_file else (self.declared.key,)
        return frozenset(f"{self.file.path}: {name}" for name in wanted)

    def value(self) -> Secret:
        """Git's value. Raises `CheckFailed` if git has none, `HarnessError` if the declaration stands for a file of several values."""
        key = "data" if self.declared.format == "binary" else self.declared.key
        if self.declared.is_whole_file and self.declared.format != "binary":
            raise HarnessError(f"cannot tell: {self.declared.name} is a whole {self.declared.format} file, not one value", where=self.file.path)
        if key not in self.file.opened.values:
            raise CheckFailed(f"the declared secret {self.declared.name} is in git", seen=f"no value {key}", where=self.file.path)
        return self.file.opened.values[key]


def open_all(secrets: Repository, identities: Sequence[vault.Identity]) -> tuple[SopsFile, ...]:
    """Every sops file of the repository, opened. Raises a `VaultError` for one that cannot be."""
    found = []
    for path in split.sops_files(secrets):
        data = secrets.read(path)
        opened = vault.open_bytes(data, vault.Form.of(Path(path)), name=path, identities=identities)
        found.append(SopsFile(path, hashlib.sha256(data).hexdigest(), opened))
    return tuple(found)


def evaluate(machine: Machine, base: Repository, attribute: str) -> tuple[Declared, ...]:
    """What base declares at the commit under test, evaluated on the machine. Raises `CheckFailed` if that is nothing."""
    reference = f"git+{base.url}?rev={base.commit}#nixosConfigurations.{attribute}.config.sops.secrets"
    found = json.loads(machine.probe("nix", "eval", "--json", reference, "--apply", _OPTIONS, within=_EVALUATION_SECONDS).stdout)
    if not found:
        raise CheckFailed("base declares its secrets (sops.secrets)", seen="none", where=f"{base.url}: nixosConfigurations.{attribute}")
    return tuple(_declared(name, options) for name, options in sorted(found.items()))


def pair(machine: Machine, declared: Sequence[Declared], files: Sequence[SopsFile]) -> tuple[Pair, ...]:
    """Each declared secret with its file in git, told by digest: a file that only looks alike is none. Raises `CheckFailed`."""
    by_digest = {file.digest: file for file in files}
    here = {path: by_digest.get(machine.sha256(path)) for path in {each.file for each in declared}}
    pairs = []
    for each in declared:
        file = here[each.file]
        if file is None:
            seen = f"{each.file}, which is no sops file of secrets"
            raise CheckFailed(f"the declared secret {each.name} comes from secrets", seen=seen, where=machine.where)
        pairs.append(Pair(each, file))
    return tuple(pairs)


def check_declared_exist(pairs: Sequence[Pair]) -> None:
    """Every declared secret has a value in git."""
    for each in pairs:
        if not each.declared.is_whole_file:
            each.value()


def check_nothing_undeclared(pairs: Sequence[Pair], files: Sequence[SopsFile]) -> None:
    """Every value in git is declared."""
    declared = frozenset[str]().union(*(each.names for each in pairs))
    undeclared = [f"{file.path}: {name}" for file in files for name in file.opened.values if f"{file.path}: {name}" not in declared]
    if undeclared:
        seen = f"undeclared: {', '.join(undeclared)}"
        advice = "declare it, or remove it and renew what it opened"
        raise CheckFailed("base declares every secret that git holds", seen=seen, where="sops.secrets", advice=advice)


def check_required(pairs: Sequence[Pair], site: Site) -> None:
    """The secrets that every cc-ci needs are among the declared ones, by the names that the site gives."""
    declared = {each.declared.key for each in pairs} | {each.declared.name for each in pairs}
    for kind, name in _required(site):
        if name is None:
            advice = "required_secrets in the site file names it"
            raise HarnessError(f"cannot tell: the site does not say which secret is the {kind}", where=str(site.path), advice=advice)
        if name not in declared:
            raise CheckFailed(f"the {kind} ({name}) is a declared secret", seen="base does not declare it", where="sops.secrets")


def check_hosts(files: Sequence[SopsFile], hosts: Sequence[str]) -> None:
    """Every sops file can be opened by the hosts that the site names, by their age recipients."""
    if not hosts:
        advice = "required_secrets.hosts in the site file"
        raise HarnessError("cannot tell: the site names no host's age recipient", advice=advice)
    for file in files:
        missing = sorted(set(hosts) - set(file.opened.recipients))
        if missing:
            raise CheckFailed("each host's age recipient is one of every sops file", seen=f"missing: {', '.join(missing)}", where=file.path)


def check_values(machine: Machine, pairs: Sequence[Pair]) -> None:
    """On the machine each declared secret is git's value, compared by SHA-256."""
    seen = digests(machine, [each.declared.path for each in pairs])
    for each in pairs:
        value = each.value().reveal()
        found = seen.get(each.declared.path)
        if found is None:
            raise CheckFailed(f"{each.declared.name} is decrypted at {each.declared.path}", seen="nothing is there", where=machine.where)
        if found != hashlib.sha256(value).hexdigest():
            raise CheckFailed(f"{each.declared.path} holds git's {each.declared.name}", seen="other bytes", where=machine.where)


def check_nothing_else(machine: Machine, pairs: Sequence[Pair]) -> None:
    """Where secrets are decrypted lies nothing but what base declares, in whichever generation; no search looks there."""
    leads_to = machine.probe("readlink", "-f", "--", *(each.declared.path for each in pairs), ok=(0, 1)).text.splitlines()
    known = {_below(path).partition("/")[2] for path in leads_to if path.startswith(DECRYPTED)}
    files = machine.probe("find", *DECRYPTED, "-type", "f", "-print0", ok=(0, 1)).stdout.decode(errors="surrogateescape").split("\0")[:-1]
    strange = [path for path in files if not _OF_SOPS_NIX.fullmatch(_below(path)) and _below(path).partition("/")[2] not in known]
    if strange:
        seen = f"undeclared: {', '.join(sorted(strange))}"
        raise CheckFailed("where secrets are decrypted lies what base declares, and nothing else", seen=seen, where=machine.where)


def _below(path: str) -> str:
    """`path` from the folder of decrypted secrets on: the number of the generation comes first."""
    return "/".join(path.split("/")[3:])


def check_modes(machine: Machine, pairs: Sequence[Pair]) -> None:
    """Each decrypted file has the owner, group and mode that base declares."""
    paths = [each.declared.path for each in pairs]
    lines = machine.probe("stat", "--dereference", "--format=%a %U %u %G %g %n", "--", *paths, ok=(0, 1)).text.splitlines()
    facts = {line.split(" ", 5)[5]: line.split(" ", 5)[:5] for line in lines}
    for each in pairs:
        wanted = each.declared
        if wanted.path not in facts:
            raise CheckFailed(f"{wanted.name} is decrypted at {wanted.path}", seen="nothing is there", where=machine.where)
        mode, user, uid, group, gid = facts[wanted.path]
        if int(mode, 8) != wanted.mode or wanted.owner not in {user, uid} or wanted.group not in {group, gid}:
            expected = f"{wanted.path} is of {wanted.owner}:{wanted.group}, mode {wanted.mode:04o}"
            raise CheckFailed(expected, seen=f"of {user}:{group}, mode {mode.zfill(4)}", where=machine.where)


def digests(machine: Machine, paths: Sequence[str]) -> Mapping[str, str]:
    """SHA-256 (hex) of each file that can be read, by the path asked for."""
    lines = machine.probe("sha256sum", "--", *paths, ok=(0, 1)).text.splitlines()
    return {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in lines}


def _declared(name: str, options: Mapping[str, str | int | None]) -> Declared:
    def who(text: str, number: str) -> str:
        return str(options[text] if options[text] is not None else options[number])

    return Declared(
        name=name,
        key=str(options["key"]),
        path=str(options["path"]),
        mode=int(str(options["mode"]), 8),
        owner=who("owner", "uid"),
        group=who("group", "gid"),
        file=str(options["sopsFile"]),
        format=str(options["format"]),
    )


def _required(site: Site) -> Iterator[tuple[str, str | None]]:
    required = site.required_secrets
    yield "certificate", site.certificate.certificate
    yield "certificate's key", site.certificate.key
    yield "webhook HMAC", site.webhook.secret
    yield "Drone OAuth client id", required.drone_client_id
    yield "Drone OAuth client secret", required.drone_client_secret
    yield "Drone RPC secret", required.drone_rpc_secret
    yield from (("registry credential", name) for name in required.registry)
