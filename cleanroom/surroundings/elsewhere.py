"""What the hypervisor tells of everybody else's machines while a run lasts: the second witness beside the samples.

Knows: which life-cycle events change a machine's configuration, state or boot, and which only say that somebody looked or logged in.
Refuses: to vouch for a time in which the events were not heard.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cleanroom.custody import Watch
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Event, Ledger
from cleanroom.surroundings import survey

EVERYBODY_ELSE = "every other instance"
#: What people do in their own machines, and what a guest says of itself.
_HARMLESS = re.compile(r"instance-(exec|console.*|file-.*|log-.*|metadata-.*|ready|agent-.*)")
#: Seconds by which an event may be heard later than it happened.
_LATE = 2.0


class Elsewhere(Watch):
    """Listens to events about every instance but the throwaway, in every project that our credential shows."""

    def __init__(self, hypervisor: Hypervisor, record: Callable[..., Event]) -> None:
        self._ours = hypervisor.settings.throwaway
        self._project = hypervisor.settings.project
        self._scope = f"project={self._project}" if survey.hidden(hypervisor) else "all-projects=true"
        super().__init__(hypervisor, EVERYBODY_ELSE, record)

    def scope(self) -> str:
        return self._scope

    def receive(self, event: dict[str, Any]) -> None:
        metadata = event.get("metadata") or {}
        named = re.fullmatch(r"/1\.0/instances/([^/?]+)(?:[/?].*)?", str(metadata.get("source", "")))
        action, project = str(metadata.get("action")), str(event.get("project", self._project))
        if named and not _HARMLESS.fullmatch(action) and not (project == self._project and named[1].startswith(self._ours)):
            name = named[1] if project == self._project else f"{project}/{named[1]}"
            asked = (metadata.get("requestor") or {}).get("username", "")
            # On a local socket everybody is root: only a certificate tells our own acts from a stranger's.
            self.record("elsewhere", action=action, instance=name, with_our_certificate=self.identity is not None and asked == self.identity)


def silent(ledger: Ledger, began: float, ended: float) -> bool:
    """Whether the events, heard without a break, told of no change between two moments of the run."""
    broken = any(event["instance"] == EVERYBODY_ELSE for event in ledger.of("lifecycle-gap"))
    heard = any(event["instance"] == EVERYBODY_ELSE for event in ledger.of("watch-began"))
    return heard and not broken and not any(began <= event["t"] <= ended + _LATE for event in ledger.of("elsewhere"))
