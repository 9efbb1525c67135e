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

#: Modules that add sub-commands. The lab's is found by name: the library does not import the lab, the program offers it.
_DOORS = ("cleanroom.commands.sweep", "cleanroom.commands.vault", "cleanroom.commands.leaks", "lab.commands")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="cleanroom", description="Proves that a CI server can be rebuilt from git, one key and DNS.")
    parser.add_argument("--version", action="version", version=f"cleanroom {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for door in _DOORS:
        import_module(door).register(commands)
    options = parser.parse_args(arguments)
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
