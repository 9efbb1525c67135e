"""Edits of the lab's site that several sabotages use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cleanroom import vault
from lab.names import BOOTSTRAP_KEY
from lab.state import State
from lab.tools import run
from lab.variant import Trees

GUIDE = "docs/install.md"
SOPS_FILE = "secrets/secrets.yaml"
RECONCILE = "programs/reconcile.py"
INSTALL_SECRETS = "nixos/install-secrets.py"
#: How the guide's rebuild command ends: what is put behind it runs after the rebuild.
REBUILD_END = "cc-ci#cc-ci'"


def base(path: str, old: str, new: str, *, count: int = -1) -> Callable[[Trees], None]:
    """An edit of one file of base: every `old`, or the first `count`, becomes `new`."""
    return lambda trees: trees.rewrite(trees.base / path, old, new, count=count)


def unit(name: str, text: str) -> Callable[[Trees], None]:
    """A unit of its own in base's host module."""
    wanted = f"systemd.units.\"{name}\" = {{ text = ''\n{text}\n''; wantedBy = [ \"multi-user.target\" ]; }};"
    return base("modules/host.nix", 'networking.hostName = "cc-ci";', f'networking.hostName = "cc-ci";\n  {wanted}')


def both(*edits: Callable[[Trees], None]) -> Callable[[Trees], None]:
    """Several edits, one after the other."""

    def edit(trees: Trees) -> None:
        for each in edits:
            each(trees)

    return edit


def impure(setting: str) -> Callable[[Trees], None]:
    """A system that is evaluated impurely, with one more setting."""
    more = base("modules/host.nix", "{\n  networking.hostName", f"{{\n  {setting}\n  networking.hostName")
    return both(base(GUIDE, "nixos-rebuild switch", "nixos-rebuild switch --impure"), more)


def after_rebuild(command: str) -> Callable[[Trees], None]:
    """One more command at the end of the guide's last block."""
    return base(GUIDE, REBUILD_END, f"{REBUILD_END}\n{command}")


def secret_value(name: str) -> str:
    """The plaintext of one of the lab's own secrets."""
    return str(json.loads((State.locate().keys / "values.json").read_text())[name])


def reseal(change: Callable[[dict[str, Any]], object], *, recipients: Callable[[list[str]], list[str]] = list) -> Callable[[Trees], None]:
    """Change the plaintext of secrets, or for whom it is, and encrypt it anew."""

    def edit(trees: Trees) -> None:
        path: Path = trees.secrets / SOPS_FILE
        opened = vault.read(path, identities=vault.load_identities(State.locate().keys / BOOTSTRAP_KEY))
        tree: dict[str, Any] = {}
        for name, value in opened.values.items():
            *parents, last = name.split("/")
            branch = tree
            for parent in parents:
                branch = branch.setdefault(parent, {})
            branch[last] = value.text()
        change(tree)
        path.write_bytes(vault.encrypt(tree, recipients=recipients(list(opened.recipients))))

    return edit


def _committed(folder: Path) -> None:
    someone = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    run("git", "-C", folder, *someone, "commit", "--quiet", "--all", "--message=Softer")


def suite_edit(path: str, old: str, new: str, *, commit: bool = False) -> Callable[[Path], None]:
    """An edit of a copy of the suite itself, committed or not."""

    def edit(suite: Path) -> None:
        text = (suite / path).read_text()
        assert old in text, f"nothing to change: {old}"
        (suite / path).write_text(text.replace(old, new, 1))
        if commit:
            _committed(suite)

    return edit
