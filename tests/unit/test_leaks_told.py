"""How much of a search is told: findings beyond the most are counted, a place is told once, and a refusal counts what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom import leaks
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.leaks import Finding, Result, Search, Searcher
from cleanroom.redact import Secret
from tests.unit.leak_doubt import VALUE


def searched(folder: Path, files: int) -> Result:
    search = Search(Searcher({"token": Secret(VALUE, name="token")}))
    for number in range(files):
        (folder / f"file{number}").write_bytes(b"before " + VALUE + b" between " + VALUE + b" after\n")
    search.tree(folder)
    return search.result


@pytest.mark.parametrize(("part", "told"), [("", "token, hex, in /a/b at byte 5"), ("line 2 of 3", "token (line 2 of 3), hex, in /a/b at byte 5")])
def test_a_finding_is_told_by_secret_part_form_place_and_byte(part: str, told: str) -> None:
    assert str(Finding("token", "hex", part, "/a/b", 5)) == told


def test_the_first_of_several_in_one_place_is_told(tmp_path: Path) -> None:
    assert [(Path(each.place).name, each.offset) for each in searched(tmp_path, 2).findings] == [("file0", 7), ("file1", 7)]


@pytest.mark.parametrize(("files", "told", "untold"), [(1, 1, 0), (3, 3, 0), (4, 3, 1), (7, 3, 4)])
def test_what_is_beyond_the_most_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, told: int, untold: int) -> None:
    monkeypatch.setattr(leaks, "_TOLD", 3)
    result = searched(tmp_path, files)
    assert len(result.findings) == told
    # A value that stands twice in a file beyond the most counts twice: nobody remembers what is not told.
    assert result.untold in {untold, 2 * untold}
    assert bool(result.untold) == bool(untold)


@pytest.mark.parametrize(("files", "more"), [(1, None), (2, "and 1 more"), (5, "and 4 more")])
def test_a_failure_counts_the_others(tmp_path: Path, files: int, more: str | None) -> None:
    with pytest.raises(CheckFailed) as failure:
        searched(tmp_path, files).check()
    assert (more in failure.value.seen) if more else ("more" not in failure.value.seen)
    assert VALUE.decode() not in str(failure.value)


def test_a_failure_counts_those_that_are_not_told_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "_TOLD", 2)
    result = searched(tmp_path, 4)
    with pytest.raises(CheckFailed, match=f"and {1 + result.untold} more"):
        result.check()


def test_a_reason_counts_the_others(tmp_path: Path) -> None:
    search = Search(Searcher({"token": Secret(VALUE, name="token")}))
    with pytest.raises(HarnessError) as nothing:
        search.result.check()
    assert nothing.value.problem.endswith("nothing was searched")
    search.tree(tmp_path)
    assert len(search.result.problems) == 2, "nothing listed, nothing scanned"
    with pytest.raises(HarnessError, match=r"\(and 1 more reasons\)"):
        search.result.check()


def test_nothing_is_untold_before_anything_was_found() -> None:
    assert Search(Searcher({"token": Secret(VALUE, name="token")})).result.untold == 0
