"""The guide with one command left out, each in turn on a fresh machine: whether the machine becomes cc-ci all the same.

Knows: what a finished machine is - the same system, healthy, converged, answering, with nothing lying about that the whole guide cleans up.
Refuses: to begin when the whole guide does not give such a machine, and to call a command anything if we could not see what became of it.

A machine is made anew for each command. Restoring a snapshot would be faster by some seconds, but a restricted project may forbid snapshots, and what
is restored is not what is new.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from cleanroom import activation, web
from cleanroom.errors import CheckFailed, HarnessError, OutOfTime
from cleanroom.guide import Command, Guide
from cleanroom.installation import Follower
from cleanroom.machine import Machine
from cleanroom.redact import Secret
from cleanroom.repository import Repository
from cleanroom.run import Run
from cleanroom.sighting import machine_files
from cleanroom.site import Site
from cleanroom.web import Visitor

#: Where a command of a guide may leave, or clean up, something that no other question is about.
_PLACES = ("/root", "/etc", "/home", "/srv", "/opt")
_CACHES = {"/root/.cache": "Nix's own cache, whose names differ from machine to machine"}


@dataclass(frozen=True)
class Measure:
    """What a finished machine is, taken from one on which the whole guide was followed."""

    site: Site
    hook: Secret
    system: str
    files: frozenset[str]

    @staticmethod
    def of(machine: Machine, site: Site, base: Repository, hook: Secret) -> Measure:
        """Take the measure; raises `CheckFailed` if the machine is not finished itself: then nothing can be told from leaving something out."""
        activation.check_system(machine, base, site.base.flake_attribute)
        measure = Measure(site, hook, machine.current_system(), _files(machine))
        shortfall = measure.shortfall(machine)
        if shortfall:
            raise CheckFailed("the whole guide makes the machine cc-ci", seen=shortfall, where=machine.where)
        return measure

    def shortfall(self, machine: Machine) -> str:
        """In what a machine falls short of this; empty if in nothing. Raises `HarnessError` if nobody can tell."""
        try:
            self._check(machine)
        except CheckFailed as problem:
            return f"{problem.expected}: {problem.seen}"
        except OutOfTime as problem:
            return problem.problem
        return ""

    def _check(self, machine: Machine) -> None:
        running = machine.current_system()
        if running != self.system:
            raise CheckFailed("it runs the system that the flake builds", seen=running, where=machine.where)
        activation.check_healthy(machine, within=self.site.incus.boot_within)
        activation.check_reconciled(machine, self.site)
        activation.check_services(machine, self.site)
        visitor = Visitor(machine.ssh.address, trust=self.site.certificate.trust)
        web.check_endpoints(visitor, self.site.endpoint)
        web.check_webhook_refused(visitor, self.site.webhook, self.hook)
        left = sorted(_files(machine) - self.files)
        if left:
            raise CheckFailed("nothing lies about that the whole guide cleans up", seen=", ".join(left[:3]), where=machine.where)


@dataclass(frozen=True)
class Omission:
    """What became of the machine without one command. `reason` is empty if it became cc-ci all the same; `trouble` is ours."""

    command: Command
    reason: str = ""
    trouble: str = ""


class Ablation:
    """Leaves out each command once. `fresh` makes a machine and gives the one who follows guides on it; the machine is gone when its context ends."""

    def __init__(self, run: Run, measure: Measure, fresh: Callable[[], AbstractContextManager[Follower]]) -> None:
        self._run, self._measure, self._fresh = run, measure, fresh
        self.omissions: list[Omission] = []

    def leave_out_each(self, guide: Guide) -> None:
        """Each command once, in the order of the guide; trouble of ours with one does not keep the others from being tried."""
        for command in guide.commands:
            with self._run.phase(f"without command {command.number} of {len(guide.commands)} ({command.where})"):
                omission = self._without(command, guide)
            self.omissions.append(omission)
            word = "unclassified" if omission.trouble else "needed" if omission.reason else "unneeded"
            said = omission.trouble or omission.reason
            self._run.record("ablation", number=command.number, where=command.where, word=word, reason=said)

    def check_classified(self, guide: Guide) -> None:
        """Each command was left out, and what became of it is known."""
        tried = [omission.command.number for omission in self.omissions]
        if tried != [command.number for command in guide.commands]:
            raise HarnessError(f"{len(tried)} of {len(guide.commands)} commands were left out", where=guide.file)
        unclassified = [omission for omission in self.omissions if omission.trouble]
        if unclassified:
            first = unclassified[0]
            raise HarnessError(f"cannot tell whether {first.command} is needed: {first.trouble}", where=first.command.where)

    def check_needed(self) -> None:
        """Each command is needed; raises `CheckFailed` with file and line of those that are not."""
        unneeded = [omission.command for omission in self.omissions if not omission.reason and not omission.trouble]
        if unneeded:
            seen = "; ".join(f"{command} is not" for command in unneeded)
            advice = "take it out of the guide, or show it as an example"
            raise CheckFailed("every command of the guide is needed", seen=seen, where=unneeded[0].where, advice=advice)

    def _without(self, command: Command, guide: Guide) -> Omission:
        rest = tuple(other for other in guide.commands if other.number != command.number)
        try:
            with self._fresh() as follower:
                if rest:
                    followed = follower.follow(Guide(guide.file, rest), kind="ablation")
                    if followed.failed is not None:
                        return Omission(command, reason=f"{followed.failed.command} then fails: {followed.failed.describe()}")
                return Omission(command, reason=self._measure.shortfall(follower.machine))
        except HarnessError as problem:
            return Omission(command, trouble=problem.problem)


def _files(machine: Machine) -> frozenset[str]:
    return frozenset(machine_files.inventory(machine, tuple(place for place in _PLACES if machine.exists(place)), _CACHES))
