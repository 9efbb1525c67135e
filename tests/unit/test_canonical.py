"""The canonical host's /etc against its system: this machine, behind a real sshd."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom import canonical
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.machine import Machine
from tests.unit.loopback import Sshd
from tests.unit.notes import Notes


@pytest.fixture
def machine(sshd: Sshd, notes: Notes) -> Machine:
    return Machine("here", sshd.client(notes.record), notes.record)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A system, and an /etc as NixOS makes it: links through `static`, a copy where a mode is wanted, a link into nowhere."""
    system, etc = tmp_path / "system/etc", tmp_path / "etc"
    (system / "ssh").mkdir(parents=True)
    (system / "zoneinfo").symlink_to("/usr/share")
    for name in ("ssh/sshd_config", "sudoers", "sudoers.mode", "an odd name"):
        (system / name).write_text(f"{name}\n")
    (system / "later").symlink_to("/nowhere/yet")
    (etc / "ssh").mkdir(parents=True)
    (etc / "static").symlink_to(system)
    for name in ("ssh/sshd_config", "an odd name", "zoneinfo", "later"):
        (etc / name).symlink_to(etc / "static" / name)
    (etc / "sudoers").write_text("sudoers\n")
    (etc / "machine-id").write_text("the machine's own\n")
    return etc


def check(machine: Machine, etc: Path) -> None:
    canonical.check_etc(machine, str(etc.parent / "system"), etc=str(etc))


def test_an_etc_that_is_the_system_s_holds(machine: Machine, etc: Path) -> None:
    check(machine, etc)


def test_a_file_that_was_changed_and_one_that_is_gone_are_told(machine: Machine, etc: Path) -> None:
    (etc / "sudoers").write_text("by hand\n")
    with pytest.raises(CheckFailed, match=r"/sudoers is the system's"):
        check(machine, etc)
    (etc / "sudoers").write_text("sudoers\n")
    (etc / "ssh/sshd_config").unlink()
    with pytest.raises(CheckFailed, match=r"/ssh/sshd_config is the system's"):
        check(machine, etc)
    (etc / "ssh/sshd_config").write_text("by hand\n")
    with pytest.raises(CheckFailed, match=r"it is .*/etc/ssh/sshd_config"):
        check(machine, etc)


def test_a_system_without_anything_for_etc_proves_nothing(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "system/etc").mkdir(parents=True)
    with pytest.raises(HarnessError, match="nothing was compared"):
        check(machine, tmp_path / "etc")
