"""Another size for a machine: stop, set, start, and then it must be well.

Knows: that memory set on a running machine may time out half-way, and what a machine must be like before and after.
Refuses: machines that neither this run made nor the site names (`resources.may_resize`), and a size that would not fit beside what runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cleanroom import activation, custody
from cleanroom.errors import BadInput, CheckFailed, HarnessError, NotOurs
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Event
from cleanroom.machine import Machine
from cleanroom.quantities import show_size
from cleanroom.run import Run
from cleanroom.site import Site
from cleanroom.surroundings import survey
from cleanroom.surroundings.survey import Seen
from cleanroom.wait import Waiting, wait_until


@dataclass(frozen=True)
class Step:
    """One resize as it was seen: states and sizes by the hypervisor, and what it counted for the machine once it ran again."""

    asked: int
    before: Seen
    still: Seen
    after: Seen


def resize(hypervisor: Hypervisor, name: str, memory: int, record: Callable[..., Event], *, within: float) -> Step:
    """Stop, set, start; raises what the guard raises if the machine is not ours to resize."""
    before = _one(hypervisor, name)
    hypervisor.stop(name, within=within)
    still = _one(hypervisor, name)
    hypervisor.set_memory(name, memory)
    hypervisor.start(name, within=within)
    after = _one(hypervisor, name)
    record("resized", instance=name, asked=memory, states=[before.status, still.status, after.status], limit=after.config.get("limits.memory"))
    return Step(memory, before, still, after)


@dataclass(frozen=True)
class Resizing:
    """The throwaway, made smaller and given back what it had: two steps, and its boots."""

    machine: Machine
    steps: tuple[Step, ...]
    seen_inside: tuple[int | None, ...]
    boots: tuple[str, ...]

    @staticmethod
    def of(machine: Machine, hypervisor: Hypervisor, run: Run, *, within: float) -> Resizing:
        """Three quarters of its memory, then all of it again; its log-ins so far are recorded first, for its journal may not outlive a boot."""
        whole = hypervisor.settings.memory
        steps, inside, boots = [], [], [machine.boot_id()]
        with run.phase("resize"):
            for memory in (whole * 3 // 4, whole):
                custody.record_logins(run.ledger, machine)
                machine.ssh.close()
                steps.append(resize(hypervisor, machine.name, memory, run.record, within=within))
                boots.append(machine.wait_for_boot(unlike=boots[-1], within=within))
                inside.append(memory_inside(machine))
        return Resizing(machine, tuple(steps), tuple(inside), tuple(boots))

    def check_order(self) -> None:
        """It ran, stood still when its memory was set, and runs again: each time in another boot."""
        for step in self.steps:
            states = (step.before.is_running, step.still.is_running, step.after.is_running)
            if states != (True, False, True):
                seen = f"{step.before.status}, {step.still.status}, {step.after.status}"
                raise CheckFailed("a machine that runs, stands still while its memory is set, and runs again", seen=seen, where=self.machine.where)
        if len(set(self.boots)) != len(self.boots):
            raise CheckFailed("another boot after each change", seen=f"boots {', '.join(self.boots)}", where=self.machine.where)

    def check_sizes(self, physical: int) -> None:
        """Each size was applied, by the hypervisor's word and by the machine's."""
        for step, inside in zip(self.steps, self.seen_inside, strict=True):
            if step.after.limit(physical) != step.asked:
                seen = show_size(step.after.limit(physical))
                raise CheckFailed(f"limits.memory is {show_size(step.asked)}", seen=seen, where=f"instance {self.machine.name}")
            check_inside(self.machine, step.after.type, inside, step.asked)


def check_throwaway(hypervisor: Hypervisor, machine: Machine) -> None:
    """The machine has the declared memory: by its configuration, by what the hypervisor counts for it, and by what it sees itself."""
    seen, declared = _one(hypervisor, machine.name), hypervisor.settings.memory
    if not seen.config.get("limits.memory") or seen.limit(0) != declared:
        expected = f"the throwaway is configured with {show_size(declared)}"
        raise CheckFailed(expected, seen=f"limits.memory = {seen.config.get('limits.memory') or 'nothing'}", where=f"instance {seen.name}")
    check_inside(machine, seen.type, memory_inside(machine), declared)


def check_sees(hypervisor: Hypervisor, machine: Machine, memory: int) -> None:
    """What runs there sees that much memory: a size may be set on a machine that was never started anew."""
    check_inside(machine, _one(hypervisor, machine.name).type, memory_inside(machine), memory)


def check_inside(machine: Machine, kind: str, inside: int | None, declared: int) -> None:
    """What the machine sees: a container exactly its limit, a virtual machine what its firmware and its kernel leave of it."""
    if inside is None:
        raise HarnessError("cannot tell what memory the machine sees: it shows no limit of its own", where=machine.where)
    least = declared * 9 // 10 if kind == "virtual-machine" else declared
    if not least <= inside <= declared:
        raise CheckFailed(f"the machine sees {show_size(declared)} of memory", seen=show_size(inside), where=machine.where)


def memory_inside(machine: Machine) -> int | None:
    """Bytes by the machine's own control group, in either version; by its kernel where it has no such limit (a virtual machine)."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = machine.probe("cat", path, ok=(0, 1)).text.strip()
        if limit.isdigit() and int(limit) < 1 << 60:
            return int(limit)
    total = machine.probe("grep", "^MemTotal:", "/proc/meminfo", ok=(0, 1)).text.split()
    return int(total[1]) * 1024 if len(total) > 1 else None


