"""What a finished machine must endure unchanged: a second rebuild, and a reboot.

Knows: what was true before, what is true after, and which differences are our own doing.
Refuses: a repetition that failed, and a boot that cannot be told from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom import custody
from cleanroom.errors import CheckFailed
from cleanroom.guide import Guide
from cleanroom.hypervisor import Hypervisor
from cleanroom.installation import Follower, Installation
from cleanroom.machine import Machine
from cleanroom.run import Run

_STORE_SECONDS = 120.0
#: Units that come and go with our own looking, with the rebuild itself, or with the clock; and what D-Bus starts, which leaves when nobody asks it.
_PASSING = (
    *("user@", "user-runtime-dir@", "session-", "ssh@", "sshd@", "nixos-rebuild-switch-to-configuration", "systemd-tmpfiles-clean"),
    *("systemd-hostnamed", "systemd-localed", "systemd-timedated"),
)


@dataclass(frozen=True)
class State:
    """What a rebuild that changes nothing must leave as it was."""

    system: str
    store: frozenset[str]
    units: dict[str, str]
    tasks: frozenset[str]
    #: Which link leads to the running system, and since when: every activation makes it anew, also one that changes nothing.
    activated: str = ""

    @staticmethod
    def of(machine: Machine) -> State:
        tasks = frozenset(task for service in machine.services() for task in service.tasks)
        store = frozenset(machine.probe("nix", "path-info", "--all", within=_STORE_SECONDS).text.split())
        units = {name: invocation for name, invocation in machine.running_units().items() if not name.startswith(_PASSING)}
        activated = machine.probe("find", "/run/current-system", "-maxdepth", "0", "-printf", "%i %C@").text
        return State(machine.current_system(), store, units, tasks, activated)


@dataclass(frozen=True)
class Repetition:
    """The guide's rebuild command, run a second time, with the machine's state around it."""

    installation: Installation
    before: State
    after: State

    @staticmethod
    def of(guide: Guide, follower: Follower, run: Run, *, rebuild: str) -> Repetition:
        """Run the last command of `guide` that contains `rebuild` once more."""
        again = Guide(guide.file, (guide.last_with(rebuild),))
        with run.phase("rebuild again"):
            before = State.of(follower.machine)
            installation = follower.follow(again, kind="repetition")
            return Repetition(installation, before, State.of(follower.machine))

    def check_nothing_built(self) -> None:
        """It ended as documented and was a rebuild, no store path is new, the system is the same."""
        self.installation.demand_complete()
        if self.after.activated == self.before.activated:
            command = self.installation.outcomes[-1].command
            self._fail("the guide's rebuild activates the system again", seen=f"{command} activated nothing", advice="guide.rebuild names another")
        new = sorted(self.after.store - self.before.store)
        if new or self.after.system != self.before.system:
            seen = f"{len(new)} new store paths {', '.join(new[:3])}; the system is {self.after.system}"
            self._fail("a second rebuild builds nothing", seen=seen)

    def check_nothing_restarted(self) -> None:
        """Every service that ran still runs in the same invocation, every swarm task is the same."""
        restarted = sorted(unit for unit, invocation in self.before.units.items() if self.after.units.get(unit) != invocation)
        if restarted:
            self._fail("a second rebuild restarts no unit", seen=f"restarted or stopped: {', '.join(restarted)}")
        ended, new = self.before.tasks - self.after.tasks, self.after.tasks - self.before.tasks
        if ended or new:
            self._fail("a second rebuild restarts no swarm task", seen=f"{len(ended)} tasks ended, {len(new)} are new")

    def _fail(self, expected: str, *, seen: str, advice: str = "") -> None:
        raise CheckFailed(expected, seen=seen, where=self.installation.machine.where, advice=advice)


@dataclass(frozen=True)
class Reboot:
    """A reboot from the hypervisor: an orderly shutdown and a start."""

    machine: Machine
    boot_before: str
    boot_after: str
    system_before: str
    system_after: str

    @staticmethod
    def of(machine: Machine, hypervisor: Hypervisor, run: Run, *, within: float) -> Reboot:
        """Restart the machine and wait for another boot; its log-ins so far are recorded first, for its journal may not outlive the boot."""
        with run.phase("reboot"):
            boot, system = machine.boot_id(), machine.current_system()
            custody.record_logins(run.ledger, machine)
            machine.ssh.close()
            hypervisor.restart(machine.name, within=within)
            new = machine.wait_for_boot(unlike=boot, within=within)
            run.record("boot", machine=machine.name, before=boot, after=new)
            return Reboot(machine, boot, new, system, machine.current_system())

    def check(self) -> None:
        """Another boot, the same system."""
        if self.boot_after == self.boot_before:
            raise CheckFailed("another boot", seen=f"boot {self.boot_after} still", where=self.machine.where)
        if self.system_after != self.system_before:
            raise CheckFailed(f"{self.system_before} runs after the reboot", seen=self.system_after, where=self.machine.where)
