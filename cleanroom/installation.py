"""Following a guide: the one thing in this suite that may change a machine.

Knows: the order of the guide's commands, where each runs, what became of it, and after which of them the bootstrap key was there.
Refuses: to skip, repeat or reorder a command, to go on after one that did not end as documented, and to keep quiet while one runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import CheckFailed
from cleanroom.guide import Command, Guide
from cleanroom.guide_shell import Answer, GuideShell
from cleanroom.machine import Machine, Purpose
from cleanroom.operator_side import Desk
from cleanroom.quantities import show_duration
from cleanroom.redact import Secret

_REMOTE_FOLDER = "/run/cleanroom-guide"
#: Characters of each stream kept in the ledger; the transcript has all of it.
_TAIL = 2000


@dataclass(frozen=True)
class Outcome:
    """What became of one command of the guide."""

    command: Command
    status: int | None
    fate: str
    seconds: float
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.status == self.command.status

    def describe(self) -> str:
        """One line for an error text: how it ended and what it said last."""
        endings = {
            "limit": f"still ran after its limit of {show_duration(self.command.within)}",
            "dead": "its shell disappeared (a reboot? out of memory?)",
        }
        how = endings.get(self.fate) or (f"exit status {self.status}" if self.status is not None else f"lost: {self.fate}")
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return f"{how}; it said last: {' / '.join(lines[-3:]) or '(nothing)'}"


@dataclass(frozen=True)
class Installation:
    """A guide as it was followed on one machine."""

    guide: Guide
    machine: Machine
    outcomes: tuple[Outcome, ...]
    key_brought_by: Command | None

    @property
    def failed(self) -> Outcome | None:
        """The command that did not end as documented, if any."""
        return next((outcome for outcome in self.outcomes if not outcome.ok), None)

    @property
    def is_complete(self) -> bool:
        return self.failed is None and len(self.outcomes) == len(self.guide.commands)

    def demand_complete(self) -> None:
        """Raise `CheckFailed` unless every command of the guide ran and ended as documented."""
        outcome = self.failed
        if outcome is not None:
            raise CheckFailed(f"{outcome.command} ends with {outcome.command.status}", seen=outcome.describe(), where=outcome.command.where)
        if not self.is_complete:
            seen = f"{len(self.outcomes)} of {len(self.guide.commands)} commands ran"
            raise CheckFailed("every command of the guide runs", seen=seen, where=self.guide.file)


@dataclass(frozen=True)
class Follower:
    """Follows guides on one machine. `variables` hold what the guide may use, `secrets` what only its shell on the machine may know."""

    machine: Machine
    variables: Mapping[str, str]
    secrets: Mapping[str, Secret]
    key_path: str
    scratch: Path
    record: Callable[..., object]
    transcript: Callable[[str], object]
    alive: Callable[[Command, float, str], None]
    #: Looks at the machine before and after each command.
    around: Callable[[Command], AbstractContextManager[object]] = nullcontext

    def follow(self, guide: Guide, *, kind: Purpose = "guide") -> Installation:
        """Run every command of `guide` in order, until one does not end as documented. `kind` names the record."""
        lengths = {name: len(secret.reveal()) for name, secret in self.secrets.items()}
        self.record(f"{kind}-variables", machine=self.machine.name, names=sorted(self.variables), secrets=lengths)
        outcomes: list[Outcome] = []
        brought_by: Command | None = None
        with ExitStack() as stack:
            desk = stack.enter_context(Desk(self.machine.ssh, self.record, scratch=self.scratch))
            shells: dict[str, GuideShell] = {}
            for command in guide.commands:
                if command.place not in shells:
                    shells[command.place] = stack.enter_context(self._shell(command.place, desk, kind))
                outcomes.append(self._run(command, shells[command.place], desk, kind))
                if brought_by is None and self._key_is_there():
                    brought_by = command
                    self.record("key-seen", after=command.number, path=self.key_path)
                if not outcomes[-1].ok:
                    break
        return Installation(guide, self.machine, tuple(outcomes), brought_by)

    def _shell(self, place: str, desk: Desk, kind: Purpose) -> GuideShell:
        if place == "operator":
            variables = {**self.variables, "MACHINE": self.machine.ssh.address}
            return GuideShell(desk.place, str(desk.folder / "guide"), variables=variables, login=False, watch=os.getpid())
        return GuideShell(self.machine.errand(kind), _REMOTE_FOLDER, variables={**self.variables, **self.secrets}, login=True)

    def _run(self, command: Command, shell: GuideShell, desk: Desk, kind: Purpose) -> Outcome:
        self.record(f"{kind}-command", number=command.number, place=command.place, where=command.where, command=command.text)
        with self.around(command):
            answer = shell.run(command.text, within=command.within, alive=lambda elapsed, line: self.alive(command, elapsed, line))
        desk.account()
        for port, sent in desk.carried():
            self.record("relayed", of=kind, machine=self.machine.name, number=command.number, where=command.where, port=port, bytes=sent)
        outcome = _outcome(command, answer)
        self.record(
            f"{kind}-result",
            number=command.number,
            status=outcome.status,
            expected=command.status,
            fate=outcome.fate,
            seconds=round(outcome.seconds, 3),
            stdout=outcome.stdout[-_TAIL:],
            stderr=outcome.stderr[-_TAIL:],
        )
        self.transcript(f"--- {command} [{command.place}]\n{outcome.stdout}{outcome.stderr}--- {outcome.fate}, {show_duration(outcome.seconds)}\n")
        return outcome

    def _key_is_there(self) -> bool:
        return self.machine.exists(self.key_path)


def _outcome(command: Command, answer: Answer) -> Outcome:
    out, err = answer.stdout.decode(errors="replace"), answer.stderr.decode(errors="replace")
    return Outcome(command, answer.status, answer.fate, answer.seconds, out, err)
