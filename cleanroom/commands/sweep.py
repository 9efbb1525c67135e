"""`cleanroom sweep`: what dead runs left behind, listed, and with `--yes` removed.

Knows: exit status 0 when nothing is left, 1 while something is, 2 when nobody can tell.
Refuses: to remove anything without `--yes`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from cleanroom import scratch
from cleanroom.errors import BadInput
from cleanroom.hypervisor import Hypervisor
from cleanroom.site import Site
from cleanroom.sweep import sweep


def register(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    parser = commands.add_parser("sweep", help="list, or remove, what dead runs left behind")
    parser.add_argument("--site", metavar="FILE", default=os.environ.get("CLEANROOM_SITE"), help="site file (default: the embedded lab)")
    parser.add_argument("--yes", action="store_true", help="remove what is listed")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Sweep; returns the exit status."""
    site = Site.load(site_file(options.site))
    hypervisor = Hypervisor.connect(site.incus, record=lambda *_arguments, **_fields: None, say=print)
    result = sweep(hypervisor, remove=options.yes, say=print)
    folders = list(scratch.dead())
    for folder in folders:
        print(f"{folder}, of a dead run" + (": removed" if options.yes else ""))
        if options.yes:
            scratch.remove(folder)
    left = bool(result.left) or any(folder.exists() for folder in folders)
    if not result.found and not folders:
        print("nothing of ours is left")
    elif left and not options.yes:
        print("cleanroom sweep --yes removes what is not alive")
    return 1 if left else 0


def site_file(given: str | None) -> Path:
    """The site file that was named, or the embedded lab's; raises `BadInput` if there is neither."""
    if given:
        return Path(given)
    state = Path(os.environ.get("CLEANROOM_LAB", "/var/lib/cleanroom-lab"))
    if not (state / "lab.toml").exists():
        raise BadInput("there is no lab to sweep, and no other site was named", where=str(state), advice="--site FILE names one")
    return state / "lab.toml"
