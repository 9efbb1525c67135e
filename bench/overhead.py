"""The run against a plain shell script that does the same by hand: wall time of both, side by side, and the suite's own memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lab
from cleanroom import guide
from cleanroom.repository import fetch
from cleanroom.site import Site
from lab.state import State

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
#: What the suite may cost over doing it by hand, and what it may weigh: promised in the README, printed here, asserted nowhere.
MOST_TIMES, MOST_BYTES = 1.15, 200 * 2**20


def main() -> None:
    site = Site.load(lab.up(lambda line: print(f"  {line}", file=sys.stderr)))
    by_hand, by_suite = [], []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            by_hand.append(timed(["bash", str(ROOT / "bench" / "by_hand.sh")], hand_environment(site, Path(folder))))
            by_suite.append(
                timed(
                    [sys.executable, "-m", "pytest", "-q", "features/c4_cleanroom.feature", "--site", str(site.path), "--reports", folder],
                    dict(os.environ),
                )
            )
        print(f"  round {number + 1}: by hand {by_hand[-1]:.1f} s, suite {by_suite[-1]:.1f} s", file=sys.stderr)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    ratio = sorted(by_suite)[ROUNDS // 2] / sorted(by_hand)[ROUNDS // 2]
    print(f"overhead: suite / by hand = {ratio:.2f} (median of {ROUNDS} rounds each; wanted: at most {MOST_TIMES})")
    print(f"overhead: largest process {memory / 2**20:.0f} MiB (wanted: at most {MOST_BYTES // 2**20} MiB)")


def timed(argv: list[str], environment: dict[str, str]) -> float:
    """Seconds that a command takes; a command that fails has measured nothing."""
    began = time.monotonic()
    subprocess.run(argv, env=environment, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def hand_environment(site: Site, folder: Path) -> dict[str, str]:
    """What the script by hand needs to know, from the site file and the guide themselves."""
    base = fetch(site.base.url, site.base.revision, folder / "base.git", forge=site.forge)
    commands = guide.parse(base.read(site.base.guide).decode(), file=site.base.guide, within=site.guide.within)
    token = site.guide.secrets["FORGE_TOKEN"].file
    work = folder / "work"
    work.mkdir()
    return {
        **os.environ,
        "INCUS_DIR": str(State.locate().incus),
        "PROJECT": site.incus.project,
        "IMAGE": site.incus.image,
        "NAME": "bench-by-hand",
        "MEMORY": str(site.incus.memory),
        "CONFIG": " ".join(f"-c {key}={value}" for key, value in {**site.incus.config, **site.incus.container_config}.items()),
        "KEY": str(site.bootstrap.key_file),
        "TOKEN": str(token),
        "TRUST": str(site.certificate.trust),
        "REBUILD": commands.last_with(site.guide.rebuild).text,
        "HOSTS": " ".join(f"{endpoint.host}{endpoint.path}" for endpoint in site.endpoint),
        "UNITS": " ".join(oneshot.unit for oneshot in site.oneshot),
        "WORK": str(work),
    }


if __name__ == "__main__":
    main()
