"""`python -m tests.sabotage [PREFIX...]`: carry out each sabotage, write the matrix.

Knows: exit status 0 if all were killed, 1 if one survived, the control is red or a check is left that nothing reddens, 2 if there was nothing to do.
Refuses: to go on behind a red control.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.sabotage import matrix
from tests.sabotage.bench import ROOT, Sabotage
from tests.sabotage.catalogue import CATALOGUE, chosen, controls
from tests.sabotage.finding import Finding
from tests.sabotage.job import Job, carry_out
from tests.sabotage.lanes import Lane, Work, lanes


def main(arguments: list[str]) -> int:
    """Run what is asked for; returns the exit status."""
    options = _parser().parse_args(arguments)
    selected = chosen(options.prefixes, static=options.static)
    if not selected:
        print(f"no sabotage begins with {' or '.join(options.prefixes)}; there are: {', '.join(CATALOGUE)}", file=sys.stderr)
        return 2
    static = all(sabotage.static for sabotage in selected.values())
    folder = options.reports / f"sabotage-{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    began = time.monotonic()
    count = 1 if len(selected) == 1 else options.lanes
    with lanes(count, shared=static, keep=options.keep_lanes, tell=lambda line: print(f"  {line}", flush=True)) as where:
        judged = _control(folder, selected, where) if options.control else {}
        if any(finding.survived for finding in judged.values()):
            print("the control is red: nothing that follows would mean anything")
            return 1
        findings = _carry_out(folder, list(selected), where)
    whole = matrix.data(findings, control=judged, seconds=time.monotonic() - began, lanes=count)
    matrix.write(folder, whole, findings)
    if whole["whole"]:
        print(f"{len(whole['uncovered'])} checks of the library that no sabotage reddens and nobody has explained{_listed(whole['uncovered'])}")
    print(f"{whole['counts']['killed']} killed, {whole['counts']['survived']} survived; {folder / 'matrix.html'}")
    return 1 if whole["counts"]["survived"] or (whole["whole"] and whole["uncovered"]) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage")
    parser.add_argument("prefixes", nargs="*", metavar="PREFIX", help="beginnings of names: c2, c2/runs-out-soon")
    parser.add_argument("--static", action="store_true", help="only those that need no machine")
    parser.add_argument("--lanes", type=int, default=2, help="labs side by side (default 2)")
    parser.add_argument("--keep-lanes", action="store_true", help="leave the copied labs up, for the next time")
    parser.add_argument("--no-control", dest="control", action="store_false", help="leave out the run in which nothing is broken")
    parser.add_argument("--reports", type=Path, default=ROOT / "reports", help="where the matrix goes")
    return parser


def _control(folder: Path, selected: Mapping[str, Sabotage], where: Sequence[Lane]) -> dict[str, Finding]:
    """The runs in which nothing is broken."""
    findings: dict[str, Finding] = {}

    def done(job: Job, finding: Finding) -> None:
        findings[job.name] = finding
        print(f"{job.name}: {'RED' if finding.survived else 'green'} ({finding.seconds:.0f} s, {len(finding.cells)} scenarios)", flush=True)
        if finding.survived:
            _tell_survivor(job.name, finding)

    Work(carry_out, [Job(folder, name, tuple(selected)) for name in controls(selected)]).carry_out(where, done)
    return findings


def _carry_out(folder: Path, names: Sequence[str], where: Sequence[Lane]) -> dict[str, Finding]:
    # Those with a machine first: what takes long must not be begun last.
    order = sorted(names, key=lambda name: CATALOGUE[name].static)
    findings: dict[str, Finding] = {}

    def done(job: Job, finding: Finding) -> None:
        findings[job.name] = finding
        if finding.survived:
            _tell_survivor(job.name, finding)
        else:
            print(f"{len(findings)}/{len(names)} killed {job.name} ({finding.seconds:.0f} s): {CATALOGUE[job.name].story}", flush=True)
            print(f"    red: {'; '.join(finding.red)}", flush=True)

    Work(carry_out, [Job(folder, name) for name in order]).carry_out(where, done)
    return findings


def _listed(keys: Sequence[str]) -> str:
    return "".join(f"\n    {key}" for key in keys)


def _tell_survivor(name: str, finding: Finding) -> None:
    print(f"SURVIVED {name} ({finding.seconds:.0f} s); red: {'; '.join(finding.red) or 'nothing'}", flush=True)
    for reason in finding.survived:
        print(f"    {reason}", flush=True)


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted, before all was tried", file=sys.stderr)
        raise SystemExit(130) from None
