"""What the hypervisor holds, as far as our credential shows it: every instance with its limits, its use and its boot, in one request.

Knows: Incus' own spelling of memory limits (sizes, percentages, none at all), and that a certificate restricted to a project shows less.
Refuses: to change anything - it only reads - and to take what it may not see for empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.errors import HarnessError, OutOfReach
from cleanroom.hypervisor import Hypervisor
from cleanroom.quantities import size
from cleanroom.wait import Waiting, wait_until

#: What Incus gives a virtual machine that names no limit.
_MACHINE_DEFAULT = 2**30


@dataclass(frozen=True)
class Seen:
    """One instance at one moment. `pid` is the hypervisor's process behind it, 0 while it stands still; `usage` and `total` are what it measured."""

    name: str
    project: str
    type: str
    status: str
    config: Mapping[str, str]
    devices: Mapping[str, Mapping[str, str]]
    profiles: tuple[str, ...]
    last_used_at: str
    pid: int
    usage: int
    total: int
    snapshots: tuple[str, ...]

    @property
    def is_running(self) -> bool:
        """Whether it may take memory: everything that does not stand still."""
        return self.status not in {"Stopped", ""}

    def limit(self, physical: int) -> int:
        """Bytes that it may take; without a limit a container may take all there is."""
        text = self.config.get("limits.memory", "")
        if not text:
            return _MACHINE_DEFAULT if self.type == "virtual-machine" else physical
        if text.endswith("%"):
            return physical * int(text[:-1]) // 100
        return int(text) if text.isdigit() else size(text)


def instances(hypervisor: Hypervisor) -> tuple[Seen, ...]:
    """Every instance that we may see, of all projects; one request, so that the sums are of one moment.

    An instance that goes away while Incus answers is in the answer by its name alone: then we ask again.
    """

    def whole() -> tuple[Seen, ...] | Waiting:
        data = hypervisor.look("instances", **{"recursion": "2", "all-projects": "true"})
        half = [each["name"] for each in data if each.get("config") is None]
        return Waiting(f"only the name of {', '.join(half)}") if half else tuple(map(_seen, data))

    return wait_until(whole, what="the hypervisor to tell all of its instances", within=1.0, every=0.05, where=hypervisor.settings.endpoint)


def physical_memory(hypervisor: Hypervisor) -> int:
    """Bytes of memory that the hypervisor has; a restricted certificate may ask."""
    return int(hypervisor.look("resources")["memory"]["total"])


def hidden(hypervisor: Hypervisor) -> str:
    """What of the hypervisor our credential does not show, in words; nothing if it shows everything."""
    try:
        hypervisor.look("storage-pools")
    except OutOfReach:
        raise
    except HarnessError as problem:
        return f"other projects than {hypervisor.settings.project}, and what runs in them ({problem.problem})"
    return ""


def _seen(data: Mapping[str, Any]) -> Seen:
    state = data.get("state") or {}
    memory = state.get("memory") or {}
    return Seen(
        name=data["name"],
        project=data.get("project") or "default",
        type=data["type"],
        status=data["status"],
        config=dict(data.get("expanded_config") or data["config"]),
        devices=dict(data.get("expanded_devices") or {}),
        profiles=tuple(data.get("profiles") or ()),
        last_used_at=str(data.get("last_used_at", "")),
        pid=int(state.get("pid") or 0),
        usage=int(memory.get("usage") or 0),
        total=int(memory.get("total") or 0),
        snapshots=tuple(snapshot["name"] for snapshot in data.get("snapshots") or ()),
    )
