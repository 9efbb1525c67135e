"""Files of a folder, met twice: as find(1) lists them and as we walk.

Knows: regular files and symbolic links (whose target is their content), and where git repositories lie among them.
Refuses: to follow a link, and to look inside git's own packs as files: their objects are searched as objects.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import HarnessError
from cleanroom.leak import git as leak_git

_FIND = ("(", "-type", "f", "-o", "-type", "l", ")", "-printf", "%s %p\\0")
_PIPE = 2**20
_STORED = re.compile(r"/objects/(?:pack/pack-[0-9a-f]+\.[a-z]+|[0-9a-f]{2}/[0-9a-f]{38,62})$")


@dataclass(frozen=True)
class Entry:
    """A file, or a link, or with `names` a folder and what it holds. `stored_by_git` marks packs and loose objects of a repository."""

    path: str
    is_link: bool = False
    stored_by_git: bool = False
    names: tuple[str, ...] | None = None


def listed(path: Path) -> Iterator[tuple[str, int]]:
    """Every file and link below `path`, or `path` itself, and its size in bytes. Raises `HarnessError` if find(1) could not look everywhere."""
    try:
        process = subprocess.Popen(["find", path, *_FIND], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=_PIPE)
    except OSError as problem:
        raise HarnessError(f"cannot run find: {problem.strerror}", advice="install findutils") from None
    with process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        rest = b""
        while piece := process.stdout.read(_PIPE):
            *lines, rest = (rest + piece).split(b"\0")
            for line in lines:
                size, _, name = line.partition(b" ")
                yield os.fsdecode(name), int(size)
    if process.returncode:
        raise HarnessError("find could not look everywhere", where=str(path), advice="run as a user who may read all of it")


def walk(path: Path, *, closed: Callable[[str, str], None]) -> Iterator[Entry]:
    """Every folder, file and link below `path`, or `path` itself; `closed(path, reason)` is told of folders that cannot be read."""
    if not path.is_dir():
        yield Entry(str(path))
        return
    waiting = [(str(path), False)]
    while waiting:
        folder, by_git = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except OSError as problem:
            closed(folder, problem.strerror or type(problem).__name__)
            continue
        names = tuple(entry.name for entry in entries)
        yield Entry(folder, names=names)
        git_dir = leak_git.is_git_dir(names)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, by_git or (git_dir and entry.name == "objects")))
            elif entry.is_symlink() or entry.is_file():
                yield Entry(entry.path, is_link=entry.is_symlink(), stored_by_git=by_git and bool(_STORED.search(entry.path)))
