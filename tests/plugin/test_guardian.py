"""A run that dies: whenever that is, a JUnit file and a page are there, and tell what the ledger tells."""

from __future__ import annotations

import html
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanroom import guardian, ledger, report, verdict
from cleanroom.guardian import Guardian
from cleanroom.wait import Waiting, wait_until
from tests.dead_runs import folder_of, guardians, tells, wait_for_the_end
from tests.plugin.project import Project

ROOT = Path(__file__).parents[2]
KILLS = 50
AT_ONCE = 5
#: How many events the little run has before its last scenario.
EVENTS = 68

SCENARIOS = "\n".join(f"  Scenario: Number {n}\n    Given a machine\n    When time passes\n    Then it answers\n" for n in range(8))
STEPS = """
@when("time passes")
def time_passes():
    import time
    time.sleep(0.03)
"""


@pytest.fixture
def slow(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("CLEANROOM_SITE", "CLEANROOM_ROLE", "CLEANROOM_REPORTS", "CLEANROOM_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{project.folder}")
    project.add_plugins("fixtures.options", "fixtures.signals", "fixtures.recording", steps=STEPS)
    project.feature(f"Feature: f\n{SCENARIOS}")
    return project


def start(project: Project, reports: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "pytest", "-q", "features", "--reports", str(reports)]
    return subprocess.Popen(argv, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_after_kill_9_at_any_moment_both_reports_exist_and_agree_with_the_ledger(slow: Project, tmp_path: Path) -> None:
    chance = random.Random(20261126)  # noqa: S311 - moments, no secrets
    last_steps = set()
    for batch in range(KILLS // AT_ONCE):
        places = [tmp_path / f"{batch}-{number}" for number in range(AT_ONCE)]
        moments = {start(slow, place): (place, chance.randrange(EVENTS)) for place in places}
        kill_each(moments)
        for place in places:
            folder = folder_of(place)
            wait_for_the_end(folder)
            assert tells(folder) == []
            judged = verdict.judge(ledger.read(folder / ledger.NAME))
            assert judged.word == "INCOMPLETE"
            last_steps |= {reason for reason in judged.reasons if reason.startswith("the run did not end")}
    assert len(last_steps) > 10, last_steps


def kill_each(moments: dict[subprocess.Popen[bytes], tuple[Path, int]]) -> None:
    """Kill each run once its ledger has as many events as its moment says: a moment of the run, however busy the machine is."""
    while moments:
        for run, (place, moment) in list(moments.items()):
            written = sum(path.read_bytes().count(b"\n") for path in place.glob("2*/ledger.ndjson"))
            if written > moment or run.poll() is not None:
                run.kill()
                run.wait()
                del moments[run]
        time.sleep(0.001)


def test_the_page_of_a_dead_run_says_incomplete_and_names_the_last_step(slow: Project, tmp_path: Path) -> None:
    run = start(slow, tmp_path / "r")
    folder = folder_of(tmp_path / "r")
    path = folder / ledger.NAME
    wait_until(lambda: path.read_bytes().count(b'"step-began"') > 8 or Waiting("not yet"), what="some steps", within=60, every=0.005)
    run.kill()
    run.wait()
    wait_for_the_end(folder)
    page = (folder / "report.html").read_text()
    assert '<strong class="verdict">INCOMPLETE</strong>' in page
    (reason,) = (each for each in verdict.judge(ledger.read(folder / ledger.NAME)).reasons if each.startswith("the run did not end"))
    assert reason.startswith("the run did not end; the last step was: x.feature: Number ")
    assert reason in html.unescape(re.sub(r"<[^>]+>", "", page))


def test_a_run_that_ends_well_leaves_no_guardian(slow: Project, tmp_path: Path) -> None:
    run = start(slow, tmp_path / "r")
    folder = folder_of(tmp_path / "r")
    assert run.wait(60) == 1  # INCOMPLETE: no site, no machine
    assert guardians(folder) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ledger.NAME).write_bytes(b"")
    return tmp_path


@pytest.fixture
def watched(folder: Path) -> Iterator[Guardian]:
    found = Guardian(folder.parent)
    found.watch(folder)
    yield found
    found.dismiss()


def test_it_holds_nothing_of_the_run(watched: Guardian) -> None:
    process = Path(f"/proc/{watched.pid}")
    wait_until(lambda: signals(process) or Waiting("not yet"), what="the guardian to stand by", within=20, every=0.01)
    assert {name.name for name in (process / "fd").iterdir()} == {"0", "1", "2"}
    assert (process / "cwd").readlink() == Path("/")
    assert os.getsid(watched.pid) != os.getsid(0)
    names = {entry.partition(b"=")[0] for entry in (process / "environ").read_bytes().split(b"\0") if entry}
    assert names <= {b"PATH", b"PYTHONPATH", b"PYTHONDONTWRITEBYTECODE", b"LC_ALL"}


def signals(process: Path) -> bool:
    """Whether it ignores what a terminal sends."""
    told = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    ignored = int(told["SigIgn"], 16)
    return all(ignored >> number - 1 & 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def test_it_is_not_to_be_talked_out_of_it(watched: Guardian) -> None:
    wait_until(lambda: signals(Path(f"/proc/{watched.pid}")) or Waiting("not yet"), what="the guardian to stand by", within=20, every=0.01)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(watched.pid, number)
    time.sleep(0.05)
    assert guardians_state(watched.pid) not in {"Z", ""}


def guardians_state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_a_killed_guardian_is_no_trouble(folder: Path) -> None:
    found = Guardian(folder.parent)
    os.kill(found.pid, signal.SIGKILL)
    wait_until(lambda: guardians_state(found.pid) == "Z" or Waiting("it lives"), what="the guardian to die", within=10, every=0.01)
    found.watch(folder)
    found.dismiss()
    found.dismiss()


def test_a_guardian_of_nothing_draws_nothing(tmp_path: Path) -> None:
    found = Guardian(tmp_path)
    found._process.communicate(timeout=20)
    assert list(tmp_path.iterdir()) == []


def test_it_needs_no_pytest() -> None:
    code = "import sys; import cleanroom.guardian, cleanroom.report, cleanroom.evidence; print(sorted(m for m in sys.modules if 'pytest' in m))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_folder_with_evidence_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(*_: Any) -> None:
        raise AssertionError("it was drawn again")

    monkeypatch.setattr(report, "write", drawn)
    (folder / "evidence.dsse.json").write_text("{}")
    guardian.draw(folder)
