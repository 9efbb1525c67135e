"""What the suite says of itself."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from cleanroom import suite
from cleanroom.errors import HarnessError


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example")
    return subprocess.run(["git", *identity, "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    files = {"cleanroom/a.py": "a", "features/é.feature": "b", "conftest.py": "c", "README.md": "not part of a run", ".gitignore": "*.pyc\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message=all")
    return tmp_path


def test_the_digest_is_what_sha256sum_gives(checkout: Path) -> None:
    found = suite.describe(checkout)
    lines = "".join(
        f"{hashlib.sha256(text).hexdigest()}  {name}\n"
        for name, text in [("cleanroom/a.py", b"a"), ("conftest.py", b"c"), ("features/é.feature", b"b")]
    )
    assert found == suite.Suite(hashlib.sha256(lines.encode()).hexdigest(), 3, git(checkout, "rev-parse", "HEAD"), dirty=False)


def test_a_change_makes_it_dirty_and_another(checkout: Path) -> None:
    clean = suite.describe(checkout)
    (checkout / "README.md").write_text("changed, and no part of a run")
    (checkout / "cleanroom" / "__pycache__").mkdir()
    (checkout / "cleanroom" / "__pycache__" / "a.pyc").write_text("ignored")
    assert suite.describe(checkout) == clean
    (checkout / "cleanroom" / "a.py").write_text("A")
    changed = suite.describe(checkout)
    assert changed.dirty
    assert changed.digest != clean.digest
    git(checkout, "checkout", "--quiet", ".")
    (checkout / "fixtures").mkdir()
    (checkout / "fixtures" / "stranger.py").write_text("")
    strange = suite.describe(checkout)
    assert strange.dirty
    assert strange.files == clean.files + 1


def test_what_git_was_told_not_to_look_at_is_a_change(checkout: Path) -> None:
    git(checkout, "update-index", "--skip-worktree", "cleanroom/a.py")
    git(checkout, "update-index", "--assume-unchanged", "conftest.py")
    assert not suite.describe(checkout).dirty
    (checkout / "cleanroom" / "a.py").write_text("A")
    (checkout / "conftest.py").write_text("C")
    assert suite.describe(checkout).dirty
    assert suite.changes(checkout) == ("cleanroom/a.py", "conftest.py")


def test_what_git_was_told_to_ignore_is_a_stranger(checkout: Path) -> None:
    (checkout / ".git" / "info" / "exclude").write_text("conftest.py\n")
    (checkout / "features" / "conftest.py").write_text("")
    (checkout / "cleanroom" / "b.pyc").write_text("a module that git ignores")
    assert suite.changes(checkout) == ("cleanroom/b.pyc", "features/conftest.py")


def test_a_commit_that_stands_in_for_another_hides_nothing(checkout: Path) -> None:
    proper = git(checkout, "rev-parse", "HEAD")
    (checkout / "cleanroom" / "a.py").write_text("A")
    git(checkout, "commit", "--quiet", "--all", "--message=softer")
    softer = git(checkout, "rev-parse", "HEAD")
    git(checkout, "reset", "--quiet", "--soft", proper)
    git(checkout, "replace", proper, softer)
    assert suite.changes(checkout) == ("cleanroom/a.py",)


def test_without_git_there_is_a_digest_and_no_commit(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    clean = suite.describe(checkout)
    bare = tmp_path_factory.mktemp("bare")
    for name in ("cleanroom/a.py", "features/é.feature", "conftest.py"):
        (bare / name).parent.mkdir(exist_ok=True)
        (bare / name).write_bytes((checkout / name).read_bytes())
    assert suite.describe(bare) == suite.Suite(clean.digest, 3, None, dirty=False)


def test_a_folder_inside_somebody_elses_checkout_has_no_commit(checkout: Path) -> None:
    inner = checkout / "inner"
    inner.mkdir()
    (inner / "conftest.py").write_text("c")
    assert suite.describe(inner).commit is None


def test_nothing_is_no_suite(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="nothing of the suite is here"):
        suite.describe(tmp_path)


def test_the_surroundings_name_every_package_and_not_the_machine() -> None:
    found = suite.surroundings()
    assert found["packages"]["pytest"] == pytest.__version__
    assert found["memory"] > 2**28
    assert Path("/etc/hostname").read_text().strip() not in found["system"].split()
