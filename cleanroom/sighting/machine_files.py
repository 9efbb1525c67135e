"""All files of a machine, as find(1) lists them, and as tar(1) sends them.

Knows: which mounts hold no files (the kernel's views), which show files twice (a container's view of its layers), and how to leave out places.
Refuses: to leave out anything without a reason that the ledger gets to see.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cleanroom.errors import HarnessError
from cleanroom.machine import Machine
from cleanroom.ssh import Stream

_KERNEL = {
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs",
    "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
}  # fmt: skip
_SECONDS = 1800.0
#: What git itself asks of a folder before it takes it for a repository (gitrepository-layout(5)).
_OF_A_REPOSITORY = {"HEAD", "objects", "refs"}
_FACTS = "%s %C@ %i %y %p\\0"


@dataclass(frozen=True)
class File:
    """What find tells of a regular file or a symbolic link; `changed` is the time of its last change of any kind (ctime), `inode` its number."""

    size: int
    changed: str
    inode: str
    is_link: bool


def not_files(machine: Machine) -> dict[str, str]:
    """Mount points whose content is no file of the machine, or is met elsewhere, with the reason."""
    found = {}
    for line in machine.probe("cat", "/proc/self/mounts").text.splitlines():
        _, escaped, kind, *_ = line.split(" ")
        path = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped)
        if kind in _KERNEL or (kind == "devtmpfs" and path != "/dev"):
            found[path] = f"the kernel's own view ({kind})"
        elif kind == "overlay" and path != "/":
            found[path] = "a container's view of layers that are searched themselves"
    if "/proc" not in found:
        raise HarnessError("the machine's list of mounts does not even name /proc", where=machine.where)
    return found


def inventory(machine: Machine, places: Sequence[str], without: Mapping[str, str]) -> dict[str, File]:
    """Every regular file and symbolic link below `places`, by path, but for what lies at or below a path of `without`."""
    pruned = [word for path in without for word in ("-path", _literal(path), "-o")]
    prune = ["(", *pruned[:-1], ")", "-prune", "-o"] if pruned else []
    result = machine.probe("find", *places, *prune, "(", "-type", "f", "-o", "-type", "l", ")", "-printf", _FACTS, ok=(0, 1), within=_SECONDS)
    strange = [line for line in result.stderr.decode(errors="replace").splitlines() if not line.endswith("No such file or directory")]
    if strange:
        raise HarnessError(f"find could not look everywhere: {strange[0]}", where=machine.where)
    files = {}
    for line in result.stdout.split(b"\0")[:-1]:
        size, changed, inode, kind, path = line.decode(errors="surrogateescape").split(" ", 4)
        files[path] = File(int(size), changed, inode, kind == "l")
    return files


def repositories(machine: Machine) -> tuple[str, ...]:
    """Every git repository, on every file system that holds files: by its name, or by what it consists of, whatever it is called."""
    pruned = [word for path in not_files(machine) for word in ("-path", _literal(path), "-o")]
    named = [word for name in (".git", "*.git", *_OF_A_REPOSITORY) for word in ("-o", "-name", name)][1:]
    found = machine.probe("find", "/", "(", *pruned[:-1], ")", "-prune", "-o", "(", *named, ")", "-printf", "%y %p\\0", ok=(0, 1), within=_SECONDS)
    paths = [line.decode(errors="replace").split(" ", 1) for line in found.stdout.split(b"\0")[:-1]]
    parts: dict[str, set[str]] = {}
    for _, path in paths:
        folder, _, name = path.rpartition("/")
        parts.setdefault(folder, set()).add(name)
    by_name = {path for kind, path in paths if path.endswith("/.git") or (kind == "d" and path.endswith(".git"))}
    by_content = {folder for folder, names in parts.items() if names >= _OF_A_REPOSITORY}
    return tuple(sorted(by_name | by_content))


def below(files: Mapping[str, File], folder: str) -> dict[str, File]:
    """Those of `files` that lie below `folder`."""
    return {path: file for path, file in files.items() if path.startswith(f"{folder.rstrip('/')}/")}


def digest(files: Mapping[str, File]) -> str:
    """SHA-256 (hex) of an inventory: the same as long as no file is new, gone or changed."""
    lines = (f"{path}\0{file}\n" for path, file in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


@contextmanager
def archive(machine: Machine, places: Sequence[str], without: Mapping[str, str]) -> Iterator[Stream]:
    """The same as a tar stream. A file that changes while tar reads it is for the comparison with an inventory to find."""
    left_out = [f"--exclude={_relative(path)}" for path in without]
    options = ("--sparse", "--format=gnu", "--anchored", "--no-wildcards", *left_out, "--directory=/")
    with machine.stream("tar", "--create", "--file=-", *options, *map(_relative, places), ok=(0, 1), within=_SECONDS) as stream:
        yield stream


def _relative(path: str) -> str:
    return f".{path.rstrip('/')}" if path != "/" else "."


def _literal(path: str) -> str:
    """`path` as a pattern of find's that matches nothing else."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)
