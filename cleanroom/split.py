"""The split between base and secrets, as both repositories show it at one commit each.

Knows: what may lie in a repository of secrets, for whom its files are encrypted, how base pins the revision it consumes, and who is let in.
Refuses: to judge a repository in which there was nothing to look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from cleanroom import flake, repository, vault
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.redact import Redactor
from cleanroom.repository import Repository
from cleanroom.sops.errors import Unsupported, ValueInClear, VaultError
from cleanroom.tables.git import Forge, Secrets

RULES = ".sops.yaml"
_INERT_STEMS = {"README", "LICENSE", "LICENCE", "COPYING", "CHANGELOG"}
_INERT_NAMES = {".gitignore", ".gitattributes"}
_INERT_SUFFIXES = {"", ".md", ".txt", ".rst"}
_PLAIN_FILE = "100644"
_SUBMODULE = "160000"
_MODULES = ".gitmodules"
#: What every sops file for age has, whatever its form.
_SEALED = (b"ENC[AES256_GCM,", b"BEGIN AGE ENCRYPTED FILE")


@dataclass(frozen=True)
class Attempt:
    """A sops file as anyone sees it, and what came of opening it: its content, or why it did not open."""

    path: str
    sealed: vault.Sealed
    opened: vault.Opened | None
    trouble: VaultError | None


def sops_files(secrets: Repository) -> tuple[str, ...]:
    """Paths of the files that are neither the rules nor inert text: each must be a sops file. Raises `CheckFailed` if there is none."""
    found = tuple(entry.path for entry in secrets.entries() if not is_inert(entry.path) and entry.path != RULES)
    if not found:
        raise CheckFailed("secrets holds at least one sops file", seen="none", where=_at(secrets))
    return found


def is_inert(path: str) -> bool:
    """Whether a path names text that neither decides nor configures anything."""
    name = PurePosixPath(path)
    return name.name in _INERT_NAMES or (name.stem.upper() in _INERT_STEMS and name.suffix.lower() in _INERT_SUFFIXES)


def check_only_secrets(secrets: Repository) -> None:
    """Every file is a sops file, the rules, or inert text."""
    paths = [entry.path for entry in secrets.entries()]
    if RULES not in paths:
        raise CheckFailed(f"secrets has its rules in {RULES}", seen="no such file", where=_at(secrets))
    advice = "code and configuration belong to base"
    for path in filter(is_inert, paths):
        if not _is_text(secrets.read(path)):
            seen = f"{path} is a program or no text at all"
            raise CheckFailed("what is named like inert text is inert text", seen=seen, where=_at(secrets), advice=advice)
    for path in sops_files(secrets):
        try:
            _inspect(secrets, path)
        except BadInput as problem:
            seen = f"{path} is none of these, nor a sops file: {problem.problem}"
            raise CheckFailed("only sops files, rules and inert text", seen=seen, where=_at(secrets), advice=advice) from None


def check_modes(secrets: Repository) -> None:
    """Every entry is a plain file: no program, no link, no submodule."""
    strange = [f"{entry.path} (mode {entry.mode})" for entry in secrets.entries() if entry.mode != _PLAIN_FILE]
    if strange:
        advice = "git update-index --chmod=-x FILE, if it is a program"
        raise CheckFailed(f"plain files only, mode {_PLAIN_FILE}", seen=", ".join(strange), where=_at(secrets), advice=advice)


def open_all(secrets: Repository, identities: Sequence[vault.Identity], redactor: Redactor) -> tuple[Attempt, ...]:
    """Open every sops file; the redactor knows every value that was found from here on. A file that is no sops file raises `CheckFailed`."""
    attempts = []
    for path in sops_files(secrets):
        sealed, opened, trouble = _inspect_or_fail(secrets, path), None, None
        try:
            opened = vault.open_bytes(secrets.read(path), vault.Form.of(path), name=path, identities=identities)
        except Unsupported:
            raise  # the file may be in order: we cannot tell
        except VaultError as problem:
            trouble = problem
        for value in opened.values.values() if opened else ():
            redactor.add(value)
        attempts.append(Attempt(path, sealed, opened, trouble))
    return tuple(attempts)


def opened(attempts: Sequence[Attempt]) -> dict[str, vault.Opened]:
    """The content of every file, by path; raises the trouble of one that did not open: nobody can tell what is in it."""
    for attempt in attempts:
        if attempt.trouble is not None:
            raise attempt.trouble
    return {attempt.path: attempt.opened for attempt in attempts if attempt.opened is not None}


def check_all_encrypted(attempts: Sequence[Attempt], secrets: Repository) -> None:
    """In every file something is encrypted, and nothing stands in clear: by the file's own rule or against it."""
    where = _at(secrets)
    for attempt in attempts:
        sealed = attempt.sealed
        if isinstance(attempt.trouble, ValueInClear):
            seen = f"{attempt.trouble.where} stands in clear"
            raise CheckFailed("every value is encrypted", seen=seen, where=where, advice="sops --encrypt the file")
        if sealed.clear or sealed.empty:
            seen = f"{attempt.path} has {', '.join(sealed.clear + sealed.empty)} in clear"
            advice = "sops leaves empty values, and those that the file's rule exempts, as they are: give them a value, or drop the rule"
            raise CheckFailed("every value is encrypted", seen=seen, where=where, advice=advice)
        if not sealed.encrypted:
            raise CheckFailed("a sops file holds at least one secret", seen=f"{attempt.path} holds none", where=where)


