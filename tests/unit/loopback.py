"""A real OpenSSH server on loopback, for the tests of everything that speaks SSH.

Knows: how to run Debian's sshd with a host key, a configuration and a home folder of its own, and how to cut its sessions.
Refuses: to be skipped where sshd is missing, and to leave a process behind.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cleanroom.ssh import KeyPair, Result, Ssh
from cleanroom.wait import Waiting, wait_until

PROGRAM = Path("/usr/sbin/sshd")
ADDRESS = "127.0.0.1"
_CONFIGURATION = """
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
UseDNS no
PrintLastLog no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
LogLevel VERBOSE
SetEnv HOME={folder}/home
"""


class Sshd:
    """One sshd in `folder`. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = getpass.getuser()
        self.port = free_port()
        self.log = folder / "log"
        self._clients: list[Ssh] = []

    def __enter__(self) -> Self:
        if not PROGRAM.exists():
            raise RuntimeError(f"{PROGRAM} is missing: apt-get install openssh-server (its service need not run)")
        (self.folder / "home").mkdir()
        (self.folder / "authorized_keys").touch()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.folder / "host_key"], check=True)
        (self.folder / "config").write_text(_CONFIGURATION.format(port=self.port, address=ADDRESS, folder=self.folder))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # compiled in: where it keeps its unprivileged half
        with self.log.open("wb") as log:
            self._process = subprocess.Popen([PROGRAM, "-D", "-e", "-f", self.folder / "config"], stderr=log)
        wait_until(self._listening, what="sshd to listen", within=10, every=0.02)
        return self

    def _listening(self) -> bool | Waiting:
        return "Server listening" in self.log.read_text() or Waiting(self.log.read_text() or "nothing")

    @property
    def host_key(self) -> str:
        return (self.folder / "host_key.pub").read_text().strip()

    def admit(self, key: KeyPair) -> KeyPair:
        """Let the holder of `key` in from now on."""
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(f"{key.public}\n")
        return key

    def client(self, record: Callable[..., object], *, key: KeyPair | None = None, host_key: str | None = None, port: int | None = None) -> Ssh:
        """A connection of ours to it, closed with it; whatever is not given is right."""
        key = key or self.admit(KeyPair.generate("test"))
        ssh = Ssh(ADDRESS, user=self.user, key=key, host_key=host_key or self.host_key, record=record, port=port or self.port)
        self._clients.append(ssh)
        return ssh

    def accepted_ports(self) -> list[int]:
        """The source port of every log-in that sshd tells of."""
        return [int(port) for port in re.findall(r"Accepted publickey for \S+ from \S+ port (\d+) ssh2", self.log.read_text())]

    def sessions(self) -> list[int]:
        """The processes that serve connections now."""
        return [int(pid) for pid in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()]

    def cut(self) -> None:
        """End every connection the hard way, as a restart of sshd would; what runs behind them stays."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self.cut()
        self._process.terminate()
        self._process.wait(timeout=10)


class There:
    """A place for a guide's shell, at the other end of a connection."""

    where = "there"

    def __init__(self, ssh: Ssh) -> None:
        self.ssh = ssh

    def execute(self, command: Any, *, stdin: bytes = b"", within: float) -> Result:
        return self.ssh.run(command, stdin=stdin, within=within)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
