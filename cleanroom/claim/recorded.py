"""The facts of a signed record, each by the label under which a claim states it.

Knows: every label, where a record holds the fact behind it, and how a person may write that fact down.
Refuses: a fact that the record does not have, and an abbreviation that could mean something else.

It reads the record for itself, and asks nothing of what writes claims (`claims.py`): a judge that asked the author would agree with him.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cleanroom import verdict
from cleanroom.errors import HarnessError
from cleanroom.ledger import Event

#: The scenarios that judge evidence, by the beginning of their identity. The first record of a site cannot have passed them: there was none to judge.
OWN: Final = "c5_honest_evidence.feature: "
#: So many hex digits name a commit or a digest beyond doubt; fewer do not.
SHORTEST: Final = 12


@dataclass(frozen=True)
class Fact:
    """One fact: its label, where a record has it, and how it may be written: `whole`, `abbreviated` (hex), as Nix writes a `hash`, as a `moment`."""

    label: str
    draw: Callable[[Sequence[Event]], str]
    form: str = "whole"

    def equals(self, written: str, recorded: str) -> bool:
        """Whether what was written means what the record has: letter for letter, a long enough beginning, or the same moment to the second."""
        if self.form == "abbreviated":
            short = re.fullmatch(rf"([0-9a-f]{{{SHORTEST},}})(?:…|\.\.\.)?", written)
            return short is not None and recorded.startswith(short[1])
        if self.form == "hash":
            return written in {recorded, sri(recorded)}
        if self.form == "moment":
            return written in {recorded, _to_the_second(recorded), _to_the_second(recorded).replace("T", " ").replace("Z", " UTC")}
        return written == recorded


def commands(events: Iterable[Event]) -> tuple[str, ...]:
    """The guide's commands that ran, in their order."""
    return tuple(str(event["command"]) for event in events if event["kind"] == "guide-command")


def sri(digest: str) -> str:
    """A SHA-256 in hex, as Nix writes it: `sha256-` and base64."""
    return f"sha256-{base64.b64encode(bytes.fromhex(digest)).decode()}"


def one(events: Iterable[Event], kind: str, **having: object) -> Event:
    """The one event of a kind that has these values; several that say the same are one. Raises `HarnessError` for none, or for several."""
    found = [event for event in events if event["kind"] == kind and all(event.get(key) == value for key, value in having.items())]
    said = {tuple(sorted((key, str(value)) for key, value in event.items() if key not in {"n", "at", "t", "prev"})) for event in found}
    if len(said) != 1:
        what = " ".join((kind, *map(str, having.values())))
        raise HarnessError(f"the record has {'no' if not said else 'several'} `{what}`", advice="was everything asked for, in one run?")
    return found[0]


def machine(events: Sequence[Event]) -> Event:
    """The throwaway that the guide was followed on, not a second one."""
    return one(events, "machine", name=one(events, "site")["settings"]["incus"]["throwaway"])


def but_for_own(events: Sequence[Event]) -> list[Event]:
    """The record as it would be if nobody had thought of judging evidence: what a claim can rest on before it was judged itself."""
    red = any(o.state in {"failed", "error"} for o in verdict.scenario_outcomes(events) if o.scenario.startswith(OWN))
    kept: list[Event] = []
    for event in events:
        if event["kind"] in {"inventory", "selected"}:
            scenarios = [entry for entry in event["scenarios"] if not entry["identity"].startswith(OWN)]
            kept.append({**event, "scenarios": scenarios})
        elif event["kind"] == "run-ended" and event["exit_status"] == 1 and red:
            others = any(o.state in {"failed", "error"} for o in verdict.scenario_outcomes(events) if not o.scenario.startswith(OWN))
            kept.append({**event, "exit_status": int(others)})
        elif not str(event.get("scenario", "")).startswith(OWN):
            kept.append(event)
    return kept


def is_cold(events: Sequence[Event]) -> bool:
    """Whether the run began with nothing: the adversary's role, nothing kept, nothing reused, nothing recalled from an earlier run."""
    return verdict.is_cold(events)


def _field(kind: str, key: str, **having: object) -> Callable[[Sequence[Event]], str]:
    return lambda events: str(one(events, kind, **having)[key])


def _toplevel(events: Sequence[Event]) -> Event:
    return one(events, "toplevel", machine=machine(events)["name"])


def _to_the_second(at: str) -> str:
    return datetime.datetime.fromisoformat(at).astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FACTS: Final = (
    Fact("run", _field("run-began", "run")),
    Fact("verdict", lambda events: verdict.judge(events).word),
    Fact("class", lambda events: verdict.judge(events).evidence_class),
    Fact("role", _field("run-began", "role")),
    Fact("cold", lambda events: "yes" if is_cold(events) else "no"),
    Fact("began", _field("run-began", "at"), "moment"),
    Fact("ended", _field("run-ended", "at"), "moment"),
    Fact("site", _field("site", "name")),
    Fact("base revision", _field("revision", "commit", repository="base"), "abbreviated"),
    Fact("secrets revision", _field("revision", "commit", repository="secrets"), "abbreviated"),
    Fact("toplevel", lambda events: str(_toplevel(events)["path"])),
    Fact("NAR hash", lambda events: str(_toplevel(events)["sha256"]), "hash"),
    Fact("machine UUID", lambda events: str(machine(events)["uuid"])),
    Fact("machine type", lambda events: str(machine(events)["type"])),
    Fact("image", lambda events: str(machine(events)["image"]), "abbreviated"),
    Fact("certificate fingerprint", _field("certificate", "fingerprint"), "abbreviated"),
    Fact("guide commands", lambda events: str(len(commands(events)))),
    Fact("signed by", _field("signing", "keyid"), "abbreviated"),
)
