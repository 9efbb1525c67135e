"""Whether a proof was made easier than it claims: fewer scenarios, other words, softer judges, looser terms.

Knows: the feature files as git has them, what a record says that it ran, and the site file's terms.
Refuses: a change that no commit tells of, a scenario that was left out, skipped or expected to fail, and a checkout of which git knows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleanroom import inventory, suite, verdict, verifier
from cleanroom.claim import recorded
from cleanroom.claim.record import Record
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.inventory import Inventory
from cleanroom.ledger import Event
from cleanroom.run import Run
from cleanroom.site import LOCAL, Site

#: What the verifier says of a record in which C5's scenarios did not pass, or did not run; only that.
_OF_OWN = re.compile(
    rf"(?:(?:failed|error|skipped|unfinished|not every step was seen to pass): |\d+ of \d+ scenarios did not run, ){re.escape(recorded.OWN)}"
)
#: How old a record is, is judged elsewhere (`freshness.py`); seconds.
_ANY_AGE = 1e9


def check_suite(folder: Path) -> None:
    """Whatever judges - feature files, steps, fixtures, library - is as the checked-out commit has it; raises `HarnessError` if git cannot tell."""
    found = suite.describe(folder)
    if found.commit is None:
        advice = "run it from a checkout, so that everybody can see what judged"
        raise HarnessError("this suite is no git checkout: nobody can tell whether it was changed", where=str(folder), advice=advice)
    if found.dirty:
        changed = ", ".join(suite.changes(folder)[:5])
        expected, advice = f"the suite is as commit {found.commit[:12]} has it", "commit the change and say why, or undo it"
        raise CheckFailed(expected, seen=f"changed, and no commit says so: {changed}", where=str(folder), advice=advice)


def check_same_features(record: Record, known: Inventory) -> None:
    """The record was made with these very feature files, by a suite whose commit told of every change."""
    told = record.first("suite")
    if told["commit"] is None or told["dirty"]:
        seen = "a suite with changes that no commit tells of" if told["dirty"] else "a suite of no commit"
        raise CheckFailed("the record was made by a suite as its commit has it", seen=seen, where=str(record.folder))
    files = record.first("inventory")["files"]
    apart = sorted(name for name in {*files, *known.files} if files.get(name) != known.files.get(name))
    if apart:
        expected, advice = "the record was made with the feature files as they are now", "run the suite again"
        raise CheckFailed(expected, seen=f"different: {', '.join(apart)}", where=str(record.folder), advice=advice)


def check_named_commit(record: Record, folder: Path) -> None:
    """The suite's commit that the record names has the feature files that the record was made with.

    Raises `HarnessError` if this checkout has too little of its history to tell.
    """
    commit = record.first("suite")["commit"]
    files = suite.features_at(folder, commit)
    if files is None and suite.is_shallow(folder):
        raise HarnessError(f"this checkout does not reach back to commit {commit[:12]}", where=str(folder), advice="git fetch --unshallow")
    if files != record.first("inventory")["files"]:
        seen = "no commit of this suite" if files is None else "a commit with other feature files"
        raise CheckFailed("the record names the commit of the suite that made it", seen=f"{commit[:12]}, {seen}", where=str(record.folder))


def check_all_passed(record: Record, known: Inventory) -> None:
    """Every scenario of the feature files but those about evidence itself was asked for in the record and passed; none was expected to fail."""
    wanted = {planned.identity for planned in known.scenarios if not planned.is_on_request and not planned.identity.startswith(recorded.OWN)}
    if not wanted:
        raise HarnessError("there is no scenario that a record could have passed", where="features/")
    problems = [f"{name}: {record.outcomes.get(name, 'not asked for')}" for name in sorted(wanted) if record.outcomes.get(name) != "passed"]
    problems += [f"{name}: no feature file has it" for name in sorted(record.outcomes.keys() - {planned.identity for planned in known.scenarios})]
    problems += _softened(record.events)
    judged = verdict.judge(recorded.but_for_own(record.events))
    problems += [reason for reason in judged.reasons if judged.word != "PASSED"]
    if problems:
        expected = "in the record every scenario passed: none left out, skipped or expected to fail"
        raise CheckFailed(expected, seen=f"{len(problems)}: {'; '.join(problems[:4])}", where=str(record.folder))


def check_terms(record: Record, site: Site) -> None:
    """The record was made under the site file's terms as they stand, but for where evidence lies and for paths on this side."""
    then, now = _terms(record.first("site")["settings"]), _terms(site.model_dump(mode="json"))
    apart = sorted(key for key in {*then, *now} if then.get(key) != now.get(key))
    if apart:
        expected = "the record was made under the site file's terms as they stand now"
        seen = "; ".join(f"{key} was {then.get(key, 'not there')}, and is {now.get(key, 'not there')}" for key in apart[:4])
        raise CheckFailed(expected, seen=seen, where=str(record.folder), advice="run the suite again")


