"""`cleanroom leaks`: looks for the values of a vault, and for the key that opens it, in folders, files and git repositories.

Knows: exit status 0 when none lies there, 1 when one does, 2 when nobody can tell.
Refuses: to show a value, and to say "none" where it did not look everywhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from cleanroom import vault
from cleanroom.errors import BadInput
from cleanroom.leaks import Coverage, Result, Search, Searcher
from cleanroom.redact import Secret

_STATUS = {"none found": 0, "found": 1, "cannot tell": 2}
_KEY = "bootstrap key"


def register(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    parser = commands.add_parser("leaks", help="search files and git history for a vault's values, in all encodings")
    parser.add_argument("--vault", metavar="FILE", type=Path, action="append", required=True, help="sops file whose values to look for (repeatable)")
    parser.add_argument("--key", metavar="FILE", type=Path, required=True, help="age key that opens it; it is looked for too")
    parser.add_argument("--json", action="store_true", help="the whole result as JSON")
    parser.add_argument("paths", metavar="PATH", type=Path, nargs="+", help="folder, file or git repository to search")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Search every path; returns the exit status."""
    search = Search(Searcher(_secrets(options.vault, options.key)))
    for path in options.paths:
        search.tree(path)
    result = search.result
    if options.json:
        print(json.dumps(result.as_data(), indent=2))
    else:
        _tell(result)
    return _STATUS[result.verdict]


def _secrets(vaults: list[Path], key: Path) -> dict[str, Secret]:
    identities = vault.load_identities(key)
    secrets = {_KEY: Secret(key.read_bytes(), name=_KEY)}
    for file in vaults:
        values = vault.read(file, identities=identities).values
        prefix = f"{file.name}: " if len(vaults) > 1 else ""
        secrets |= {f"{prefix}{name}": value for name, value in values.items()}
    if len(secrets) == 1:
        raise BadInput("the vault holds no value to look for", where=", ".join(map(str, vaults)))
    return secrets


def _tell(result: Result) -> None:
    for finding in result.findings:
        print(f"found: {finding}")
    if result.untold:
        print(f"found: {result.untold} more")
    for coverage in result.coverage:
        _tell_coverage(coverage)
    for each in result.not_checked:
        print(f"not checked: {each.secret}: {each.reason}")
    print(f"{result.verdict}: {len(result.searched)} secrets looked for")


def _tell_coverage(coverage: Coverage) -> None:
    print(f"{coverage.source}: listed {coverage.listed}; scanned {coverage.scanned}; inside them {coverage.inside}")
    for problem in coverage.problems:
        print(f"  not covered: {problem}")
    for gap in coverage.gaps:
        if gap.accepted:
            print(f"  {gap}")
