from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import lab
from cleanroom.wait import Waiting, wait_until
from lab import hosts, leftovers
from lab.daemon import Incus
from lab.names import IMAGE, PROJECT
from lab.state import State
from lab.tools import environment


@pytest.fixture(scope="session")
def state() -> State:
    """The lab of this machine, up."""
    lab.up(print)
    return State.locate()


@pytest.fixture(scope="session")
def incus(state: State) -> Incus:
    return Incus(state)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """A state folder for a second lab beside the first; whatever a test left of it is taken down."""
    folder = Path(tempfile.mkdtemp(prefix="crl-"))
    folder.rmdir()
    monkeypatch.setenv("CLEANROOM_LAB", str(folder))
    state = State.locate()
    yield state
    leftovers.remove(state)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Box:
    """A fresh machine of the lab's image. `sh` runs a script as root at a log-in and returns status and output."""

    incus: Incus
    name: str

    def sh(self, script: str) -> tuple[int, str]:
        argv = ["incus", "exec", self.name, "--project", PROJECT, "--", "bash", "-lc", script]
        env = environment(INCUS_DIR=str(self.incus.state.incus), INCUS_CONF=str(self.incus.state.folder / "client"))
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env, timeout=60)
        return done.returncode, (done.stdout + done.stderr).strip()

    def says(self, script: str) -> str:
        status, output = self.sh(script)
        assert status == 0, output
        return output


@pytest.fixture(scope="module")
def box(incus: Incus) -> Iterator[Box]:
    name = "cleanroom-lab-test"
    hosts.remove(incus, name)
    config = {"limits.memory": "1GiB", **hosts.container_config()}
    incus("launch", IMAGE, name, "--project", PROJECT, *(f"--config={key}={value}" for key, value in config.items()))
    box = Box(incus, name)

    def started() -> bool | Waiting:
        state = box.sh("systemctl is-system-running")[1]
        return True if state in {"running", "degraded"} else Waiting(state)

    wait_until(started, what="the machine to have started", within=60)
    yield box
    hosts.remove(incus, name)
