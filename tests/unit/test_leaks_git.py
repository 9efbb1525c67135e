"""Git: every object that is stored is searched, and a repository that does not hold its whole history proves nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanroom.leaks import Search, Searcher
from cleanroom.redact import Secret
from tests.unit.leak_corpus import git
from tests.unit.leak_doubt import VALUE, instead_of, is_refused


@pytest.fixture
def search() -> Search:
    return Search(Searcher({"token": Secret(VALUE, name="token")}))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of two commits, and a blob that nothing leads to."""
    git(tmp_path, "init", "-q", "repository")
    root = tmp_path / "repository"
    for text in ("first", "second"):
        (root / "file").write_text(text)
        git(root, "add", "file")
        git(root, "commit", "-q", "-m", text)
    git(root, "hash-object", "-w", "--stdin", stdin=b"nobody's")
    return root


def test_every_object_counts_reachable_or_not(search: Search, repository: Path) -> None:
    search.repository(repository / ".git")
    (coverage,) = search.result.coverage
    assert coverage.complete, coverage.problems
    assert coverage.scanned.count == 7


def test_a_work_tree_is_searched_as_files_and_as_objects(search: Search, repository: Path) -> None:
    (repository / "file").write_bytes(VALUE)
    git(repository, "commit", "-q", "-a", "-m", "oops")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    git(repository, "reflog", "expire", "--expire=now", "--all")
    search.tree(repository)
    assert len(search.result.coverage) == 2
    assert not search.result.problems
    assert {": blob " in finding.place for finding in search.result.findings} == {True}


@pytest.mark.parametrize("where", ["config", "FETCH_HEAD", "logs/HEAD", "COMMIT_EDITMSG"])
def test_a_repositorys_own_files_are_searched(search: Search, repository: Path, where: str) -> None:
    with (repository / ".git" / where).open("ab") as file:
        file.write(b"\n# https://bot:" + VALUE + b"@example.org\n")
    search.tree(repository)
    assert {finding.place for finding in search.result.findings} == {str(repository / ".git" / where)}


def test_a_linked_work_tree_leads_to_its_repository(search: Search, repository: Path, tmp_path: Path) -> None:
    git(repository, "hash-object", "-w", "--stdin", stdin=VALUE)
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    search.tree(tmp_path / "linked")
    assert [": blob " in finding.place for finding in search.result.findings] == [True]


def test_a_work_tree_whose_repository_is_gone(search: Search, tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    search.tree(tmp_path)
    is_refused(search.result, "the repository that it leads to is not there")


def _shallow(repository: Path, target: Path) -> None:
    git(target.parent, "clone", "-q", "--bare", "--depth=1", f"file://{repository}", str(target))


def _partial(repository: Path, target: Path) -> None:
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(target.parent, "clone", "-q", "--bare", "--filter=blob:none", f"file://{repository}", str(target))


def _empty(_repository: Path, target: Path) -> None:
    git(target.parent, "init", "-q", "--bare", str(target))


def _without_an_object(repository: Path, target: Path) -> None:
    git(target.parent, "clone", "-q", "--bare", str(repository), str(target))
    tree = git(target, "rev-parse", "HEAD^{tree}").decode().strip()
    (target / "objects" / tree[:2] / tree[2:]).unlink()


def _damaged(repository: Path, target: Path) -> None:
    git(target.parent, "clone", "-q", "--bare", str(repository), str(target))
    commit = git(target, "rev-parse", "HEAD").decode().strip()
    loose = target / "objects" / commit[:2] / commit[2:]
    loose.chmod(0o600)
    loose.write_bytes(loose.read_bytes()[:-8])


def _with_garbage(repository: Path, target: Path) -> None:
    git(target.parent, "clone", "-q", "--bare", str(repository), str(target))
    (target / "objects" / "pack" / "tmp_pack_x.pack").write_bytes(b"PACK")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_shallow, ["it is shallow"]),
        (_partial, ["it is partial", "not stored"]),
        (_empty, ["nothing was listed"]),
        (_without_an_object, ["not stored"]),
        (_damaged, ["git's stream of objects ends within", "`git rev-list` ended with"]),
        (_with_garbage, ["files that are no objects"]),
    ],
)
def test_a_repository_without_its_whole_history(
    search: Search, repository: Path, tmp_path: Path, spoil: Callable[[Path, Path], None], words: list[str]
) -> None:
    spoil(repository, tmp_path / "spoilt")
    search.repository(tmp_path / "spoilt")
    is_refused(search.result, *words)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('case "$*" in *batch-check*) real "$@" | head -n -1;; *) real "$@";; esac', ["scanned, not listed"]),
        ('case "$*" in *--batch=*) real "$@" | head -c -20;; *) real "$@";; esac', ["listed, not scanned"]),
        ('case "$*" in *batch-check*) real "$@" | sed "s/ 5$/ 6/";; *) real "$@";; esac', ["listed with 6 bytes, scanned 5"]),
        ('case "$*" in *rev-list*) exit 3;; *) real "$@";; esac', ["`git rev-list` ended with 3"]),
        ("exit 0", ["nothing was listed"]),
    ],
)
def test_a_git_that_tells_two_stories(
    search: Search, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: list[str]
) -> None:
    with instead_of("git", script, tmp_path, monkeypatch):
        search.repository(repository / ".git")
    is_refused(search.result, *words)


def test_objects_of_a_repository_elsewhere(search: Search) -> None:
    listing = [b"1" * 40 + b" blob 20\n", b"2" * 40 + b" blob 3\n"]
    stream = io.BytesIO(listing[0] + VALUE + b"\n" + listing[1] + b"abc\n")
    search.objects("cache of the throwaway", listing, stream)
    assert [finding.place for finding in search.result.findings] == [f"cache of the throwaway: blob {'1' * 40}"]
    assert not search.result.problems
