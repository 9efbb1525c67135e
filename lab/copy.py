"""A second lab beside a first, made of what the first has made already, so that it is there in a minute.

Knows: which finished stages of a lab are files that another may have as they are: certificates, keys, Debian's root, Traefik, the image.
Refuses: to take anything that lives: daemon, bridge, repositories and machines are the second lab's own.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cleanroom.errors import HarnessError
from lab import image
from lab.daemon import Incus
from lab.names import IMAGE
from lab.state import State

_STAGES = ("certificates", "root", "traefik", "image")


def prepare(first: State, second: State) -> None:
    """Give `second` the finished stages of `first`; `lab.up` in its place makes the rest. Raises `HarnessError` if `first` is not up."""
    source = Incus(first)
    if not source.answers or not image.has_image(source):
        raise HarnessError("the lab to be copied is not up", where=str(first.folder), advice="cleanroom lab up")
    stages = first.done()
    with second.locked(wait=60.0):
        if all(second.done().get(name) == stages.get(name) for name in _STAGES):
            return
        for folder in (first.image, first.certificates, first.keys):
            shutil.rmtree(second.folder / folder.name, ignore_errors=True)
            shutil.copytree(folder, second.folder / folder.name, copy_function=_link if folder == first.image else shutil.copy2)
        incus = Incus(second)
        incus.start()
        incus.furnish()
        image.remove_image(incus)
        incus("image", "import", _file_of(source), "--alias", IMAGE, within=300.0)
        second.remember(**{name: stages[name] for name in _STAGES})


def _file_of(incus: Incus) -> Path:
    fingerprint = str(incus.ask(f"/1.0/images/aliases/{IMAGE}")["target"])
    return incus.state.incus / "images" / fingerprint


def _link(source: str, target: str) -> None:
    """The lab replaces these files and never writes into one, so that two labs may share them."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
