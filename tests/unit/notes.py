"""A list in place of a ledger, for tests whose subject only records."""

from __future__ import annotations

from typing import Any


class Notes(list[dict[str, Any]]):
    """Takes what `Ledger.record` takes, and keeps it."""

    def record(self, kind: str, **fields: Any) -> dict[str, Any]:
        self.append({"n": len(self), "kind": kind, **fields})
        return self[-1]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self if event["kind"] in kinds]
