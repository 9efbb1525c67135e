"""What Docker keeps in clear about what runs: specs of services, secrets and configs, labels of nodes, networks and volumes, and containers.

Knows: how to list them by name and to inspect them all at once, each by Docker's own read-only commands.
Refuses: to ask for a secret's value: Docker would not tell, and this is not where it may be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cleanroom.machine import Machine


@dataclass(frozen=True)
class _Kind:
    """How one kind is listed and inspected, and where an inspected one says who it is."""

    name: str
    list_with: tuple[str, ...]
    inspect_with: tuple[str, ...]
    identity: Callable[[dict[str, Any]], str]


def _spec_name(inspected: dict[str, Any]) -> str:
    return str(inspected["Spec"]["Name"])


_NAMES = ("ls", "--format", "{{.Name}}")
_KINDS = (
    *(_Kind(name, (name, *_NAMES), (name, "inspect"), _spec_name) for name in ("service", "secret", "config")),
    _Kind("node", ("node", "ls", "--quiet"), ("node", "inspect"), lambda inspected: str(inspected["ID"])),
    _Kind("network", ("network", "ls", "--no-trunc", "--quiet"), ("network", "inspect"), lambda inspected: str(inspected["Id"])),
    _Kind("volume", ("volume", "ls", "--quiet"), ("volume", "inspect"), lambda inspected: str(inspected["Name"])),
    _Kind("container", ("ps", "--all", "--no-trunc", "--quiet"), ("inspect",), lambda inspected: str(inspected["Id"])),
)


def listed(machine: Machine) -> list[str]:
    """Kind and name of everything that Docker lists."""
    return [f"{kind.name} {name}" for kind in _KINDS for name in _names(machine, kind)]


def inspected(machine: Machine) -> dict[str, bytes]:
    """The same, each with all that Docker tells of it, as JSON with as few escapes as it can have."""
    found = {}
    for kind in _KINDS:
        names = _names(machine, kind)
        for each in json.loads(machine.probe("docker", *kind.inspect_with, *names).stdout) if names else ():
            found[f"{kind.name} {kind.identity(each)}"] = json.dumps(each, ensure_ascii=False).encode()
    return found


def _names(machine: Machine, kind: _Kind) -> list[str]:
    return machine.probe("docker", *kind.list_with).text.split()