def check_verified(record: Record, trusted_key: Path, folder: Path) -> None:
    """The stand-alone verifier, which shares no code with the suite, has nothing against the record but what C5's own scenarios made of it."""
    found = verifier.verify(record.folder, key=trusted_key, max_age=_ANY_AGE, require="dev", repo=folder)
    if found.unknown:
        raise HarnessError(f"the verifier cannot tell: {found.unknown[0]}", where=str(record.folder))
    reasons = [reason for reason in found.wrong if not _OF_OWN.match(reason)]
    if reasons:
        advice = "cleanroom verify tells all of it"
        raise CheckFailed("the record verifies", seen="; ".join(reasons[:4]), where=str(record.folder), advice=advice)


def check_this_run(run: Run, known: Inventory) -> None:
    """Of this run, as far as it went: what was asked for is in the feature files, and none of it was skipped or expected to fail.

    What it could judge is recorded and told: a run that was asked for less is no weaker for it, and its verdict says that it is no proof.
    """
    events = run.ledger.events
    began = next(event for event in events if event["kind"] == "inventory")
    if dict(began["files"]) != dict(known.files):
        raise CheckFailed("the feature files are those that this run began with", seen="they were changed while it ran", where="features/")
    outcomes = list(verdict.scenario_outcomes(events))
    finished = [outcome for outcome in outcomes if outcome.state != "unfinished"]
    left_out = [
        planned.identity for planned in known.scenarios if not planned.is_on_request and planned.identity not in {o.scenario for o in outcomes}
    ]
    run.record("judged-so-far", asked_for=len(outcomes), finished=len(finished), left_out=left_out)
    run.say(f"of this run: {len(finished)} scenarios finished, {len(outcomes)} asked for, {len(left_out)} not")
    problems = [f"{outcome.scenario}: skipped" for outcome in outcomes if outcome.state == "skipped"] + _softened(events)
    if problems:
        expected = "no scenario of this run was skipped or expected to fail"
        raise CheckFailed(expected, seen="; ".join(problems[:4]), where=run.id)


def features() -> Inventory:
    """The feature files of the suite that runs."""
    return inventory.read(suite.root() / "features")


def _softened(events: list[Event] | Any) -> list[str]:  # noqa: ANN401 - events are JSON data
    """Scenarios that were expected to fail, whatever became of them."""
    return sorted(
        {f"{event['scenario']}: expected to fail" for event in events if event["kind"] == "scenario-phase" and event.get("expected_to_fail")}
    )


def _terms(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A site's settings by dotted path, without where its evidence lies and without paths on this side."""
    terms: dict[str, str] = {}
    for key, value in settings.items():
        path = f"{prefix}{key}"
        if (key in LOCAL and path != "secrets.file") or path == "evidence":
            continue
        if isinstance(value, Mapping):
            terms |= _terms(value, f"{path}.")
        else:
            terms[path] = str(value)
    return terms
