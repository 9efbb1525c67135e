from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cleanroom.errors import HarnessError
from lab.state import State, digest


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/sub/file").write_text("content")
    return tmp_path / "tree"


def test_a_digest_changes_with_content_name_and_mode_and_with_nothing_else(tree: Path) -> None:
    first = digest(tree)
    assert digest(tree) == first
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__/x.pyc").write_text("noise")
    assert digest(tree) == first
    (tree / "sub/file").chmod(0o755)
    executable = digest(tree)
    (tree / "sub/file").rename(tree / "sub/other")
    renamed = digest(tree)
    (tree / "sub/other").write_text("other")
    assert len({first, executable, renamed, digest(tree)}) == 4


def test_words_and_files_of_the_same_text_differ(tree: Path) -> None:
    assert digest("content") != digest(tree / "sub/file")
    assert digest("a", "b") != digest("ab")


def test_stages_are_remembered_and_forgotten(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert state.done() == {}
    state.remember(root="1", image="2")
    state.remember(image="")
    assert State(tmp_path).done() == {"root": "1"}


def test_an_unreadable_record_means_that_nothing_is_done(tmp_path: Path) -> None:
    (tmp_path / "stages.json").write_text('{"root":')
    assert State(tmp_path).done() == {}


def test_one_process_at_a_time_holds_the_lab(tmp_path: Path) -> None:
    state = State(tmp_path / "lab")
    with state.locked(wait=0), pytest.raises(HarnessError, match="the lab is busy"), state.locked(wait=0.2):
        pytest.fail("two held it at once")
    with state.locked(wait=0):
        assert state.folder.is_dir()


def test_a_lock_taken_down_with_its_folder_is_made_anew(tmp_path: Path) -> None:
    state, entered = State(tmp_path / "lab"), threading.Event()

    def second() -> None:
        with state.locked(wait=10):
            entered.set()

    waiting = threading.Thread(target=second)
    with state.locked(wait=0):
        waiting.start()
        (state.folder / "lock").unlink()
        assert entered.wait(5), "the waiting process should take a lock of its own once the old one is gone"
    waiting.join()


def test_two_labs_have_two_bridges_with_names_that_the_kernel_takes() -> None:
    names = {State(Path(folder)).bridge for folder in ("/var/lib/cleanroom-lab", "/srv/a", "/srv/b")}
    assert len(names) == 3
    assert all(len(name) <= 15 for name in names)
