"""A run's folder, its phases and its last event."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom import ledger
from cleanroom.errors import HarnessError
from cleanroom.redact import Secret
from cleanroom.run import Options, Run


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(tmp_path: Path, said: list[str]) -> Iterator[Run]:
    run = Run(tmp_path / "reports", Options(), announce=said.append)
    yield run
    run.ledger.close()


def test_a_run_has_a_folder_of_its_own_and_latest_names_the_newest(tmp_path: Path, said: list[str]) -> None:
    reports = tmp_path / "reports"
    runs = [Run(reports, Options(), announce=said.append) for _ in range(3)]
    assert len({run.folder for run in runs}) == 3
    assert [run.folder.parent for run in runs] == [reports] * 3
    assert (reports / "latest").readlink() == Path(runs[-1].id)
    assert sorted(path.name for path in reports.iterdir()) == sorted([*(run.id for run in runs), "latest"])
    assert (runs[0].folder / "journal").is_dir()
    for run in runs:
        run.close()


def test_the_first_event_says_how_it_was_asked_for_and_the_last_how_it_ended(tmp_path: Path, said: list[str]) -> None:
    run = Run(tmp_path, Options(role="builder", keep="always", reuse=True), announce=said.append)
    run.close(exit_status=1)
    first, last = ledger.read(run.folder / ledger.NAME)
    assert (first["kind"], first["run"], first["role"], first["keep"], first["reuse"]) == ("run-began", run.id, "builder", "always", True)
    assert (last["kind"], last["run"], last["exit_status"]) == ("run-ended", run.id, 1)


def test_a_phase_is_announced_recorded_and_remembered_for_the_next_run(run: Run, said: list[str]) -> None:
    for _ in range(2):
        with run.phase("provision"):
            run.record("inside")
    run.close()
    assert [event["kind"] for event in run.ledger.events if event["kind"].startswith("phase") or event["kind"] == "inside"] == [
        "phase-began",
        "inside",
        "phase-ended",
    ] * 2
    assert said[0] == "provision ..."
    assert said[1].startswith("provision done after ")
    assert said[2].startswith("provision ... (last time ") or said[2] == "provision ..."
    again = Run(run.reports, Options(), announce=said.append)
    (run.reports / ".last-times.json").write_text('{"provision": 12.34}')
    with again.phase("provision"):
        pass
    again.close()
    assert "provision ... (last time 12.3 s)" in said


def test_a_phase_that_fails_says_so_and_is_not_remembered(run: Run, said: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), run.phase("provision"):
        raise ZeroDivisionError
    run.close()
    assert next(run.ledger.of("phase-ended"))["outcome"] == "failed"
    assert said[-1].startswith("provision failed after ")
    assert not (run.reports / ".last-times.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"provision": "x"}', '{"provision": null}'])
def test_last_times_that_cannot_be_read_are_only_unknown(run: Run, said: list[str], content: str) -> None:
    (run.reports / ".last-times.json").write_text(content)
    with run.phase("provision"):
        pass
    run.close()
    assert said[0] == "provision ..."


def test_no_secret_is_said_or_transcribed(run: Run, said: list[str]) -> None:
    run.redactor.add(Secret("hunter2-and-more", name="password"))
    run.say("it is hunter2-and-more")
    run.transcript("$ login hunter2-and-more\n")
    run.transcript("ok\n")
    run.close()
    assert said == ["it is [secret password]"]
    assert (run.folder / "transcript.txt").read_text() == "$ login [secret password]\nok\n"


def test_a_report_folder_that_cannot_be_made_is_our_trouble(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(HarnessError, match="cannot make the report folder"):
        Run(tmp_path / "reports", Options(), announce=said.append)
