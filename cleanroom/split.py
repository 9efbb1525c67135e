"""The split between base and secrets, as both repositories show it at one commit each.

Knows: what may lie in a repository of secrets, how base pins the revision it consumes, and where instance parameters are defined.
Refuses: to judge a repository in which there was nothing to look at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from cleanroom import vault
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.repository import Entry, Repository
from cleanroom.site import Parameter, Secrets

RULES = ".sops.yaml"
_INERT_STEMS = {"README", "LICENSE", "LICENCE", "COPYING", "CHANGELOG"}
_INERT_NAMES = {".gitignore", ".gitattributes"}
_INERT_SUFFIXES = {"", ".md", ".txt", ".rst"}
_PLAIN_FILE = "100644"
_SUBMODULE = "160000"


def sops_files(secrets: Repository) -> tuple[str, ...]:
    """Paths of the files that are neither the rules nor inert text: each must be a sops file. Raises `CheckFailed` if there is none."""
    found = tuple(entry.path for entry in secrets.entries() if not is_inert(entry.path) and entry.path != RULES)
    if not found:
        raise CheckFailed("secrets holds at least one sops file", seen="none", where=secrets.url)
    return found


def is_inert(path: str) -> bool:
    """Whether a path names text that neither decides nor configures anything."""
    name = PurePosixPath(path)
    return name.name in _INERT_NAMES or (name.stem.upper() in _INERT_STEMS and name.suffix.lower() in _INERT_SUFFIXES)


def check_only_secrets(secrets: Repository) -> None:
    """Every file is a sops file, the rules, or inert text."""
    if not any(entry.path == RULES for entry in secrets.entries()):
        raise CheckFailed(f"secrets has its rules in {RULES}", seen="no such file", where=secrets.url)
    for path in sops_files(secrets):
        try:
            vault.inspect(secrets.read(path), form=vault.Form.of(path), name=path)
        except BadInput as problem:
            advice = "code and configuration belong to base"
            raise CheckFailed("only sops files, rules and inert text", seen=f"{path}: {problem.problem}", where=secrets.url, advice=advice) from None


def check_modes(secrets: Repository) -> None:
    """Every entry is a plain file: no program, no link, no submodule."""
    strange = [f"{entry.path} (mode {entry.mode})" for entry in secrets.entries() if entry.mode != _PLAIN_FILE]
    if strange:
        raise CheckFailed("plain files only, mode 100644", seen=", ".join(strange), where=secrets.url)


def locked_revision(base: Repository, settings: Secrets) -> str:
    """The revision of secrets that base has pinned, as a flake input or a submodule; raises `CheckFailed` if it pins none."""
    if settings.consumed_as == "submodule":
        return _submodule(base, settings.url).object_name
    try:
        lock = json.loads(base.read("flake.lock"))
        label = lock["nodes"][lock["root"]]["inputs"][settings.input]
        while isinstance(label, list):  # "follows": a path from the root
            label = _follow(lock, label)
        revision = lock["nodes"][label]["locked"]["rev"]
    except (BadInput, ValueError, KeyError, TypeError) as problem:
        expected = f"base consumes secrets as flake input `{settings.input}`, locked to a revision"
        raise CheckFailed(expected, seen=f"{type(problem).__name__}: {problem}", where=f"{base.url}: flake.lock") from None
    return str(revision)


def check_locked(base: Repository, secrets: Repository, settings: Secrets) -> None:
    """The pinned revision is the one under test."""
    seen = locked_revision(base, settings)
    if seen != secrets.commit:
        advice = f"nix flake update {settings.input}, and commit the lock"
        raise CheckFailed(f"base has locked secrets at {secrets.commit}", seen=seen, where=f"{base.url}: flake.lock", advice=advice)


def check_parameters(base: Repository, parameters: Sequence[Parameter]) -> None:
    """Each parameter's value stands in base's Nix code exactly once, as a whole string."""
    if not parameters:
        raise HarnessError("the site file names no instance parameter, so none was looked for", advice="[[parameter]] with name and value")
    for parameter in parameters:
        places = list(_definitions(base, parameter.value))
        if len(places) != 1:
            seen = ", ".join(places) or "nowhere"
            raise CheckFailed(f"instance parameter {parameter.name} is defined exactly once in base", seen=seen, where=base.url)


def check_no_parameters(secrets: Repository, parameters: Sequence[Parameter]) -> None:
    """No secret bears a parameter's name, as far as anybody can see without a key."""
    names = {parameter.name for parameter in parameters}
    for path in sops_files(secrets):
        sealed = vault.inspect(secrets.read(path), form=vault.Form.of(path), name=path)
        moved = sorted(name for name in sealed.names if name.rsplit("/", 1)[-1] in names)
        if moved:
            raise CheckFailed("no instance parameter in secrets", seen=f"{path} holds {', '.join(moved)}", where=secrets.url)


def _definitions(base: Repository, value: str) -> Iterator[str]:
    quoted = re.compile(rf'"{re.escape(value)}"')
    for entry in base.entries():
        if entry.path.endswith(".nix"):
            text = re.sub(r"#.*", "", base.read(entry.path).decode(errors="replace"))
            for match in quoted.finditer(text):
                yield f"{entry.path}:{text.count(chr(10), 0, match.start()) + 1}"


def _submodule(base: Repository, url: str) -> Entry:
    links = [entry for entry in base.entries() if entry.mode == _SUBMODULE]
    modules = base.read(".gitmodules").decode() if links else ""
    if len(links) != 1 or url not in modules:
        seen = f"{len(links)} submodules" + ("" if url in modules else f", none of {url}")
        raise CheckFailed("base consumes secrets as its one submodule", seen=seen, where=base.url)
    return links[0]


def _follow(lock: dict[str, dict[str, dict[str, dict[str, str | list[str]]]]], path: Sequence[str]) -> str | list[str]:
    label: str | list[str] = str(lock["root"])
    for step in path:
        label = lock["nodes"][str(label)]["inputs"][step]
    return label