@dataclass(frozen=True)
class Plan:
    """Another size for the canonical host, asked for by a person: what it has now, what runs beside it, what it shall have."""

    hypervisor: Hypervisor
    site: Site
    name: str
    now: int
    beside: int
    memory: int

    @staticmethod
    def of(hypervisor: Hypervisor, site: Site, name: str, memory: int) -> Plan:
        """Raises `NotOurs` if the site does not allow it, and `BadInput` if it would not fit or nobody could look after the machine."""
        if name not in site.resources.may_resize:
            raise NotOurs(f"the site does not let {name} be resized", where=str(site.path), advice="resources.may_resize")
        if name != site.incus.canonical_host or site.canonical is None:
            problem = f"nobody could see whether {name} is well afterwards: there is a way in to the canonical host only"
            raise BadInput(problem, where=str(site.path), advice="incus.canonical_host, [canonical]")
        physical = survey.physical_memory(hypervisor)
        running = {each.name: each.limit(physical) for each in survey.instances(hypervisor) if each.is_running}
        if name not in running:
            raise BadInput(f"{name} does not run, so nobody could say that it was well before", where=f"project {site.incus.project}")
        beside = sum(running.values()) - running[name]
        if beside + memory > site.incus.memory_guideline:
            problem = (
                f"{show_size(memory)} beside the {show_size(beside)} that run would pass the guideline of {show_size(site.incus.memory_guideline)}"
            )
            raise BadInput(problem, where=f"project {site.incus.project}")
        return Plan(hypervisor, site, name, running[name], beside, memory)

    def carry_out(self, host: Machine, record: Callable[..., Event]) -> None:
        """Well before, stopped, resized, started, well again; raises `CheckFailed` if it is not."""
        limit = self.site.incus.boot_within
        activation.check_healthy(host, within=limit)
        boot = host.boot_id()
        host.ssh.close()
        self.hypervisor.guard.resizable.add(self.name)
        try:
            step = resize(self.hypervisor, self.name, self.memory, record, within=limit)
        finally:
            self.hypervisor.guard.resizable.discard(self.name)
        host.wait_for_boot(unlike=boot, within=limit)
        check_inside(host, step.after.type, memory_inside(host), self.memory)
        check_canonical_healthy(host, self.site)


def check_canonical_healthy(host: Machine, site: Site) -> None:
    """The canonical host is running, no unit has failed, its reconcile units have converged and its services have their replicas."""
    activation.check_healthy(host, within=site.incus.boot_within)
    activation.check_reconciled(host, site)
    activation.check_services(host, site, others=False)


def _one(hypervisor: Hypervisor, name: str) -> Seen:
    project = hypervisor.settings.project

    def found() -> Seen | Waiting:
        seen = [each for each in survey.instances(hypervisor) if each.name == name and each.project == project]
        return seen[0] if seen else Waiting("it is not among the instances")

    return wait_until(found, what=f"{name} to be seen", within=5.0, where=f"project {project}")
