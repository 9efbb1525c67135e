"""Coverage: whatever a search did not see keeps it from saying "none found", and what it says never shows a value."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.leaks import Result, Search, Searcher
from cleanroom.redact import Secret
from tests.unit.leak_corpus import git, zipped

VALUE = b"kX9fQ2mLw7RzT4vB8nYc"


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    return Searcher({"token": Secret(VALUE, name="token"), "pin": Secret(b"1234", name="pin")})


@pytest.fixture
def search(searcher: Searcher) -> Search:
    return Search(searcher)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files, a link, a folder in a folder."""
    root = tmp_path / "folder"
    (root / "a" / "b").mkdir(parents=True)
    (root / "one").write_text("first")
    (root / "a" / "two").write_text("second")
    (root / "a" / "b" / "three").write_bytes(os.urandom(5000))
    (root / "a" / "link").symlink_to("../one")
    return root


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


def is_refused(result: Result, *words: str) -> None:
    assert result.verdict == "cannot tell"
    text = "\n".join(result.problems)
    assert all(word in text for word in words), text
    with pytest.raises(HarnessError):
        result.check()


# ---- what a whole search says


def test_a_clean_folder(search: Search, folder: Path) -> None:
    search.tree(folder)
    (coverage,) = search.result.coverage
    assert coverage.complete
    assert (coverage.listed.count, coverage.listed.bytes) == (coverage.scanned.count, coverage.scanned.bytes) == (4, 5 + 6 + 5000 + len("../one"))
    assert search.result.verdict == "none found"
    search.result.check()


def test_a_short_value_is_not_checked_and_never_counted_as_absent(search: Search, folder: Path) -> None:
    search.tree(folder)
    assert [(each.secret, "too short" in each.reason) for each in search.result.not_checked] == [("pin", True)]
    assert search.result.searched == ("token",)


def test_only_short_values_are_nothing_to_search_for() -> None:
    with pytest.raises(BadInput, match="pin: it is too short"):
        Searcher({"pin": Secret(b"1234", name="pin")})


def test_a_finding_names_secret_form_and_place(search: Search, folder: Path) -> None:
    (folder / "a" / "two").write_bytes(b"second: " + VALUE.hex().encode())
    search.tree(folder)
    (finding,) = search.result.findings
    assert (finding.secret, finding.form, finding.place) == ("token", "hex", str(folder / "a" / "two"))
    with pytest.raises(CheckFailed, match="token, hex, in"):
        search.result.check()


@pytest.mark.parametrize("spoil", ["file name", "folder name", "link", "link name"])
def test_names_and_links_are_content_and_are_not_shown(search: Search, folder: Path, spoil: str) -> None:
    name = f"x-{VALUE.decode()}"
    match spoil:
        case "file name":
            (folder / name).write_text("x")
        case "folder name":
            (folder / name).mkdir()
        case "link":
            (folder / "pointer").symlink_to(f"/nowhere/{name}")
        case _:
            (folder / name).symlink_to("/nowhere")
    search.tree(folder)
    assert {finding.secret for finding in search.result.findings} == {"token"}
    assert VALUE.decode() not in f"{search.result} {json.dumps(search.result.as_data())} {search.result.findings[0]}"


def test_no_text_shows_a_value_even_where_the_place_is_named_after_it(search: Search, folder: Path) -> None:
    odd = folder / VALUE.decode()
    odd.mkdir()
    (odd / "damaged.gz").write_bytes(b"\x1f\x8b\x08\0" + bytes(20))
    (odd / VALUE.hex()).write_bytes(VALUE)
    search.tree(odd)
    result = search.result
    assert result.problems
    assert result.findings
    text = json.dumps(result.as_data()) + str(result) + "".join(map(str, result.findings)) + "\n".join(result.problems)
    assert VALUE.decode() not in text
    assert VALUE.hex() not in text
    assert "[secret token]" in text
    with pytest.raises(CheckFailed) as caught:
        result.check()
    assert VALUE.decode() not in str(caught.value)


def test_results_add_up(searcher: Searcher, folder: Path, tmp_path: Path) -> None:
    one, other = Search(searcher), Search(searcher)
    one.tree(folder)
    (tmp_path / "empty").mkdir()
    other.tree(tmp_path / "empty")
    both = one.result + other.result
    assert len(both.coverage) == 2
    assert both.verdict == "cannot tell"
    assert one.result.verdict == "none found"


