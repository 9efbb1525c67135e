"""A run's own folder on this side."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom import scratch
from cleanroom.errors import HarnessError


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_folder_is_ours_alone_and_goes_when_it_is_told_to() -> None:
    folder = scratch.make("run-1")
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
    assert list(scratch.dead()) == []
    (folder / "deep" / "deeper").mkdir(parents=True)
    scratch.remove(folder)
    scratch.remove(folder)
    assert not folder.exists()


def test_the_folders_of_dead_runs_are_found_and_those_that_do_not_say_whose_they_are_left_alone() -> None:
    scratch.make("living")
    dead = scratch.make("dead")
    (dead / "process").write_text("99999999:never")
    (scratch.place() / "nobody's").mkdir()
    assert list(scratch.dead()) == [dead]


def test_a_place_that_others_can_enter_is_refused() -> None:
    scratch.place().mkdir(mode=0o755)
    scratch.place().chmod(0o755)
    with pytest.raises(HarnessError, match="not ours alone"):
        scratch.make("run-1")


def test_a_place_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    scratch.place().symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HarnessError, match="not ours alone"):
        scratch.make("run-1")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_no_folder_is_used_twice() -> None:
    scratch.make("run-1")
    with pytest.raises(HarnessError, match="cannot make a temporary folder"):
        scratch.make("run-1")
