"""`cleanroom evidence-key FILE`: makes the key that signs a run's evidence.

Knows: exit status 0 when the key was made, 2 when it could not be.
Refuses: to write over a file.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cleanroom import signing


def register(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    parser = commands.add_parser(
        "evidence-key",
        help="make a key that signs evidence",
        description="Writes an Ed25519 private key (PKCS#8 PEM, 0600) to FILE and prints its public half: hand that to whoever shall verify.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="where the private key goes; nothing must be there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make one key; returns the exit status."""
    signer = signing.make(options.file)
    print(f"key {signer.keyid}")
    print(signer.public, end="")
    return 0
