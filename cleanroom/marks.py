"""How a run marks what it makes, and how anybody tells a living run's from a dead one's.

Knows: the `user.cleanroom.*` keys of an instance, the lock of a project, and what both say about a run's life.
Refuses: to take an instance for ours on its name alone, or a run for dead that may live.
"""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cleanroom.errors import HarnessError, OutOfTime
from cleanroom.hypervisor import Instance
from cleanroom.mark import HEARTBEAT, HOST, KEPT, LAB, PREFIX, PROCESS, RUN, SUITE, VALUE, is_whole
from cleanroom.wait import Waiting, wait_until

#: What an instance carries has its names in mark.py; here they are put to use.
__all__ = [
    "BEAT",
    "HEARTBEAT",
    "HOST",
    "KEPT",
    "LAB",
    "PREFIX",
    "PROCESS",
    "RUN",
    "SILENCE",
    "SUITE",
    "Leftover",
    "ProjectLock",
    "heartbeat",
    "leftover",
    "marks",
    "new_run_id",
    "process_lives",
    "this_host",
    "this_process",
]
#: A run on another host that has not marked its machine for so long is dead (seconds); it marks every `BEAT`.
SILENCE = 300.0
BEAT = 30.0


def new_run_id() -> str:
    """Sortable by time, unique by chance: `20261124-021500-3fa9c1`."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def this_host() -> str:
    """An identity of this machine that tells nobody its name."""
    try:
        seed = Path("/etc/machine-id").read_text(encoding="ascii").strip() or socket.gethostname()
    except OSError:
        seed = socket.gethostname()
    return hashlib.sha256(b"cleanroom " + seed.encode()).hexdigest()[:16]


def marks(run_id: str) -> dict[str, str]:
    """The configuration keys that an instance of this run carries from its first moment."""
    return {SUITE: VALUE, RUN: run_id, HOST: this_host(), PROCESS: this_process(), HEARTBEAT: _now(), KEPT: "false"}


def heartbeat() -> dict[str, str]:
    return {HEARTBEAT: _now()}


@dataclass(frozen=True)
class Leftover:
    """An instance that carries our mark, and what is known of its run."""

    instance: Instance
    run_id: str
    alive: bool
    kept: bool

    def describe(self) -> str:
        state = "its run lives" if self.alive else "kept on purpose" if self.kept else "its run is dead"
        return f"{self.instance.name} of run {self.run_id}, created {self.instance.created_at:%Y-%m-%d %H:%M:%S} UTC: {state}"


def leftover(instance: Instance) -> Leftover | None:
    """What `instance` is to us: None if it does not carry the whole mark.

    On this host a run lives as long as its process does; elsewhere as long as it goes on marking its machine.
    """
    config: Mapping[str, str] = instance.config
    if not is_whole(config):
        return None
    run_id, host = config[RUN], config[HOST]
    kept = config.get(KEPT) == "true"
    alive = process_lives(config[PROCESS]) if host == this_host() else not kept and _age(config[HEARTBEAT]) < SILENCE
    return Leftover(instance, run_id, alive, kept)


class ProjectLock:
    """At most one run of this host works in a project at a time; the kernel drops the lock when its holder dies, however it dies."""

    def __init__(self, endpoint: str, project: str) -> None:
        name = hashlib.sha256(f"{endpoint}\n{project}".encode()).hexdigest()[:16]
        self.path = Path(tempfile.gettempdir()) / f"cleanroom-{os.getuid()}-{name}.lock"
        self._file: int | None = None

    def holder(self) -> str | None:
        """The run that holds the lock now, or None. Raises `HarnessError` if that cannot be told."""
        if self._file is not None:
            return self._content()
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._content() or "(a run that has not said its name yet)"
        finally:
            os.close(descriptor)
        return None

    def take(self, run_id: str, *, wait: float = 0.0) -> Self:
        """Take the lock for `run_id`, waiting up to `wait` seconds; raises `HarnessError` naming the run that holds it."""
        descriptor = self._open()

        def taken() -> bool | Waiting:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Waiting(f"run {self._content() or '(unnamed)'} holds it")
            return True

        try:
            # A moment at least: whoever asks for the holder holds the lock for that moment.
            wait_until(taken, what="the project to be free", within=max(wait, 0.5), every=0.1)
        except OutOfTime as problem:
            os.close(descriptor)
            advice = "wait for it to end, or say --wait 30m"
            raise HarnessError(
                f"another run works in this project: {problem.problem.rsplit(': ', 1)[-1]}", where=str(self.path), advice=advice
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"run": run_id, "pid": os.getpid()}).encode(), 0)
        self._file = descriptor
        return self

    def release(self) -> None:
        """Idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as problem:
            raise HarnessError(f"cannot open the project's lock: {problem.strerror}", where=str(self.path)) from None

    def _content(self) -> str | None:
        try:
            return str(json.loads(self.path.read_text(encoding="utf-8"))["run"])
        except (OSError, ValueError, KeyError):
            return None


def this_process() -> str:
    """This process, so that nobody takes another one with its number for it."""
    return f"{os.getpid()}:{_start_of(os.getpid())}"


def process_lives(process: str) -> bool:
    """Whether the very process that wrote a mark still runs: a number alone may be somebody else's by now."""
    pid, _, start = process.partition(":")
    return pid.isdecimal() and _start_of(int(pid)) == start


def _start_of(pid: int) -> str | None:
    """When a process started, in clock ticks since boot (proc(5), field 22), and which boot that was; None if there is no such process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{boot}-{Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()[19]}"
    except OSError:
        return None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _age(stamp: str) -> float:
    """Seconds since `stamp`; a stamp nobody can read counts as fresh, so that nothing is swept by mistake."""
    try:
        return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(stamp)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
