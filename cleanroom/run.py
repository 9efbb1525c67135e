"""One run of the suite: its name, its folder, its memory, its phases.

Knows: where a run keeps what it learns (`reports/<run>/`, with `latest` beside), what each phase took this time and last time.
Refuses: to reuse a folder, or to let a line into the transcript that the redactor has not seen.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cleanroom import __version__, scratch
from cleanroom.errors import HarnessError
from cleanroom.ledger import Ledger
from cleanroom.marks import new_run_id
from cleanroom.redact import Redactor
from cleanroom.signing import Signer

Role = Literal["adversary", "builder"]
Keep = Literal["never", "on-failure", "always"]


#: The phase in which a machine is removed.
CLEAN_UP = "clean up"


@dataclass(frozen=True)
class Options:
    """How this run was asked for; anything but the defaults of the adversary lowers its class."""

    role: Role = "adversary"
    keep: Keep = "never"
    reuse: bool = False
    wait: float = 0.0


class Run:
    """The folder, the ledger and the clock of one run."""

    def __init__(self, reports: Path, options: Options, *, announce: Callable[[str], None], begun: Callable[[Path], object] = Path.exists) -> None:
        self.id = new_run_id()
        self.options = options
        self.reports = reports
        self.folder = reports / self.id
        self._announce = announce
        self._lock = threading.Lock()
        try:
            (self.folder / "journal").mkdir(parents=True)
        except OSError as problem:
            raise HarnessError(f"cannot make the report folder: {problem.strerror}", where=str(self.folder)) from None
        _point(reports / "latest", self.folder.name)
        for dead in scratch.dead():
            scratch.remove(dead)
        self.scratch = scratch.make(self.id)
        self.redactor = Redactor()
        begun(self.folder)  # before there is a ledger: whoever watches it misses nothing
        self.ledger = Ledger(self.folder, self.redactor)
        self.record = self.ledger.record
        self.signer: Signer | None = None
        self._times = reports / ".last-times.json"
        self._open_phases: list[str] = []
        self.record("run-began", run=self.id, role=options.role, keep=options.keep, reuse=options.reuse, suite=__version__)

    def sign_with(self, signer: Signer) -> None:
        """Have the run's evidence signed. The public half goes into the ledger, so that nobody can put another signature under it afterwards."""
        if self.signer is not None:
            raise HarnessError("a run is signed with one key", where=self.signer.keyid)
        self.redactor.add(signer.secret)
        self.signer = signer
        self.record("signing", keyid=signer.keyid, public=signer.public)

    def say(self, line: str) -> None:
        """Tell the person who waits; redacted."""
        self._announce(self.redactor.clean(line))

    def transcript(self, text: str) -> None:
        """Append a piece to `transcript.txt`, redacted, and record its digest: the ledger then vouches for every piece and for their order."""
        piece = self.redactor.clean(text).encode(errors="backslashreplace")
        with self._lock, (self.folder / "transcript.txt").open("ab") as file:
            file.write(piece)
            self.record("transcript", bytes=len(piece), sha256=hashlib.sha256(piece).hexdigest())

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce a phase with last time's duration, record it, remember how long it took if it ended well."""
        last = self._last_times().get(name)
        self.record("phase-began", name=name)
        self.say(f"{name} ..." + (f" (last time {last:.1f} s)" if last else ""))
        began = time.monotonic()
        outcome = "failed"
        self._open_phases.append(name)
        try:
            yield
            outcome = "done"
        finally:
            self._open_phases.remove(name)
            seconds = round(time.monotonic() - began, 3)
            self.record("phase-ended", name=name, outcome=outcome, seconds=seconds)
            self.say(f"{name} {outcome} after {seconds:.1f} s")
            if outcome == "done":
                self._remember(name, seconds)

    @property
    def is_cleaning_up(self) -> bool:
        """Whether something is being removed: what interrupts that leaves it behind."""
        return CLEAN_UP in self._open_phases

    def close(self, **fields: object) -> None:
        """Remove the run's own files on this side and record the last event; nothing is recorded afterwards."""
        scratch.remove(self.scratch)
        self.record("run-ended", run=self.id, **fields)
        self.ledger.close()

    def _last_times(self) -> dict[str, float]:
        try:
            return {str(key): float(value) for key, value in json.loads(self._times.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # a comfort, not a fact: an unreadable file only means that nobody knows

    def _remember(self, name: str, seconds: float) -> None:
        with contextlib.suppress(OSError):
            self._times.write_text(json.dumps({**self._last_times(), name: seconds}, indent=1), encoding="utf-8")


def _point(link: Path, target: str) -> None:
    """Make `link` name `target`, atomically, so that a reader never finds it missing."""
    beside = link.with_name(f".{link.name}-{target}")
    beside.symlink_to(target)
    beside.replace(link)
