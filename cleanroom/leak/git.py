"""A git repository's objects, every one that is stored: reachable or not, loose or packed.

Knows: what git itself lists and streams (`cat-file`), and when a repository does not hold its whole history.
Refuses: to run the repository's own configuration, to fetch what is missing, and to take a shallow, partial or damaged repository for a whole one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cleanroom.errors import HarnessError

#: Formats whose output `listed` and `stored` read.
LIST = ("cat-file", "--batch-all-objects", "--unordered", "--buffer", "--batch-check=%(objectname) %(objecttype) %(objectsize)")
STREAM = ("cat-file", "--batch-all-objects", "--unordered", "--buffer", "--batch=%(objectname) %(objecttype) %(objectsize)")
_REACHABLE = ("rev-list", "--objects", "--no-object-names", "--all", "--reflog", "--indexed-objects", "--missing=print")
_FOREIGN = ("GIT_", "SSH_ASKPASS")
_SETTINGS = (("safe.directory", "*"), ("core.fsmonitor", "false"))
_PIPE = 2**20


@dataclass(frozen=True)
class Object:
    """One object: its name (hex), its type, its size in bytes."""

    name: str
    kind: str
    size: int


class Body:
    """The bytes of one object in a stream of many."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._left = size

    def readinto(self, buffer: memoryview, /) -> int:
        count: int = self._stream.readinto(buffer[: self._left]) if self._left else 0  # type: ignore[attr-defined]  # every binary stream of ours has it
        self._left -= count
        return count


def is_git_dir(names: Iterable[str]) -> bool:
    """Whether a directory with these entries is a repository's own (git's rule: HEAD, objects, refs)."""
    return {"HEAD", "objects", "refs"} <= set(names)


def git_dir_of(pointer: Path) -> Path:
    """The repository that a `.git` file of a work tree or a submodule leads to (gitrepository-layout). Raises `HarnessError` if it leads nowhere."""
    text = pointer.read_text(errors="surrogateescape")
    folder = pointer.parent / text.removeprefix("gitdir: ").strip()
    if not text.startswith("gitdir: ") or not folder.is_dir():
        raise HarnessError("this file leads to no repository", where=str(pointer))
    common = folder / "commondir"
    return (folder / common.read_text(errors="surrogateescape").strip() if common.is_file() else folder).resolve()


def gaps(git_dir: Path) -> Iterator[str]:
    """Why the objects at hand may not be all that the repository's history has, one sentence each."""
    if (git_dir / "shallow").exists():
        yield "it is shallow: its history was cut off when it was fetched"
    if next((git_dir / "objects" / "pack").glob("*.promisor"), None) is not None:
        yield "it is partial: objects were left out when it was fetched"
    with running(git_dir, ("count-objects", "-v")) as stream:
        counts = dict(line.decode().split(": ", 1) for line in stream if b": " in line)
    if counts.get("garbage", "0").strip() != "0":
        yield f"it holds {counts['garbage'].strip()} files that are no objects (an interrupted fetch or gc)"


def holds(git_dir: Path, commit: str) -> bool:
    """Whether a commit is stored there."""
    try:
        with running(git_dir, ("cat-file", "-e", f"{commit}^{{commit}}")):
            pass
    except HarnessError:
        return False
    return True


def listed(lines: Iterable[bytes]) -> Iterator[Object]:
    """What `LIST` printed. Raises `HarnessError` at a line that is none of its own."""
    for line in lines:
        yield _object(line)


def stored(stream: IO[bytes]) -> Iterator[tuple[Object, Body]]:
    """What `STREAM` prints, object by object; each body must be read to its end before the next."""
    while line := stream.readline():
        each = _object(line)
        yield each, Body(stream, each.size)
        if stream.read(1) != b"\n":
            raise HarnessError(f"git's stream of objects ends within {each.name}")


def reachable(git_dir: Path) -> Iterator[str]:
    """The names of all objects that refs, reflogs and the index lead to; those that are missing begin with `?`."""
    with running(git_dir, _REACHABLE) as stream:
        for line in stream:
            yield line.decode().strip()


@contextmanager
def running(git_dir: Path, arguments: Sequence[str]) -> Iterator[IO[bytes]]:
    """A git command's standard output, while it runs. Raises `HarnessError` if it does not end well."""
    command = ["git", "--no-replace-objects", f"--git-dir={git_dir}", *arguments]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment(), bufsize=_PIPE
        )
    except OSError as problem:
        raise HarnessError(f"cannot run git: {problem.strerror}", advice="install git") from None
    with process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise HarnessError(f"`git {arguments[0]}` ended with {process.returncode}", where=str(git_dir), advice="git fsck says what is wrong with it")


def _environment() -> Mapping[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    kept |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    kept["GIT_CONFIG_COUNT"] = str(len(_SETTINGS))
    for index, (key, value) in enumerate(_SETTINGS):
        kept[f"GIT_CONFIG_KEY_{index}"], kept[f"GIT_CONFIG_VALUE_{index}"] = key, value
    return kept


def _object(line: bytes) -> Object:
    words = line.decode(errors="replace").split()
    if len(words) != 3 or not words[2].isdigit():  # noqa: PLR2004 - name, type, size
        raise HarnessError(f"git answers {line[:80].decode(errors='replace').strip()!r} where an object was expected")
    return Object(words[0], words[1], int(words[2]))
