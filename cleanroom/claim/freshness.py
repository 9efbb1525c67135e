"""Whether evidence is of today: its age, how its run began, and whether the repositories have moved on since.

Knows: a record's times, role and revisions, and git's heads as they were fetched just now.
Refuses: evidence from the future, from a kept machine, from another site, and for anything but the heads.
"""

from __future__ import annotations

import datetime

from cleanroom.claim import recorded
from cleanroom.claim.record import Record
from cleanroom.errors import CheckFailed
from cleanroom.quantities import show_duration
from cleanroom.repository import Repository
from cleanroom.site import Site

_ADVICE = "run the suite again, cold, and let the document tell of that run"
#: Two clocks may differ by so much.
_SKEW_SECONDS = 120.0


def check_age(record: Record, *, max_age: float, now: datetime.datetime) -> None:
    """The record's run began less than `max_age` seconds ago."""
    began = datetime.datetime.fromisoformat(record.first("run-began")["at"])
    age = (now - began).total_seconds()
    if age >= max_age:
        expected = f"evidence is younger than {show_duration(max_age)}"
        raise CheckFailed(
            expected, seen=f"its run began at {began:%Y-%m-%d %H:%M} UTC, {age / 3600:.1f} hours ago", where=str(record.folder), advice=_ADVICE
        )
    if age < -_SKEW_SECONDS:
        raise CheckFailed("evidence is of the past", seen=f"its run began at {began:%Y-%m-%d %H:%M} UTC", where=str(record.folder))


def check_cold(record: Record) -> None:
    """The run was the adversary's, from nothing: nothing kept, nothing reused, and its machine was made after it began."""
    began = record.first("run-began")
    if not recorded.is_cold(record.events):
        seen = f"role {began['role']}, keep {began['keep']}, reuse {'yes' if began['reuse'] else 'no'}"
        recalled = ", facts recalled from an earlier run" if any("recalled_from" in event for event in record.events) else ""
        raise CheckFailed("the evidence is of a cold start in the adversary's role", seen=seen + recalled, where=str(record.folder), advice=_ADVICE)
    created = recorded.machine(record.events)["created_at"]
    if datetime.datetime.fromisoformat(created) < datetime.datetime.fromisoformat(began["at"]):
        raise CheckFailed("the record's machine was made after its run began", seen=f"made at {created}", where=str(record.folder), advice=_ADVICE)


def check_site(record: Record, site: Site) -> None:
    """The record is of this site."""
    told = record.first("site")
    if (told["name"], told["site_kind"]) != (site.name, site.kind):
        seen = f"{told['name']} ({told['site_kind']})"
        raise CheckFailed(f"the evidence is of {site.name} ({site.kind})", seen=seen, where=str(record.folder))


def check_heads(record: Record, base: Repository, secrets: Repository, site: Site) -> None:
    """The record's revisions are the heads of both repositories, but for commits that did nothing except put the evidence itself into base.

    What a run goes by is no evidence, even if the site file calls it so.
    """
    went_by = {site.base.guide, site.base.secrets_document, site.documents.architecture, site.documents.plan, site.resources.decisions}
    own = {site.evidence.document, site.evidence.status} - went_by
    for name, repository, revision, allowed in (
        ("base", base, site.base.revision, own),
        ("secrets", secrets, site.secrets.revision, set[str | None]()),
    ):
        proven, head = recorded.one(record.events, "revision", repository=name)["commit"], repository.head(revision)
        if proven == head:
            continue
        changed = repository.changes(proven, head)
        if changed is None or not set(changed) <= allowed:
            others = [path for path in changed or () if path not in allowed]
            why = f", and {others[0]} has changed since" if others else ", which does not come before it"
            raise CheckFailed(
                f"the evidence is for the head of {name}, {head[:12]}", seen=f"it is for {proven[:12]}{why}", where=str(record.folder), advice=_ADVICE
            )
