"""Command lines and environments of a machine's running processes, and of those that systemd will start.

Knows: which processes lived all the while, by ps(1), and what /proc tells of each, by grep(1): it can read many files at once and name them.
Refuses: to call a process looked at that ended too soon; one that came and went is searched if it was met, and not missed if it was not.
"""

from __future__ import annotations

import re

from cleanroom.errors import HarnessError
from cleanroom.machine import Machine

_KINDS = ("cmdline", "environ")
#: Folders below /proc that hold no process's own facts, or hold them twice.
_BESIDE = ("task", "fd", "fdinfo", "net", "ns", "map_files", "attr", "sys", "irq", "fs", "bus", "driver", "acpi", "tty")
#: The kernel's own command line answers to the same name.
_OURS = re.compile(r"/proc/(?:\d+/)?(?:cmdline|environ)")


def texts(machine: Machine) -> tuple[dict[str, bytes], frozenset[str]]:
    """What each process was started with, by the file in /proc that tells it; and which of these files nobody may miss."""
    before = _alive(machine)
    found = _contents(machine)
    alive = before & _alive(machine)
    if not alive:
        raise HarnessError("ps lists no process that lived for a second", where=machine.where)
    return found, frozenset(f"/proc/{pid}/{kind}" for pid in alive for kind in _KINDS)


def inherited(machine: Machine) -> dict[str, bytes]:
    """The environment that systemd gives to every unit from now on: its own entry in /proc tells only what it was started with itself."""
    return {"the manager's environment": machine.probe("systemctl", "show", "--property=Environment").stdout}


def _alive(machine: Machine) -> frozenset[str]:
    """Processes with memory of their own: the kernel's threads have none, nor has one that ended."""
    lines = machine.probe("ps", "-e", "-o", "pid=,vsz=").text.splitlines()
    return frozenset(pid for pid, memory in map(str.split, lines) if memory != "0")


def _contents(machine: Machine) -> dict[str, bytes]:
    choice = [f"--include={kind}" for kind in _KINDS] + [f"--exclude-dir={name}" for name in _BESIDE]
    told = machine.probe("grep", "-razsHZ", *choice, "", "/proc", ok=(0, 1, 2)).stdout
    empty = machine.probe("grep", "-razsLZ", *choice, "", "/proc", ok=(0, 1, 2)).stdout
    found = {path: b"" for path in empty.decode().split("\0") if _OURS.fullmatch(path)}
    words = told.split(b"\0")
    for path, word in zip(words[::2], words[1::2], strict=False):
        name = path.decode(errors="replace")
        if not _OURS.fullmatch(name):
            raise HarnessError("grep's answer about /proc cannot be read", where=machine.where)
        found[name] = found.get(name, b"") + word + b"\0"
    return found
