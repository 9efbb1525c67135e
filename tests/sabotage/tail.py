"""A run's ledger, read while it grows, from outside.

Knows: where a run under a reports folder keeps its ledger, and that its last line may be half written.
Refuses: to read a line twice.
"""

from __future__ import annotations

import json
from pathlib import Path

from cleanroom.ledger import NAME, Event


class Tail:
    """Follows the first ledger that appears under a reports folder."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.folder: Path | None = None
        self._read = 0

    def read(self, reports: Path) -> list[Event]:
        """What is new since the last call."""
        if self.folder is None:
            self.folder = next((path.parent for path in reports.glob(f"*/{NAME}") if not path.parent.is_symlink()), None)
        if self.folder is None:
            return []
        with (self.folder / NAME).open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        new = [json.loads(line) for line in whole.split(b"\n")] if whole else []
        self.events += new
        return new
