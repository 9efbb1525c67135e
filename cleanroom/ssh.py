"""One SSH connection to one machine, pinned to the host key that was provisioned.

Knows: how to run a command and bring back its exit status and both streams, how to reconnect once the old connection is truly dead, and from
which local port each log-in came (C4.10 accounts for every one).
Refuses: a host key it was not given, passwords, agents, terminals, and commands without a limit.

RFC 4252-4254, through paramiko's Transport: its SSHClient would bring host-key policies that can be loosened.
"""

from __future__ import annotations

import base64
import hashlib
import io
import select
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cleanroom.errors import HarnessError, OutOfReach, OutOfTime
from cleanroom.wait import Deadline

_CHUNK = 1 << 16
_CONNECT_SECONDS = 10.0
#: Bytes that may be on their way in a stream, and in one packet of it: with paramiko's own 32 KiB a stream is ten times as slow.
_WINDOW, _PACKET = 1 << 24, 1 << 17
#: How long one look for more of a stream takes.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Result:
    """What a command answered. `status` is the exit status; streams are bytes as they came."""

    command: str
    status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    where: str

    @property
    def ok(self) -> bool:
        return self.status == 0

    @property
    def text(self) -> str:
        """Standard output as text, surrounding white space removed; undecodable bytes are replaced."""
        return self.stdout.decode(errors="replace").strip()

    @property
    def complaint(self) -> str:
        """The last lines of standard error (or output), for an error text."""
        lines = (self.stderr.strip() or self.stdout.strip()).decode(errors="replace").splitlines()
        return " / ".join(lines[-3:]) or "(nothing)"


