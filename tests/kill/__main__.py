"""`python -m tests.kill [PREFIX...]`: cut runs off, in lanes; exit 1 if anything was left of one, 2 if there was none to cut."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tests.kill.cut import Cut, carry_out
from tests.kill.points import POINTS, SAMPLE, Blow, Point
from tests.sabotage.bench import ROOT
from tests.sabotage.lanes import Work, lanes

Job = tuple[Point, Blow]


def main(arguments: list[str]) -> int:
    """Cut what is asked for; returns the exit status."""
    options = _parser().parse_args(arguments)
    wanted = [point for point in POINTS if not options.prefixes or point.name.startswith(tuple(options.prefixes))]
    jobs: list[Job] = [(point, blow) for point in wanted for blow in point.blows if not options.blow or blow.name in options.blow]
    if options.sample:
        jobs = [job for job in jobs if (job[0].name, job[1].name) in SAMPLE]
    if not jobs:
        print("there is no such point", file=sys.stderr)
        return 2
    cuts: dict[str, Cut] = {}
    began = time.monotonic()

    def done(job: Job, cut: Cut) -> None:
        name = f"{job[0].name} {job[1].name}"
        cuts[name] = cut
        print(f"{len(cuts)}/{len(jobs)} {'LEFT' if cut.wrong else 'clean'} {name} ({cut.seconds:.0f} s, exit {cut.status})", flush=True)
        for line in cut.wrong:
            print(f"    {line}", flush=True)

    with lanes(options.lanes, shared=False, keep=options.keep_lanes, tell=lambda line: print(f"  {line}", flush=True)) as where:
        Work(carry_out, jobs).carry_out(where, done)
    dirty = sum(bool(cut.wrong) for cut in cuts.values())
    print(f"{len({job[0].name for job in jobs})} points, {len(cuts)} cuts: {len(cuts) - dirty} clean, {dirty} not, {_swept(cuts)} needed the sweep")
    _write(options.reports, cuts, time.monotonic() - began)
    return 1 if dirty else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.kill")
    parser.add_argument("prefixes", nargs="*", metavar="PREFIX", help="beginnings of names: provision, report/ended")
    parser.add_argument("--blow", action="append", help="only these: INT, TERM, KILL, ... (may be given more than once)")
    parser.add_argument("--sample", action="store_true", help="the few that CI takes")
    parser.add_argument("--lanes", type=int, default=2, help="labs side by side (default 2)")
    parser.add_argument("--keep-lanes", action="store_true", help="leave the copied labs up, for the next time")
    parser.add_argument("--reports", type=Path, default=ROOT / "reports", help="where the matrix goes")
    return parser


def _swept(cuts: dict[str, Cut]) -> int:
    return sum(cut.swept for cut in cuts.values())


def _write(reports: Path, cuts: dict[str, Cut], seconds: float) -> None:
    folder = reports / f"kill-{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    counts = Counter("left" if cut.wrong else "clean" for cut in cuts.values())
    data = {"seconds": round(seconds, 1), "counts": counts, "cuts": {name: asdict(cut) for name, cut in cuts.items()}}
    (folder / "kill.json").write_text(json.dumps(data, indent=1))
    print(folder / "kill.json")


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted, before all was tried", file=sys.stderr)
        raise SystemExit(130) from None
