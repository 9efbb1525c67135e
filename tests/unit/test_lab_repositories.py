from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cleanroom import vault
from lab import ca, repositories
from lab.names import BASE, BOOTSTRAP_KEY, CANONICAL_KEY, SECRETS, TOKEN
from lab.state import State
from lab.tools import run

PARAMETERS = {"domain": "ci.example.test", "gateway": "10.9.8.1", "bootstrap": "age1bootstrap", "canonical": "age1canonical"}


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path)
    state.scratch.mkdir()
    return state


@pytest.fixture
def rendered(state: State) -> State:
    ca.make(state)
    repositories.make_keys(state)
    repositories.render(state, gateway="10.9.8.1")
    return state


def show(state: State, name: str, path: str) -> str:
    return run("git", f"--git-dir={repositories.bare(state, name)}", "show", f"HEAD:{path}")


def test_the_same_parameters_give_the_same_commit(tmp_path: Path) -> None:
    commits = set()
    for number in range(2):
        state = State(tmp_path / str(number))
        state.scratch.mkdir(parents=True)
        commits.add(repositories.render_base(state, PARAMETERS, lock="{}\n"))
    assert len(commits) == 1


def test_another_domain_gives_another_commit(state: State, tmp_path: Path) -> None:
    other = State(tmp_path / "other")
    other.scratch.mkdir(parents=True)
    first = repositories.render_base(state, PARAMETERS, lock="{}\n")
    assert repositories.render_base(other, {**PARAMETERS, "domain": "ci.other.test"}, lock="{}\n") != first


def test_base_locks_the_very_commit_of_secrets(rendered: State) -> None:
    locked = json.loads(show(rendered, BASE, "flake.lock"))["nodes"]["secrets"]["locked"]
    assert locked["rev"] == run("git", f"--git-dir={repositories.bare(rendered, SECRETS)}", "rev-parse", "main").strip()
    assert locked["narHash"].startswith("sha256-")


def test_every_placeholder_is_filled(rendered: State) -> None:
    for name in (BASE, SECRETS):
        text = run("git", f"--git-dir={repositories.bare(rendered, name)}", "grep", "-h", "", "HEAD")
        assert re.findall(r"@(?:domain|gateway|bootstrap|canonical)@", text) == []


@pytest.mark.parametrize("key", [BOOTSTRAP_KEY, CANONICAL_KEY])
def test_either_key_opens_the_secrets_and_finds_the_certificate(rendered: State, key: str) -> None:
    name = "secrets/secrets.yaml"
    data = show(rendered, SECRETS, name).encode()
    opened = vault.open_bytes(data, vault.Form.of(Path(name)), name=name, identities=vault.load_identities(rendered.keys / key))
    assert opened.values["certificate/fullchain"].reveal() == (rendered.certificates / f"{ca.SITE}.pem").read_bytes()


def test_keys_are_made_once_and_nobody_else_may_read_them(rendered: State) -> None:
    before = {path.name: path.read_bytes() for path in rendered.keys.iterdir()}
    repositories.make_keys(rendered)
    assert {path.name: path.read_bytes() for path in rendered.keys.iterdir()} == before
    assert {BOOTSTRAP_KEY, CANONICAL_KEY, TOKEN} <= set(before)
    assert rendered.keys.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in rendered.keys.iterdir()} == {0o600}
