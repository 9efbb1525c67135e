#!/usr/bin/python3
"""switch-to-configuration {switch|boot|test|dry-activate}: make this toplevel the running system.

Exit status, as NixOS has it: 0 done; 1 wrong use; 2 the activation script failed (the rest was still done); 4 a unit failed (this hides a 2);
100 another init is needed: reboot.
"""

import fcntl
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RUNNING = Path("/run/current-system")
LISTS = Path("/run/nixos")


@dataclass(frozen=True)
class Units:
    """Units of one system: name to content (file and drop-ins), the names it defines itself, and those that some target wants."""

    content: dict[str, bytes]
    own: frozenset[str]
    wanted: frozenset[str]

    @staticmethod
    def of(toplevel: Path) -> "Units":
        content: dict[str, bytes] = {}
        own, wanted = set(), set()
        folder = toplevel / "etc/systemd/system"
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.endswith(".wants"):
                wanted |= {link.name for link in path.iterdir()}
            elif path.name.endswith(".d"):
                name = path.name.removesuffix(".d")
                content[name] = content.get(name, b"") + b"".join(file.read_bytes() for file in sorted(path.iterdir()))
            else:
                content[path.name] = content.get(path.name, b"") + path.read_bytes()
                own.add(path.name)
        return Units(content, frozenset(own), frozenset(wanted))


@dataclass(frozen=True)
class Plan:
    """What has to happen to units on the way from one system to another."""

    stop: list[str]
    restart: list[str]
    start: list[str]

    @staticmethod
    def between(old: Units, new: Units) -> "Plan":
        gone = (old.own | old.wanted) - new.own - new.wanted
        changed = {name for name in {*old.content, *new.content} - gone if old.content.get(name) != new.content.get(name)}
        active = active_among(gone | changed)
        return Plan(stop=sorted(gone & active), restart=sorted(changed & active), start=sorted(new.wanted))


def active_among(names: set[str]) -> set[str]:
    if not names:
        return set()
    ordered = sorted(names)
    answer = subprocess.run(["systemctl", "is-active", "--", *ordered], capture_output=True, text=True, check=False).stdout.split()
    return {name for name, state in zip(ordered, answer, strict=True) if state in {"active", "activating", "reloading"}}


def systemctl(verb: str, names: list[str]) -> bool:
    """Say what is done to units and do it; False if a job failed."""
    if not names:
        return True
    doing = {"stop": "stopping", "restart": "restarting", "start": "starting"}[verb]
    print(f"{doing} the following units: {', '.join(names)}", file=sys.stderr, flush=True)
    return subprocess.run(["systemctl", verb, "--", *names], check=False).returncode == 0


def asked_for(name: str) -> list[str]:
    """Units that activation wants restarted; the list is used up."""
    file = LISTS / name
    units = sorted(set(file.read_text().split())) if file.exists() else []
    file.unlink(missing_ok=True)
    return units


def switch(toplevel: Path, action: str) -> int:
    plan = Plan.between(Units.of(RUNNING), Units.of(toplevel))
    if action == "dry-activate":
        print(f"would stop {plan.stop}, restart {plan.restart}, start what is not active of {plan.start}", file=sys.stderr)
        return 0
    stopped = systemctl("stop", plan.stop)
    print("activating the configuration...", file=sys.stderr, flush=True)
    status = 0 if subprocess.run([toplevel / "activate"], check=False).returncode == 0 else 2
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    listed = set(asked_for("activation-restart-list"))
    restarted = systemctl("restart", sorted(set(plan.restart) | active_among(listed)))
    missing = sorted(set(plan.start) - active_among(set(plan.start)))
    started = systemctl("start", missing)
    if not (stopped and restarted and started):
        failed = subprocess.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"], capture_output=True, text=True, check=False).stdout
        names = re.findall(r"^(\S+)", failed, re.MULTILINE)
        print(f"warning: the following units failed: {', '.join(names)}", file=sys.stderr)
        return 4
    return status


def main() -> int:
    action = sys.argv[1] if len(sys.argv) == 2 else ""
    if action not in {"switch", "boot", "test", "dry-activate"} or os.geteuid() != 0:
        print(f"usage, as root: {sys.argv[0]} switch|boot|test|dry-activate", file=sys.stderr)
        return 1
    if action == "boot":
        return 0  # whatever the profile names is what boots: there is no boot loader to tell
    toplevel = Path(sys.argv[0]).parent.parent.resolve()
    LISTS.mkdir(exist_ok=True)
    with open(LISTS / "switch-to-configuration.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("error: another switch is running", file=sys.stderr)
            return 1
        version = "init-interface-version"
        if (RUNNING / version).read_text() != (toplevel / version).read_text():
            return 100
        return switch(toplevel, action)


raise SystemExit(main())
