"""How a record is made to say something else by somebody who holds the key: events edited, the chain hashed again, the statement signed again.

What cannot be seen by the signature must be seen by what is said.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cleanroom import evidence, ledger, report
from cleanroom.ledger import Event
from cleanroom.signing import Signer

Edit = Callable[[list[Event]], list[Event]]


def chain(path: Path, events: Sequence[Event]) -> list[Event]:
    """Write `events` as a ledger whose chain holds; returns them as written."""
    previous, lines, written = ledger.BEGINNING, [], []
    for number, event in enumerate(events):
        chained = {**event, "prev": previous, "n": number}
        line = json.dumps(chained, ensure_ascii=False, separators=(",", ":")).encode()
        previous = hashlib.sha256(line).hexdigest()
        lines.append(line + b"\n")
        written.append(chained)
    path.write_bytes(b"".join(lines))
    return written


def seal(folder: Path, events: Sequence[Event], signer: Signer | None) -> list[Event]:
    """Write `events` as the ledger of a run in `folder`, chained anew, draw its reports from them, and sign; returns them as written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = chain(folder / ledger.NAME, events)
    (folder / evidence.ENVELOPE).unlink(missing_ok=True)
    report.write(folder, written)
    evidence.write(folder, written, signer)
    return written


def reseal(folder: Path, edit: Edit, signer: Signer | None) -> None:
    """Edit a sealed record in place."""
    seal(folder, edit(ledger.read(folder / ledger.NAME)), signer)


def changed(kind: str, **fields: Any) -> Edit:
    """Every event of a kind gets these values."""
    return lambda events: [{**event, **fields} if event["kind"] == kind else event for event in events]


def without(wanted: Callable[[Event], bool]) -> Edit:
    """Those events that are `wanted` are dropped."""
    return lambda events: [event for event in events if not wanted(event)]


def copy(record: Path, target: Path) -> Path:
    """A record's folder, to be edited."""
    shutil.copytree(record, target)
    return target


def completed(events: list[Event]) -> list[Event]:
    """What was not asked for was, and passed: each such scenario does what the first one that passed did."""
    planned = next(event for event in events if event["kind"] == "inventory")["scenarios"]
    asked = next(event for event in events if event["kind"] == "selected")["scenarios"]
    model = next(event["scenario"] for event in events if event["kind"] == "scenario-phase")
    deeds = [event for event in events if event.get("scenario") == model and event["kind"] in {"step-began", "step-passed", "scenario-phase"}]
    last = max(number for number, event in enumerate(events) if event["kind"] == "scenario-phase")
    moment = {key: events[last][key] for key in ("at", "t")}
    missing = [entry for entry in planned if not entry["on_request"] and entry["identity"] not in {each["identity"] for each in asked}]
    more = [{**deed, **moment, "scenario": entry["identity"]} for entry in missing for deed in deeds]
    kept = [{**event, "scenarios": [*asked, *missing]} if event["kind"] == "selected" else event for event in events]
    return [*kept[: last + 1], *more, *kept[last + 1 :]]
