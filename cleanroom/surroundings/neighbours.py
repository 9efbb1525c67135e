"""Everybody else's machines in the project: that none is changed, restarted or stopped while a run lasts, and that nobody makes a second throwaway.

Knows: what of an instance is its configuration, its state and its boot, seen with every sample of memory and not only before and after.
Refuses: to write a configuration down (it may hold somebody's secrets): its digest, and the names of keys that changed, are enough.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cleanroom import marks
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.ledger import Event, Ledger
from cleanroom.surroundings.elsewhere import EVERYBODY_ELSE
from cleanroom.surroundings.survey import Seen
from cleanroom.tables.machines import Incus

#: What changes with nobody's doing: the guest says itself that it is ready. All other `volatile.*` keys change with a start, a stop or a change of
#: devices, which is just what may not happen.
_BY_THEMSELVES = {"volatile.last_state.ready"}


@dataclass
class Neighbours:
    """An onlooker of the sampler: told every instance, it records what changes."""

    settings: Incus
    record: Callable[..., Event]
    _known: dict[str, dict[str, str]] = field(default_factory=dict)
    _throwaways: tuple[str, ...] | None = None
    _began: bool = False

    def look(self, seen: Sequence[Seen]) -> None:
        """Compare with the look before. What is there at the first look is a neighbour, unless it is a throwaway, which may go."""
        ours = {each.name: each for each in seen if each.project == self.settings.project}
        throwaways = tuple(sorted(name for name, each in ours.items() if self._is_throwaway(each)))
        if throwaways != self._throwaways:
            self._throwaways = throwaways
            self.record("throwaways", names=list(throwaways))
        facts = {name: _facts(each) for name, each in ours.items() if name not in throwaways}
        if not self._began:
            self._began, self._known = True, facts
            self.tell("before")
            return
        for name, known in self._known.items():
            now = facts.get(name, {})
            changed = sorted(key for key in known.keys() | now.keys() if known.get(key) != now.get(key))
            if changed:
                self.record("neighbour", moment="changed", name=name, changed=changed if now else ["it is gone"], **_told(now))
        self._known = {name: facts.get(name, {}) for name in self._known}

    def tell(self, moment: str) -> None:
        """Record every neighbour as it is known now."""
        for name, facts in sorted(self._known.items()):
            self.record("neighbour", moment=moment, name=name, **_told(facts))

    def _is_throwaway(self, each: Seen) -> bool:
        """By its mark, whole or not, or by its name: a machine that could be taken for one of ours."""
        return any(key.startswith(marks.PREFIX) for key in each.config if key != marks.LAB) or each.name.startswith(self.settings.throwaway)


def check_unchanged(ledger: Ledger, settings: Incus) -> None:
    """No neighbour was changed at any look; raises `HarnessError` if one that the site names, or any at all, was not looked at."""
    before = {event["name"]: event for event in ledger.of("neighbour") if event["moment"] == "before"}
    after = {event["name"]: event for event in ledger.of("neighbour") if event["moment"] == "after"}
    declared = {*settings.neighbours, *([settings.canonical_host] if settings.canonical_host else [])}
    missing = sorted(declared - before.keys())
    if missing or not before or before.keys() != after.keys():
        what = ", ".join(missing) or "any other instance, before and after"
        raise HarnessError(f"cannot tell whether it was left alone: the run did not see {what}", where=f"project {settings.project}")
    for event in ledger.of("neighbour"):
        if event["moment"] == "changed":
            seen = f"{event['name']}: {', '.join(event['changed'])} (event {event['n']}, {event['t']:.1f} s into the run)"
            expected = "no other instance's configuration, state or boot changes during a run"
            raise CheckFailed(expected, seen=seen, where=f"project {settings.project}", advice="it was not the run: its guard lets nothing through")


def check_untold(ledger: Ledger, settings: Incus) -> None:
    """The hypervisor told of no change of a neighbour either: one that was made and unmade between two looks."""
    names = {event["name"] for event in ledger.of("neighbour") if event["moment"] == "before"}
    if any(event["instance"] == EVERYBODY_ELSE for event in ledger.of("lifecycle-gap")):
        raise HarnessError("cannot tell whether the neighbours were left alone: the hypervisor's events were not heard for a while")
    told = [
        f"{event['action']} {event['instance']} ({event['t']:.1f} s into the run)" for event in ledger.of("elsewhere") if event["instance"] in names
    ]
    if told:
        expected = "the hypervisor tells of no change of another instance"
        raise CheckFailed(
            expected, seen="; ".join(told), where=f"project {settings.project}", advice="it was not the run: its guard lets nothing through"
        )


def check_throwaways(ledger: Ledger, settings: Incus) -> None:
    """At no look were there more throwaways than the run had asked for, and none under another name."""
    looks = list(ledger.of("throwaways"))
    asked = [event["instance"] for event in ledger.of("hypervisor") if event["action"] == "create"]
    if not any(event["names"] for event in looks) or not asked:
        raise HarnessError("cannot tell how many throwaways there were: none was seen", where=str(ledger.path))
    first = next(event["n"] for event in ledger.of("hypervisor") if event["action"] == "create")
    for event in looks:
        if event["n"] > first and set(event["names"]) - set(asked):
            strange = ", ".join(sorted(set(event["names"]) - set(asked)))
            expected = f"no throwaway but {' and '.join(sorted(set(asked)))}, which this run asked for"
            raise CheckFailed(expected, seen=f"{strange} (event {event['n']})", where=f"project {settings.project}")


def _facts(each: Seen) -> dict[str, str]:
    """Everything of an instance that may not change, by a name that a reader understands."""
    config = {f"configuration {key}": value for key, value in each.config.items() if key not in _BY_THEMSELVES}
    devices = {f"device {name}": json.dumps(device, sort_keys=True) for name, device in each.devices.items()}
    boot = {"last start": each.last_used_at, "process": str(each.pid)}
    # A guest that says that it is ready is no other state than one that runs and says nothing.
    state = "Running" if each.status == "Ready" else each.status
    return {**config, **devices, **boot, "state": state, "profiles": " ".join(each.profiles), "snapshots": " ".join(each.snapshots)}


def _told(facts: dict[str, str]) -> dict[str, object]:
    """What the ledger gets of it."""
    if not facts:
        return {"state": "gone"}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    boot = {"last start": facts["last start"], "process": facts["process"]}
    return {"state": facts["state"], "memory": facts.get("configuration limits.memory", ""), "boot": boot, "digest": digest}
