"""The certificate's files on a machine: this one, behind a real sshd."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from cleanroom import certificate, placement, renewal
from cleanroom.certificate import Pair
from cleanroom.errors import CheckFailed
from cleanroom.machine import Machine
from cleanroom.tables.serving import Certificate
from tests.unit.loopback import Sshd
from tests.unit.notes import Notes

CHAIN, KEY, _ = renewal.issue("ci.example.org", now=datetime.datetime.now(datetime.UTC))
PAIR: Pair = certificate.pair("fullchain", CHAIN, KEY)


@pytest.fixture
def installed(tmp_path: Path) -> Certificate:
    """Both files as sops-nix leaves them: links to files of their own."""
    for name, value, mode in (("fullchain", CHAIN, 0o444), ("privkey", KEY, 0o440)):
        (tmp_path / name).write_bytes(value.reveal())
        (tmp_path / name).chmod(mode)
        (tmp_path / f"{name}.pem").symlink_to(name)
    there = str(tmp_path)
    return Certificate(certificate="fullchain", key="privkey", certificate_path=f"{there}/fullchain.pem", key_path=f"{there}/privkey.pem")


@pytest.fixture
def machine(sshd: Sshd, notes: Notes) -> Machine:
    return Machine("here", sshd.client(notes.record), notes.record)


def test_files_of_git_s_bytes_with_a_private_key_hold(machine: Machine, installed: Certificate) -> None:
    placement.check_files(machine, installed, PAIR)
    placement.check_key_private(machine, installed)


@pytest.mark.parametrize("name", ["fullchain", "privkey"])
def test_a_file_that_is_not_there_and_one_of_other_bytes_are_told(machine: Machine, installed: Certificate, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.chmod(0o600)
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(CheckFailed, match=f"{name}.pem is git's {name}, SHA-256"):
        placement.check_files(machine, installed, PAIR)
    (tmp_path / f"{name}.pem").unlink()
    with pytest.raises(CheckFailed, match="nothing is there"):
        placement.check_files(machine, installed, PAIR)


@pytest.mark.parametrize("mode", [0o444, 0o441, 0o442, 0o460, 0o450])
def test_a_key_that_others_may_read_or_its_group_may_change_is_told(machine: Machine, installed: Certificate, tmp_path: Path, mode: int) -> None:
    (tmp_path / "privkey").chmod(mode)
    with pytest.raises(CheckFailed, match=f"mode {mode:o}"):
        placement.check_key_private(machine, installed)


def test_a_key_that_is_no_file_is_told(machine: Machine, installed: Certificate, tmp_path: Path) -> None:
    (tmp_path / "privkey").unlink()
    with pytest.raises(CheckFailed, match="is a file"):
        placement.check_key_private(machine, installed)
    (tmp_path / "privkey").mkdir(mode=0o400)
    with pytest.raises(CheckFailed, match="directory"):
        placement.check_key_private(machine, installed)


def test_a_private_key_in_another_decrypted_file_that_everybody_may_read_is_told(
    machine: Machine, installed: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "DECRYPTED", (str(tmp_path / "run"), str(tmp_path / "nowhere")))
    (tmp_path / "run/1").mkdir(parents=True)
    (tmp_path / "run/1/chain").write_bytes(CHAIN.reveal())
    combined = tmp_path / "run/1/combined"
    combined.write_bytes(CHAIN.reveal() + KEY.reveal())
    combined.chmod(0o440)
    placement.check_key_private(machine, installed)
    combined.chmod(0o444)
    with pytest.raises(CheckFailed, match=r"everybody may read .*/run/1/combined"):
        placement.check_key_private(machine, installed)
