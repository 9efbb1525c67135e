"""`cleanroom vault check`: what a sops file holds, for whom, and whether it is genuine.

Knows: exit status 0 when the MAC verifies, 1 when the file was opened or tried and is not genuine, 2 when nobody can tell.
Refuses: to print a value.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from cleanroom import vault
from cleanroom.sops.errors import NotSops, Unsupported, WrongKey


def register(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    parser = commands.add_parser("vault", help="look into sops files without showing a value")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="names, types and fingerprints of a file's values, its recipients, and whether its MAC verifies",
        description="Fingerprints are HMACs under the file's own data key: they change with the value, and tell nothing to who cannot open the file. "
        "Exit status: 0 the MAC verifies, 1 the file is not genuine, 2 cannot tell.",
    )
    check.add_argument("file", metavar="FILE", type=Path, help="a sops file: .yaml, .yml, .json, .env, .ini, anything else is binary")
    check.add_argument("--key", metavar="KEYFILE", type=Path, required=True, help="age identities, or an SSH private key")
    check.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check one file; returns the exit status."""
    try:
        opened = vault.read(options.file, identities=vault.load_identities(options.key))
    except vault.VaultError as problem:
        sys.stderr.write(f"{problem}\n{'reason:':<10}{problem.reason}\n")
        return 2 if isinstance(problem, NotSops | Unsupported | WrongKey) else 1
    width = max((len(name) for name in opened.types), default=0)
    for name, kind in opened.types.items():
        fingerprint = opened.fingerprint(name) if name in opened.values else ""
        print(f"{name:<{width}}  {kind:<5}  {fingerprint:<12}{'  in clear' if name in opened.clear else ''}".rstrip())
    print()
    print(f"{len(opened.types)} values, {len(opened.clear)} of them in clear by the rule {opened.rules.kind} = {opened.rules.pattern}")
    for recipient in opened.recipients:
        print(f"recipient {recipient}")
    print(f"MAC verifies; written {opened.lastmodified} by sops {opened.version}")
    return 0
