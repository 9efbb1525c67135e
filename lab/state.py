"""The lab's one folder: where everything of it lies, and what of it is done.

Knows: every path, the lock that lets one process at a time change the lab, and the digest of the recipe that each finished stage was made from.
Refuses: to keep anything outside the folder, and to call a stage done whose recipe has changed since.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import HarnessError, OutOfTime
from cleanroom.wait import Waiting, wait_until

HERE = Path(__file__).parent
_DEFAULT = Path("/var/lib/cleanroom-lab")


@dataclass(frozen=True)
class State:
    """The paths below one state folder. `State.locate()` names the folder that this environment asks for."""

    folder: Path

    @staticmethod
    def locate() -> State:
        """`CLEANROOM_LAB`, or the default folder."""
        return State(Path(os.environ.get("CLEANROOM_LAB") or _DEFAULT).absolute())

    @property
    def incus(self) -> Path:
        return self.folder / "incus"

    @property
    def socket(self) -> Path:
        return self.incus / "unix.socket"

    @property
    def keys(self) -> Path:
        """Everything secret that is not Incus' own: 0700, its files 0600."""
        return self.folder / "keys"

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def image(self) -> Path:
        return self.folder / "image"

    @property
    def repositories(self) -> Path:
        return self.folder / "repositories"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def scratch(self) -> Path:
        """Half-made things; emptied by every `up`."""
        return self.folder / "scratch"

    @property
    def site_file(self) -> Path:
        return self.folder / "lab.toml"

    @property
    def bridge(self) -> str:
        """The bridge's interface name: one a folder, so that two labs on one machine do not meet."""
        return "crlab0" if self.folder == _DEFAULT else f"crlab{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:6]}"

    @contextmanager
    def locked(self, *, wait: float) -> Iterator[None]:
        """Hold the lab for one process; waits up to `wait` seconds, then raises `HarnessError`. The folder exists inside."""
        path = self.folder / "lock"

        def taken() -> int | Waiting:
            self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.stat().st_ino == os.fstat(descriptor).st_ino:
                    return descriptor
            except (BlockingIOError, FileNotFoundError):
                pass  # somebody holds it, or took the lab down between our two calls
            os.close(descriptor)
            return Waiting("another process is bringing it up or down")

        try:
            descriptor = wait_until(taken, what="the lab to be free", within=wait, where=str(self.folder))
        except OutOfTime as problem:
            raise HarnessError(f"the lab is busy: {problem.problem}", where=str(path)) from None
        except OSError as problem:
            raise HarnessError(f"cannot use the lab's folder: {problem.strerror}", where=str(self.folder), advice="the lab needs root") from None
        try:
            yield
        finally:
            os.close(descriptor)

    def done(self) -> dict[str, str]:
        """Stage names and the digests they were finished with."""
        try:
            return dict(json.loads((self.folder / "stages.json").read_text()))
        except (OSError, ValueError):
            return {}

    def remember(self, **digests: str) -> None:
        """Note finished stages; an empty digest forgets one."""
        self._write("stages.json", {name: digest for name, digest in {**self.done(), **digests}.items() if digest})

    def times(self) -> dict[str, float]:
        """Seconds that each phase took when it was last done."""
        try:
            return {str(name): float(seconds) for name, seconds in json.loads((self.folder / "times.json").read_text()).items()}
        except (OSError, ValueError):
            return {}

    def remember_time(self, name: str, seconds: float) -> None:
        self._write("times.json", {**self.times(), name: round(seconds, 1)})

    def _write(self, name: str, data: object) -> None:
        beside = self.folder / f".{name}"
        beside.write_text(json.dumps(data, indent=1))
        beside.replace(self.folder / name)


def digest(*parts: Path | str) -> str:
    """SHA-256 (hex) over files, whole trees and words: what a stage is made from."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            total.update(b"word\0" + part.encode() + b"\0")
            continue
        for file in sorted(path for path in (part.rglob("*") if part.is_dir() else (part,)) if _counts(path)):
            mode = b"x" if file.stat().st_mode & 0o100 else b"-"
            name = file.relative_to(part).as_posix().encode()
            total.update(b"file\0" + name + mode + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _counts(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts
