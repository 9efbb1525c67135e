"""`cleanroom lab up|down|status|vm-image`: the embedded lab's life.

Knows: how to tell it to a person at a terminal.
Refuses: an exit status of 0 for a lab that is not what was asked for.
"""

from __future__ import annotations

import argparse
import sys

import lab


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("lab", help="the embedded lab: up, down, status")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    for name, text, verb in (
        ("up", "bring it up, or see that it is; prints the path of its site file", _up),
        ("down", "take it down and leave nothing", _down),
        ("vm-image", "build the image for virtual machines, and import it; prints its fingerprint", _vm_image),
        ("status", "what each part is doing; 0 if all of it is up, 1 if not", _status),
    ):
        verbs.add_parser(name, help=text).set_defaults(run=verb)


def _up(_: argparse.Namespace) -> int:
    sys.stdout.write(f"{lab.up(_tell)}\n")
    return 0


def _vm_image(_: argparse.Namespace) -> int:
    sys.stdout.write(f"{lab.vm_image(_tell)}\n")
    return 0


def _down(_: argparse.Namespace) -> int:
    lab.down(_tell)
    return 0


def _status(_: argparse.Namespace) -> int:
    parts = lab.status()
    for name, text in parts.items():
        sys.stdout.write(f"{name:<16}{text}\n")
    return 1 if any(text.startswith("not ") for text in parts.values()) else 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
