"""The tables of custody and coverage: who touched the machine, what entered it, where was searched, what was not checked.

Knows: which events say so, and how an act of ours explains what the hypervisor told.
Refuses: to judge: the scenarios do. What is left over here is shown as left over, and a count of one means beside that of the other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cleanroom.ledger import Event
from cleanroom.quantities import show_size


@dataclass(frozen=True)
class Told:
    """What the hypervisor told of an instance, how often, and how many of those this run caused or was allowed to."""

    event: str
    instance: str
    times: int
    caused: int
    by: str

    @property
    def left_over(self) -> int:
        return self.times - self.caused


@dataclass(frozen=True)
class LogIn:
    """One log-in in the machine's own journal; `ours` says which door of this run it was, empty if none."""

    machine: str
    who: str
    key: str
    ours: str


@dataclass(frozen=True)
class Entered:
    """Something that was put into the machine."""

    way: str
    what: str
    size: str
    digest: str
    by: str


@dataclass(frozen=True)
class Searched:
    """One search: what one means listed and another scanned."""

    source: str
    listed: str
    listed_by: str
    scanned: str
    scanned_by: str
    same: bool
    findings: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Neighbour:
    """An instance that is none of ours: what of it changed while the run looked, and whether it was looked at before and after."""

    name: str
    changed: tuple[str, ...]
    seen_twice: bool


def life_cycle(events: Sequence[Event]) -> list[Told]:
    """The hypervisor's events, like ones together, in the order of the first."""
    caused: Counter[tuple[str, str]] = Counter()
    allowed: Counter[tuple[str, str]] = Counter()
    heard: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        instance = str(event.get("instance", ""))
        if event["kind"] == "hypervisor":
            caused.update((name, instance) for name in event.get("expects") or ())
            caused.subtract((name, instance) for name in event.get("withdraws") or ())
            allowed.update((name, instance) for name in event.get("allows") or ())
        elif event["kind"] == "lifecycle":
            path = (event.get("context") or {}).get("path")
            heard.setdefault((f"{event.get('action')} {path}" if path else str(event.get("action")), instance), []).append(event)
    return [
        Told(
            event=name,
            instance=instance,
            times=len(found),
            caused=min(len(found), caused[name, instance] + min(allowed[name, instance], sum(not event.get("requestor") for event in found))),
            by=", ".join(sorted({_requestor(event) for event in found})),
        )
        for (name, instance), found in heard.items()
    ]


def log_ins(events: Sequence[Event]) -> list[LogIn]:
    """Every log-in that a machine told of, once, with the door of ours that has its port and key."""
    doors = {(event.get("port"), event.get("key")): str(event.get("by", "")) for event in events if event["kind"] == "ssh-login"}
    found: dict[tuple[str, ...], LogIn] = {}
    for event in (event for event in events if event["kind"] == "login"):
        who = f"{event.get('user')} from {event.get('address')} port {event.get('port')}, {event.get('method')}"
        told = LogIn(str(event.get("machine", "")), who, str(event.get("key", "")), doors.get((event.get("port"), event.get("key")), ""))
        found.setdefault((told.machine, told.who, told.key), told)
    return list(found.values())


def entered(events: Sequence[Event]) -> list[Entered]:
    """The closed list of inputs where the run kept one, otherwise what was seen to be delivered."""
    if inputs := _of(events, "input"):
        return [_entered(event, _text(event, "way"), _text(event, "what"), _text(event, "by")) for event in inputs]
    keys = [_entered(event, "access", f"the suite's public key {event.get('key')}", _text(event, "method")) for event in _of(events, "access")]
    return keys + [_entered(event, "delivered", _text(event, "path"), _text(event, "by")) for event in _of(events, "delivered")]


def _entered(event: Event, way: str, what: str, by: str) -> Entered:
    return Entered(way, what, _size(event.get("bytes")), _text(event, "sha256"), by)


def neighbours(events: Sequence[Event]) -> list[Neighbour]:
    """Every instance beside the throwaway, by name."""
    moments: dict[str, set[str]] = {}
    changed: dict[str, list[str]] = {}
    for event in _of(events, "neighbour"):
        moments.setdefault(_text(event, "name"), set()).add(_text(event, "moment"))
        changed.setdefault(_text(event, "name"), []).extend(str(key) for key in event.get("changed") or ())
    return [Neighbour(name, tuple(dict.fromkeys(changed[name])), {"before", "after"} <= seen) for name, seen in sorted(moments.items())]


def searches(events: Sequence[Event]) -> list[Searched]:
    """Every search with its two counts."""
    return [_searched(event) for event in _of(events, "coverage")]


def _searched(event: Event) -> Searched:
    listed, scanned, inside = (event.get(key) or {} for key in ("listed", "scanned", "inside"))
    both = [key for key in ("count", "bytes") if listed.get(key) is not None and scanned.get(key) is not None]
    notes = [*(str(problem) for problem in event.get("problems") or ()), *(str(gap) for gap in event.get("gaps") or ())]
    if inside.get("count"):
        notes.append(f"{inside['count']:,} more inside, by {inside.get('means')}")
    return Searched(
        source=_text(event, "source"),
        listed=_amount(listed),
        listed_by=_text(listed, "means"),
        scanned=_amount(scanned),
        scanned_by=_text(scanned, "means"),
        same=bool(both) and all(listed[key] == scanned[key] for key in both) and bool(scanned.get("count")),
        findings=int(event.get("findings") or 0),
        notes=tuple(notes),
    )


def _amount(side: Event) -> str:
    count, size = side.get("count"), side.get("bytes")
    return ", ".join(part for part in (f"{count:,}" if isinstance(count, int) else "", _size(size)) if part)


def _size(count: object) -> str:
    return show_size(count) if isinstance(count, int) else ""


def _requestor(event: Event) -> str:
    """Who asked, as the hypervisor names him; of a certificate's fingerprint the beginning is enough for a reader."""
    requestor = event.get("requestor") or {}
    named = [re.sub(r"^([0-9a-f]{12})[0-9a-f]{52}$", r"\1…", str(requestor[key])) for key in ("username", "protocol") if requestor.get(key)]
    return " by ".join(named) or "nobody named"


def _text(event: Event, key: str) -> str:
    return str(event.get(key) or "")


def _of(events: Sequence[Event], kind: str) -> list[Event]:
    return [event for event in events if event["kind"] == kind]
