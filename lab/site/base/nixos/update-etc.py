#!/usr/bin/python3
"""Make /etc follow a system: /etc/static is its `etc`, and each file of it is linked from the place where programs look."""

import os
import sys
from pathlib import Path

ETC = Path("/etc")
STATIC = ETC / "static"


def put(link: Path, target: str) -> None:
    """Link atomically; a file that Debian brought gives way once and for all."""
    if link.is_symlink() and os.readlink(link) == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    beside = link.with_name(link.name + ".new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)


def files(etc: Path) -> set[Path]:
    return {path.relative_to(etc) for path in etc.rglob("*") if path.is_symlink() or path.is_file()} if etc.is_dir() else set()


system = Path(sys.argv[1])
before = files(STATIC)
wanted = files(system / "etc")
put(STATIC, str(system / "etc"))
for path in sorted(wanted):
    put(ETC / path, str(STATIC / path))
for path in sorted(before - wanted):
    if (ETC / path).is_symlink() and os.readlink(ETC / path) == str(STATIC / path):
        (ETC / path).unlink()
