"""Going on with a kept machine: the builder's short cut, never evidence.

Knows: how to find the machine that an earlier run kept, and that run's own ledger, from which what was known of the machine is recalled.
Refuses: a machine of a living run, one whose ledger is gone, and one made from other revisions than those under test.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cleanroom import ledger, marks
from cleanroom.guide import Guide
from cleanroom.hypervisor import Instance
from cleanroom.installation import Installation, Outcome
from cleanroom.ledger import Event
from cleanroom.machine import Machine
from cleanroom.run import Run
from cleanroom.throwaway import Before, Blankness

#: What is told again in the new run's ledger, marked as recalled, so that every check finds it where it looks.
_KINDS = (
    *("before", "blank", "machine", "command", "command-ended", "ssh-login", "login"),
    *("guide-command", "guide-result", "key-seen", "trial-began", "trial-ended"),
    *("files-before", "delivered", "delivery-watched", "guide-variables", "relayed", "stock"),
)
_OWN = ("prev", "n", "at", "t", "kind", "recalled_from")


@dataclass(frozen=True)
class Recollection:
    """What an earlier run knew of the machine that it kept."""

    instance: Instance
    run_id: str
    events: tuple[Event, ...]

    def retell(self, run: Run) -> None:
        """Record the earlier run's facts again, each marked with the run it came from."""
        for event in self.events:
            if event["kind"] in _KINDS:
                run.record(event["kind"], **{key: value for key, value in event.items() if key not in _OWN}, recalled_from=self.run_id)

    @property
    def before(self) -> Before:
        fact = self._last("before")
        return Before(datetime.fromisoformat(fact["began"]), frozenset(fact["uuids"]), fact["namesake"], fact["declared_image"])

    @property
    def blank(self) -> Blankness:
        fact = self._last("blank")
        return Blankness(
            repositories=tuple(fact["repositories"]),
            swarm=fact["swarm"],
            containers=tuple(fact["containers"]),
            present=tuple(fact["present"]),
            key_material=tuple(fact["key_material"]),
            generations=dict(fact["generations"]),
            system=fact["system"],
        )

    def installation(self, guide: Guide, machine: Machine) -> Installation | None:
        """The guide as it was followed then; None if it was not followed to its end, or was another guide."""
        results = {event["number"]: event for event in self.events if event["kind"] == "guide-result"}
        texts = [event["command"] for event in self.events if event["kind"] == "guide-command"]
        if texts != [command.text for command in guide.commands] or len(results) != len(guide.commands):
            return None
        outcomes = tuple(
            Outcome(command, r["status"], r["fate"], r["seconds"], r["stdout"], r["stderr"])
            for command, r in ((command, results[command.number]) for command in guide.commands)
        )
        seen = next((event["after"] for event in self.events if event["kind"] == "key-seen"), None)
        found = Installation(guide, machine, outcomes, next((c for c in guide.commands if c.number == seen), None))
        return found if found.is_complete else None

    def _last(self, kind: str) -> Event:
        return next(event for event in reversed(self.events) if event["kind"] == kind)


def recall(run: Run, kept: Instance | None) -> Recollection | None:
    """What is known of a kept machine, or None with the reason said, if it cannot be gone on with."""
    found = marks.leftover(kept) if kept is not None else None
    if kept is None or found is None or found.alive or not found.kept:
        run.say("nothing to reuse: no kept throwaway is there")
        return None
    path: Path = run.reports / found.run_id / ledger.NAME
    if not path.exists():
        run.say(f"cannot reuse {kept.name}: the ledger of run {found.run_id} is not here")
        return None
    recollection = Recollection(kept, found.run_id, tuple(ledger.read(path)))
    then, now = _revisions(recollection.events), _revisions(tuple(run.ledger.events))
    if then != now:
        run.say(f"cannot reuse {kept.name}: it was made from other revisions")
        return None
    return recollection


def _revisions(events: tuple[Event, ...]) -> dict[str, str]:
    return {event["repository"]: event["commit"] for event in events if event["kind"] == "revision"}
