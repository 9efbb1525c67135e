"""Repositories made of a dictionary, and sops files made of another."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyrage

from cleanroom import vault
from cleanroom.repository import Repository

Files = Mapping[str, str | bytes]
Names = Mapping[str, str]
URL = "https://forge.example/site/secrets"


class Tree:
    """A repository in a folder of its own; each `commit` gives it as it is at that commit."""

    def __init__(self, folder: Path, url: str = URL) -> None:
        self.folder, self.url = folder, url
        folder.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")
        self._is_begun = False

    def commit(self, files: Files, *, links: Names | None = None, submodules: Names | None = None) -> Repository:
        """Commit exactly these files; `links` are path to target, `submodules` path to commit. A path that ends in `*` is made executable."""
        entries = [
            *(_entry("100755" if path.endswith("*") else "100644", path.rstrip("*"), content) for path, content in files.items()),
            *(_entry("120000", path, target) for path, target in (links or {}).items()),
            *(f"M 160000 {commit} {path}\n".encode() for path, commit in (submodules or {}).items()),
        ]
        before = b"from refs/heads/main^0\n" if self._is_begun else b""
        head = b"commit refs/heads/main\ncommitter T <t@example.org> now\n" + _data(b"a state") + before + b"deleteall\n"
        self._git("fast-import", "--quiet", "--date-format=now", stdin=head + b"".join(entries))
        self._is_begun = True
        return Repository(self.url, self.folder, self._git("rev-parse", "HEAD"))

    def _git(self, *words: str, stdin: bytes = b"") -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        argv = ["git", "-C", str(self.folder), *words]
        return subprocess.run(argv, input=stdin, capture_output=True, check=True, env=environment).stdout.decode().strip()


def _entry(mode: str, path: str, content: str | bytes) -> bytes:
    """A file or a link, as `git fast-import` reads it."""
    return f"M {mode} inline {path}\n".encode() + _data(content.encode() if isinstance(content, str) else content)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def identity() -> vault.Identity:
    return vault.identity_of(str(pyrage.x25519.Identity.generate()))


def sops_file(tree: Mapping[str, Any], *identities: vault.Identity, **options: Any) -> bytes:
    return vault.encrypt(tree, recipients=[one.recipient for one in identities], **options)


def rules(*identities: vault.Identity, path_regex: str = "^secrets/") -> str:
    lines = "".join(f"      - {one.recipient}\n" for one in identities)
    return f"creation_rules:\n  - path_regex: {path_regex}\n    age:\n{lines}"
