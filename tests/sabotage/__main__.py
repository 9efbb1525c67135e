"""`python -m tests.sabotage [PREFIX...]`: carry out each sabotage and print the matrix; exit 1 if one survived, 2 if there was none."""

from __future__ import annotations

import sys

import lab
from tests.sabotage import c1, c2, c3, c4
from tests.sabotage.bench import Bench, Sabotage

CATALOGUE: dict[str, Sabotage] = {
    f"{chapter.__name__.rpartition('.')[2]}/{sabotage.name}": sabotage for chapter in (c1, c2, c3, c4) for sabotage in chapter.SABOTAGES
}


def main(wanted: list[str]) -> int:
    chosen = {name: sabotage for name, sabotage in CATALOGUE.items() if not wanted or any(name.startswith(prefix) for prefix in wanted)}
    if not chosen:
        print(f"no sabotage begins with {' or '.join(wanted)}; there are: {', '.join(CATALOGUE)}", file=sys.stderr)
        return 2
    lab.up(lambda line: print(f"  {line}", flush=True))
    survivors = 0
    for number, (name, sabotage) in enumerate(chosen.items(), start=1):
        finding = Bench(sabotage).run()
        red = [title for title, state in finding.states.items() if state != "passed"]
        survivors += bool(finding.survived)
        print(f"{number}/{len(chosen)} {'SURVIVED' if finding.survived else 'killed'} {name} ({finding.seconds:.0f} s): {sabotage.story}", flush=True)
        print(f"    red: {'; '.join(red) or 'nothing'}", flush=True)
        for reason in finding.survived:
            print(f"    {reason}", flush=True)
    print(f"{len(chosen) - survivors} passed, {survivors} failed")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
