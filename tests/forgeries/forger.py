"""What a forger can do with a report folder: edit, re-chain, redraw, and sign - with a key of his own, or with the genuine one if it was stolen."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom import evidence, ledger, report, signing
from cleanroom.ledger import Event
from cleanroom.signing import Signer
from tests.forgeries.genuine import Genuine

Edit = Callable[[list[Event]], list[Event]]
Change = Callable[[dict[str, Any]], object]


@dataclass
class Desk:
    """One folder on the forger's desk, and whose it was."""

    folder: Path
    genuine: Genuine

    @property
    def ledger(self) -> Path:
        return self.folder / ledger.NAME

    @property
    def stolen(self) -> Signer:
        """The genuine key, in the wrong hands."""
        return signing.load(self.genuine.key)

    def own(self) -> Signer:
        """A key of the forger's."""
        path = self.folder.with_name("forger.pem")
        return signing.load(path) if path.exists() else signing.make(path)

    def lines(self, change: Callable[[list[bytes]], list[bytes]]) -> None:
        """Edit the ledger's lines and leave the chain as it falls."""
        self.ledger.write_bytes(b"".join(line + b"\n" for line in change(self.ledger.read_bytes().splitlines())))

    def text(self, name: str, old: str, new: str) -> None:
        """Edit one file; an edit that changes nothing is none."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} holds no {old}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def rechain(self, edit: Edit) -> list[Event]:
        """Edit the ledger's events and make the chain anew: the numbers, the digests, everything that needs no key."""
        events = [dict(json.loads(line)) for line in self.ledger.read_bytes().splitlines()]
        whole, previous = b"", ledger.BEGINNING
        changed = edit(events)
        for number, event in enumerate(changed):
            event |= {"prev": previous, "n": number}
            whole += ledger.as_line(event) + b"\n"
            previous = ledger.head([event])
        assert whole != self.ledger.read_bytes(), "the edit changes nothing"
        self.ledger.write_bytes(whole)
        return changed

    def remake(self, edit: Edit, *, signer: Signer | None = None) -> None:
        """The thorough forger: everything is made again from the edited ledger, by the suite's own code, and signed."""
        key = signer or self.own()
        events = self.rechain(lambda events: edit(_signed_by(events, key)))
        report.write(self.folder, events)
        evidence.write(self.folder, events, key)

    def reseal(self, change: Change | None = None, *, signer: Signer | None = None, raw: Callable[[bytes], bytes] = bytes) -> None:
        """Sign the statement again, after a change to it, its files' digests brought up to date first; by default with the stolen key."""
        key = signer or self.stolen
        events = ledger.read(self.ledger)
        statement = evidence.statement(self.folder, events, key)
        if change is not None:
            change(statement)
        payload = raw(json.dumps(statement, indent=1).encode())
        (self.folder / evidence.ENVELOPE).write_text(json.dumps(evidence.envelope(payload, key), indent=1))

    def envelope(self, change: Change) -> None:
        """Edit the envelope itself."""
        path = self.folder / evidence.ENVELOPE
        envelope = json.loads(path.read_text())
        change(envelope)
        path.write_text(json.dumps(envelope, indent=1))

    def payload(self) -> dict[str, Any]:
        envelope = json.loads((self.folder / evidence.ENVELOPE).read_text())
        return dict(json.loads(base64.b64decode(envelope["payload"])))


def _signed_by(events: list[Event], signer: Signer) -> list[Event]:
    return [{**event, "keyid": signer.keyid, "public": signer.public} if event["kind"] == "signing" else event for event in events]


def aged(run: Genuine, *, days: float) -> Genuine:
    """The same run, some days ago: every time of day moved, and signed as it then was."""

    def older(events: list[Event]) -> list[Event]:
        back = datetime.timedelta(days=days)
        return [{**event, "at": (datetime.datetime.fromisoformat(event["at"]) - back).isoformat().replace("+00:00", "Z")} for event in events]

    desk = Desk(run.folder, run)
    desk.remake(older, signer=desk.stolen)
    return run


def longer(run: Genuine, *, times: int) -> Genuine:
    """The same run with many more probes in its ledger."""

    def more(events: list[Event]) -> list[Event]:
        probe = {**events[-3], "kind": "command", "machine": "m", "purpose": "probe", "argv": ["systemctl", "show", "--property", "x" * 200]}
        return [*events[:-3], *({**probe} for _ in range(times)), *events[-3:]]

    desk = Desk(run.folder, run)
    desk.remake(more, signer=desk.stolen)
    return run
