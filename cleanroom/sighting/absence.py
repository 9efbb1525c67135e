"""Judging sightings: what may lie nowhere, and what may lie where the site says so.

Knows: which findings concern which secrets, and the site's named exceptions.
Refuses: to acquit by a search that looked for nothing or was incomplete, and an exception that nothing needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import reduce
from operator import add

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.leak.visit import rooted
from cleanroom.leaks import Finding, Result
from cleanroom.ledger import Ledger


def check_absent(names: frozenset[str], *results: Result) -> None:
    """None of the secrets `names` was found in any of the places. Raises `CheckFailed`, or `HarnessError` if nobody can tell."""
    _judged(names, results).check()


def check_only_where_allowed(names: frozenset[str], allowed: Mapping[str, str], *results: Result, table: str) -> None:
    """What is named was found at the allowed places (shell patterns of paths, each with its reason) and at no other; each allowance was needed.

    `table` is what the site file calls them.
    """
    result = _judged(names, results)
    used = {pattern for finding in result.findings for pattern in allowed if _is_at(finding, pattern)}
    strange = tuple(finding for finding in result.findings if not any(_is_at(finding, pattern) for pattern in allowed))
    replace(result, findings=strange).check()
    stale = sorted(set(allowed) - used)
    if stale:
        advice = f"an exception that nothing needs hides what comes later: take it out of leaks.{table}"
        expected = f"each exception for {table.replace('_', ' ')} is needed"
        raise CheckFailed(expected, seen=f"nothing lies at {', '.join(stale)}", where="site file", advice=advice)


def check_covered(*results: Result) -> None:
    """Each place was listed, scanned, and both came to the same. Raises `HarnessError` naming the place where not."""
    if not results:
        raise HarnessError("nothing was searched")
    replace(reduce(add, results), findings=(), untold=0).check()


def check_accounted(ledger: Ledger, names: frozenset[str], result: Result) -> None:
    """Each secret was searched for, or the ledger says that it was not, and why."""
    told = {event["secret"] for event in ledger.of("not-checked")}
    missing = sorted(names - set(result.searched) - told)
    if not names or missing:
        raise HarnessError(f"neither searched for nor listed as not checked: {', '.join(missing) or 'there was no secret at all'}")


def _judged(names: frozenset[str], results: Sequence[Result]) -> Result:
    """One result of all places, about `names` alone."""
    if not names or not results:
        raise HarnessError("there is nothing to search for" if results else "nothing was searched")
    whole = reduce(add, results)
    reasons = {each.secret: each.reason for each in whole.not_checked}
    if names <= reasons.keys():
        told = "; ".join(f"{name}: {reasons[name]}" for name in sorted(names))
        raise HarnessError(f"cannot tell: nothing of this could be searched for ({told})")
    ours = tuple(finding for finding in whole.findings if finding.secret in names)
    if whole.untold and not ours:
        raise HarnessError(f"cannot tell: {whole.untold} findings of other secrets hide what else there is")
    return replace(whole, findings=ours, untold=0)


def _is_at(finding: Finding, pattern: str) -> bool:
    _source, _, path = finding.place.partition(": ")
    return fnmatchcase(rooted(path), pattern)
