"""The hash by which Nix locks a tree of files.

Knows: the Nix Archive (NAR) of regular files, folders and links, and its SHA-256 in SRI form, as `narHash` has it in a flake.lock.
Refuses: anything else that may lie in a folder.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from cleanroom.errors import HarnessError


def nar_hash(tree: Path) -> str:
    """`sha256-...` of the tree's NAR; a `.git` at its top is not part of it."""
    total = hashlib.sha256()
    for piece in _words("nix-archive-1"):
        total.update(piece)
    for piece in _node(tree, top=True):
        total.update(piece)
    return "sha256-" + base64.b64encode(total.digest()).decode()


def _node(path: Path, *, top: bool = False) -> Iterator[bytes]:
    if path.is_symlink():
        yield from _words("(", "type", "symlink", "target", str(path.readlink()), ")")
    elif path.is_file():
        executable = ("executable", "") if path.stat().st_mode & 0o100 else ()
        yield from _words("(", "type", "regular", *executable, "contents", path.read_bytes(), ")")
    elif path.is_dir():
        yield from _words("(", "type", "directory")
        for child in sorted(path.iterdir(), key=lambda child: os.fsencode(child.name)):
            if not (top and child.name == ".git"):
                yield from _words("entry", "(", "name", child.name, "node")
                yield from _node(child)
                yield from _words(")")
        yield from _words(")")
    else:
        raise HarnessError("neither file, folder nor link", where=str(path))


def _words(*words: str | bytes) -> Iterator[bytes]:
    """Each word with its length in front (64 bits, little-endian), padded with zeros to eight bytes."""
    for word in words:
        data = word.encode() if isinstance(word, str) else word
        yield len(data).to_bytes(8, "little") + data + b"\0" * (-len(data) % 8)
