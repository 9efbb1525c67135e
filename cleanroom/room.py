"""The clean room: one throwaway, from not existing to seen to be gone.

Knows: the stages of a new machine (asked for, addressed, reachable, started), how the suite gets in, and what the machine was like before anything
was done to it.
Refuses: a machine that this run did not create, more than one, and one that would not fit into memory.
"""

from __future__ import annotations

import fnmatch
import socket
import threading
from contextlib import ExitStack
from dataclasses import asdict
from typing import Self

from cleanroom import delivery, marks
from cleanroom.custody import Watch
from cleanroom.errors import BadInput, HarnessError, NotOurs, OutOfReach
from cleanroom.hypervisor import Hypervisor, Instance
from cleanroom.machine import Machine
from cleanroom.quantities import show_size, size
from cleanroom.reuse import Recollection
from cleanroom.run import CLEAN_UP, Run
from cleanroom.sighting import machine_files
from cleanroom.site import Site
from cleanroom.ssh import KeyPair, Ssh
from cleanroom.sweep import find, remove_one
from cleanroom.tables.machines import Access
from cleanroom.throwaway import Before, Blankness, Throwaway
from cleanroom.wait import Waiting, wait_until
from cleanroom.watchdog import Watchdog

_SSH_PORT = 22
_JOURNAL_LINES = 20_000
#: How long a heartbeat under way may take to end (seconds).
_LAST_BEAT_SECONDS = 30.0


