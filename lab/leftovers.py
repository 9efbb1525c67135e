"""Everything that a lab leaves on a machine, how to end it, and how to see that it is gone.

Knows: the kernel's own lists - processes, mounts, loop devices, links, control groups, firewall rules - and how to tell ours in each: by the lab's
folder or its bridge. So it works on a half-made lab and on one whose daemon was killed.
Refuses: to end anything that does not carry one of those two names.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
from pathlib import Path

from cleanroom.errors import HarnessError
from cleanroom.wait import Waiting, wait_until
from lab.state import State
from lab.tools import run

_CGROUPS = Path("/sys/fs/cgroup")
_LXC_LOCKS = Path("/run/lxc/lock")
#: What the daemon is, and what it starts on this machine.
_PROGRAMS = {"incusd", "dnsmasq"}


def remove(state: State) -> None:
    """End and remove all of it, except the state folder itself. Raises `HarnessError` naming what does not go."""
    groups = _group_names(state)
    _kill_all(state)
    _unload_profiles(state)
    if link_exists(state):
        run("ip", "link", "delete", state.bridge)
    for target in mounts(state):
        run("umount", "--lazy", target)
    for device in loop_devices(state):
        with contextlib.suppress(HarnessError):  # the kernel lets go of it with the last mount
            run("losetup", "--detach", device)
    _remove_groups(groups)
    _tidy_lxc(state)


def what_is_left(state: State) -> list[str]:
    """One line for each thing that is still there."""
    left = [f"process {pid}: {_command_line(pid)[:100]}" for pid in processes(state)]
    left += [f"mount {target}" for target in mounts(state)]
    left += [f"loop device {device}" for device in loop_devices(state)]
    left += [f"link {state.bridge}"] if link_exists(state) else []
    left += ["a rule of the firewall"] if _firewall_names(state.bridge) else []
    left += [f"folder {path}" for path in (state.folder, _LXC_LOCKS / _below_root(state)) if path.exists()]
    return left


def processes(state: State) -> list[int]:
    """The daemon, its helpers, whatever works in the scratch folder, and what those started (a container's first process among them)."""
    parents: dict[int, int] = {}
    ours = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            pid = int(entry.name)
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] not in {"Z", "X"}:
                    parents[pid] = int(fields[1])
                    if _is_ours(state, entry):
                        ours.add(pid)
    while found := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= found
    return sorted(ours)


def _is_ours(state: State, entry: Path) -> bool:
    """Told by program and folder together: a person's shell may well name the folder, or have INCUS_DIR set to it."""
    words = (entry / "cmdline").read_bytes()
    if (entry / "comm").read_text().strip() in _PROGRAMS:
        return _names(words, state.incus) or f"INCUS_DIR={state.incus}".encode() in (entry / "environ").read_bytes().split(b"\0")
    return _names(words, state.scratch)


def _names(words: bytes, folder: Path) -> bool:
    """Whether a command line holds this very path or one below it ("[lxc monitor] FOLDER/incus/containers NAME", an option's value)."""
    return re.search(rb"(^|[ =\0])" + re.escape(os.fsencode(folder)) + rb"(/|[ \0]|$)", words) is not None


def mounts(state: State) -> list[Path]:
    """Mount points below the folder, innermost first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        target = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split()[4]))
        if target.is_relative_to(state.folder):
            found.append(target)
    return found[::-1]


def loop_devices(state: State) -> list[Path]:
    """Loop devices whose file lies (or lay) below the folder."""
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if Path(file.read_text().strip().removesuffix(" (deleted)")).is_relative_to(state.folder):
                found.append(Path("/dev", file.parts[3]))
    return sorted(found)


def link_exists(state: State) -> bool:
    return Path("/sys/class/net", state.bridge).exists()


def _kill_all(state: State) -> None:
    def gone() -> bool | Waiting:
        left = processes(state)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return Waiting(f"{len(left)} processes, {left[0]}: {_command_line(left[0])[:80]}") if left else True

    wait_until(gone, what="the lab's processes to end", within=20.0, every=0.05, where=str(state.folder))


def _unload_profiles(state: State) -> None:
    """Where the kernel has AppArmor, the daemon loaded a profile for each instance; the folder still holds their sources."""
    for profile in (state.incus / "security/apparmor/profiles").glob("*"):
        with contextlib.suppress(HarnessError):  # not loaded any more
            run("apparmor_parser", "--remove", profile)


def _group_names(state: State) -> set[str]:
    """LXC's control groups of the lab's containers: those that its processes are in, and those that the names of its containers gave."""
    found = set()
    for pid in processes(state):
        with contextlib.suppress(OSError):
            found |= set(re.findall(r"lxc\.(?:monitor|payload)\.[^/\s]+", Path(f"/proc/{pid}/cgroup").read_text()))
    containers = state.incus / "containers"
    names = [path.name for path in containers.iterdir()] if containers.is_dir() else []
    return found | {f"lxc.{kind}.{name}" for kind in ("monitor", "payload") for name in names}


def _remove_groups(names: set[str]) -> None:
    """Remove groups in every hierarchy. One with processes in it is another lab's of the same name: ours have ended."""

    def removed() -> bool | Waiting:
        for group in (hierarchy / name for hierarchy in _hierarchies() for name in names):
            folders = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
            if not any((folder / "cgroup.procs").read_text().strip() for folder in folders):
                try:
                    for folder in folders:
                        folder.rmdir()
                except OSError as problem:  # its last process has ended, and the kernel does not know yet
                    return Waiting(f"{problem.filename}: {problem.strerror}")
        return True

    wait_until(removed, what="the control groups to be gone", within=10.0, every=0.1)


def _tidy_lxc(state: State) -> None:
    """What LXC itself leaves behind: its lock files, and the group it moves through, where no other container needs it."""
    locks = _LXC_LOCKS / _below_root(state)
    shutil.rmtree(locks, ignore_errors=True)
    with contextlib.suppress(OSError):  # the first folder that somebody else's locks lie in ends it
        os.removedirs(locks.parent)
    for hierarchy in _hierarchies():
        if [group.name for group in hierarchy.glob("lxc.*")] == ["lxc.pivot"]:
            with contextlib.suppress(OSError):  # in use after all
                (hierarchy / "lxc.pivot").rmdir()


def _hierarchies() -> tuple[Path, ...]:
    """The one tree of cgroup v2, or the trees of v1."""
    return (_CGROUPS, *(path for path in _CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()))


def _below_root(state: State) -> Path:
    return state.folder.relative_to("/")


def _firewall_names(word: str) -> bool:
    return shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin") is not None and word in run("nft", "list", "ruleset")


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "(ended)"
