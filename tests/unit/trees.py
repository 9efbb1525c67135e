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

    def commit(self, files: Files, *, links: Names | None = None, submodules: Names | None = None) -> Repository:
        """Commit exactly these files; `links` are path to target, `submodules` path to commit. A path that ends in `*` is made executable."""
        self._git("rm", "-r", "--quiet", "--cached", "--ignore-unmatch", ".")
        for path, content in files.items():
            name = path.rstrip("*")
            blob = self._git("hash-object", "-w", "--stdin", stdin=content.encode() if isinstance(content, str) else content)
            self._add("100755" if path.endswith("*") else "100644", blob, name)
        for path, target in (links or {}).items():
            self._add("120000", self._git("hash-object", "-w", "--stdin", stdin=target.encode()), path)
        for path, commit in (submodules or {}).items():
            self._add("160000", commit, path)
        self._git("commit", "--quiet", "--allow-empty", "--message=a state")
        return Repository(self.url, self.folder, self._git("rev-parse", "HEAD"))

    def _add(self, mode: str, name: str, path: str) -> None:
        self._git("update-index", "--add", "--cacheinfo", f"{mode},{name},{path}")

    def _git(self, *words: str, stdin: bytes = b"") -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        argv = ["git", "-C", str(self.folder), "-c", "user.name=T", "-c", "user.email=t@example.org", *words]
        return subprocess.run(argv, input=stdin, capture_output=True, check=True, env=environment).stdout.decode().strip()


def identity() -> vault.Identity:
    return vault.identity_of(str(pyrage.x25519.Identity.generate()))


def sops_file(tree: Mapping[str, Any], *identities: vault.Identity, **options: Any) -> bytes:
    return vault.encrypt(tree, recipients=[one.recipient for one in identities], **options)


def rules(*identities: vault.Identity, path_regex: str = "^secrets/") -> str:
    lines = "".join(f"      - {one.recipient}\n" for one in identities)
    return f"creation_rules:\n  - path_regex: {path_regex}\n    age:\n{lines}"
