"""The SSH connection, against a real OpenSSH server."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import threading
import time
from pathlib import Path

import pytest

from cleanroom.errors import HarnessError, OutOfReach, OutOfTime
from cleanroom.ssh import KeyPair, Result, Ssh, fingerprint
from cleanroom.wait import Waiting, wait_until
from tests.unit.loopback import Sshd, free_port
from tests.unit.notes import Notes

MEGABYTE = 1_000_000


@pytest.fixture
def ssh(sshd: Sshd, notes: Notes) -> Ssh:
    return sshd.client(notes.record)


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_the_exit_status_is_kept(ssh: Ssh, status: int) -> None:
    result = ssh.run(f"echo out; echo err >&2; exit {status}", within=10)
    assert (result.status, result.stdout, result.stderr, result.ok) == (status, b"out\n", b"err\n", status == 0)


@pytest.mark.parametrize(
    "script",
    [
        "head -c {n} /dev/zero >&2; head -c {n} /dev/zero",
        "head -c {n} /dev/zero; head -c {n} /dev/zero >&2",
        "head -c {n} /dev/zero & head -c {n} /dev/zero >&2; wait",
    ],
    ids=["error first", "output first", "together"],
)
def test_both_streams_are_drained_together(ssh: Ssh, script: str) -> None:
    size = 4 * MEGABYTE
    result = ssh.run(script.format(n=size), within=30)
    assert (result.status, len(result.stdout), len(result.stderr)) == (0, size, size)


def test_standard_input_is_delivered_whole(ssh: Ssh) -> None:
    data = os.urandom(3 * MEGABYTE)
    assert ssh.run(["sha256sum"], stdin=data, within=30).text.split()[0] == hashlib.sha256(data).hexdigest()


def test_input_and_output_may_both_be_large(ssh: Ssh) -> None:
    data = os.urandom(3 * MEGABYTE)
    assert hashlib.sha256(ssh.run(["cat"], stdin=data, within=30).stdout).digest() == hashlib.sha256(data).digest()


def test_a_command_need_not_read_its_input(ssh: Ssh) -> None:
    assert ssh.run("head -c 1; exit 3", stdin=b"x" * 8 * MEGABYTE, within=30).status == 3


def test_without_input_a_command_meets_its_end_of_file(ssh: Ssh) -> None:
    assert ssh.run(["cat"], within=10).stdout == b""


def test_an_argument_list_arrives_word_for_word(ssh: Ssh) -> None:
    words = ["a b", "$HOME", "'", '"', "\\", "", "*", "x\ny", "é", "; exit 9", "--"]
    assert ssh.run(["printf", "%s|", *words], within=10).stdout.decode() == "|".join([*words, ""])


def test_a_command_meets_its_limit_and_the_next_one_is_served(ssh: Ssh) -> None:
    began = time.monotonic()
    with pytest.raises(OutOfTime, match="sleep 60"):
        ssh.run("sleep 60", within=0.3)
    assert time.monotonic() - began < 5
    assert ssh.run("echo still here", within=10).text == "still here"


def test_a_wrong_host_key_is_refused_before_anything_is_sent(sshd: Sshd, notes: Notes) -> None:
    told = len(sshd.log.read_text())
    ssh = sshd.client(notes.record, host_key=KeyPair.generate("another machine").public)
    with pytest.raises(HarnessError, match="another host key") as caught:
        ssh.run("true", within=10)
    assert not isinstance(caught.value, OutOfReach)
    assert notes == []
    wait_until(lambda: "[preauth]" in sshd.log.read_text()[told:] or Waiting("nothing"), what="sshd to see us turn away", within=10, every=0.02)
    assert "publickey" not in sshd.log.read_text()[told:]


def test_a_server_without_a_key_of_the_pinned_kind_is_refused(sshd: Sshd, notes: Notes) -> None:
    kind, body = "ecdsa-sha2-nistp256", sshd.host_key.split()[1]
    with pytest.raises(HarnessError):
        sshd.client(notes.record, host_key=f"{kind} {body}").run("true", within=10)
    assert notes == []


@pytest.mark.parametrize("host_key", ["", "ssh-ed25519"])
def test_a_host_key_that_is_none_is_our_trouble(sshd: Sshd, notes: Notes, host_key: str) -> None:
    ssh = Ssh("127.0.0.1", user=sshd.user, key=KeyPair.generate("test"), host_key=host_key, record=notes.record, port=sshd.port)
    with pytest.raises(HarnessError):
        ssh.run("true", within=10)
    assert notes == []


def test_a_key_that_is_not_admitted_is_out_of_reach(sshd: Sshd, notes: Notes) -> None:
    with pytest.raises(OutOfReach):
        sshd.client(notes.record, key=KeyPair.generate("stranger")).run("true", within=10)
    assert notes == []


def test_nobody_listening_is_out_of_reach(sshd: Sshd, notes: Notes) -> None:
    with pytest.raises(OutOfReach, match="cannot connect"):
        sshd.client(notes.record, port=free_port()).run("true", within=10)


def test_each_login_is_recorded_with_the_port_that_sshd_saw(sshd: Sshd, notes: Notes) -> None:
    ssh = sshd.client(notes.record)
    ssh.run("true", within=10)
    ssh.run("true", within=10)
    ssh.close()
    ssh.run("true", within=10)
    logins = notes.of("ssh-login")
    assert [login["port"] for login in logins] == sshd.accepted_ports()[-2:]
    assert {(login["by"], login["key"]) for login in logins} == {("suite", ssh.key.fingerprint)}


def test_a_connection_that_breaks_is_told_at_once_and_made_again(sshd: Sshd, ssh: Ssh) -> None:
    ssh.run("true", within=10)
    threading.Timer(0.2, sshd.cut).start()
    began = time.monotonic()
    with pytest.raises(OutOfReach):
        ssh.run("sleep 20", within=15)
    assert time.monotonic() - began < 5
    assert ssh.run("echo again", within=10).text == "again"


def test_the_key_pair_is_openssh_s_own(tmp_path: Path) -> None:
    key = KeyPair.generate("a comment")
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(key.private)
    public = subprocess.run(["ssh-keygen", "-y", "-f", file], check=True, capture_output=True, text=True).stdout
    listed = subprocess.run(["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True).stdout
    assert public.split()[:2] == key.public.split()[:2]
    assert key.fingerprint == fingerprint(key.public) == listed.split()[1]
    assert KeyPair.load(key.private, "here").fingerprint == key.fingerprint


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["-t", "ed25519", "-N", "a passphrase"], "unencrypted"), (["-t", "ecdsa", "-N", ""], "Ed25519")],
    ids=["encrypted", "other kind"],
)
def test_an_unusable_key_is_refused_without_showing_it(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *arguments, "-f", tmp_path / "key"], check=True)
    private = (tmp_path / "key").read_bytes()
    with pytest.raises(HarnessError, match=complaint) as caught:
        KeyPair.load(private, "the site's key")
    assert not any(line in str(caught.value) for line in private.decode().splitlines()[1:-1])
    assert caught.value.where == "the site's key"


def test_garbage_is_no_key() -> None:
    with pytest.raises(HarnessError):
        KeyPair.load(b"garbage", "here")


def test_a_result_tells_the_last_lines_of_what_it_complained() -> None:
    result = Result("x", 1, b"out\n", b"1\n2\n3\n4\n", 0.1, "here")
    assert result.complaint == "2 / 3 / 4"
    assert Result("x", 1, b"out\n", b"", 0.1, "here").complaint == "out"
    assert Result("x", 1, b"", b"\n", 0.1, "here").complaint


def test_an_argument_list_is_shown_as_a_person_would_type_it(ssh: Ssh) -> None:
    argv = ["printf", "%s", "a b"]
    assert shlex.split(ssh.run(argv, within=10).command) == argv
