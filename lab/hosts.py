"""The machines that are there before a run: the canonical host, installed by the site's own guide, and a neighbour that does nothing.

Knows: what a container needs to be a whole machine, and how to follow a guide (with the library's own follower: one reader of guides is enough).
Refuses: to install the canonical host by anything but docs/install.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cleanroom.errors import HarnessError, OutOfReach
from cleanroom.guide import parse
from cleanroom.installation import Follower
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine
from cleanroom.redact import Redactor, Secret
from cleanroom.ssh import KeyPair, Ssh
from cleanroom.wait import Waiting, wait_until
from lab.ca import write_private
from lab.daemon import Incus
from lab.names import BASE, CANONICAL_HOST, CANONICAL_KEY, IMAGE, NEIGHBOUR, PROJECT, TOKEN
from lab.repositories import bare
from lab.state import State
from lab.tools import run

MEMORY = "4GiB"
SSH_KEY = "canonical-ssh"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
KEY_PATH = "/var/lib/sops-nix/key.txt"


def container_config() -> dict[str, str]:
    """What makes a container a machine that runs systemd and Docker; systemd wants to be asked twice on a host with cgroup v1."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    legacy = {} if unified else {"environment.SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE": "1"}
    return {"security.nesting": "true", "security.privileged": "true", **legacy}


def instances(incus: Incus) -> dict[str, str]:
    """The project's instances and their states."""
    found = json.loads(incus("list", "--project", PROJECT, "--format", "json"))
    return {instance["name"]: instance["status"] for instance in found}


def remove(incus: Incus, name: str) -> None:
    """Delete an instance if it is there."""
    if name in instances(incus):
        incus("delete", "--force", name, "--project", PROJECT)


def ensure_runs(incus: Incus, name: str) -> None:
    """Start an instance that stands still (after a reboot of this machine, say)."""
    if instances(incus).get(name) != "Running":
        incus("start", name, "--project", PROJECT)


def make_neighbour(incus: Incus) -> None:
    """Somebody else's machine, idle, with its own limit: nobody may touch it."""
    remove(incus, NEIGHBOUR)
    _launch(incus, NEIGHBOUR)


def make_canonical(state: State, incus: Incus, report: Callable[[str], None]) -> None:
    """Launch the canonical host and install it as docs/install.md says, with its own age key in the bootstrap key's place."""
    remove(incus, CANONICAL_HOST)
    _launch(incus, CANONICAL_HOST)
    key = KeyPair.generate("cleanroom lab")
    write_private(state.keys / SSH_KEY, key.private)
    incus("exec", CANONICAL_HOST, "--project", PROJECT, "--", "mkdir", "-p", "-m", "0700", "/root/.ssh")
    incus("exec", CANONICAL_HOST, "--project", PROJECT, "--", "tee", "/root/.ssh/authorized_keys", stdin=f"{key.public}\n".encode())
    address, host_key = address_of(incus, CANONICAL_HOST), host_key_of(incus, CANONICAL_HOST)
    # The library acts with a record or not at all; the lab judges nothing, and drops it.
    with closing(Ledger(state.scratch, Redactor())) as ledger:
        machine = Machine(CANONICAL_HOST, Ssh(address, user="root", key=key, host_key=host_key, record=ledger.record), ledger.record)
        with closing(machine.ssh):
            _wait_for_door(machine)
            machine.wait_for_system(within=60.0)
            _follow(state, machine, ledger, report)


def _wait_for_door(machine: Machine) -> None:
    def open_() -> bool | Waiting:
        try:
            machine.ssh.connect()
        except OutOfReach as problem:
            return Waiting(problem.problem)
        return True

    wait_until(open_, what="its sshd to let us in", within=30.0, every=0.1, where=machine.where)


def _follow(state: State, machine: Machine, ledger: Ledger, report: Callable[[str], None]) -> None:
    guide = run("git", f"--git-dir={bare(state, BASE)}", "show", "HEAD:docs/install.md")
    follower = Follower(
        machine=machine,
        variables={"BOOTSTRAP_KEY": str(state.keys / CANONICAL_KEY)},
        secrets={"FORGE_TOKEN": Secret((state.keys / TOKEN).read_bytes().strip(), name="forge token")},
        key_path=KEY_PATH,
        scratch=state.scratch,
        record=ledger.record,
        transcript=lambda _: None,
        alive=lambda command, elapsed, line: report(f"  {command}: {elapsed:.0f} s, {line}"),
    )
    follower.follow(parse(guide, file="docs/install.md", within=600.0)).demand_complete()


def address_of(incus: Incus, name: str) -> str:
    """The instance's IPv4 address on the lab's bridge, waited for."""
    bridge = incus.gateway().network

    def addressed() -> str | Waiting:
        state = incus.ask(f"/1.0/instances/{name}/state?project={PROJECT}")
        for address in ((state.get("network") or {}).get("eth0") or {}).get("addresses", ()):
            if address["family"] == "inet" and address["address"] in map(str, bridge.hosts()):
                return str(address["address"])
        return Waiting("no address")

    return wait_until(addressed, what=f"{name} to have an address", within=30.0, every=0.1)


def host_key_of(incus: Incus, name: str) -> str:
    """The machine's own SSH host key (a public key line), waited for: it is made at the first start."""

    def made() -> str | Waiting:
        try:
            return incus("exec", name, "--project", PROJECT, "--", "cat", HOST_KEY).strip() or Waiting("an empty key")
        except HarnessError as problem:
            return Waiting(problem.problem)

    return wait_until(made, what=f"{name} to have a host key", within=30.0, every=0.1)


def _launch(incus: Incus, name: str) -> None:
    config = {"limits.memory": MEMORY, **container_config()}
    incus("launch", IMAGE, name, "--project", PROJECT, *(f"--config={key}={value}" for key, value in config.items()), within=300.0)
