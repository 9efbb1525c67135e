"""What a machine became: the system it runs, whether it is healthy, and whether its parts have converged.

Knows: which facts of systemd, Nix and the swarm mean "activated" and "converged".
Refuses: to judge by one fact alone - a failed activation, too, points /run/current-system at the new system.
"""

from __future__ import annotations

from cleanroom import closure
from cleanroom.errors import CheckFailed, OutOfTime
from cleanroom.machine import Machine, SwarmService
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.tables.serving import Service
from cleanroom.throwaway import Throwaway
from cleanroom.wait import Deadline, Waiting, wait_until

_EVALUATION_SECONDS = 300.0


def toplevel(machine: Machine, base: Repository, attribute: str) -> str:
    """The system that the flake gives at the commit under test, evaluated on the machine (nothing is built)."""
    reference = f"git+{base.url}?rev={base.commit}#nixosConfigurations.{attribute}.config.system.build.toplevel.outPath"
    return machine.probe("nix", "eval", "--raw", reference, within=_EVALUATION_SECONDS).text


def check_system(machine: Machine, base: Repository, attribute: str) -> None:
    """The running system is the flake's toplevel, by its name and by what lies there."""
    expected, seen = toplevel(machine, base, attribute), machine.current_system()
    if seen != expected:
        raise CheckFailed(f"/run/current-system is {expected}", seen=seen, where=machine.where)
    closure.check_unaltered(machine, seen)


def check_generation(throwaway: Throwaway) -> None:
    """A generation beside the image's own exists, and it is the one that runs."""
    machine = throwaway.machine
    now, running = machine.generations(), machine.current_system()
    if any(path.startswith(f"{running}/") for path in throwaway.files or ()):
        raise CheckFailed("a system that the guide built", seen=f"{running} lay on the blank machine already", where=machine.where)
    new = {name: system for name, system in now.items() if name not in throwaway.blank.generations}
    if running not in new.values():
        raise CheckFailed("a new system generation, running", seen=f"new: {sorted(new) or 'none'}, running: {running}", where=machine.where)


def check_healthy(machine: Machine, *, within: float) -> None:
    """The system manager has finished starting, is `running`, and no unit has failed."""
    state = machine.wait_for_system(within=within)
    failed = machine.failed_units()
    if failed or state != "running":
        advice = f"journalctl -u {failed[0]}" if failed else ""
        raise CheckFailed(
            "no failed unit and state `running`", seen=f"state `{state}`, failed: {', '.join(failed) or 'none'}", where=machine.where, advice=advice
        )


def check_reconciled(machine: Machine, site: Site) -> None:
    """Each reconcile unit converges, and took no longer than its limit to."""
    for oneshot in site.oneshot:
        unit = machine.wait_for_unit(oneshot.unit, within=oneshot.within)
        if unit.seconds > oneshot.within:
            raise CheckFailed(f"{oneshot.unit} converges within {oneshot.within:.0f} s", seen=f"it took {unit.seconds:.0f} s", where=machine.where)


def check_services(machine: Machine, site: Site, *, others: bool = True) -> None:
    """Each swarm service that the site names has the replicas it should have, and the swarm wants as many as the site says.

    `others`: each that it does not name has what the swarm itself wants. (A CI server at work has some that come and go.)
    """
    deadline = Deadline(max(service.within for service in site.service))

    def settled() -> dict[str, SwarmService] | Waiting:
        found = {service.name: service for service in machine.services()}
        short = [f"{s.name}: {_running(found, s)} of {s.replicas} run" for s in site.service if _running(found, s) != s.replicas]
        unnamed = [found[name] for name in sorted(found.keys() - {service.name for service in site.service}) if others]
        short += [f"{s.name}: {s.running} of {s.desired} run" for s in unnamed if s.running < s.desired]
        return Waiting(", ".join(short)) if short else found

    try:
        found = wait_until(settled, what="the replicas", within=deadline.left, where=machine.where, record=machine.record)
    except OutOfTime as problem:
        seen = problem.problem.rsplit("last seen: ", 1)[-1]
        raise CheckFailed("every swarm service has its replicas", seen=seen, where=machine.where, advice="docker service ps --no-trunc") from None
    for service in site.service:
        if found[service.name].desired != service.replicas:
            seen = f"the swarm wants {found[service.name].desired}"
            raise CheckFailed(f"service {service.name} is declared with {service.replicas} replicas", seen=seen, where=machine.where)


def _running(found: dict[str, SwarmService], service: Service) -> int:
    return found[service.name].running if service.name in found else 0
