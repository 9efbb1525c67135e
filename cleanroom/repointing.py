"""Repointing: another domain by one edit, tried on the throwaway.

Knows: how to change the one place that defines the domain, and how to search a whole closure for the old one: file contents, names and links.
Refuses: a search that does not find the domain where it is known to be, and to compare systems that were not built in the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cleanroom import closure, parameters
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.machine import Machine
from cleanroom.parameters import Place
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.trial import Trial
from cleanroom.workshop import Workshop, export

#: A name that nobody can own (RFC 2606).
NEW_DOMAIN = "ci.repointed.example"
_SEARCH_SECONDS = 600.0
#: Store paths of one search: an argument list over SSH is one word, of at most 128 KiB.
_AT_ONCE = 500
#: Places that an error text names.
_TOLD = 3
_ABSENT = re.compile(r"No such file or directory$")


@dataclass(frozen=True)
class Repointing:
    """The system that base describes, and what it describes after one edit (None with Nix's complaint if nothing); both from scratch copies."""

    machine: Machine
    edited: Place
    old_domain: str
    before: str
    after: str | None
    complaint: str

    @staticmethod
    def of(trial: Trial, base: Repository, secrets: Repository, site: Site, folder: Path) -> Repointing:
        """Change the one place that defines the domain. `folder` is ours, on this side."""
        place = parameters.definition(base, parameters.parameter_of(site.parameter, site.domain))
        workshop = Workshop(trial, site, base, export(secrets, folder / "secrets"))
        before = workshop.build(workshop.flake(export(base, folder / "base")))
        if not before.ok:
            raise HarnessError(f"the unchanged scratch copy cannot be built: {before.complaint}", where=trial.machine.where)
        tree = export(base, folder / "repointed")
        parameters.edit(tree, place, old=site.domain, new=NEW_DOMAIN)
        after = workshop.build(workshop.flake(tree))
        return Repointing(trial.machine, place, site.domain, before.text, after.text if after.ok else None, "" if after.ok else after.complaint)

    def check_another(self) -> None:
        """The edited copy evaluates and builds, to another system than the unchanged one."""
        if self.after is None:
            raise CheckFailed("base evaluates with another domain", seen=self.complaint, where=f"{self.edited}, changed to {NEW_DOMAIN}")
        if self.after == self.before:
            raise CheckFailed("another domain makes another system", seen=f"{self.after}, as before", where=f"{self.edited}, changed to {NEW_DOMAIN}")

    def check_no_old_domain(self) -> None:
        """The new domain stands in the new system, the old one nowhere."""
        if self.after is None:
            raise HarnessError("there is no repointed system to search", where=str(self.edited))
        if not mentions(self.machine, self.before, self.old_domain):
            raise HarnessError("the search does not find the domain in the system that has it: it proves nothing", where=self.machine.where)
        found = mentions(self.machine, self.after, self.old_domain)
        if found:
            seen = ", ".join(found[:_TOLD]) + (f", and {len(found) - _TOLD} more" if found[_TOLD:] else "")
            expected, advice = f"{self.old_domain} stands nowhere in the repointed system", "take the domain from the one place that defines it"
            raise CheckFailed(expected, seen=seen, where=f"after the edit of {self.edited}", advice=advice)
        if not mentions(self.machine, self.after, NEW_DOMAIN):
            raise CheckFailed(f"{NEW_DOMAIN} stands in the repointed system", seen="it stands nowhere", where=f"after the edit of {self.edited}")


def mentions(machine: Machine, system: str, domain: str) -> list[str]:
    """Each file in the closure of `system` with `domain`, or its form in stack names (dots as underscores), in content, name or link; sorted."""
    found: set[str] = set()
    names = (domain, domain.replace(".", "_"))
    contents = [word for name in names for word in ("-e", name)]
    tests = [word for name in names for test in ("-name", "-lname") for word in ("-o", test, f"*{name}*")][1:]
    paths = sorted(closure.of(machine, system))
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        listing = machine.probe("grep", "-rlaF", *contents, "--", *some, ok=(0, 1, 2), within=_SEARCH_SECONDS)
        # A store path may be a link into nowhere; whatever else grep could not read would be a gap in the search.
        gaps = [line for line in listing.stderr.decode(errors="replace").splitlines() if not _ABSENT.search(line)]
        if gaps:
            raise HarnessError(f"cannot search the whole closure: {gaps[0]}", where=machine.where)
        found |= {*listing.text.splitlines(), *machine.probe("find", *some, *tests, within=_SEARCH_SECONDS).text.splitlines()}
    return sorted(found)
