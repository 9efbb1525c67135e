"""The embedded default: a private Incus, an image recipe and a small complete site.

Knows: how to make and unmake all of it under one state folder.
Refuses: to judge anything.
"""

# Imported where they are called: the forge, a process of its own, needs none of it.
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def up(report: Callable[[str], None], *, evidence: bool = False) -> Path:
    """Bring the lab up, or find it up, and return the path of its site file. `report` gets a line for each phase. Raises `HarnessError`.

    With `evidence` its owner also has a claim to be judged, and a signed record for it: that takes a whole run, unless there is a young one.
    """
    from lab.life import up as bring_up

    return bring_up(report, with_evidence=evidence)


def down(report: Callable[[str], None]) -> None:
    """Take the lab down, whatever state it is in, and see that nothing of it is left. Raises `HarnessError` naming what is."""
    from lab.life import down as take_down

    take_down(report)


def vm_image(report: Callable[[str], None]) -> str:
    """Build the image for virtual machines and return its fingerprint: by command only, for it takes minutes. Raises `HarnessError`."""
    from lab.life import vm_image as build

    return build(report)


def status() -> dict[str, str]:
    """What each part of the lab is doing; a part whose text begins with `no` or `not` is missing."""
    from lab.life import status as look

    return look()
