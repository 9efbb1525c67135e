"""The watchdog on a real machine: it bites when the suite is dead, and never while it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.ledger import Event
from cleanroom.wait import Waiting, wait_until
from lab import hosts
from lab.daemon import Incus
from lab.names import THROWAWAY
from lab.state import HERE, State
from tests.sabotage.tail import Tail

ROOT = HERE.parent
SILENCE = 12


@pytest.fixture
def site(state: State) -> Iterator[Path]:
    """The lab's site, where nobody may be silent for long."""
    path = state.folder / "watchdog.toml"
    path.write_text(state.site_file.read_text().replace("[incus]\n", f'[incus]\nsilence = "{SILENCE}s"\n'))
    yield path
    path.unlink()


def suite(site: Path, reports: Path, scenario: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "pytest", "-q", f"features/{scenario}", "--site", str(site), "--reports", str(reports)]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_machine_whose_run_was_killed_powers_itself_off(incus: Incus, site: Path, tmp_path: Path) -> None:
    tail = Tail()

    def told(kind: str) -> bool | Waiting:
        tail.read(tmp_path)
        return any(event["kind"] == kind for event in tail.events) or Waiting("not yet")

    with suite(site, tmp_path, "c4_cleanroom.feature::nothing-but-the-guide-changed-the-machine") as process:
        wait_until(lambda: told("watchdog"), what="the watchdog to be set", within=60)
        os.kill(process.pid, signal.SIGKILL)
    try:
        wait_until(
            lambda: hosts.instances(incus)[THROWAWAY] == "Stopped" or Waiting("it runs"), what="the machine to power itself off", within=SILENCE * 5
        )
    finally:
        subprocess.run([sys.executable, "-m", "cleanroom.cli", "sweep", "--yes", "--site", str(site)], cwd=ROOT, check=True)
    assert THROWAWAY not in hosts.instances(incus)


def test_one_whose_run_lives_does_not(site: Path, tmp_path: Path) -> None:
    """A whole guide and a reboot, longer than the silence: it is renewed, set again after the boot, and seen by no scenario."""
    with suite(site, tmp_path, "c4_cleanroom.feature") as process:
        assert process.wait(300) == 0
    tail = Tail()
    tail.read(tmp_path)
    commands: list[Event] = [event for event in tail.events if event["kind"] == "command" and event["purpose"] == "watchdog"]
    assert tail.events[-1]["t"] > SILENCE
    assert sum("restart" in event["argv"] for event in commands) > 1
    assert sum(event["kind"] == "watchdog" for event in tail.events) > 1, "it must have been set again after the reboot"
