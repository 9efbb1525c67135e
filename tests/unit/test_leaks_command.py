"""The door: `cleanroom leaks`, its exit statuses, and what it does not let out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from cleanroom import vault
from cleanroom.cli import main
from cleanroom.leak import forms as leak_forms
from cleanroom.leak import parts as leak_parts
from tests.unit.leak_corpus import git

VALUE = "kX9fQ2mLw7RzT4vB8nYc"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    identity = pyrage.x25519.Identity.generate()
    path = tmp_path / "key.txt"
    path.write_text(f"# public key: {identity.to_public()}\n{identity}\n")
    return path


@pytest.fixture
def repository(tmp_path: Path, key: Path) -> Path:
    """A secrets repository as it should be: one vault, encrypted, committed."""
    git(tmp_path, "init", "-q", "secrets")
    root = tmp_path / "secrets"
    recipient = key.read_text().split()[3]
    (root / "secrets.yaml").write_bytes(vault.encrypt({"rpc_secret": VALUE, "pin": "1234"}, recipients=[recipient]))
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def leaks(repository: Path, key: Path, *more: str | Path) -> int:
    return main(["leaks", "--vault", str(repository / "secrets.yaml"), "--key", str(key), *map(str, more)])


def test_ciphertext_is_no_leak(repository: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaks(repository, key, repository) == 0
    out = capsys.readouterr().out
    assert "none found: 2 secrets looked for" in out
    assert "not checked: pin: it is too short" in out


@pytest.mark.parametrize("encoded", [VALUE, VALUE.encode().hex(), "eDprWDlmUTJtTHc3UnpUNHZCOG5ZYw=="], ids=["raw", "hex", "base64"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_leak_in_history_is_found_and_not_shown(repository: Path, key: Path, capsys: pytest.CaptureFixture[str], encoded: str, form: str) -> None:
    (repository / "notes").write_text(f"the secret is {encoded}")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "notes")
    git(repository, "rm", "-q", "notes")
    git(repository, "commit", "-q", "-m", "gone")
    assert leaks(repository, key, repository, *(["--json"] if form == "json" else [])) == 1
    out = capsys.readouterr().out
    assert encoded not in out
    assert "rpc_secret" in out
    assert form == "text" or [finding["secret"] for finding in json.loads(out)["findings"]] == ["rpc_secret"]


def test_the_bootstrap_key_is_looked_for_too(repository: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "key.txt").write_bytes(key.read_bytes())
    assert leaks(repository, key, repository) == 1
    assert "found: bootstrap key (line 2 of 2), raw, in " in capsys.readouterr().out


def test_the_keys_public_half_is_no_leak(repository: Path, key: Path) -> None:
    (repository / ".sops.yaml").write_text(key.read_text().splitlines()[0])
    assert leaks(repository, key, repository) == 0


def test_nothing_there_an_empty_folder_and_a_shallow_clone_prove_nothing(repository: Path, key: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    git(tmp_path, "init", "-q", "unborn")
    for path in ("missing", "empty", "shallow", "unborn"):
        assert leaks(repository, key, tmp_path / path) == 2, path


def test_a_leak_outweighs_what_was_not_covered(repository: Path, key: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    (tmp_path / "shallow" / "notes").write_text(VALUE)
    assert leaks(repository, key, tmp_path / "shallow") == 1


def test_a_foreign_key_is_bad_input(repository: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_text(str(pyrage.x25519.Identity.generate()))
    assert leaks(repository, foreign, repository) == 2


def test_no_program_is_told_a_value(repository: Path, key: Path, tmp_path: Path) -> None:
    """What git and find are given - arguments, environment, standard input - holds no value in any form."""
    shims = tmp_path / "shims"
    shims.mkdir()
    for name in ("git", "find"):
        (shims / name).write_text(f'#!/bin/bash\n{{ printf "%s\\n" "$@"; env; cat; }} >> {tmp_path}/told\nPATH="${{PATH#*:}}" exec {name} "$@"\n')
        (shims / name).chmod(0o755)
    command = [sys.executable, "-m", "cleanroom.cli", "leaks", "--vault", str(repository / "secrets.yaml"), "--key", str(key), str(repository)]
    done = subprocess.run(command, env={**os.environ, "PATH": f"{shims}:{os.environ['PATH']}"}, cwd=ROOT, capture_output=True, check=True)
    told = (tmp_path / "told").read_bytes() + done.stdout + done.stderr
    assert b"--batch-all-objects" in told
    for value in (VALUE.encode(), key.read_bytes()):
        for part in leak_parts.parts(value):
            assert not any(literal in told for literal in leak_forms.literals(part))
