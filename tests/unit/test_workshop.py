"""Scratch copies of both repositories, joined by the means that base uses. A folder stands in for the machine's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

import pytest

from cleanroom.errors import HarnessError
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.ssh import Result
from cleanroom.trial import Trial
from cleanroom.workshop import Workshop, export
from tests.unit.sites import write
from tests.unit.trees import Tree

MODULES = '[submodule "keys"]\n\tpath = keys\n\turl = https://forge.example/secrets\n'


class Folder:
    """Takes what a trial sends, and notes what it is asked to run."""

    folder = "/run/trial"
    machine = type("Machine", (), {"where": "here"})

    def __init__(self, place: Path, *, status: int = 0) -> None:
        self.place, self.status = place, status
        self.commands: list[tuple[str, ...]] = []

    def send(self, tree: Path, name: str) -> str:
        shutil.copytree(tree, self.place / name)
        return f"{self.folder}/{name}"

    def execute(self, *argv: str, **_: object) -> Result:
        self.commands.append(argv)
        return Result(argv[0], self.status, b"/nix/store/x\n", b"it broke\n", 0.1, "here")


@pytest.fixture
def base(tmp_path: Path) -> Repository:
    tree = Tree(tmp_path / "base.git", "https://forge.example/base")
    return tree.commit({"flake.nix": "{ }", ".gitmodules": MODULES}, submodules={"keys": "1" * 40})


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return export(Tree(tmp_path / "secrets.git").commit({"secrets/secrets.yaml": "sealed"}), tmp_path / "secrets")


def workshop(trial: Folder, tmp_path: Path, base: Repository, secrets: Path, means: str) -> Workshop:
    site = Site.load(write(tmp_path, {"secrets.consumed_as": means}))
    return Workshop(cast(Trial, trial), site, base, secrets)


def test_a_flake_input_is_overridden_by_a_commit_of_the_copy(tmp_path: Path, base: Repository, secrets: Path) -> None:
    trial = Folder(tmp_path / "there")
    shop = workshop(trial, tmp_path, base, secrets, "flake-input")
    assert [command[-2:] for command in trial.commands] == [("init", "--quiet"), ("add", "--all"), ("--quiet", "--message=A scratch copy")]
    flake = shop.flake(export(base, tmp_path / "base"))
    assert flake == f"path:/run/trial/base?rev={base.commit}#small"
    assert shop.build(flake).text == "/nix/store/x"
    assert trial.commands[-1][-4:] == (
        "--override-input",
        "secrets",
        "git+file:///run/trial/secrets",
        f"path:/run/trial/base?rev={base.commit}#nixosConfigurations.small.config.system.build.toplevel",
    )
    shop.rebuild(flake)
    assert trial.commands[-1][2:6] == ("/run/current-system/sw/bin/nixos-rebuild", "test", "--flake", flake)


def test_a_submodule_is_put_into_its_folder_and_nothing_is_overridden(tmp_path: Path, base: Repository, secrets: Path) -> None:
    trial = Folder(tmp_path / "there")
    shop = workshop(trial, tmp_path, base, secrets, "submodule")
    shop.build(shop.flake(export(base, tmp_path / "base")))
    assert (trial.place / "base/keys/secrets/secrets.yaml").read_text() == "sealed"
    assert "--override-input" not in trial.commands[-1]


def test_a_copy_that_cannot_be_committed_is_our_failure(tmp_path: Path, base: Repository, secrets: Path) -> None:
    with pytest.raises(HarnessError, match="cannot commit the scratch copy"):
        workshop(Folder(tmp_path / "there", status=1), tmp_path, base, secrets, "flake-input")
