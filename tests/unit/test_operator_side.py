"""The operator's desk and its relay: OpenSSH's own programs, a real server, one way out."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom import relay
from cleanroom.errors import BadInput
from cleanroom.operator_side import Desk
from cleanroom.ssh import KeyPair, Result, Ssh
from tests.unit.loopback import ADDRESS, Sshd, free_port
from tests.unit.notes import Notes


@pytest.fixture
def ssh(sshd: Sshd, notes: Notes) -> Ssh:
    return sshd.client(notes.record)


@pytest.fixture
def desk(ssh: Ssh, notes: Notes, tmp_path: Path) -> Iterator[Desk]:
    with Desk(ssh, notes.record, scratch=tmp_path) as desk:
        yield desk


def at(desk: Desk, *argv: str) -> Result:
    """Run a program as a command of the guide would."""
    return desk.place.execute(argv, within=20)


def test_ssh_reaches_the_machine_with_the_run_s_own_key(sshd: Sshd, desk: Desk) -> None:
    result = at(desk, "ssh", "-p", str(sshd.port), f"{sshd.user}@{ADDRESS}", "echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout, result.stderr) == (7, b"out\n", b"err\n")


def test_scp_and_sftp_reach_it_too(sshd: Sshd, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(bytes(range(256)) * 8000)
    target = f"{sshd.user}@{ADDRESS}"
    assert at(desk, "scp", "-P", str(sshd.port), str(tmp_path / "given"), f"{target}:{tmp_path}/taken").status == 0
    assert (tmp_path / "taken").read_bytes() == (tmp_path / "given").read_bytes()
    assert at(desk, "sftp", "-q", "-P", str(sshd.port), f"{target}:{tmp_path}/given", str(tmp_path / "back")).status == 0
    assert (tmp_path / "back").read_bytes() == (tmp_path / "given").read_bytes()


def test_each_connection_is_recorded_once_with_the_port_that_sshd_saw(sshd: Sshd, ssh: Ssh, desk: Desk, notes: Notes) -> None:
    for _ in range(2):
        at(desk, "ssh", "-p", str(sshd.port), f"{sshd.user}@{ADDRESS}", "true")
    desk.account()
    desk.account()
    assert [login["port"] for login in notes.of("ssh-login")] == sshd.accepted_ports()[-2:]
    assert {(login["by"], login["key"]) for login in notes.of("ssh-login")} == {("guide", ssh.key.fingerprint)}


def test_every_other_host_is_refused_without_a_connection(sshd: Sshd, desk: Desk, notes: Notes) -> None:
    told = len(sshd.log.read_text())
    result = at(desk, "ssh", "-p", str(sshd.port), f"{sshd.user}@localhost", "true")
    desk.account()
    assert result.status == 255
    assert f"the guide may reach {ADDRESS}, not localhost" in result.stderr.decode()
    assert "Connection from" not in sshd.log.read_text()[told:]  # what it tells of the end of an earlier one may come late
    assert notes == []


def test_another_host_key_is_refused(sshd: Sshd, notes: Notes, tmp_path: Path) -> None:
    told = len(sshd.log.read_text())
    with Desk(sshd.client(notes.record, host_key=KeyPair.generate("another").public), notes.record, scratch=tmp_path) as desk:
        result = at(desk, "ssh", "-p", str(sshd.port), f"{sshd.user}@{ADDRESS}", "true")
    assert result.status == 255
    assert "Host key verification failed" in result.stderr.decode()
    assert "Accepted" not in sshd.log.read_text()[told:]


def test_the_operator_s_own_home_is_neither_read_nor_written(desk: Desk) -> None:
    assert at(desk, "bash", "-c", "cd ~ && pwd && ls -A").text == str(desk.folder / "home")


def test_nothing_of_the_desk_is_left(ssh: Ssh, notes: Notes, tmp_path: Path) -> None:
    with Desk(ssh, notes.record, scratch=tmp_path) as desk:
        assert desk.folder.stat().st_mode & 0o777 == 0o700
        assert (desk.folder / "key").stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == []


def test_a_tool_that_is_missing_is_named_and_leaves_nothing(ssh: Ssh, notes: Notes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="`ssh` is not installed"), Desk(ssh, notes.record, scratch=tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_desk_may_stand_in_a_folder_whose_name_has_a_blank(sshd: Sshd, ssh: Ssh, notes: Notes, tmp_path: Path) -> None:
    (tmp_path / "my files").mkdir()
    with Desk(ssh, notes.record, scratch=tmp_path / "my files") as desk:
        assert at(desk, "ssh", "-p", str(sshd.port), f"{sshd.user}@{ADDRESS}", "echo hello").stdout == b"hello\n"
        desk.account()
    assert len(notes.of("ssh-login")) == 1


@pytest.fixture
def echo() -> Iterator[socket.socket]:
    with socket.create_server((ADDRESS, 0)) as server:
        server.settimeout(10)
        yield server


def start_relay(host: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-S", "-E", relay.__file__, host, str(port), ADDRESS, str(log)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_relay_copies_both_ways_and_says_from_which_port(echo: socket.socket, tmp_path: Path) -> None:
    with start_relay(ADDRESS, echo.getsockname()[1], tmp_path / "ports") as process:
        link, (_, port) = echo.accept()
        with link:
            out, _ = _exchange(process, link, b"to the machine" * 50_000, b"from the machine" * 50_000)
    assert out == b"from the machine" * 50_000
    assert process.returncode == 0
    assert (tmp_path / "ports").read_text() == f"{port}\n"


def _exchange(process: subprocess.Popen[bytes], link: socket.socket, there: bytes, back: bytes) -> tuple[bytes, bytes]:
    """Send `there` through the relay to its end, check that it arrives, and answer with `back`."""
    assert process.stdin is not None
    process.stdin.write(there)
    process.stdin.close()
    process.stdin = None
    received = b"".join(iter(lambda: link.recv(1 << 16), b""))
    assert received == there
    link.sendall(back)
    link.shutdown(socket.SHUT_WR)
    return process.communicate(timeout=10)


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost", ""])
def test_the_relay_refuses_every_host_but_one(echo: socket.socket, tmp_path: Path, host: str) -> None:
    with start_relay(host, echo.getsockname()[1], tmp_path / "ports") as process:
        out, err = process.communicate(timeout=10)
    echo.setblocking(False)
    with pytest.raises(BlockingIOError):
        echo.accept()
    assert (process.returncode, out) == (1, b"")
    assert f"the guide may reach {ADDRESS}, not {host}".encode() in err
    assert not (tmp_path / "ports").exists()


def test_the_relay_says_so_when_nobody_listens(tmp_path: Path) -> None:
    with start_relay(ADDRESS, free_port(), tmp_path / "ports") as process:
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert b"cannot connect" in err
