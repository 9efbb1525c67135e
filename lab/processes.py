"""The lab's long-lived processes: each detached, each with a pid file that cannot be mistaken.

Knows: how to start one so that Ctrl-C at the terminal does not reach it, and whether the process behind a pid file is still the one that was started.
Refuses: to signal a process on its number alone; numbers are used again.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import OutOfTime
from cleanroom.wait import Waiting, wait_until


@dataclass(frozen=True)
class Service:
    """One process of ours: `file` holds its pid and the kernel's start time of that pid."""

    name: str
    file: Path
    log: Path

    def start(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        """Start it in a session of its own, both streams appended to the log; its first seconds are for the caller to watch."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(env), cwd=cwd, start_new_session=True, umask=0o022
            )
        process.returncode = 0  # it outlives us on purpose: nobody here waits for it
        self.file.write_text(f"{process.pid} {_start_time(process.pid)}\n")

    def pid(self) -> int | None:
        """The pid, if the very process that was started still lives."""
        try:
            pid, began = self.file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _start_time(int(pid)) == began else None

    def stop(self, *, within: float = 10.0) -> None:
        """SIGTERM, then SIGKILL at the limit (seconds). Idempotent."""
        for number, limit in ((signal.SIGTERM, within), (signal.SIGKILL, 5.0)):
            pid = self.pid()
            if pid is None:
                break
            os.kill(pid, number)
            if _ended(self, limit):
                break
        self.file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log, for an error text."""
        try:
            return " / ".join(self.log.read_text(errors="replace").splitlines()[-3:])
        except OSError:
            return "(no log)"


def _ended(service: Service, limit: float) -> bool:
    def gone() -> bool | Waiting:
        return True if service.pid() is None else Waiting("alive")

    try:
        return bool(wait_until(gone, what=f"{service.name} to end", within=limit, every=0.05))
    except OutOfTime:
        return False


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat (clock ticks since boot); empty for a process that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {"Z", "X"} else fields[19]
