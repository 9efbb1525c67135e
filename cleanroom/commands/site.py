"""`cleanroom site check FILE`: what is missing, wrong, unreachable or untrusted, point by point.

Knows: exit status 0 all good, 1 something is wrong, 2 something cannot be told; `--json` says the same to a program.
Refuses: to change anything, and to show a secret.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cleanroom.checkup.points import Finding
from cleanroom.quantities import show_duration
from cleanroom.site_check import Checked, check

_WORDS = {"good": "good", "wrong": "WRONG", "cannot tell": "UNKNOWN", "note": "note"}


def register(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    parser = commands.add_parser("site", help="look at a site file and at everything it names, changing nothing")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    verb = verbs.add_parser("check", help="0 all good, 1 something is wrong, 2 something cannot be told")
    verb.add_argument("file", metavar="FILE", type=Path, help="the site file")
    verb.add_argument("--json", action="store_true", help="one JSON object, for a program")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check a site file; returns the exit status."""
    began = time.monotonic()
    checked = check(options.file, tell=(lambda _finding: None) if options.json else _print)
    if options.json:
        print(
            json.dumps({"site": str(options.file), "status": checked.status, "points": [asdict(finding) for finding in checked.findings]}, indent=1)
        )
    else:
        print(_sum(checked, time.monotonic() - began))
    return checked.status


def _print(finding: Finding) -> None:
    print(f"{_WORDS[finding.state]:<8}{finding.point}: {finding.seen}", flush=True)
    if finding.state != "good":
        for name, text in (("where", finding.where), ("next", finding.advice)):
            if text:
                print(f"{'':<8}  {name + ':':<7}{text}", flush=True)


def _sum(checked: Checked, seconds: float) -> str:
    counts = ", ".join(f"{checked.count(state)} {word}" for state, word in (("good", "good"), ("wrong", "wrong"), ("cannot tell", "unknown")))
    return f"\n{counts}, {checked.count('note')} notes, after {show_duration(seconds)}; nothing was changed"