def test_nothing_searched_is_no_pass(search: Search) -> None:
    is_refused(search.result)


# ---- folders


def test_an_empty_folder_proves_nothing(search: Search, tmp_path: Path) -> None:
    search.tree(tmp_path)
    is_refused(search.result, "nothing was listed", "nothing was scanned")


def test_empty_files_prove_nothing(search: Search, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    search.tree(tmp_path)
    is_refused(search.result, "nothing was scanned")


def test_nothing_there_is_bad_input(search: Search, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        search.tree(tmp_path / "missing")


@contextmanager
def instead_of(program: str, script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run `script` where `program` would run; in it, `real` is the real one."""
    shims = folder / "shims"
    shims.mkdir()
    (shims / program).write_text(f'#!/bin/bash\nreal() {{ PATH="${{PATH#*:}}" command {program} "$@"; }}\n{script}\n')
    (shims / program).chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{shims}:{os.environ['PATH']}")
        yield


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('real "$@"; rm "$1/one"', ["one: listed, not scanned"]),
        ('real "$@"; mv "$1/one" "$1/uno"', ["one: listed, not scanned", "uno: scanned, not listed"]),
        ('real "$@"; echo more >> "$1/one"', ["one: listed with 5 bytes, scanned 10"]),
        ('real "$@"; : > "$1/a/new"', ["new: scanned, not listed"]),
        ('real "$@" | head -z -n -1', ["scanned, not listed"]),
        ('real "$@"; printf "3 /more\\0"', ["/more: listed, not scanned"]),
        ('real "$@"; real "$@"', ["listed twice"]),
        ('real "$@"; exit 1', ["find could not look everywhere"]),
        ("exit 0", ["nothing was listed"]),
    ],
)
def test_a_lister_that_saw_something_else(
    search: Search, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: list[str]
) -> None:
    with instead_of("find", script, tmp_path, monkeypatch):
        search.tree(folder)
    is_refused(search.result, *words)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_what_may_not_be_read_is_named(search: Search, closed: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "folder").mkdir()
        (folder / "folder" / "file").write_text("x")
        (folder / "open").write_text("x")
        folder.chmod(0o755)
        (folder / "folder" / "file" if closed == "file" else folder / "folder").chmod(0)
        with as_nobody():
            search.tree(folder)
        (folder / "folder").chmod(0o700)
    is_refused(search.result, f"/{closed}: ", "ermission denied")


def test_a_gap_can_be_accepted_by_name_and_is_still_told(searcher: Searcher, folder: Path) -> None:
    (folder / "samples").mkdir()
    (folder / "samples" / "bad.gz").write_bytes(b"\x1f\x8b\x08\0" + bytes(20))
    strict = Search(searcher)
    strict.tree(folder)
    is_refused(strict.result, "bad.gz: gzip data that cannot be unpacked")
    lenient = Search(searcher, accepted={"*/samples/*": "the library's own broken samples"})
    lenient.tree(folder)
    assert lenient.result.verdict == "none found"
    assert "the library's own broken samples" in json.dumps(lenient.result.as_data())


# ---- git


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


# ---- another machine's folders, as a tar stream


def tarred(members: dict[str, bytes | str], *, links: dict[str, str] | None = None) -> io.BytesIO:
    """A tar stream of files (bytes), symbolic links (text) and hard links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"./{name}")
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.LNKTYPE, f"./{target}"
            archive.addfile(member)
    buffer.seek(0)
    return buffer


STORE: dict[str, bytes | str] = {"nix/store/a": b"Derive([...])", "nix/store/b": b"x" * 1000, "nix/store/c": "/nix/store/a" * 20}
INVENTORY = [("/nix/store/a", 13), ("/nix/store/b", 1000), ("/nix/store/c", 240), ("/nix/store/d", 13)]
HARD = {"nix/store/d": "nix/store/a"}


def test_a_store_as_a_tar_stream(search: Search) -> None:
    search.archive("store", tarred(STORE, links=HARD), INVENTORY)
    (coverage,) = search.result.coverage
    assert coverage.complete, coverage.problems
    assert coverage.scanned.count == 4


@pytest.mark.parametrize("where", ["file", "packed file", "link", "name"])
def test_a_value_in_a_tar_stream(search: Search, where: str) -> None:
    members: dict[str, bytes | str]
    match where:
        case "file":
            members, inventory = {"a": b"x" + VALUE}, [("/a", 21)]
        case "packed file":
            packed = zipped(VALUE)
            members, inventory = {"a": packed}, [("/a", len(packed))]
        case "link":
            members, inventory = {"a": "/run/" + VALUE.decode()}, [("/a", 25)]
        case _:
            members, inventory = {VALUE.decode(): b"x"}, [(f"/{VALUE.decode()}", 1)]
    search.archive("store", tarred(members), inventory)
    assert {finding.secret for finding in search.result.findings} == {"token"}
    assert not search.result.problems


@pytest.mark.parametrize(
    ("inventory", "words"),
    [
        (INVENTORY[:-1], ["/nix/store/d: scanned, not listed"]),
        ([*INVENTORY, ("/nix/store/e", 1)], ["/nix/store/e: listed, not scanned", "listed were 5 items"]),
        ([*INVENTORY[:-1], ("/nix/store/e", 13)], ["/nix/store/d: scanned, not listed", "/nix/store/e: listed, not scanned"]),
        ([("/nix/store/a", 14), *INVENTORY[1:]], ["/nix/store/a: listed with 14 bytes, scanned 13"]),
        ([*INVENTORY, INVENTORY[0]], ["listed twice"]),
        ([], ["nothing was listed"]),
    ],
)
def test_an_inventory_that_does_not_fit_the_stream(search: Search, inventory: list[tuple[str, int]], words: list[str]) -> None:
    search.archive("store", tarred(STORE, links=HARD), inventory)
    is_refused(search.result, *words)


def test_a_stream_cut_at_any_place(searcher: Searcher) -> None:
    whole = tarred(STORE, links=HARD).getvalue()
    end = whole.rindex(b"nix/store/d") + 512
    for length in range(0, end, 97):
        search = Search(searcher)
        search.archive("store", io.BytesIO(whole[:length]), INVENTORY)
        is_refused(search.result)


# ---- texts and images


def test_texts_of_a_machine(search: Search) -> None:
    texts = {"journal": b"started\n", "process 12": b"nginx\0-g\0"}
    listed = {name: len(text) for name, text in texts.items()}
    search.texts("m", texts.items(), listed, listed_by="wc", scanned_by="cat")
    assert search.result.verdict == "none found"
    search.texts("m", texts.items(), listed | {"process 13": 4}, listed_by="wc", scanned_by="cat")
    is_refused(search.result, "process 13: listed, not scanned")


def image(*layers: bytes) -> tuple[io.BytesIO, list[str]]:
    """What `docker save` writes, as far as it matters, and the diff IDs of the layers."""
    members: dict[str, bytes | str] = {f"blobs/sha256/{number}": layer for number, layer in enumerate(layers)}
    return tarred({**members, "manifest.json": b"[]"}), [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]


def test_an_images_layers_answer_by_their_digests(search: Search) -> None:
    stream, layers = image(tarred({"etc/a": b"x"}).getvalue(), tarred({"etc/env": VALUE}).getvalue())
    search.image("traefik", stream, layers)
    assert [finding.place for finding in search.result.findings] == ["traefik: ./blobs/sha256/1: ./etc/env"]
    assert not search.result.problems


def test_an_image_without_one_of_its_layers(search: Search) -> None:
    stream, layers = image(tarred({"etc/a": b"x"}).getvalue())
    search.image("traefik", stream, [*layers, "sha256:" + "0" * 64])
    is_refused(search.result, f"{'0' * 64}: listed, not scanned")


def test_an_image_of_no_layers_proves_nothing(search: Search) -> None:
    stream, _ = image(tarred({"etc/a": b"x"}).getvalue())
    search.image("traefik", stream, [])
    is_refused(search.result, "nothing was listed")


def test_patterns_find_what_nobody_here_knows(tmp_path: Path) -> None:
    searcher = Searcher({"token": Secret(VALUE, name="token")}, patterns={"Gandi token": r"\b(?:pat_)?[A-Za-z0-9]{24,40}\b"})
    (tmp_path / "one").write_text("abcdefghijklmnopqrstuvwxyz")
    (tmp_path / "two").write_text("plain words only, and no long ones")
    search = Search(searcher)
    search.tree(tmp_path)
    assert {(finding.secret, finding.form, finding.place) for finding in search.result.findings} == {
        ("Gandi token", "pattern", str(tmp_path / "one"))
    }


def test_a_pattern_that_cannot_be_searched_for_is_bad_input() -> None:
    with pytest.raises(BadInput, match="Gandi token"):
        Searcher({}, patterns={"Gandi token": "("})
