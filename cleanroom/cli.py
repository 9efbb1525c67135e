"""The `cleanroom` program: doors to the library and the lab, one sub-command each.

Knows: the sub-commands and their exit statuses (0 holds or done, 1 does not hold or is left, 2 cannot tell, 130 interrupted).
Refuses: a traceback as an answer to bad input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from cleanroom import __version__
from cleanroom.errors import CheckFailed, HarnessError

#: Sub-commands and the modules that add them, imported when asked for. The lab's is found by name: the library does not import the lab.
_DOORS = {
    "vault": "cleanroom.commands.vault",
    "leaks": "cleanroom.commands.leaks",
    "evidence-key": "cleanroom.commands.evidence_key",
    "site": "cleanroom.commands.site",
    "resize": "cleanroom.commands.resize",
    "verify": "cleanroom.verifier",
    "sweep": "cleanroom.commands.sweep",
    "lab": "lab.commands",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="cleanroom", description="Proves that a CI server can be rebuilt from git, one key and DNS.")
    parser.add_argument("--version", action="version", version=f"cleanroom {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    words = list(sys.argv[1:] if arguments is None else arguments)
    for door in [_DOORS[words[0]]] if words and words[0] in _DOORS else _DOORS.values():
        import_module(door).register(commands)
    options = parser.parse_args(words)
    try:
        return int(options.run(options))
    except CheckFailed as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except HarnessError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
