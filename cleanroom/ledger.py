"""The run's memory: an append-only, hash-chained record, one flushed event a line.

Knows: how an event is written so that a crash at any point leaves every earlier event readable, and how such a file is read back.
Refuses: to change or drop what was written, and to write a secret (every event passes the redactor).

Format: newline-delimited JSON in UTF-8. Each event has `n` (from 0), `at` (UTC, RFC 3339), `t` (seconds since the run began), `kind`, its own
fields, and `prev`: the SHA-256 (hex) of the previous line's exact bytes without its newline, 64 zeros for the first. The digest of the last line
(`head`) therefore stands for the whole file; docs/evidence.md says what signs it.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cleanroom.errors import HarnessError
from cleanroom.redact import Redactor

NAME = "ledger.ndjson"
BEGINNING = "0" * 64

Event = dict[str, Any]


class Ledger:
    """Writes events to `folder/ledger.ndjson`, which must not exist yet. Safe to use from several threads."""

    def __init__(self, folder: Path, redactor: Redactor) -> None:
        self.path = folder / NAME
        self.redactor = redactor
        self.events: list[Event] = []
        self.head = BEGINNING
        #: The threads that are writing an event at this moment: an interrupt in the middle of one would break the chain.
        self.writers: set[int] = set()
        self._listeners: list[Callable[[Event], None]] = []
        self._lock = threading.RLock()
        self._start = time.monotonic()
        try:
            self._file = self.path.open("xb", buffering=0)
        except OSError as problem:
            raise HarnessError(f"cannot begin a ledger: {problem.strerror}", where=str(self.path)) from None

    def record(self, kind: str, **fields: Any) -> Event:  # noqa: ANN401 - JSON data, whatever its shape
        """Append one event and return it as written (redacted). Raises `HarnessError` if it cannot be stored: an unrecorded act must not happen."""
        self.writers.add(threading.get_ident())
        try:
            event, listeners = self._append(kind, fields)
        finally:
            self.writers.discard(threading.get_ident())
        for listener in listeners:
            listener(event)
        return event

    def _append(self, kind: str, fields: dict[str, Any]) -> tuple[Event, tuple[Callable[[Event], None], ...]]:
        with self._lock:
            event: Event = {
                "prev": self.head,
                "n": len(self.events),
                "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "t": round(time.monotonic() - self._start, 3),
                "kind": kind,
            }
            if clash := event.keys() & fields.keys():
                raise HarnessError(f"an event's fields may not be called {', '.join(sorted(clash))}", where=str(self.path))
            event |= self.redactor.clean_data(fields)
            line = as_line(event)
            try:
                self._file.write(line + b"\n")
            except (OSError, ValueError) as problem:
                raise HarnessError(f"cannot append to the ledger: {problem}", where=str(self.path)) from None
            self.head = hashlib.sha256(line).hexdigest()
            self.events.append(event)
            return event, tuple(self._listeners)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event to come, in the thread that recorded it."""
        with self._lock:
            self._listeners.append(listener)

    def of(self, *kinds: str) -> Iterator[Event]:
        """The events so far that are of one of `kinds`, in order."""
        return (event for event in tuple(self.events) if event["kind"] in kinds)

    def close(self) -> None:
        """No more events; what was written is on the disk before anybody signs it. Idempotent."""
        if not self._file.closed:
            with contextlib.suppress(OSError):  # a place that cannot be synchronised (a pipe) is no reason to lose the run
                os.fsync(self._file.fileno())
            self._file.close()


def as_line(event: Event) -> bytes:
    """An event as its line in the file, without the newline. What Unicode cannot store (half a surrogate pair) stays as JSON's own escape."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def head(events: Sequence[Event]) -> str:
    """The digest of the last of `events`, which stands for all of them; 64 zeros if there is none."""
    return hashlib.sha256(as_line(events[-1])).hexdigest() if events else BEGINNING


def read(path: Path) -> list[Event]:
    """The events of a ledger file, chain checked.

    A last line that a crash cut short is dropped. Anything else that does not fit - a broken chain, a number out of turn, no JSON, the least thing
    behind the run's end, where nobody writes any more - raises `HarnessError` with the line.
    """
    events: list[Event] = []
    previous, ended = BEGINNING, False
    *whole, cut = path.read_bytes().split(b"\n")
    for number, line in enumerate(whole, start=1):
        try:
            event = json.loads(line)
            fits = event["prev"] == previous and event["n"] == number - 1 and not ended
            ended = event["kind"] == "run-ended"
        except (ValueError, KeyError, TypeError):
            fits = False
        if not fits:
            raise HarnessError("the ledger was changed after it was written: this line does not follow the one before", where=f"{path}:{number}")
        events.append(event)
        previous = hashlib.sha256(line).hexdigest()
    if cut and ended:
        raise HarnessError("the ledger was changed after it was written: this line follows the run's end", where=f"{path}:{len(whole) + 1}")
    return events