def check_authentic(attempts: Sequence[Attempt], secrets: Repository) -> None:
    """The bootstrap key opened every file, and the file's MAC verified."""
    for attempt in attempts:
        if attempt.trouble is not None:
            seen = f"{attempt.trouble.where}: {attempt.trouble.problem} ({attempt.trouble.reason})"
            raise CheckFailed("the bootstrap key opens the file and its MAC verifies", seen=seen, where=_at(secrets), advice=attempt.trouble.advice)


def check_recipients(secrets: Repository) -> None:
    """Each file is for exactly those whom the first matching rule names, age keys all."""
    rules = secrets.read(RULES)
    for path in sops_files(secrets):
        sealed = _inspect_or_fail(secrets, path)
        try:
            wanted = set(vault.recipients_for(rules, path))
        except Unsupported:
            raise
        except BadInput as problem:
            raise CheckFailed(f"a rule for {path}", seen=problem.problem, where=f"{_at(secrets)}: {RULES}", advice=problem.advice) from None
        seen = {*sealed.recipients, *sealed.foreign}
        if seen != wanted:
            text = "; ".join(filter(None, (_named("not in the file", wanted - seen), _named("not in the rules", seen - wanted))))
            expected = f"{path} has exactly the recipients that {RULES} gives it"
            raise CheckFailed(expected, seen=text, where=_at(secrets), advice=f"sops updatekeys {path}; sops rotate, if somebody was to lose access")


def check_bootstrap_recipient(secrets: Repository, identities: Sequence[vault.Identity]) -> None:
    """The bootstrap key is one key, and its public half is a recipient of every file."""
    if len(identities) != 1:
        seen, advice = f"its file holds {len(identities)}", "the claim is of one secret outside git: encrypt every file to one of them"
        raise CheckFailed("the bootstrap key is one age key", seen=seen, where=_at(secrets), advice=advice)
    ours = identities[0].recipient
    for path in sops_files(secrets):
        if ours not in _inspect_or_fail(secrets, path).recipients:
            seen = f"{path} is not for {ours}"
            raise CheckFailed("the bootstrap key's public half is a recipient of every file", seen=seen, where=_at(secrets), advice="sops updatekeys")


def check_declared_means(base: Repository, settings: Secrets) -> None:
    """Base consumes secrets as the site says it does, from the repository that the site names."""
    pinned, url = _pinned(base, settings)
    if not _same_place(url, settings.url):
        expected, seen = f"base takes its secrets from {settings.url}", f"{url} at {pinned[:12]}"
        advice = "inputs in flake.nix, then nix flake lock; or secrets.url in the site file"
        raise CheckFailed(expected, seen=seen, where=_lock_of(base, settings), advice=advice)
    if settings.consumed_as == "flake-input":
        flake.check_declared(base, settings.input)


def check_no_copy(base: Repository, secrets: Repository) -> None:
    """No file of base is a sops file for those whom secrets is for: what everybody can fetch is no place for it, and base would read it there."""
    recipients = {recipient.encode() for path in sops_files(secrets) for recipient in _inspect_or_fail(secrets, path).recipients}
    for entry in base.entries():
        data = base.read(entry.path) if entry.mode != _SUBMODULE else b""
        if all(mark in data for mark in _SEALED) and any(recipient in data for recipient in recipients):
            seen, advice = f"{entry.path} is one", "remove it, and renew what is in it: it stays in the history"
            raise CheckFailed("secrets are in the repository of secrets alone", seen=seen, where=_at(base), advice=advice)


def check_locked(base: Repository, secrets: Repository, settings: Secrets) -> None:
    """The pinned revision is the one under test."""
    seen, _ = _pinned(base, settings)
    if seen != secrets.commit:
        submodule = settings.consumed_as == "submodule"
        advice = f"{'git submodule update --remote' if submodule else f'nix flake update {settings.input}'}, and commit it"
        raise CheckFailed(f"base has locked secrets at {secrets.commit}", seen=seen, where=_lock_of(base, settings), advice=advice)


def check_stranger_refused(settings: Secrets, forge: Forge) -> None:
    """The forge does not serve secrets to one without a credential, by any door that it has."""
    for door in _doors(settings.url, forge):
        if repository.refusal(door, forge=forge) is None:
            seen = "it lists the repository's branches to anyone who asks"
            raise CheckFailed("the forge refuses a stranger", seen=seen, where=door, advice="make the repository private")


