"""Repointing: another domain by one edit, tried on the throwaway.

Knows: how to change the one place that defines the domain, and how to search a whole closure for the old one: file contents, names and links.
Refuses: a base that reads more in secrets than sops files, a search that does not find the domain where it is known to be, and to compare systems
that were not built in the same way.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from cleanroom import closure, parameters, split
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.machine import Machine
from cleanroom.parameters import Place
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.trial import Trial
from cleanroom.workshop import Workshop, export

#: What may stand between the labels of a domain: in a name, in that of a stack, and in a regular expression, as it is and inside another string.
_SEPARATORS = (".", "_", "\\.", "\\\\.", "[.]")
#: As file names have it.
_IN_NAMES = (".", "_")
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
    new_domain: str
    before: str
    after: str | None
    complaint: str

    @staticmethod
    def of(trial: Trial, base: Repository, secrets: Repository, site: Site, folder: Path) -> Repointing:
        """Change the one place that defines the domain. `folder` is ours, on this side.

        The scratch copy of secrets lacks the inert text: what a build misses without it was not inert, and may be anything, a domain included.
        """
        place = parameters.definition(base, parameters.parameter_of(site.parameter, site.domain))
        workshop = Workshop(trial, site, base, _without_inert_text(export(secrets, folder / "secrets")))
        before = workshop.build(workshop.flake(export(base, folder / "base")))
        if not before.ok:
            whole = Workshop(trial, site, base, export(secrets, folder / "whole"))
            if whole.build(whole.flake(export(base, folder / "as-it-is"))).ok:
                seen, advice = f"without its inert text: {before.complaint}", "what decides anything belongs to base"
                raise CheckFailed("base takes nothing from secrets but its sops files", seen=seen, where=base.url, advice=advice)
            raise HarnessError(f"the unchanged scratch copy cannot be built: {before.complaint}", where=trial.machine.where)
        tree = export(base, folder / "repointed")
        new = another(site.domain)
        parameters.edit(tree, place, old=site.domain, new=new)
        after = workshop.build(workshop.flake(tree))
        built, complaint = (after.text, "") if after.ok else (None, after.complaint)
        return Repointing(trial.machine, place, site.domain, new, before.text, built, complaint)

    def check_another(self) -> None:
        """The edited copy evaluates and builds, to another system than the unchanged one."""
        if self.after is None:
            raise CheckFailed("base evaluates with another domain", seen=self.complaint, where=f"{self.edited}, changed to {self.new_domain}")
        if self.after == self.before:
            raise CheckFailed(
                "another domain makes another system", seen=f"{self.after}, as before", where=f"{self.edited}, changed to {self.new_domain}"
            )

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
        if not mentions(self.machine, self.after, self.new_domain):
            raise CheckFailed(f"{self.new_domain} stands in the repointed system", seen="it stands nowhere", where=f"after the edit of {self.edited}")


def _without_inert_text(tree: Path) -> Path:
    for file in list(tree.rglob("*")):
        if file.is_file() and split.is_inert(file.name):
            file.unlink()
    return tree


def another(domain: str) -> str:
    """A domain for this occasion alone: no base can have heard of it. It is written down and never asked for, so its top level may be a real one."""
    return f"ci.r{secrets.token_hex(8)}.{domain.rpartition('.')[2]}"


def mentions(machine: Machine, system: str, domain: str) -> list[str]:
    """Each file in the closure of `system` with `domain`, in capitals or not, in content, name or link; sorted.

    Looked for are its forms in stack names (dots as underscores) and in regular expressions, too.
    """
    found: set[str] = set()
    contents = [word for separator in _SEPARATORS for word in ("-e", domain.replace(".", separator))]
    names = [domain.replace(".", separator) for separator in _IN_NAMES]
    tests = [word for name in names for test in ("-iname", "-ilname") for word in ("-o", test, f"*{name}*")][1:]
    paths = sorted(closure.of(machine, system))
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        listing = machine.probe("grep", "-rlaiF", *contents, "--", *some, ok=(0, 1, 2), within=_SEARCH_SECONDS)
        # A store path may be a link into nowhere; whatever else grep could not read would be a gap in the search.
        gaps = [line for line in listing.stderr.decode(errors="replace").splitlines() if not _ABSENT.search(line)]
        if gaps:
            raise HarnessError(f"cannot search the whole closure: {gaps[0]}", where=machine.where)
        found |= {*listing.text.splitlines(), *machine.probe("find", *some, *tests, within=_SEARCH_SECONDS).text.splitlines()}
    return sorted(found)
