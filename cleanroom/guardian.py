"""The one who is left when a run dies: a small process that waits for the run's end and, if it was no end, draws the reports from the ledger.

Knows: that a pipe whose other end nobody holds any more means that the run is dead, however it died; `kill -9` lets the run itself do nothing.
Refuses: to hold on to anything of the run (no file, socket or lock is inherited, nor its environment, session or folder), to outlive a run that ended
well, to add to a ledger, and to touch a folder whose evidence is written.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from cleanroom.errors import HarnessError

_WELL = b"the run ended"
_ENDS_WITHIN = 10.0


class Guardian:
    """The run's side: started before there is anything to watch, told the run's folder, and in the end sent home."""

    def __init__(self, reports: Path) -> None:
        """Start the process; `reports` is where the run's folder will be, for who looks at a list of processes. Raises `HarnessError`."""
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
        }
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        argv = [sys.executable, "-m", "cleanroom.guardian", str(reports)]
        try:
            self._process = subprocess.Popen(
                argv, stdin=pipe, stdout=nowhere, stderr=nowhere, env=environment, cwd="/", start_new_session=True, bufsize=0
            )
        except OSError as problem:
            raise HarnessError(f"cannot start the run's guardian: {problem.strerror}", where=str(reports)) from None

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, folder: Path) -> None:
        """The run's folder is there: if this process dies from now on, its reports are drawn."""
        self._say(os.fsencode(folder.resolve()) + b"\0")

    def dismiss(self) -> None:
        """The run has ended, its reports are drawn; or there will be none. Idempotent; a guardian that was killed meanwhile is no trouble."""
        self._say(_WELL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, words: bytes) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(words)


def stand_by(run: BinaryIO) -> None:
    """Wait for the other end of `run` to close; draw the reports unless it said that all is well, or named no folder."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder, named, last_words = run.read().partition(b"\0")
    if named and last_words != _WELL:
        draw(Path(os.fsdecode(folder)))


def draw(folder: Path) -> None:
    """Draw the reports of a run that died from its ledger, as far as that goes."""
    # Imported when they are needed: nearly every guardian goes home without.
    from cleanroom import evidence, ledger, report  # noqa: PLC0415

    if (folder / ledger.NAME).exists() and not (folder / evidence.ENVELOPE).exists() and not (folder / evidence.UNSIGNED).exists():
        report.write(folder, ledger.read(folder / ledger.NAME))


if __name__ == "__main__":
    stand_by(sys.stdin.buffer)
