"""A run's own folder on this side: fetched repositories, the operator's desk, anything that must not outlive the run.

Knows: where such folders lie (one place a user, one folder a run) and which process each belongs to, so that a dead run's can be found.
Refuses: to remove a folder whose process lives, or one that does not say whose it is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cleanroom.errors import HarnessError
from cleanroom.marks import process_lives, this_process

_OWNER = "process"


def place() -> Path:
    """Where this user's run folders lie: a private folder in the system's temporary one."""
    return Path(tempfile.gettempdir()) / f"cleanroom-{os.getuid()}"


def make(run_id: str) -> Path:
    """Make the folder of a run (0700) and say whose it is; raises `HarnessError` if somebody else's lies in the way."""
    root = place()
    folder = root / run_id
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        if root.is_symlink() or root.stat().st_uid != os.getuid() or root.stat().st_mode & 0o077:
            raise HarnessError("the place for our temporary files is not ours alone", where=str(root), advice="remove it")
        folder.mkdir(mode=0o700)
        (folder / _OWNER).write_text(this_process(), encoding="ascii")
    except OSError as problem:
        raise HarnessError(f"cannot make a temporary folder: {problem.strerror}", where=str(folder)) from None
    return folder


def remove(folder: Path) -> None:
    """Remove a run's folder. Idempotent."""
    shutil.rmtree(folder, ignore_errors=True)


def dead() -> Iterator[Path]:
    """The folders of runs whose process is gone."""
    root = place()
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        owner = folder / _OWNER
        if owner.is_file() and not process_lives(owner.read_text(encoding="ascii")):
            yield folder
