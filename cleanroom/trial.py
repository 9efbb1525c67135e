"""A trial: something done to the throwaway beside the guide, declared beforehand, and undone afterwards.

Knows: what the machine was before it - system, generations, files that matter - and how to bring that back: by the guide's own rebuild command.
Refuses: to end while anything is otherwise than before. Every command of it is recorded as a trial's; conduct.py excuses them by that record alone.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cleanroom.errors import HarnessError
from cleanroom.guide import Guide
from cleanroom.installation import Follower, Installation
from cleanroom.machine import Machine
from cleanroom.run import Run
from cleanroom.ssh import Result

FOLDER = "/run/cleanroom-trial"
_SECONDS = 60.0
_STORE_SECONDS = 300.0
#: Store paths of one command: an argument list over SSH is one word, of at most 128 KiB.
_AT_ONCE = 500


@dataclass(frozen=True)
class Footprint:
    """What a trial must leave as it was. `files` is what sha256sum says of each watched path."""

    system: str
    generations: frozenset[tuple[str, str]]
    files: tuple[tuple[str, str], ...]

    @staticmethod
    def of(machine: Machine, watched: Sequence[str]) -> Footprint:
        files = tuple((path, machine.probe("sha256sum", "--", path, ok=(0, 1)).text or "not there") for path in watched)
        return Footprint(machine.current_system(), frozenset(machine.generations().items()), files)

    def differences(self, now: Footprint) -> list[str]:
        """In words, what `now` has otherwise."""
        told = [f"the running system is {now.system}"] if now.system != self.system else []
        told += [f"generation {name}" for name, _ in sorted(now.generations ^ self.generations)]
        return told + [f"file {path}" for (path, before), (_, after) in zip(self.files, now.files, strict=True) if before != after]


class Trial:
    """One trial, a context manager: inside, the machine may be changed; afterwards it is as it was, or ledger and `HarnessError` say what is not."""

    def __init__(self, name: str, run: Run, follower: Follower, guide: Guide, *, rebuild: str, watched: Sequence[str]) -> None:
        self.name = name
        self.machine = follower.machine
        self.folder = FOLDER
        self._run, self._follower = run, follower
        self._again = Guide(guide.file, (guide.last_with(rebuild),))
        self._watched = tuple(watched)

    def __enter__(self) -> Self:
        self._before = Footprint.of(self.machine, self._watched)
        self._store = self._store_paths()
        self._run.record("trial-began", machine=self.machine.name, name=self.name, folder=self.folder)
        made = self.execute("mkdir", "-m", "0700", "--", self.folder)
        if not made.ok:
            raise HarnessError(f"cannot make the trial's folder: {made.complaint}", where=self.machine.where)
        return self

    def execute(self, *argv: str, stdin: bytes = b"", within: float = _SECONDS) -> Result:
        """Run a command of the trial; never judges."""
        return self.machine.execute(argv, purpose="trial", stdin=stdin, within=within)

    def send(self, tree: Path, name: str) -> str:
        """Copy a folder from this side into the trial's folder under `name`; returns where it lies there."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(tree, arcname=name, filter=_roots_own)
        sent = self.execute("tar", "--extract", f"--directory={self.folder}", "--file=-", stdin=buffer.getvalue())
        if not sent.ok:
            raise HarnessError(f"cannot copy {name} to the machine: {sent.complaint}", where=self.machine.where)
        return f"{self.folder}/{name}"

    def rebuild_from_git(self) -> Installation:
        """The guide's own rebuild command, as it is written: the way back."""
        return self._follower.follow(self._again, kind="trial")

    @property
    def is_undone(self) -> bool:
        """Whether the machine is again what it was."""
        return not self._before.differences(Footprint.of(self.machine, self._watched))

    def __exit__(self, *_: object) -> None:
        try:
            if not self.is_undone:
                self.rebuild_from_git()
        finally:
            left = self._clean_up()
        if left:
            raise HarnessError(f"the trial did not leave the machine as it was: {', '.join(left[:5])}", where=self.machine.where)

    def _clean_up(self) -> list[str]:
        """Remove the scratch folder, and from the store what Nix lets go of what it gained; returns, and records, what is otherwise than before."""
        kept = 0
        try:
            self.execute("rm", "-rf", "--", self.folder)
            new = sorted(self._store_paths() - self._store)
            for start in range(0, len(new), _AT_ONCE):
                self.execute("nix", "store", "delete", *new[start : start + _AT_ONCE], within=_STORE_SECONDS)
            kept = len(self._store_paths() - self._store)
            left = self._before.differences(Footprint.of(self.machine, self._watched))
            left += [self.folder] if self.machine.exists(self.folder) else []
        except HarnessError as problem:
            left = [f"nobody can tell what: {problem.problem}"]
        self._run.record("trial-ended", machine=self.machine.name, name=self.name, left=left, store_paths_kept=kept)
        return left

    def _store_paths(self) -> frozenset[str]:
        return frozenset(self.machine.probe("nix", "path-info", "--all", within=_STORE_SECONDS).text.split())


def _roots_own(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