class Room:
    """Makes the throwaway and unmakes it. A context manager: whatever happens inside, the machine is gone afterwards (or kept, if asked)."""

    def __init__(self, run: Run, site: Site, hypervisor: Hypervisor, *, second: bool = False) -> None:
        self.run, self.site, self.hypervisor = run, site, hypervisor
        self.name = f"{site.incus.throwaway}-2" if second else site.incus.throwaway
        # A second throwaway is asked for by name (@twice): it may pass the guideline, never what is physically there.
        self._most = site.incus.memory_physical if second else site.incus.memory_guideline
        hypervisor.guard.most = 2 if second else hypervisor.guard.most
        self.failed = False
        self._watch: Watch | None = None
        self._machine: Machine | None = None
        self._beat = threading.Event()
        self._beating: threading.Thread | None = None
        self._watchdog: Watchdog | None = None
        self._closed = False
        self._uuid = ""

    def __enter__(self) -> Self:
        return self

    def reopen(self, recollection: Recollection) -> Throwaway:
        """Go on with a kept machine: let in anew, marked anew, its facts recalled."""
        with self.run.phase("reuse"):
            key = self._access_key()
            recollection.retell(self.run)
            self.hypervisor.guard.owned.add(self.name)
            self._watch = Watch(self.hypervisor, self.name, self.run.record)
            self.hypervisor.set_config(self.name, {**marks.marks(self.run.id), marks.KEPT: "false"})
            self._grant_access(key)
            machine = self._machine = self._reach(self._wait_for_address(), key)
            self._begin_beating()
            self._set_watchdog(machine)
            return Throwaway(self.run.id, machine, recollection.instance, recollection.before, recollection.blank, self._watch)

    def open(self) -> Throwaway:
        """Create the machine and bring it to the point where the guide can begin. Raises `HarnessError` and leaves nothing if that cannot be done."""
        with self.run.phase("provision"):
            before = self._look_before()
            key = self._access_key()
            self._watch = Watch(self.hypervisor, self.name, self.run.record)
            kind = self.hypervisor.instance_type()
            self.hypervisor.create(self.name, kind=kind, config={**marks.marks(self.run.id), **_cloud_init(self.site.access, key)})
            self._begin_beating()
            address = self._wait_for_address()
            self._wait_for_agent()
            self._grant_access(key)
            machine = self._machine = self._reach(address, key)
            machine.wait_for_system(within=self.site.incus.boot_within)
            instance = self.hypervisor.instance(self.name)
            if instance is None:
                raise HarnessError("the new machine is gone again", where=self.name)
            self._uuid = instance.uuid
            self.run.record(
                "machine",
                name=self.name,
                uuid=instance.uuid,
                created_at=instance.created_at.isoformat(),
                image=instance.image,
                image_bytes=self.hypervisor.image_size(instance.image),
                type=instance.type,
                disks=delivery.disks(self.hypervisor, self.name),
                address=address,
                boot_id=machine.boot_id(),
                host_key=machine.ssh.host_key,
            )
            paths = (self.site.bootstrap.machine_path, self.site.certificate.certificate_path, self.site.certificate.key_path)
            files, _ = delivery.look(machine, paths)
            blank = self._look_at_blank(machine)
            self._set_watchdog(machine)
            return Throwaway(self.run.id, machine, instance, before, blank, self._watch, frozenset(files))

    def _look_before(self) -> Before:
        server = self.hypervisor.server()
        self.run.record("server", version=server.version, drivers=sorted(server.drivers), clock=server.clock.isoformat())
        declared = self.site.incus.image_fingerprint or self.hypervisor.image_fingerprint()
        self._sweep()
        instances = self.hypervisor.instances()
        self._check_memory(instances)
        namesake = next((instance for instance in instances if instance.name == self.name), None)
        if namesake is not None:
            self._clear(namesake)
        uuid = namesake.uuid if namesake else None
        before = Before(server.clock, frozenset(instance.uuid for instance in instances), uuid, declared)
        self.run.record("before", began=before.began.isoformat(), uuids=sorted(before.uuids), namesake=uuid, declared_image=declared)
        return before

    def _sweep(self) -> None:
        """Remove what dead runs left under other names; a namesake is dealt with by itself, for C4.1 tells of it."""
        for found in find(self.hypervisor):
            if (
                found.instance.name != self.name
                and found.run_id != self.run.id
                and not found.alive
                and not found.kept
                and remove_one(self.hypervisor, found, self.run.say)
            ):
                self.run.record("swept", name=found.instance.name, uuid=found.instance.uuid, run_of=found.run_id)

    def _clear(self, namesake: Instance) -> None:
        found = marks.leftover(namesake)
        if found is None:
            advice = "delete or rename it, or give the throwaway another name (incus.throwaway)"
            raise NotOurs(
                f"an instance named {self.name} exists and does not carry our mark", where=f"project {self.site.incus.project}", advice=advice
            )
        if found.alive and found.run_id != self.run.id:
            raise NotOurs(f"the throwaway of another run is there: {found.describe()}", where=f"project {self.site.incus.project}")
        self.run.say(f"deleting {found.describe()}")
        self.hypervisor.guard.owned.add(self.name)
        self.hypervisor.delete(self.name)
        self.run.record("namesake-deleted", uuid=namesake.uuid, run_of=found.run_id)

    def _check_memory(self, instances: list[Instance]) -> None:
        """Refuse before creating: what runs now, plus the throwaway, must fit into the guideline."""
        limits = {i.name: i.expanded.get("limits.memory") or i.config.get("limits.memory") for i in instances if i.is_running and i.name != self.name}
        taken = sum(size(limit) if limit and not limit.isdigit() else int(limit or 0) for limit in limits.values())
        wanted, most = self.site.incus.memory, self._most
        if taken + wanted > most:
            problem = f"{show_size(taken)} run already; the throwaway's {show_size(wanted)} would pass the limit of {show_size(most)}"
            advice = "stop something, or change incus.memory_guideline (for @twice: incus.memory_physical)"
            raise BadInput(problem, where=f"project {self.site.incus.project}", advice=advice)

    def _access_key(self) -> KeyPair:
        access = self.site.access
        if access.private_key is None:
            return KeyPair.generate(f"cleanroom-{self.run.id}")
        try:
            return KeyPair.load(access.private_key.read_bytes(), str(access.private_key))
        except OSError as problem:
            raise BadInput(f"cannot read access.private_key: {problem.strerror}", where=str(access.private_key)) from None

    def _wait_for_address(self) -> str:
        def addressed() -> str | Waiting:
            return self.hypervisor.address(self.name) or Waiting("no address")

        what = "the new machine to have an address"
        return wait_until(addressed, what=what, within=self.site.incus.boot_within, every=0.1, where=self.name, record=self.run.record)

    def _wait_for_agent(self) -> None:
        """A virtual machine has an address before anybody inside it takes files."""

        def answering() -> bool | Waiting:
            return self.hypervisor.answers_inside(self.name) or Waiting("no agent inside it answers")

        what = "the new machine to take files"
        wait_until(
            answering, what=what, within=self.site.incus.boot_within, where=self.name, advice="the image needs incus-agent", record=self.run.record
        )

    def _grant_access(self, key: KeyPair) -> None:
        """The one input beside the bootstrap key: a public key, by the means that the site file names."""
        method = self.site.access.method
        if method == "incus-push":
            self.hypervisor.push_file(self.name, "/root/.ssh", b"", mode=0o700, kind="directory")
            self.hypervisor.push_file(self.name, "/root/.ssh/authorized_keys", f"{key.public}\n".encode(), mode=0o600)
        self.run.record("access", method=method, key=key.fingerprint, bytes=len(key.public) + 1)

    def _reach(self, address: str, key: KeyPair) -> Machine:
        limit = self.site.incus.boot_within

        def listening() -> bool | Waiting:
            try:
                socket.create_connection((address, _SSH_PORT), timeout=5).close()
            except OSError as problem:
                return Waiting(f"port {_SSH_PORT}: {problem.strerror or problem}")
            return True

        wait_until(
            listening, what="the new machine's sshd to listen", within=limit, every=0.1, where=f"{self.name} ({address})", record=self.run.record
        )
        host_key = self.hypervisor.read_file(self.name, self.site.access.host_key_path).decode().strip()
        ssh = Ssh(address, user=self.site.access.user, key=key, host_key=host_key, record=self.run.record)
        machine = Machine(self.name, ssh, self.run.record)

        def logged_in() -> bool | Waiting:
            try:
                ssh.connect()
            except OutOfReach as problem:
                return Waiting(problem.problem)
            return True

        wait_until(logged_in, what="the new machine to let us in", within=limit, every=0.2, where=machine.where, record=self.run.record)
        return machine

    def _look_at_blank(self, machine: Machine) -> Blankness:
        paths = ("/run/secrets", "/run/secrets.d", "/run/secrets-for-users", self.site.bootstrap.machine_path)
        certificate = (self.site.certificate.certificate_path, self.site.certificate.key_path)
        places = ("/root", "/etc", "/home", "/srv", "/opt", "/var/lib")
        keys = _lines(machine, "grep", "-rlIsE", "-m1", "AGE-SECRET-KEY-1|^-----BEGIN [A-Z ]*PRIVATE KEY-----", *places)
        swarm = machine.swarm_state()
        blank = Blankness(
            repositories=machine_files.repositories(machine),
            swarm=swarm,
            containers=() if swarm == "no docker" else tuple(machine.containers()),
            present=tuple(path for path in (*paths, *certificate, *self.site.blank.absent) if machine.exists(path)),
            key_material=tuple(path for path in keys if not any(fnmatch.fnmatchcase(path, place) for place in self.site.leaks.private_keys)),
            generations=machine.generations(),
            system=machine.current_system(),
        )
        self.run.record("blank", **asdict(blank))
        return blank

    def _set_watchdog(self, machine: Machine) -> None:
        """Only once the machine was seen blank: a timer of ours is no part of that."""
        if self.site.incus.silence:
            watchdog = Watchdog(machine, self.site.incus.silence, self.run.record)
            watchdog.begin()
            self._watchdog = watchdog

    def _begin_beating(self) -> None:
        self._beating = threading.Thread(target=self._keep_beating, daemon=True)
        self._beating.start()

    def _keep_beating(self) -> None:
        every = min(marks.BEAT, self.site.incus.silence / 4 or marks.BEAT)
        while not self._beat.wait(every):
            try:
                self.hypervisor.set_config(self.name, marks.heartbeat())
                if self._watchdog is not None:
                    self._watchdog.renew()
            except HarnessError as problem:
                self.run.record("heartbeat-missed", problem=problem.problem)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the machine and see that it is gone; a failure to do so is raised: a leak is red. Idempotent."""
        if self._closed:
            return
        self._beat.set()
        with ExitStack() as stack:  # the last that is pushed comes first; whatever interrupts one, the others come
            if self._watch is not None:
                stack.callback(self._watch.close)
            if self._watchdog is not None:
                stack.callback(self._watchdog.close)
            if self.name in self.hypervisor.guard.owned:
                stack.callback(self._delete_or_keep)
            if self._machine is not None:
                stack.callback(self._machine.ssh.close)
                self._save_journal(self._machine)
            if self._beating is not None:
                self._beating.join(_LAST_BEAT_SECONDS)
        self._closed = True

    def _check_ours(self) -> None:
        """What bears the name may have been put in our machine's place: then it is not ours to delete."""
        there = self.hypervisor.instance(self.name)
        if there is not None and there.config.get(marks.RUN) != self.run.id and there.uuid != self._uuid:
            raise NotOurs(f"what is called {self.name} is not the machine that this run made", where=f"project {self.site.incus.project}")

    def _save_journal(self, machine: Machine) -> None:
        """What the machine logged, for whoever wants to know why: best effort, for the machine may be broken."""
        try:
            text = machine.probe("journalctl", "--no-pager", "--output=short-iso", f"--lines={_JOURNAL_LINES}").text
        except HarnessError as problem:
            text = f"the journal could not be read: {problem.problem}"
        (self.run.folder / "journal" / f"{self.name}.log").write_text(self.run.redactor.clean(text) + "\n", encoding="utf-8")

    def _delete_or_keep(self) -> None:
        keep = self.run.options.keep
        if self._machine is not None and (keep == "always" or (keep == "on-failure" and self.failed)):
            self.hypervisor.set_config(self.name, {marks.KEPT: "true"})
            if self._watchdog is not None:
                self._watchdog.end()
            self.run.record("machine-kept", name=self.name)
            self.run.say(f"kept {self.name}: incus exec {self.name} --project {self.site.incus.project} -- bash; cleanroom sweep --yes removes it")
            return
        with self.run.phase(CLEAN_UP):
            self._check_ours()
            self.hypervisor.delete(self.name)
            self.run.record("machine-gone", name=self.name)


def _cloud_init(access: Access, key: KeyPair) -> dict[str, str]:
    if access.method != "cloud-init":
        return {}
    return {"cloud-init.user-data": f"#cloud-config\ndisable_root: false\nusers:\n  - name: root\n    ssh_authorized_keys:\n      - {key.public}\n"}


def _lines(machine: Machine, *argv: str) -> tuple[str, ...]:
    """The lines that a search prints; 1 means "found nothing" for grep, and "something vanished meanwhile" for find."""
    return tuple(machine.probe(*argv, ok=(0, 1)).text.splitlines())
