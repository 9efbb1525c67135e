"""A machine as its visitor sees it: one primitive that never judges, probes that only look, nouns that state facts.

Knows: systemd, Docker Swarm and Nix as far as their own read-only commands tell.
Refuses: to change the machine (that is the guide's), and to call "unknown" a "no".
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from cleanroom.errors import CheckFailed, HarnessError, OutOfReach
from cleanroom.ledger import Event
from cleanroom.probes import check_read_only
from cleanroom.ssh import Result, Ssh, Stream
from cleanroom.wait import Waiting, wait_until

_PROBE_SECONDS = 60.0
_NOT_FOUND = 127
#: Characters of one word of an argument list that the ledger keeps.
_WORD = 200

#: Why a command was sent: to look, to follow the guide, to do a piece of it again, to follow it with a piece left out, to try what happens if, as the
#: site's own regression, which only looks, or to keep the watchdog quiet.
Purpose = Literal["probe", "guide", "repetition", "trial", "ablation", "regression", "watchdog"]


@dataclass(frozen=True)
class Unit:
    """What systemd says of one unit (org.freedesktop.systemd1): its states, and when it became active (microseconds since boot; 0 is never)."""

    name: str
    load: str
    active: str
    sub: str
    result: str
    invocation: str
    began: int
    became_active: int
    ended: int
    queued: bool

    @property
    def is_missing(self) -> bool:
        return self.load == "not-found"

    @property
    def has_failed(self) -> bool:
        return self.active == "failed"

    @property
    def has_converged(self) -> bool:
        """Active; or, for a oneshot that does not remain, run to a good end."""
        return self.active == "active" or (self.active == "inactive" and self.ended > 0 and self.result == "success")

    @property
    def seconds(self) -> float:
        """How long it took from starting to its goal."""
        return max(0, (self.became_active or self.ended) - self.began) / 1e6

    def describe(self) -> str:
        return f"{self.active} ({self.sub}), result {self.result}" if not self.is_missing else "no such unit"


@dataclass(frozen=True)
class SwarmService:
    """One swarm service: how many tasks run, how many it wants to keep running (a job: none), and the identities of the running ones."""

    name: str
    running: int
    desired: int
    tasks: tuple[str, ...] = field(default=())


class Machine:
    """One machine under test. `execute` is the primitive; `probe` is `execute` for commands that only look, recorded as such."""

    def __init__(self, name: str, ssh: Ssh, record: Callable[..., Event]) -> None:
        self.name = name
        self.ssh = ssh
        self._record = record

    @property
    def record(self) -> Callable[..., Event]:
        """The ledger that this machine's commands go into, for what else is to be told of it."""
        return self._record

    @property
    def where(self) -> str:
        """The host as error texts name it."""
        return f"{self.name} ({self.ssh.address})"

    def execute(self, command: str | Sequence[str], *, purpose: Purpose, stdin: bytes = b"", within: float) -> Result:
        """Run a command; never judges. Raises `OutOfReach` or `OutOfTime`. Each is recorded with its purpose: C4.4 is judged from that."""
        words = [command] if isinstance(command, str) else [_short(word) for word in command]
        line = command if isinstance(command, str) else shlex.join(command)
        sent = self._record("command", machine=self.name, purpose=purpose, argv=words, sent=len(line.encode()) + len(stdin))
        result = self.ssh.run(command, stdin=stdin, within=within)
        self._record("command-ended", of=sent["n"], status=result.status, seconds=round(result.seconds, 3))
        return result

    def errand(self, purpose: Purpose) -> Errand:
        """This machine as a place for a guide's shell."""
        return Errand(self, purpose)

    def probe(self, *argv: str, ok: Sequence[int] = (0,), within: float = _PROBE_SECONDS) -> Result:
        """Look at something. Raises `HarnessError` if the command could change anything or ends with a status outside `ok`.

        A connection that broke is made again, once: looking twice does no harm.
        """
        check_read_only(argv)
        try:
            result = self.execute(argv, purpose="probe", within=within)
        except OutOfReach:
            self.ssh.close()
            result = self.execute(argv, purpose="probe", within=within)
        if result.status not in ok:
            raise HarnessError(f"cannot tell: `{' '.join(argv)}` ended with {result.status}: {result.complaint}", where=self.where)
        return result

    @contextmanager
    def stream(self, *argv: str, ok: Sequence[int] = (0,), within: float) -> Iterator[Stream]:
        """Look at something large: a probe whose output is read while it comes. Raises like `probe`, at its end too."""
        check_read_only(argv)
        size = len(shlex.join(argv).encode())
        sent = self._record("command", machine=self.name, purpose="probe", argv=[_short(word) for word in argv], sent=size)
        with self.ssh.stream(argv, within=within) as stream:
            yield stream
            result = stream.end(argv[0])
        self._record("command-ended", of=sent["n"], status=result.status, seconds=round(result.seconds, 3))
        if result.status not in ok:
            raise HarnessError(f"cannot tell: `{' '.join(argv)}` ended with {result.status}: {result.complaint}", where=self.where)

    def exists(self, path: str) -> bool:
        """Whether anything lies at `path`, dangling links included."""
        return self.probe("find", path, "-maxdepth", "0", ok=(0, 1)).ok

    def sha256(self, path: str) -> str:
        """SHA-256 (hex) of a file's content; raises `HarnessError` if it cannot be read."""
        return self.probe("sha256sum", "--", path).text.split()[0].lstrip("\\")

    def boot_id(self) -> str:
        """The kernel's (or container's) identity of this boot."""
        return self.probe("cat", "/proc/sys/kernel/random/boot_id").text

    def system_state(self) -> str:
        """`systemctl is-system-running`: running, degraded, starting, ..."""
        return self.probe("systemctl", "is-system-running", ok=(0, 1, 2, 3, 4)).text

    def failed_units(self) -> list[str]:
        lines = self.probe("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--all").text.splitlines()
        return [line.split()[0] for line in lines if line.strip()]

    def unit(self, name: str) -> Unit:
        """One unit's facts; a unit that does not exist is a fact too (`is_missing`)."""
        return self.units(name)[0]

    def units(self, *names: str) -> list[Unit]:
        """The facts of several units with one look, in the order asked."""
        keys = "Id,LoadState,ActiveState,SubState,Result,InvocationID,Job"
        clocks = "InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic,ExecMainExitTimestampMonotonic"
        text = self.probe("systemctl", "show", f"--property={keys},{clocks}", "--", *names).text
        blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]
        if len(blocks) != len(names):
            raise HarnessError(f"asked systemd for {len(names)} units, it told of {len(blocks)}", where=self.where)
        return [_unit(name, block) for name, block in zip(names, blocks, strict=True)]

    def running_units(self) -> dict[str, str]:
        """Invocation id of every active service: two looks at it tell what was restarted in between."""
        lines = self.probe("systemctl", "list-units", "--type=service", "--state=active", "--plain", "--no-legend").text.splitlines()
        names = [line.split()[0] for line in lines if line.strip()]
        if not names:
            raise HarnessError("systemd lists no active service: cannot tell what runs", where=self.where)
        return {unit.name: unit.invocation for unit in self.units(*names)}

    def current_system(self) -> str:
        """The store path behind `/run/current-system`."""
        return self.probe("readlink", "-f", "/run/current-system").text

    def generations(self) -> dict[str, str]:
        """System generations: link name (`system-3-link`) to store path."""
        listing = self.probe("find", "/nix/var/nix/profiles", "-maxdepth", "1", "-name", "system-*-link", "-printf", "%f %l\\n").text
        return dict(line.split(" ", 1) for line in listing.splitlines())

    def swarm_state(self) -> str:
        """The swarm's local node state: `inactive`, `active`, ... ; `no docker` where there is none."""
        result = self.probe("docker", "info", "--format", "{{.Swarm.LocalNodeState}}", ok=range(256))
        if result.status == _NOT_FOUND:
            return "no docker"
        if not result.ok:
            raise HarnessError(f"cannot tell whether there is a swarm: {result.complaint}", where=self.where)
        return result.text

    def containers(self) -> list[str]:
        """Identities of all containers, stopped ones too."""
        return self.probe("docker", "ps", "--all", "--quiet", "--no-trunc").text.split()

    def services(self) -> list[SwarmService]:
        """Every swarm service with its running tasks."""
        services = []
        for row in _rows(self.probe("docker", "service", "ls", "--format", "{{json .}}").text):
            tasks = _rows(
                self.probe("docker", "service", "ps", "--no-trunc", "--filter", "desired-state=running", "--format", "{{json .}}", row["Name"]).text
            )
            running = tuple(task["ID"] for task in tasks if str(task["CurrentState"]).startswith("Running"))
            ends = str(row.get("Mode", "")).endswith("job")
            desired = 0 if ends else int(str(row["Replicas"]).split()[0].split("/")[1])
            services.append(SwarmService(name=row["Name"], running=len(running), desired=desired, tasks=running))
        return services

    def wait_for_unit(self, name: str, *, within: float) -> Unit:
        """Wait until the unit has converged. A failed or missing unit, or one that is inactive with no job queued, ends the wait at once: red."""

        def settled() -> Unit | Waiting:
            unit = self.unit(name)
            if unit.has_converged and not unit.queued:
                return unit
            stuck = unit.has_failed or unit.is_missing or (unit.active == "inactive" and not unit.queued)
            if stuck:
                raise CheckFailed(f"unit {name} converges", seen=unit.describe(), where=self.where, advice=f"journalctl -u {name}")
            return Waiting(unit.describe())

        return wait_until(settled, what=f"unit {name} to converge", within=within, where=self.where, record=self._record)

    def wait_for_system(self, *, within: float) -> str:
        """Wait until systemd has finished starting; returns the state it settled in (`running`, `degraded`, ...)."""

        def settled() -> str | Waiting:
            state = self.system_state()
            return Waiting(state) if state in {"initializing", "starting", ""} else state

        return wait_until(settled, what="systemd to finish starting", within=within, where=self.where, record=self._record)

    def wait_for_boot(self, *, unlike: str | None, within: float) -> str:
        """Wait until SSH answers from another boot than `unlike`; returns the new boot id."""

        def booted() -> str | Waiting:
            try:
                boot = self.boot_id()
            except (OutOfReach, HarnessError) as problem:
                self.ssh.close()
                return Waiting(problem.problem)
            return Waiting("still the old boot") if boot == unlike else boot

        return wait_until(booted, what="a new boot to answer over SSH", within=within, where=self.where, record=self._record)


@dataclass(frozen=True)
class Errand:
    """A machine seen by one who runs commands on it for one purpose."""

    machine: Machine
    purpose: Purpose

    @property
    def where(self) -> str:
        return self.machine.where

    def execute(self, command: str | Sequence[str], *, stdin: bytes = b"", within: float) -> Result:
        return self.machine.execute(command, purpose=self.purpose, stdin=stdin, within=within)


def _short(word: str) -> str:
    return word if len(word) <= _WORD else f"{word[:_WORD]}..."


def _unit(name: str, block: Mapping[str, str]) -> Unit:
    return Unit(
        name=name,
        load=block["LoadState"],
        active=block["ActiveState"],
        sub=block["SubState"],
        result=block.get("Result", ""),
        invocation=block.get("InvocationID", ""),
        began=int(block.get("InactiveExitTimestampMonotonic") or 0),
        became_active=int(block.get("ActiveEnterTimestampMonotonic") or 0),
        ended=int(block.get("ExecMainExitTimestampMonotonic") or 0),
        queued=block.get("Job", "0") not in {"", "0"},
    )


def _rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]
