"""The workshop of a trial: scratch copies of both repositories on the machine, built by the machine's own Nix.

Knows: how to join the copies by the means that base uses, an overridden flake input or the submodule's folder, so that building them fetches neither.
Refuses: to leave out what it was given - a copy of secrets is committed there, for that is what an owner does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from cleanroom import split
from cleanroom.errors import HarnessError
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.ssh import Result
from cleanroom.trial import Trial

_BUILD_SECONDS = 1800.0
_REBUILD = "/run/current-system/sw/bin/nixos-rebuild"


class Workshop:
    """Scratch copies for one trial. `secrets` is a tree on this side; copies of base follow one by one."""

    def __init__(self, trial: Trial, site: Site, base: Repository, secrets: Path) -> None:
        self.trial = trial
        self._site, self._base, self._secrets = site, base, secrets
        self._is_submodule = site.secrets.consumed_as == "submodule"
        self._options = () if self._is_submodule else ("--override-input", site.secrets.input, f"git+file://{self._committed(secrets)}")

    def flake(self, tree: Path) -> str:
        """Send a copy of base to the machine; returns the flake reference of its system's configuration.

        The reference claims the revision that the copy was made from, so that an unchanged copy gives the very system that git gives.
        """
        if self._is_submodule:
            place = tree / split.submodule_path(self._base, self._site.secrets)
            shutil.copytree(self._secrets, place, dirs_exist_ok=True)
        return f"path:{self.trial.send(tree, tree.name)}?rev={self._base.commit}#{self._site.base.flake_attribute}"

    def build(self, flake: str) -> Result:
        """Build the system; its store path is the result's text. Never judges."""
        reference, _, name = flake.partition("#")
        wanted = f"{reference}#nixosConfigurations.{name}.config.system.build.toplevel"
        return self.trial.execute("nix", "build", "--no-link", "--print-out-paths", *self._options, wanted, within=_BUILD_SECONDS)

    def rebuild(self, flake: str) -> Result:
        """Build the system and make it the running one; no generation remembers it. Never judges."""
        inside = f"--chdir={self.trial.folder}"
        return self.trial.execute("env", inside, _REBUILD, "test", "--flake", flake, *self._options, within=_BUILD_SECONDS)

    def _committed(self, tree: Path) -> str:
        there = self.trial.send(tree, tree.name)
        identity = ("-c", "user.name=cleanroom", "-c", "user.email=cleanroom@localhost")
        for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=A scratch copy")):
            done = self.trial.execute("git", "-C", there, *identity, *words)
            if not done.ok:
                raise HarnessError(f"cannot commit the scratch copy of secrets: {done.complaint}", where=self.trial.machine.where)
        return there


def export(repository: Repository, folder: Path) -> Path:
    """A scratch copy of a repository's files on this side, in `folder`, which is made."""
    folder.mkdir(parents=True)
    repository.export(folder)
    return folder