def check_credential(settings: Secrets, forge: Forge, redactor: Redactor, folder: Path) -> None:
    """The declared credential is let in, and what it fetches into `folder` holds the revision under test."""
    if settings.credential.token is not None:
        redactor.add(settings.credential.token.load("token of the private repository"))
    refused = repository.refusal(settings.url, forge=forge, credential=settings.credential)
    if refused is not None:
        raise CheckFailed("the declared credential is let in", seen=refused, where=settings.url, advice="secrets.credential in the site file")
    try:
        repository.fetch(settings.url, settings.revision, folder, forge=forge, credential=settings.credential)
    except BadInput as problem:
        raise CheckFailed("the declared credential fetches the revision under test", seen=problem.problem, where=settings.url) from None


def submodule_path(base: Repository, settings: Secrets) -> str:
    """Where in base the submodule lies that is secrets; raises `CheckFailed` unless there is exactly one."""
    modules = {entry.path: entry for entry in base.entries() if entry.mode == _SUBMODULE}
    found = [path for path, url in _submodule_urls(base).items() if path in modules and _same_place(url, settings.url)]
    if len(found) != 1:
        seen = f"{len(modules)} submodules, {len(found)} of them from {settings.url}"
        raise CheckFailed("base consumes secrets as one submodule", seen=seen, where=f"{base.url}: .gitmodules")
    return found[0]


def _pinned(base: Repository, settings: Secrets) -> tuple[str, str]:
    """Revision and URL of secrets that base has pinned; raises `CheckFailed` if it pins none by the declared means."""
    if settings.consumed_as == "submodule":
        path = submodule_path(base, settings)
        revision = next(entry.object_name for entry in base.entries() if entry.path == path)
        return revision, _submodule_urls(base)[path]
    return flake.locked(base, settings.input)


def _submodule_urls(base: Repository) -> dict[str, str]:
    """Path to URL of each submodule that `.gitmodules` names, relative URLs resolved as git does; empty if there is no such file."""
    if all(entry.path != _MODULES for entry in base.entries()):
        return {}
    settings: dict[str, dict[str, str]] = {}
    for key, value in base.settings(_MODULES):
        section, _, last = key.rpartition(".")
        settings.setdefault(section, {})[last] = value
    try:
        return {module["path"]: _resolved(module["url"], against=base.url) for name, module in settings.items() if name.startswith("submodule.")}
    except KeyError as problem:
        raise HarnessError(f"cannot read the submodules: one has no {problem}", where=f"{base.url}: {_MODULES}") from None


def _resolved(url: str, *, against: str) -> str:
    """A submodule's URL as git reads it: `../` leaves one component of the URL of the repository around it."""
    while url.startswith("../"):
        url, against = url.removeprefix("../"), against.rstrip("/").rpartition("/")[0]
        if not url.startswith("../"):
            url = f"{against}/{url}"
    return url


def _same_place(one: str, other: str) -> bool:
    """Whether two git URLs, of whatever transport, name the same repository."""
    return _place(one) == _place(other)


def _place(url: str) -> tuple[str, str]:
    if "://" not in url and ":" in url:  # scp's way of writing: user@host:path
        host, _, path = url.partition(":")
        url = f"ssh://{host}/{path}"
    parts = urlsplit(url.removeprefix("git+"))
    return parts.hostname or "", parts.path.strip("/").removesuffix(".git")


def _doors(url: str, forge: Forge) -> Iterator[str]:
    """Where a stranger would ask. Over SSH nobody gets in without a key, into no repository: how public it is shows at the forge's web address."""
    yield url
    host, path = _place(url)
    if host and not url.startswith(("http://", "https://")) and repository.listens(host, forge=forge):
        yield f"https://{host}/{path}"


def _lock_of(base: Repository, settings: Secrets) -> str:
    return f"{_at(base)}: {'.gitmodules' if settings.consumed_as == 'submodule' else 'flake.lock'}"


def _inspect(secrets: Repository, path: str) -> vault.Sealed:
    return vault.inspect(secrets.read(path), form=vault.Form.of(path), name=path)


def _inspect_or_fail(secrets: Repository, path: str) -> vault.Sealed:
    try:
        return _inspect(secrets, path)
    except Unsupported:
        raise
    except BadInput as problem:
        raise CheckFailed(f"{path} is a sops file", seen=problem.problem, where=_at(secrets), advice=problem.advice) from None


def _is_text(data: bytes) -> bool:
    try:
        return not data.decode().startswith("#!") and b"\0" not in data
    except UnicodeDecodeError:
        return False


def _named(what: str, recipients: set[str]) -> str:
    return f"{what}: {', '.join(sorted(recipients))}" if recipients else ""


def _at(of: Repository) -> str:
    return f"{of.url} at {of.commit[:12]}"
