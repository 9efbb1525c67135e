"""What dead runs left behind: found by its mark, removed only when asked, and only when its run is seen to be dead.

Knows: marks and locks (marks.py), and that a machine whose run may live is nobody's to delete.
Refuses: names as proof of anything, and instances that carry less than the whole mark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cleanroom import marks
from cleanroom.errors import HarnessError
from cleanroom.hypervisor import Hypervisor
from cleanroom.marks import Leftover, ProjectLock


@dataclass(frozen=True)
class Sweep:
    """What was found, and what of it is still there."""

    found: tuple[Leftover, ...]
    removed: tuple[str, ...]

    @property
    def left(self) -> tuple[Leftover, ...]:
        """Leftovers of dead runs that still exist; machines of living runs are not leftovers."""
        return tuple(item for item in self.found if not item.alive and item.instance.name not in self.removed)


def find(hypervisor: Hypervisor) -> tuple[Leftover, ...]:
    """Every instance of the project that carries our whole mark."""
    found = (marks.leftover(instance) for instance in hypervisor.instances())
    return tuple(item for item in found if item is not None)


def sweep(hypervisor: Hypervisor, *, remove: bool, say: Callable[[str], None]) -> Sweep:
    """List what is left, and remove it if asked. The project's lock is held meanwhile if it is free, so that no run can begin under our hands."""
    lock = ProjectLock(hypervisor.settings.endpoint, hypervisor.settings.project)
    if remove and lock.holder() is None:
        lock.take("(a sweep)")
    try:
        found = find(hypervisor)
        for item in found:
            say(item.describe())
        dead = [item for item in found if remove and not item.alive]
        removed = [item.instance.name for item in dead if remove_one(hypervisor, item, say)]
    finally:
        lock.release()
    return Sweep(found, tuple(removed))


def remove_one(hypervisor: Hypervisor, item: Leftover, say: Callable[[str], None]) -> bool:
    """Delete one leftover, if it is still the same instance and still dead; says what became of it."""
    name = item.instance.name
    again = next((other for other in find(hypervisor) if other.instance.uuid == item.instance.uuid), None)
    if again is None or again.alive:
        return False
    hypervisor.guard.owned.add(name)
    try:
        hypervisor.delete(name)
    except HarnessError as problem:
        say(f"could not remove {name}: {problem.problem}")
        return False
    finally:
        hypervisor.guard.owned.discard(name)
    say(f"removed {name}")
    return True
