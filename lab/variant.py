"""A copy of the lab's site with something changed in it: what a sabotage breaks, what a rehearsal tries out.

Knows: how to take both repositories' trees, let them be edited, and serve the result beside the real ones under an owner of its own.
Refuses: to touch the lab's own repositories, image alias or site file.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import HarnessError
from lab import hosts
from lab.daemon import Incus
from lab.names import BASE, IMAGE, OWNER, PROJECT, SECRETS
from lab.repositories import bare, commit, flake_lock
from lab.state import State
from lab.tools import run

_BLANKS = "image-maker"
#: Right after a launch there is no systemd yet to ask.
_STARTED = "for _ in $(seq 200); do [ -S /run/systemd/private ] && exec systemctl is-system-running --wait; sleep 0.1; done; exit 1"


@dataclass(frozen=True)
class Trees:
    """Both repositories' files, free to be edited, and the site file's text, likewise to be replaced by `rewrite`."""

    base: Path
    secrets: Path
    site_file: Path

    def rewrite(self, path: Path, old: str, new: str, *, count: int = -1) -> None:
        """Replace `old` (the first `count` of it) by `new` in one file.

        Raises `HarnessError` if it is not there: an edit that changes nothing is none.
        """
        text = path.read_text()
        if old not in text:
            raise HarnessError(f"nothing to change: `{old}` does not stand there", where=str(path))
        path.write_text(text.replace(old, new, count))


@contextmanager
def variant(name: str, edit: Callable[[Trees], None], *, later: Callable[[Trees], None] | None = None) -> Iterator[Path]:
    """Serve an edited copy of the site as owner `name`, and yield its site file; both are gone afterwards.

    `later` is a second commit to either repository, made once base has locked secrets.
    """
    state = State.locate()
    site_file = state.folder / f"{name}.toml"
    with tempfile.TemporaryDirectory(dir=state.folder, prefix="variant-") as folder:
        trees = Trees(Path(folder) / BASE, Path(folder) / SECRETS, site_file)
        for tree, repository in ((trees.base, BASE), (trees.secrets, SECRETS)):
            tree.mkdir()
            run("sh", "-c", 'git --git-dir="$1" archive HEAD | tar -x -C "$2"', "sh", bare(state, repository), tree)
        for file in (path for path in trees.base.rglob("*") if path.is_file()):
            file.write_text(file.read_text().replace(f"/{OWNER}/", f"/{name}/"))
        site_file.write_text(state.site_file.read_text().replace(f"/{OWNER}/", f"/{name}/"))
        try:
            edit(trees)
            locked = commit(trees.secrets, bare(state, SECRETS, owner=name), "The secrets of cc-ci, encrypted")
            (trees.base / "flake.lock").write_text(flake_lock(locked, trees.secrets, owner=name))
            commit(trees.base, bare(state, BASE, owner=name), f"cc-ci, {name}")
            if later is not None:
                later(trees)
                for tree, repository in ((trees.base, BASE), (trees.secrets, SECRETS)):
                    if run("git", "status", "--porcelain", cwd=tree).strip():
                        commit(tree, bare(state, repository, owner=name), "A second thought")
            yield site_file
        finally:
            for path in state.folder.glob(f"{name}.*"):  # the site file, and what an edit put beside it
                path.unlink()
            shutil.rmtree(state.repositories / name, ignore_errors=True)


@contextmanager
def image(alias: str, script: str) -> Iterator[str]:
    """An image like the lab's on which `script` has been run by root; yields its fingerprint, and is gone afterwards."""
    incus = Incus(State.locate())
    hosts.remove(incus, _BLANKS)
    options = [f"--config={key}={value}" for key, value in hosts.container_config().items()]
    incus("launch", IMAGE, _BLANKS, "--project", PROJECT, *options)
    try:
        incus("exec", _BLANKS, "--project", PROJECT, "--", "sh", "-c", _STARTED)
        incus("exec", _BLANKS, "--project", PROJECT, "--", "bash", "-e", stdin=script.encode())
        # As blank as it was: what the first start made is made again.
        incus("exec", _BLANKS, "--project", PROJECT, "--", "sh", "-c", "rm -rf /etc/ssh/ssh_host_* /var/log/journal/*; : > /etc/machine-id")
        incus("stop", "--force", _BLANKS, "--project", PROJECT)
        incus("publish", _BLANKS, "--project", PROJECT, "--alias", alias, "--compression", "none", within=180.0)
        fingerprint = str(incus.ask(f"/1.0/images/aliases/{alias}")["target"])
        yield fingerprint
        incus("image", "delete", fingerprint)
    finally:
        hosts.remove(incus, _BLANKS)
