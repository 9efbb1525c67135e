"""What the lab's owner makes of a record: the run's own words, and below them what he has to admit."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from cleanroom import signing
from cleanroom.claim import limitations
from lab import evidence
from lab.names import SIGNING_KEY
from lab.state import State
from tests import forging
from tests.unit import claim

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def state(tmp_path: Path) -> State:
    (tmp_path / "keys").mkdir()
    signing.make(tmp_path / "keys" / SIGNING_KEY)
    return State(tmp_path)


def record(state: State, run: str, *, kind: str = "container") -> Path:
    """A record of the lab's, and `latest` leading to it."""
    folder = evidence.folder(state) / evidence.RECORDS / run
    forging.seal(folder, forging.changed("machine", type=kind)(claim.events()), None)
    (folder / "REVIEW.md").write_text(f"## Clean-room run {run}: PASSED\n\nAs it was.\n")
    (folder / "STATUS.md").write_text("## DONE\n")
    latest = folder.with_name("latest")
    latest.unlink(missing_ok=True)
    latest.symlink_to(run)
    return folder


def test_the_document_is_the_runs_own_with_limitations_below(state: State) -> None:
    record(state, claim.RUN)
    evidence.write(state)
    text = (evidence.folder(state) / evidence.REVIEW).read_text()
    assert text.startswith(f"# Review\n\n## Clean-room run {claim.RUN}: PASSED\n\nAs it was.\n")
    admitted = limitations.of_documents({"REVIEW.md": text})
    assert [each.scope for section in admitted for each in section.limitations] == ["the kernel of throwaway: a system container has its host's"]
    limitations.check_complete(admitted, today=NOW.date())
    limitations.check_no_old_excuse(admitted)
    assert (evidence.folder(state) / evidence.STATUS).read_text() == "## DONE\n"
    assert "BEGIN PUBLIC KEY" in (evidence.folder(state) / evidence.TRUSTED_KEY).read_text()


def test_a_virtual_machine_leaves_nothing_to_admit(state: State) -> None:
    record(state, claim.RUN, kind="virtual-machine")
    evidence.write(state)
    assert [section.limitations for section in limitations.of_documents({"x": (evidence.folder(state) / evidence.REVIEW).read_text()})] == [()]


def test_older_records_go(state: State) -> None:
    older, newer = record(state, "20261125-084533-ad23c8"), record(state, claim.RUN)
    evidence.write(state)
    assert (older.exists(), newer.exists()) == (False, True)


@pytest.mark.parametrize(("hours", "young"), [(0, True), (11, True), (13, False)])
def test_a_record_is_good_for_half_a_day(state: State, hours: float, *, young: bool) -> None:
    record(state, f"{NOW - datetime.timedelta(hours=hours):%Y%m%d-%H%M%S}-ad23c8")
    assert evidence.is_young(state) is young


def test_no_record_is_no_young_one(state: State) -> None:
    assert not evidence.is_young(state)
