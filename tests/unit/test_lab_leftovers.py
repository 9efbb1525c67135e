"""What counts as the lab's own on a machine that holds other people's things too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cleanroom.wait import Waiting, wait_until
from lab import leftovers
from lab.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "lab")


@contextmanager
def sleeper(*words: str, program: str = "/bin/sleep", **variables: str) -> Iterator[int]:
    """A process with `words` in its command line and `variables` in its environment, asleep in its child."""
    script = '"$0" 600 & wait'
    with subprocess.Popen(["/bin/bash", "-c", script, program, *words], env={**os.environ, **variables}, start_new_session=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: children.read_text().split() or Waiting("no child yet"), what="its child to run", within=5, every=0.01)
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, 9)


def test_a_tool_at_work_in_the_scratch_folder_is_ours_with_all_it_started(state: State) -> None:
    with sleeper(f"--output={state.scratch}/root.tar") as pid:
        child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        assert leftovers.processes(state) == sorted([pid, child])


def test_a_persons_shell_is_not_ours_for_naming_the_lab(state: State) -> None:
    with ExitStack() as stack:
        stack.enter_context(sleeper(INCUS_DIR=str(state.incus)))
        stack.enter_context(sleeper(str(state.site_file)))
        stack.enter_context(sleeper(str(state.incus / "containers")))
        assert leftovers.processes(state) == []


def test_another_lab_whose_folder_begins_alike_is_not_ours(state: State) -> None:
    other = State(state.folder.with_name("lab2"))
    with sleeper(f"--output={other.scratch}/root.tar"):
        assert leftovers.processes(state) == []


def test_a_lab_that_never_was_has_left_nothing(state: State) -> None:
    assert leftovers.what_is_left(state) == []
    leftovers.remove(state)


def test_a_folder_that_stays_is_told_of(state: State) -> None:
    state.folder.mkdir()
    assert leftovers.what_is_left(state) == [f"folder {state.folder}"]
