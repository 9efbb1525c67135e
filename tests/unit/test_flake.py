"""What a flake declares against what its lock says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanroom import flake
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.repository import Repository
from tests.unit.trees import Tree

URL = "https://forge.example/site/secrets"
ORIGINAL = {"type": "git", "url": URL}


def base(folder: Path, declared: str, *, original: dict[str, Any] | None = None, label: object = "secrets", kind: str = "git") -> Repository:
    node = {"locked": {"type": kind, "rev": "1" * 40, "url": URL}, "original": original or ORIGINAL}
    nodes = {"root": {"inputs": {"secrets": label, "keys": "secrets", "sops": "sops"}}, "secrets": node, "sops": {"inputs": {"secrets": "secrets"}}}
    lock = json.dumps({"nodes": nodes, "root": "root", "version": 7})
    return Tree(folder / "base").commit({"flake.nix": f"{{ {declared} outputs = {{ self, ... }}: {{ }}; }}", "flake.lock": lock})


@pytest.mark.parametrize(
    ("declared", "original"),
    [
        (f'inputs.secrets.url = "git+{URL}";', ORIGINAL),
        (f'inputs = {{ secrets = {{ url = "git+{URL}"; flake = false; }}; }};', ORIGINAL),
        (f'inputs.secrets = {{ type = "git"; url = "{URL}"; ref = "main"; }};', {**ORIGINAL, "ref": "main"}),
        (f'inputs.secrets.url = "git+{URL}?ref=main&shallow=1";', {**ORIGINAL, "ref": "main", "shallow": True}),
    ],
)
def test_a_lock_made_from_the_flake_is_used(tmp_path: Path, declared: str, original: dict[str, Any]) -> None:
    flake.check_declared(base(tmp_path, declared, original=original), "secrets")


@pytest.mark.parametrize(
    "declared",
    [
        "",
        'inputs.secrets.url = "git+https://forge.example/site/fork";',
        f'inputs.secrets.url = "git+{URL}?ref=other";',
        f'inputs.secrets.url = "git+{URL}?rev={"2" * 40}";',
        f'inputs.secrets.url = "{URL}";',
        f'inputs.secrets = {{ type = "tarball"; url = "{URL}"; }};',
        'inputs.secrets.url = "path:./secrets";',
        f'description = "git+{URL}"; inputs.secrets.url = description;',
        f'inputs.other.url = "git+{URL}"; # inputs.secrets.url = "git+{URL}";',
    ],
)
def test_a_lock_that_nix_would_not_use_is_told(tmp_path: Path, declared: str) -> None:
    with pytest.raises(CheckFailed, match=f"flake.nix declares input `secrets` as the lock has it: {URL}"):
        flake.check_declared(base(tmp_path, declared), "secrets")


def test_an_input_that_follows_another_is_judged_by_that_one(tmp_path: Path) -> None:
    declared = f'inputs.keys.url = "git+{URL}"; inputs.secrets.follows = "keys";'
    flake.check_declared(base(tmp_path, declared, label=["keys"]), "secrets")
    with pytest.raises(CheckFailed, match="that input `secrets` follows keys"):
        flake.check_declared(base(tmp_path / "other", declared.replace('"keys"', '"else"'), label=["keys"]), "secrets")
    with pytest.raises(HarnessError, match="of another flake"):
        flake.check_declared(base(tmp_path / "deep", 'inputs.secrets.follows = "sops/secrets";', label=["sops", "secrets"]), "secrets")


def test_a_lock_of_another_type_is_told(tmp_path: Path) -> None:
    repository = base(tmp_path, "", kind="tarball")
    with pytest.raises(CheckFailed, match="of type tarball"):
        flake.locked(repository, "secrets")
