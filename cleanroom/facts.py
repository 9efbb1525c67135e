"""What a run's ledger says was tested, as the report and the claims tell it.

Knows: which event holds which fact, and what is missing in a run that was cut short.
Refuses: to make up a fact: what no event tells is empty here, and said to be unknown wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cleanroom import verdict
from cleanroom.ledger import Event, head

#: The scenario that compares the canonical host with the flake, byte for byte: the static half of the site's evidence.
STATIC = "c1_secrets_split.feature: The canonical host has not drifted"


@dataclass(frozen=True)
class GuideCommand:
    """One command of the install guide and what became of it; `status` is None where it never ended."""

    number: int
    where: str
    place: str
    text: str
    status: int | None
    expected: int | None
    fate: str
    seconds: float | None
    output: str

    @property
    def state(self) -> str:
        """`passed`, `failed` or `unfinished`."""
        return "unfinished" if self.fate == "" else "passed" if self.status is not None and self.status == self.expected else "failed"


@dataclass(frozen=True)
class Facts:
    """One run, by its ledger. A text that no event tells is empty."""

    run: str
    role: str
    cold: bool
    began: str
    ended: str
    seconds: float
    head: str
    count: int
    suite: Event
    site: str
    site_kind: str
    site_digest: str
    revisions: dict[str, tuple[str, str]]
    throwaway: str
    machines: tuple[Event, ...]
    server: Event
    toplevel: str
    nar_hash: str
    certificate: str
    keyid: str
    files: dict[str, str]
    guide: tuple[GuideCommand, ...] = field(repr=False)

    @property
    def machine(self) -> Event:
        """The throwaway that the guide was followed on, not a second one; empty if none was made."""
        named = (machine for machine in self.machines if machine.get("name") == self.throwaway)
        return next(named, self.machines[0] if self.machines else {})


def facts(events: Sequence[Event]) -> Facts:
    """The facts of a run, whole or cut short."""
    began, site, inventory = _first(events, "run-began"), _first(events, "site"), _first(events, "inventory")
    throwaway = str(((site.get("settings") or {}).get("incus") or {}).get("throwaway", ""))
    systems = list(_of(events, "toplevel"))
    system = next((event for event in systems if event.get("machine") == throwaway), systems[0] if systems else {})
    return Facts(
        run=str(began.get("run", "")),
        role=str(began.get("role", "")),
        cold=_is_cold(began, events),
        began=str(began.get("at", "")),
        ended=str(_first(events, "run-ended").get("at", "")),
        seconds=float(events[-1].get("t", 0)) if events else 0.0,
        head=head(events),
        count=len(events),
        suite=_first(events, "suite"),
        site=str(site.get("name", "")),
        site_kind=str(site.get("site_kind", "")),
        site_digest=str(site.get("digest", "")),
        revisions={str(e.get("repository")): (str(e.get("url", "")), str(e.get("commit", ""))) for e in _of(events, "revision")},
        throwaway=throwaway,
        machines=tuple(_of(events, "machine")),
        server=_first(events, "server"),
        toplevel=str(system.get("path", "")),
        nar_hash=str(system.get("sha256", "")),
        certificate=str(_first(events, "certificate").get("fingerprint", "")),
        keyid=str(_first(events, "signing").get("keyid", "")),
        files={str(name): str(digest) for name, digest in (inventory.get("files") or {}).items()},
        guide=tuple(_guide(events)),
    )


def chapters(events: Sequence[Event]) -> dict[str, str]:
    """Title of each feature file that the run knew of, in order; the file's own name where the ledger has no title."""
    inventory = _first(events, "inventory")
    titles = inventory.get("titles") or {}
    named = (scenario["identity"].split(": ", 1)[0] for scenario in inventory.get("scenarios") or ())
    ran = (outcome.scenario.split(": ", 1)[0] for outcome in verdict.scenario_outcomes(events))
    return {file: str(titles.get(file) or file) for file in dict.fromkeys((*(inventory.get("files") or {}), *named, *ran))}


def not_run(events: Sequence[Event]) -> dict[str, str]:
    """Each scenario of the feature files that was not selected, and why it did not have to be, or had."""
    ran = {outcome.scenario for outcome in verdict.scenario_outcomes(events)}
    told: dict[str, str] = {}
    for scenario in _first(events, "inventory").get("scenarios") or ():
        if scenario["identity"] not in ran:
            told[scenario["identity"]] = "runs on request only, and was not asked for" if scenario.get("on_request") else "was not asked for"
    return told


def _is_cold(began: Event, events: Sequence[Event]) -> bool:
    """Nothing was there before: the adversary's role, nothing kept, nothing reused, nothing recalled from an earlier run."""
    asked = began.get("role") == "adversary" and began.get("keep") == "never" and began.get("reuse") is False
    return asked and not any("recalled_from" in event for event in events)


def _guide(events: Sequence[Event]) -> Iterator[GuideCommand]:
    results = {event.get("number"): event for event in _of(events, "guide-result")}
    for event in _of(events, "guide-command"):
        result = results.get(event.get("number"), {})
        output = "".join(f"{name}:\n{result[name]}\n" for name in ("stdout", "stderr") if result.get(name))
        yield GuideCommand(
            number=int(event.get("number") or 0),
            where=str(event.get("where", "")),
            place=str(event.get("place", "")),
            text=str(event.get("command", "")),
            status=result.get("status"),
            expected=result.get("expected"),
            fate=str(result.get("fate", "")),
            seconds=result.get("seconds"),
            output=output,
        )


def _of(events: Sequence[Event], *kinds: str) -> Iterator[Event]:
    return (event for event in events if event["kind"] in kinds)


def _first(events: Sequence[Event], kind: str) -> Event:
    return next(_of(events, kind), {})
