"""A machine's files, listed by find and sent by tar, over a real sshd; and what its processes were started with."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

import pytest

from cleanroom.errors import HarnessError, OutOfTime
from cleanroom.leaks import Result, Search, Searcher
from cleanroom.machine import Machine
from cleanroom.probes import check_read_only
from cleanroom.redact import Secret
from cleanroom.sighting import machine_files, processes
from tests.unit.loopback import Sshd
from tests.unit.notes import Notes

VALUE = secrets.token_urlsafe(24)


@pytest.fixture
def machine(sshd: Sshd, notes: Notes) -> Machine:
    return Machine("here", sshd.client(notes.record), notes.record)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files as they are met: a link, a hard link, holes, an odd name, an empty one."""
    root = tmp_path / "root"
    (root / "deep/er").mkdir(parents=True)
    (root / "plain").write_text(f"a value {VALUE}\n")
    (root / "link").symlink_to("plain")
    os.link(root / "plain", root / "deep/again")
    (root / "deep/er/odd *[x] näme\n").write_text("x" * 100_000)
    (root / "empty").touch()
    with (root / "holes").open("wb") as file:
        file.write(b"begin")
        file.seek(3_000_000)
        file.write(VALUE.encode())
    return root


def search(machine: Machine, place: Path, without: dict[str, str]) -> Result:
    found = Search(Searcher({"value": Secret(VALUE, name="value")}))
    listed = machine_files.inventory(machine, (str(place),), without)
    with machine_files.archive(machine, (str(place),), without) as stream:
        found.archive("files", stream, ((path, file.size) for path, file in listed.items()))
    return found.result


def test_find_and_tar_meet_the_same_files(machine: Machine, folder: Path) -> None:
    result = search(machine, folder, {})
    assert result.problems == ()
    assert result.coverage[0].listed.count == 6
    assert {finding.place.rpartition("/")[2] for finding in result.findings} in ({"plain", "holes"}, {"again", "holes"})


def test_what_is_left_out_is_left_out_by_both(machine: Machine, folder: Path) -> None:
    result = search(machine, folder, {str(folder / "holes"): "a file", str(folder / "deep"): "a folder", "/proc": "elsewhere"})
    assert result.problems == ()
    assert result.coverage[0].listed.count == 3


def test_a_name_that_is_a_pattern_means_itself(machine: Machine, folder: Path) -> None:
    (folder / "deep/er/odd more").touch()
    odd = str(next((folder / "deep/er").glob("odd *name*"), folder / "deep/er/odd *[x] näme\n"))
    assert str(folder / "deep/er/odd more") in machine_files.inventory(machine, (str(folder),), {odd: "only this"})
    assert odd not in machine_files.inventory(machine, (str(folder),), {odd: "only this"})


def test_a_file_that_came_in_between_is_a_mismatch(machine: Machine, folder: Path) -> None:
    listed = machine_files.inventory(machine, (str(folder),), {})
    (folder / "late").write_text("x")
    found = Search(Searcher({"value": Secret(VALUE, name="value")}))
    with machine_files.archive(machine, (str(folder),), {}) as stream:
        found.archive("files", stream, ((path, file.size) for path, file in listed.items()))
    assert any("late: scanned, not listed" in problem for problem in found.result.problems)


def test_a_changed_file_changes_the_inventory_and_its_digest(machine: Machine, folder: Path) -> None:
    before = machine_files.inventory(machine, (str(folder),), {})
    stat = (folder / "plain").stat()
    (folder / "plain").write_text(f"A VALUE {VALUE}\n")
    os.utime(folder / "plain", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = machine_files.inventory(machine, (str(folder),), {})
    assert {path for path in after if after[path] != before[path]} == {str(folder / "plain"), str(folder / "deep/again")}
    assert machine_files.digest(before) != machine_files.digest(after)
    assert machine_files.digest(machine_files.below(before, str(folder / "deep/er"))) == machine_files.digest(
        machine_files.below(after, f"{folder}/deep/er/")
    )


def test_a_repository_is_met_by_its_name_or_by_what_it_consists_of(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Everything but this test's own folder is left out, in place of the kernel's views.
    others = {str(path): "another's" for parent in (tmp_path, *tmp_path.parents[:-1]) for path in parent.parent.iterdir() if path != parent}
    monkeypatch.setattr(machine_files, "not_files", lambda _machine: others)
    assert machine_files.repositories(machine) == ()
    for name in ("clone", "worktree"):
        (tmp_path / name).mkdir()
    (tmp_path / "clone/.git").mkdir()
    (tmp_path / "worktree/.git").write_text("gitdir: elsewhere\n")
    (tmp_path / "named.git").mkdir()
    (tmp_path / "a file.git").touch()
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "cache with blank"], check=True)
    for folder in ("almost/objects", "almost/refs"):
        (tmp_path / folder).mkdir(parents=True)
    found = [path.removeprefix(f"{tmp_path}/") for path in machine_files.repositories(machine)]
    assert found == ["cache with blank", "clone/.git", "named.git", "worktree/.git"]


def test_the_kernels_own_views_are_no_files(machine: Machine) -> None:
    mounts = machine_files.not_files(machine)
    assert mounts["/proc"] == "the kernel's own view (proc)"
    assert "/" not in mounts


def test_a_stream_that_ends_badly_is_told(machine: Machine, tmp_path: Path) -> None:
    with (
        pytest.raises(HarnessError, match="ended with 2"),
        machine_files.archive(machine, (str(tmp_path / "nothing"),), {}) as stream,
    ):
        assert stream.readable()


@pytest.mark.parametrize(
    "options",
    [
        ("--extract", "--file=-"),
        ("--create", "--file=/srv/all.tar", "."),
        ("--create", "--file=-", "--remove-files", "."),
        ("--create", "--file=-", "--remove-f", "."),
        ("--create", "--file=-", "--to-command=sh", "."),
        ("--create", "--file=-", "-I", "sh", "."),
    ],
    ids=" ".join,
)
def test_tar_only_looks_when_it_only_sends(options: tuple[str, ...]) -> None:
    with pytest.raises(HarnessError, match="not known to be read-only"):
        check_read_only(("tar", *options))


def test_a_stream_has_a_limit(machine: Machine) -> None:
    with pytest.raises(OutOfTime, match="the stream still ran"), machine.stream("tail", "-f", "/dev/null", within=0.3) as stream:
        stream.read(1)


def test_a_large_stream_with_much_complaint_arrives_whole(machine: Machine, tmp_path: Path) -> None:
    """Both streams are drained: one that is not would stop the other."""
    data = secrets.token_bytes(1_000_000) * 20
    (tmp_path / "large").write_bytes(data)
    missing = [f"/nowhere/{'x' * 200}/{number}" for number in range(300)]
    with machine.stream("cat", *missing, str(tmp_path / "large"), *missing, ok=(1,), within=30) as stream:
        assert stream.read() == data


def test_words_and_environments_of_processes_are_met(machine: Machine) -> None:
    with subprocess.Popen(["sleep", "61.5"], env={"CANARY": VALUE}) as process, subprocess.Popen(["sleep", "62.5"], env={}) as bare:
        try:
            found, expected = processes.texts(machine)
        finally:
            process.kill()
            bare.kill()
    assert found[f"/proc/{process.pid}/cmdline"] == b"sleep\x0061.5\0"
    assert found[f"/proc/{process.pid}/environ"] == f"CANARY={VALUE}\0".encode()
    assert found[f"/proc/{bare.pid}/environ"] == b""
    assert {f"/proc/{process.pid}/cmdline", f"/proc/{bare.pid}/environ"} <= expected & found.keys()
