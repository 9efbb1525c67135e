"""The operator's desk: a folder from which a guide's own `ssh` and `scp` reach the throwaway, and nothing else.

Knows: how to give OpenSSH the run's key and the pinned host key without touching the operator's own configuration, and which connections it made.
Refuses: other hosts (the relay), unknown host keys, and to leave the key behind.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from cleanroom import relay
from cleanroom.errors import BadInput
from cleanroom.guide_shell import ThisSide
from cleanroom.ssh import Ssh

_TOOLS = ("ssh", "scp", "sftp")


class Desk:
    """A folder below `scratch` with wrappers in front of OpenSSH's programs. A context manager: it is gone afterwards."""

    def __init__(self, ssh: Ssh, record: Callable[..., object], *, scratch: Path) -> None:
        self._ssh = ssh
        self._scratch = scratch
        self._record = record
        self._seen = 0
        self._told: set[str] = set()

    def __enter__(self) -> Self:
        tools = {tool: _real(tool) for tool in _TOOLS}
        self.folder = Path(tempfile.mkdtemp(prefix="desk-", dir=self._scratch))
        self.place = ThisSide(path=self.folder / "bin", home=self.folder / "home")
        for name in ("bin", "home"):
            (self.folder / name).mkdir(mode=0o700)
        key, known = self.folder / "key", self.folder / "known_hosts"
        key.touch(mode=0o600)
        key.write_bytes(self._ssh.key.private)
        known.write_text(f"{self._ssh.address} {self._ssh.host_key}\n")
        program = shlex.join([sys.executable, "-S", "-E", str(Path(relay.__file__))]).replace("%", "%%")
        arguments = shlex.join([self._ssh.address, str(self.folder / "ports")]).replace("%", "%%")
        config = self.folder / "config"
        config.write_text(
            f"Host *\n  IdentityFile {_config(key)}\n  IdentitiesOnly yes\n  UserKnownHostsFile {_config(known)}\n  GlobalKnownHostsFile /dev/null\n"
            f"  StrictHostKeyChecking yes\n  BatchMode yes\n  ForwardAgent no\n  ProxyCommand {program} %h %p {arguments}\n"
        )
        for tool, real in tools.items():
            wrapper = self.folder / "bin" / tool
            wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(real)} -F {shlex.quote(str(config))} "$@"\n')
            wrapper.chmod(0o700)
        return self

    def account(self) -> None:
        """Record the connections that the guide's own commands made since the last call."""
        log = self.folder / "ports"
        ports = log.read_text().split() if log.exists() else []
        for port in ports[self._seen :]:
            self._record("ssh-login", by="guide", address=self._ssh.address, port=int(port), key=self._ssh.key.fingerprint)
        self._seen = len(ports)

    def carried(self) -> Iterator[tuple[int, int]]:
        """Port of each connection of the guide's own that was not told before, and how many bytes it has carried to the machine."""
        for tally in sorted(self.folder.glob("ports.*")):
            if tally.name not in self._told:
                port, _, count = tally.read_text().partition(" ")
                self._told.add(tally.name)
                yield int(port), int(count)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _config(path: Path) -> str:
    """A path as ssh_config(5) reads it: quoted for blanks, `%` doubled because tokens are expanded."""
    return '"' + str(path).replace("%", "%%") + '"'


def _real(tool: str) -> str:
    """The path of one of OpenSSH's programs."""
    found = shutil.which(tool)
    if found is None:
        raise BadInput(f"`{tool}` is not installed on this side", advice="install OpenSSH's client")
    return found
