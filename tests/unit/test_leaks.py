"""Coverage: whatever a search did not see keeps it from saying "none found", and what it says never shows a value."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.errors import BadInput, CheckFailed
from cleanroom.leaks import Search, Searcher
from cleanroom.redact import Secret
from tests.unit.leak_corpus import zipped
from tests.unit.leak_doubt import VALUE, instead_of, is_refused


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


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_files_with_holes(search: Search, tmp_path: Path, form: str) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        for place in range(0, 2**24, 2**20):
            file.seek(place)
            file.write(b"x" * 5000)
        file.seek(2**25)
        file.write(VALUE)
    size = (tmp_path / "sparse").stat().st_size
    stream = subprocess.run(["tar", "-C", tmp_path, "-c", "-S", f"--format={form}", "."], capture_output=True, check=True).stdout
    assert len(stream) < size / 2
    search.archive("files", io.BytesIO(stream), [("/sparse", size)])
    assert [finding.place for finding in search.result.findings] == ["files: ./sparse"]
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
    """Even right behind the last member: only the archive's own end says that nothing is missing."""
    whole = tarred(STORE, links=HARD).getvalue()
    end = whole.rindex(b"./nix/store/d") + 512
    for length in (*range(0, end, 97), end):
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


def test_a_pattern_sees_its_neighbours_across_reads() -> None:
    """A run of letters that is too long stays too long where one read ends within it; one that fits is found wherever a read ends."""
    searcher = Searcher({}, patterns={"Gandi token": r"\b[A-Za-z0-9]{24}\b"})
    for shift in range(-80, 280):
        search = Search(searcher)
        text = b" " * (2**19 + shift)
        items = {"too long": text + b"x" * 60, "fits": text + b"x" * 24 + b"-" * 300, "at the end": text + b"x" * 24}
        search.texts("m", items.items(), {name: len(item) for name, item in items.items()}, listed_by="wc", scanned_by="cat")
        assert {finding.place for finding in search.result.findings} == {"m: fits", "m: at the end"}
