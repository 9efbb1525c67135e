"""Marks on instances, and the lock of a project: who lives, who is dead."""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom import marks
from cleanroom.errors import HarnessError
from cleanroom.hypervisor import Instance
from cleanroom.marks import Leftover, ProjectLock

NOW = datetime.datetime.now(datetime.UTC)


def instance(config: dict[str, str]) -> Instance:
    return Instance("throwaway", "container", "Running", NOW, {"volatile.uuid": "u", **config})


def left(config: dict[str, str]) -> Leftover | None:
    return marks.leftover(instance(config))


def stamp(seconds_ago: float) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds_ago)).isoformat(timespec="seconds")


def elsewhere(**changes: str) -> dict[str, str]:
    """The mark of a run on another host."""
    return {**marks.marks("20261124-021500-3fa9c1"), marks.HOST: "another", **changes}


def of_a_dead_process() -> dict[str, str]:
    """The mark that a process of this host left before it ended."""
    script = "from cleanroom.marks import marks; import json; print(json.dumps(marks('20261124-021500-3fa9c1')))"
    return dict(json.loads(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout))


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = {marks.new_run_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", name) for name in ids)


def test_this_host_has_an_identity_that_tells_nobody_its_name() -> None:
    assert marks.this_host() == marks.this_host()
    assert os.uname().nodename not in marks.this_host()


def test_a_machine_of_a_living_run_of_this_host_is_alive() -> None:
    found = left(marks.marks("run-1"))
    assert found is not None
    assert (found.run_id, found.alive, found.kept) == ("run-1", True, False)
    assert "its run lives" in found.describe()


def test_a_machine_of_a_dead_run_of_this_host_is_dead_however_fresh_its_mark() -> None:
    found = left(of_a_dead_process())
    assert found is not None
    assert (found.alive, found.kept) == (False, False)
    assert "its run is dead" in found.describe()


def test_another_process_of_the_same_number_is_another_run() -> None:
    pid, start = marks.marks("run-1")[marks.PROCESS].split(":")
    found = left({**marks.marks("run-1"), marks.PROCESS: f"{pid}:{start}0"})
    assert found is not None
    assert not found.alive


@pytest.mark.parametrize("process", ["", "x", ":", "1", "-1:x", "99999999:x"])
def test_a_process_nobody_can_have_been_is_dead(process: str) -> None:
    found = left({**marks.marks("run-1"), marks.PROCESS: process})
    assert found is not None
    assert not found.alive


@pytest.mark.parametrize(("silence", "alive"), [(10, True), (marks.SILENCE - 60, True), (marks.SILENCE + 5, False), (-60, True)])
def test_a_run_elsewhere_lives_as_long_as_it_marks_its_machine(silence: float, alive: bool) -> None:  # noqa: FBT001 - a table
    found = left(elsewhere(**{marks.HEARTBEAT: stamp(silence)}))
    assert found is not None
    assert found.alive is alive


def test_a_machine_that_was_kept_elsewhere_is_nobody_s_living_run() -> None:
    found = left(elsewhere(**{marks.HEARTBEAT: stamp(10), marks.KEPT: "true"}))
    assert found is not None
    assert (found.alive, found.kept) == (False, True)


@pytest.mark.parametrize("mark", ["yesterday", "2026-11-24T02:15:00", ""], ids=["no time", "no time zone", "empty"])
def test_in_doubt_a_run_elsewhere_lives(mark: str) -> None:
    found = left(elsewhere(**{marks.HEARTBEAT: mark}))
    assert found is not None
    assert found.alive


@pytest.mark.parametrize("key", sorted({marks.SUITE, marks.RUN, marks.HOST, marks.PROCESS, marks.HEARTBEAT}))
def test_less_than_the_whole_mark_is_not_ours(key: str) -> None:
    whole = marks.marks("run-1")
    assert left({name: value for name, value in whole.items() if name != key}) is None


def test_a_foreign_or_empty_mark_is_not_ours() -> None:
    assert left({}) is None
    assert left({**marks.marks("run-1"), marks.SUITE: "another suite"}) is None
    assert left({**marks.marks("run-1"), marks.RUN: ""}) is None


def test_a_heartbeat_renews_only_the_time() -> None:
    assert marks.heartbeat().keys() == {marks.HEARTBEAT}
    assert marks.heartbeat().keys() < marks.marks("run-1").keys()


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProjectLock]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lock = ProjectLock("https://h:8443", "ours")
    yield lock
    lock.release()


def test_a_project_is_free_taken_and_free_again(lock: ProjectLock) -> None:
    other = ProjectLock("https://h:8443", "ours")
    assert other.holder() is None
    lock.take("run-1")
    assert (lock.holder(), other.holder()) == ("run-1", "run-1")
    with pytest.raises(HarnessError, match="run run-1 holds it"):
        other.take("run-2")
    lock.release()
    lock.release()
    assert other.holder() is None
    other.take("run-2")
    assert lock.holder() == "run-2"
    other.release()


def test_another_project_is_another_lock(lock: ProjectLock) -> None:
    lock.take("run-1")
    for other in (ProjectLock("https://h:8443", "theirs"), ProjectLock("https://i:8443", "ours")):
        assert other.holder() is None


def test_waiting_for_the_lock_ends_when_it_is_free(lock: ProjectLock, tmp_path: Path) -> None:
    with held(tmp_path) as process:
        assert lock.holder() == "run-of-a-process"
        process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        lock.take("run-2", wait=10)
        assert time.monotonic() - began < 5
    assert lock.holder() == "run-2"


def test_a_lock_file_that_is_a_link_is_refused(lock: ProjectLock, tmp_path: Path) -> None:
    lock.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HarnessError, match="cannot open"):
        lock.holder()
    assert not (tmp_path / "elsewhere").exists()


def held(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the lock and says so."""
    script = """if True:
        import sys, tempfile, time
        tempfile.tempdir = sys.argv[1]
        from cleanroom.marks import ProjectLock
        ProjectLock("https://h:8443", "ours").take("run-of-a-process")
        print("held", flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process
