"""The suite itself, as something that evidence can name: which files ran, and which commit has them.

Knows: the folders whose files take part in a run, their digest, and git's view of them.
Refuses: to call a checkout clean that holds a change or a stranger's file in those folders - be it one that git was told to ignore or not to look
at: contents are compared, not git's opinion of them - and to guess a commit where there is none.

The digest is what a person gets at the same place by hand: the SHA-256 of the lines that `sha256sum` prints for these files, sorted by path.
`cleanroom verify` makes it again from the commit alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cleanroom.errors import HarnessError

#: What takes part in a run, from the suite's root.
PARTS = ("cleanroom", "conftest.py", "features", "fixtures", "lab", "pyproject.toml", "steps")
_GIT_SECONDS = 60.0


@dataclass(frozen=True)
class Suite:
    """The files that ran: their digest (SHA-256, hex) and number; the commit checked out, if any, and whether the files differ from it."""

    digest: str
    files: int
    commit: str | None
    dirty: bool


def root() -> Path:
    """Where this suite lies."""
    return Path(__file__).resolve().parents[1]


def describe(folder: Path) -> Suite:
    """The suite in `folder`; raises `HarnessError` if nothing of it is there."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD") if _is_checkout(folder) else None
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS) if commit else None
    names = sorted(set(filter(None, listed.split("\0")))) if listed is not None else _walk(folder)
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names if (folder / name).is_file()]
    if not lines:
        raise HarnessError("nothing of the suite is here", where=str(folder))
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return Suite(digest, len(lines), commit.strip() if commit else None, dirty=commit is not None and changes(folder) != ())


def changes(folder: Path) -> tuple[str, ...]:
    """The files that take part in a run and are not as the checked-out commit has them; raises `HarnessError` if git cannot tell."""
    listed = _git(folder, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *PARTS) if _is_checkout(folder) else None
    tree = _git(folder, "ls-tree", "-r", "-z", "--full-tree", "HEAD", "--", *PARTS) if listed is not None else None
    if listed is None or tree is None:
        raise HarnessError("git cannot tell what was changed here", where=str(folder))
    committed = {path: head.split()[2] for head, _, path in (entry.partition("\t") for entry in tree.split("\0") if entry)}
    apart = {name for name in {*committed, *_walk(folder)} if _blob(folder / name, committed.get(name, "")) != committed.get(name)}
    return tuple(sorted({line[3:] for line in listed.split("\0") if line} | apart))


def features_at(folder: Path, commit: str) -> dict[str, str] | None:
    """The SHA-256 (hex) of each feature file as a commit has it, by its path from `features/`; None if the checkout does not know that commit."""
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", commit, "--", "features") if _is_checkout(folder) else None
    if listed is None:
        return None
    found: dict[str, str] = {}
    for name in (name for name in listed.split("\0") if name.endswith(".feature")):
        content = _git(folder, "cat-file", "blob", f"{commit}:{name}") or ""
        found[name.removeprefix("features/")] = hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()
    return found


def is_shallow(folder: Path) -> bool:
    """Whether the checkout has only a part of its history."""
    return (_git(folder, "rev-parse", "--is-shallow-repository") or "").strip() == "true"


def surroundings() -> dict[str, Any]:
    """The machine that the suite runs on, without its name, and every Python package that could take part."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    packages = {found.metadata["Name"]: found.version for found in metadata.distributions()}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory": memory,
        "packages": dict(sorted(packages.items())),
    }


def _is_checkout(folder: Path) -> bool:
    """Whether `folder` itself is a checkout's top, and not a folder somewhere inside another's."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return top is not None and Path(top.rstrip("\n")) == folder.resolve()


def _blob(path: Path, like: str) -> str:
    """The name that git gives a file's content, by the same digest as `like`; empty if there is no such file."""
    if not path.is_file():
        return ""
    content = path.read_bytes()
    named = hashlib.sha256 if len(like) == hashlib.sha256().digest_size * 2 else hashlib.sha1
    return named(b"blob %d\0%b" % (len(content), content)).hexdigest()


def _walk(folder: Path) -> list[str]:
    found = (path for part in PARTS for path in ((folder / part).rglob("*") if (folder / part).is_dir() else (folder / part,)))
    return sorted(path.relative_to(folder).as_posix() for path in found if path.is_file() and "__pycache__" not in path.parts)


def _git(folder: Path, *words: str) -> str | None:
    """What git says about `folder`; None if it has nothing to say. Nobody's configuration takes part; another owner's checkout is only read."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
    environment["LC_ALL"] = "C"
    argv = ["git", "-c", f"safe.directory={folder.resolve()}", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-C", str(folder), *words]
    try:
        done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else None