@dataclass(frozen=True)
class KeyPair:
    """A user's Ed25519 key pair in OpenSSH's formats."""

    private: bytes
    public: str

    @staticmethod
    def generate(comment: str) -> KeyPair:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        return KeyPair(private=private, public=f"{public.decode()} {comment}")

    @staticmethod
    def load(private: bytes, where: str) -> KeyPair:
        """An Ed25519 key in OpenSSH's private format; raises `HarnessError` without showing any of it."""
        try:
            key = serialization.load_ssh_private_key(private, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise HarnessError("this is no unencrypted OpenSSH private key", where=where) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise HarnessError("expected an Ed25519 key", where=where, advice="ssh-keygen -t ed25519")
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        return KeyPair(private=private, public=public.decode())

    @property
    def fingerprint(self) -> str:
        """`SHA256:...` as sshd logs it."""
        return fingerprint(self.public)


def fingerprint(public: str) -> str:
    """The `SHA256:...` fingerprint of a public key line (`ssh-ed25519 AAAA... comment`)."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class Ssh:
    """A connection that is made when first needed and made again when it died. Not for use from several threads at once."""

    def __init__(self, address: str, *, user: str, key: KeyPair, host_key: str, record: Callable[..., object], port: int = 22) -> None:
        self.address, self.port, self.user, self.key = address, port, user, key
        self.host_key = host_key
        self._record = record
        self._transport: paramiko.Transport | None = None
        #: Bytes that went into channels, counted where they go: commands, and what they read.
        self.sent = 0

    @property
    def where(self) -> str:
        return f"{self.user}@{self.address}"

    def connect(self) -> paramiko.Transport:
        """The live transport, a new one if need be. Raises `OutOfReach`; a wrong host key is a `HarnessError`: that machine is not ours."""
        if self._transport is not None and self._transport.is_active():
            return self._transport
        self.close()
        if len(self.host_key.split()) < 2:  # noqa: PLR2004 - kind and body
            raise HarnessError("the pinned host key is no public key line", where=self.where)
        kind, body = self.host_key.split()[:2]
        try:
            raw = socket.create_connection((self.address, self.port), timeout=_CONNECT_SECONDS)
        except OSError as problem:
            raise OutOfReach(f"cannot connect: {problem.strerror or problem}", where=self.where) from None
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # 48 ms a command become 5
        local_port = raw.getsockname()[1]
        transport = paramiko.Transport(raw)
        try:
            options = transport.get_security_options()
            options.key_types = (kind,)
            options.ciphers = sorted(options.ciphers, key=lambda name: "-gcm@" not in name)  # one pass over the data in place of two
            transport.start_client(timeout=_CONNECT_SECONDS)
            if transport.get_remote_server_key().get_base64() != body:
                raise HarnessError("this is not the machine that was provisioned: it shows another host key", where=self.where)
            transport.auth_publickey(self.user, paramiko.Ed25519Key.from_private_key(io.StringIO(self.key.private.decode())))
        except (paramiko.SSHException, EOFError, OSError) as problem:
            transport.close()
            raise OutOfReach(f"no SSH session: {str(problem) or type(problem).__name__}", where=self.where) from None
        except HarnessError:
            transport.close()
            raise
        transport.set_keepalive(5)
        self._transport = transport
        self._record("ssh-login", by="suite", address=self.address, port=local_port, key=self.key.fingerprint)
        return transport

    def run(self, command: str | Sequence[str], *, stdin: bytes = b"", within: float) -> Result:
        """Run one command and wait for its end; an argv is quoted here, once. Never judges the exit status.

        Raises `OutOfReach` if the connection breaks before the exit status is known, `OutOfTime` after `within` seconds (the channel is closed then).
        """
        line = command if isinstance(command, str) else shlex.join(command)
        deadline = Deadline(within)
        try:
            channel = self.connect().open_session(timeout=_CONNECT_SECONDS)
            channel.exec_command(line)
            self.sent += len(line.encode())
            return self._drain(channel, line, stdin, deadline)
        except (paramiko.SSHException, EOFError, OSError) as problem:
            raise OutOfReach(f"the connection broke: {str(problem) or type(problem).__name__}", where=self.where) from None

    def _drain(self, channel: paramiko.Channel, line: str, stdin: bytes, deadline: Deadline) -> Result:
        out, err, unsent = bytearray(), bytearray(), memoryview(stdin)
        channel.setblocking(0)
        open_input = True
        with channel:
            while True:
                if unsent and channel.send_ready():
                    left = _send(channel, unsent)
                    self.sent += len(unsent) - len(left)
                    unsent = left
                if open_input and not unsent:
                    channel.shutdown_write()
                    open_input = False
                moved = _take(channel, out, err)
                if not moved and _has_status(channel):
                    _take(channel, out, err)
                    return Result(line, channel.exit_status, bytes(out), bytes(err), deadline.elapsed, self.where)
                if not moved and channel.closed:
                    if channel.eof_received and self._transport is not None and self._transport.is_active():
                        raise HarnessError(f"`{line[:120]}` was ended by a signal", where=self.where)
                    raise OutOfReach("the connection broke before the command's exit status was known", where=self.where)
                if deadline.passed:
                    self.close()  # a link that swallows everything looks the same: the next command makes a new one
                    raise OutOfTime(f"`{line[:120]}` still ran after {deadline.seconds:.0f} s", where=self.where)
                if not moved and channel.eof_received:
                    channel.status_event.wait(min(0.5, deadline.left))
                elif not moved and not (unsent and channel.send_ready()):
                    select.select([channel], [], [], min(0.05 if unsent else 0.5, deadline.left))

    @contextmanager
    def stream(self, command: Sequence[str], *, within: float) -> Iterator[Stream]:
        """Run a command whose output is read while it comes, in constant memory. Raises like `run`, while it is read and at its end."""
        try:
            channel = self.connect().open_session(window_size=_WINDOW, max_packet_size=_PACKET, timeout=_CONNECT_SECONDS)
            channel.exec_command(shlex.join(command))
            self.sent += len(shlex.join(command).encode())
            channel.shutdown_write()
        except (paramiko.SSHException, EOFError, OSError) as problem:
            raise OutOfReach(f"the connection broke: {str(problem) or type(problem).__name__}", where=self.where) from None
        with channel:
            yield Stream(channel, Deadline(within), where=self.where)

    def close(self) -> None:
        """Drop the connection; the next command makes a new one. Idempotent."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None


class Stream(io.RawIOBase):
    """Standard output of a running command. Its exit status and complaint are known once it was read to its end."""

    def __init__(self, channel: paramiko.Channel, deadline: Deadline, *, where: str) -> None:
        super().__init__()
        self._channel = channel
        self._deadline = deadline
        self._where = where
        self._complaint = bytearray()
        self._arrived = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any writable buffer: typing has no name for it before 3.12
        """Fill some of `buffer`; 0 at the end. Raises `OutOfTime` or `OutOfReach`."""
        if not self._arrived:
            self._arrived = memoryview(self._next())
        room = memoryview(buffer)
        count = min(len(room), len(self._arrived))
        room[:count] = self._arrived[:count]
        self._arrived = self._arrived[count:]
        return count

    def _next(self) -> bytes:
        """All that has arrived: paramiko moves what it keeps, so taking it in small pieces costs the square of it."""
        while True:
            while self._channel.recv_stderr_ready():
                self._complaint += self._channel.recv_stderr(_CHUNK)
            if self._deadline.passed:
                raise OutOfTime(f"the stream still ran after {self._deadline.seconds:.0f} s", where=self._where)
            self._channel.settimeout(min(_LOOK_SECONDS, self._deadline.left))
            try:
                return self._channel.recv(_WINDOW)
            except TimeoutError:
                continue
            except OSError as problem:
                raise OutOfReach(f"the connection broke: {problem}", where=self._where) from None

    def end(self, command: str) -> Result:
        """How the command ended; what was not read is thrown away. Raises `OutOfReach` if nobody knows."""
        rest = memoryview(bytearray(_CHUNK))
        while self.readinto(rest):
            pass
        self._channel.status_event.wait(self._deadline.left)
        if not _has_status(self._channel):
            raise OutOfReach("the connection broke before the command's exit status was known", where=self._where)
        return Result(command, self._channel.exit_status, b"", bytes(self._complaint), self._deadline.elapsed, self._where)


def _has_status(channel: paramiko.Channel) -> bool:
    """Whether the command's end was told: paramiko's own `exit_status_ready` is true of every closed channel, broken ones too."""
    return bool(channel.eof_received) and channel.exit_status != -1


def _send(channel: paramiko.Channel, unsent: memoryview) -> memoryview:
    """Send some input; none is left to send once the command has closed its end."""
    try:
        return unsent[channel.send(unsent[:_CHUNK].tobytes()) :]
    except OSError:
        return memoryview(b"")


def _take(channel: paramiko.Channel, out: bytearray, err: bytearray) -> bool:
    """Both streams together: draining one while the other fills its window is how a command hangs for ever."""
    moved = False
    while channel.recv_ready():
        out += channel.recv(_CHUNK)
        moved = True
    while channel.recv_stderr_ready():
        err += channel.recv_stderr(_CHUNK)
        moved = True
    return moved
