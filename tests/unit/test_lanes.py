"""Lanes: whoever ends the waiting ends the work, down to what the workers started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cleanroom.wait import Waiting, wait_until

ROOT = Path(__file__).parents[2]
WAITING = """
import subprocess, sys
from pathlib import Path
from tests.sabotage.lanes import Lane, Work

def work(folder):
    with subprocess.Popen(["sleep", "987"]) as sleeper:
        (folder / f"{sleeper.pid}.pid").touch()

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    Work(work, [folder] * 4).carry_out([Lane(folder, ours=False)] * 2, print)
"""


def pids(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.pid")]


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_whoever_waits_ends_what_the_workers_started(number: signal.Signals, tmp_path: Path) -> None:
    program = tmp_path / "waiting.py"
    program.write_text(WAITING)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    with subprocess.Popen([sys.executable, str(program), str(tmp_path)], env=environment, stderr=subprocess.PIPE) as waiting:
        wait_until(lambda: len(pids(tmp_path)) == 2 or Waiting("fewer"), what="two workers", within=60, every=0.1)
        waiting.send_signal(number)
        _, told = waiting.communicate(timeout=60)
    assert waiting.returncode == -signal.SIGINT, told
    assert b"KeyboardInterrupt" in told
    wait_until(lambda: not any(map(is_there, pids(tmp_path))) or Waiting("there"), what="the sleepers to be gone", within=10, every=0.1)
    assert len(pids(tmp_path)) == 2
