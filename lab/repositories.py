"""The site's two repositories, rendered from `lab/site`: base for everybody, secrets for holders of a credential.

Knows: which parameters the templates ask for, how each secret's value comes to be, and how a flake locks its input.
Refuses: to render the same input into different commits: author, dates and order are fixed. (Only sops' own chance - data key, nonces - is new each
time the secrets are made; it is made once a lab.)
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyrage

from cleanroom import vault
from lab import ca
from lab.ca import write_private
from lab.names import BASE, BOOTSTRAP_KEY, CANONICAL_KEY, DOMAIN, OWNER, SECRETS, TOKEN, repository_url
from lab.nar import nar_hash
from lab.state import HERE, State
from lab.tools import environment, run

SITE = HERE / "site"
_EPOCH = 1_790_000_000  # when every commit of the lab was made


@dataclass(frozen=True)
class Commit:
    """One commit, and how many lead to it."""

    revision: str
    count: int


def bare(state: State, name: str, *, owner: str = OWNER) -> Path:
    """The repository itself, below the forge's root."""
    return state.repositories / owner / f"{name}.git"


def make_keys(state: State) -> None:
    """Make the lab's age keys, its forge token and the plaintext of its secrets, each unless it is there."""
    state.keys.mkdir(mode=0o700, exist_ok=True)
    for name in (BOOTSTRAP_KEY, CANONICAL_KEY):
        if not (state.keys / name).exists():
            identity = pyrage.x25519.Identity.generate()
            write_private(state.keys / name, f"# public key: {identity.to_public()}\n{identity}\n".encode())
    if not (state.keys / TOKEN).exists():
        write_private(state.keys / TOKEN, secrets.token_hex(20).encode() + b"\n")
    if not (state.keys / "values.json").exists():
        values = {name: secrets.token_urlsafe(24) for name in ("oauth_client_id", "oauth_client_secret", "rpc_secret", "webhook_hmac")}
        write_private(state.keys / "values.json", json.dumps(values).encode())


def recipient(state: State, name: str) -> str:
    """The public half of one of the lab's age keys."""
    lines = (state.keys / name).read_text().split()
    return str(pyrage.x25519.Identity.from_str(lines[-1]).to_public())


def render(state: State, *, gateway: str) -> None:
    """Make both repositories anew from the templates, secrets first: base locks them."""
    parameters = {
        "domain": DOMAIN,
        "gateway": gateway,
        "bootstrap": recipient(state, BOOTSTRAP_KEY),
        "canonical": recipient(state, CANONICAL_KEY),
    }
    locked, tree = _render_secrets(state, parameters)
    render_base(state, parameters, lock=flake_lock(locked, tree))


def _render_secrets(state: State, parameters: Mapping[str, str]) -> tuple[Commit, Path]:
    tree = state.scratch / SECRETS
    _copy(SITE / "secrets", tree, parameters)
    (tree / "secrets").mkdir()
    (tree / "secrets/secrets.yaml").write_bytes(_sops_file(state, [parameters["bootstrap"], parameters["canonical"]]))
    return commit(tree, bare(state, SECRETS), "The secrets of cc-ci, encrypted"), tree


def render_base(state: State, parameters: Mapping[str, str], *, lock: str) -> Commit:
    """Make the base repository; the same parameters and lock give the same commit."""
    tree = state.scratch / BASE
    _copy(SITE / "base", tree, parameters)
    (tree / "flake.lock").write_text(lock)
    return commit(tree, bare(state, BASE), "cc-ci, whole")


def _sops_file(state: State, recipients: list[str]) -> bytes:
    values = json.loads((state.keys / "values.json").read_text())
    tree = {
        "certificate": {
            "fullchain": (state.certificates / f"{ca.SITE}.pem").read_text(),
            "privkey": (state.keys / f"{ca.SITE}-key.pem").read_text(),
        },
        "drone": {name: values[name] for name in ("oauth_client_id", "oauth_client_secret", "rpc_secret")},
        "bridge": {"webhook_hmac": values["webhook_hmac"]},
    }
    return vault.encrypt(tree, recipients=recipients)


def fill(text: str, parameters: Mapping[str, str]) -> str:
    """A template's text with each `@name@` of the parameters replaced."""
    for name, value in parameters.items():
        text = text.replace(f"@{name}@", value)
    return text


def _copy(template: Path, target: Path, parameters: Mapping[str, str]) -> None:
    shutil.copytree(template, target, ignore=shutil.ignore_patterns("__pycache__"))
    for file in sorted(path for path in target.rglob("*") if path.is_file()):
        file.write_text(fill(file.read_text(), parameters))


def commit(tree: Path, bare_repository: Path, message: str) -> Commit:
    """One commit of everything in `tree`, cloned bare to where the forge serves it."""
    someone = {"NAME": "cleanroom lab", "EMAIL": "lab@cleanroom.test", "DATE": f"{_EPOCH} +0000"}
    env = environment(
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_GLOBAL="/dev/null",
        **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in someone.items()},
    )

    def git(*words: str | Path, cwd: Path = tree) -> str:
        return run("git", *words, cwd=cwd, env=env).strip()

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", f"--message={message}")
    unfinished = tree.with_name(f"{tree.name}.git")
    git("clone", "--quiet", "--bare", tree, unfinished, cwd=tree.parent)
    git("remote", "remove", "origin", cwd=unfinished)
    shutil.rmtree(bare_repository, ignore_errors=True)
    bare_repository.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(bare_repository)
    return Commit(git("rev-parse", "HEAD"), int(git("rev-list", "--count", "HEAD")))


def flake_lock(secrets_commit: Commit, tree: Path, *, owner: str = OWNER) -> str:
    """The flake.lock (version 7) that Nix itself writes for base's one input."""
    locked = {
        "lastModified": _EPOCH,
        "narHash": nar_hash(tree),
        "ref": "refs/heads/main",
        "rev": secrets_commit.revision,
        "revCount": secrets_commit.count,
        "type": "git",
        "url": repository_url(SECRETS, owner=owner),
    }
    nodes = {
        "root": {"inputs": {"secrets": "secrets"}},
        "secrets": {"flake": False, "locked": locked, "original": {"type": "git", "url": repository_url(SECRETS, owner=owner)}},
    }
    return json.dumps({"nodes": nodes, "root": "root", "version": 7}, indent=2) + "\n"
