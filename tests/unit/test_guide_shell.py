"""The guide's shell, on both sides: on this machine, and behind a real SSH connection that may be cut."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

from cleanroom import guide_shell
from cleanroom.errors import HarnessError
from cleanroom.guide_shell import Answer, GuideShell, Place, ThisSide
from cleanroom.redact import Secret
from cleanroom.ssh import Ssh
from cleanroom.wait import Waiting, wait_until
from tests.unit.loopback import Sshd, There
from tests.unit.notes import Notes

MEGABYTE = 1_000_000
TOKEN = "t0ken=with+signs/and spaces"


@pytest.fixture
def ssh(sshd: Sshd, notes: Notes) -> Ssh:
    return sshd.client(notes.record)


@pytest.fixture
def there(ssh: Ssh) -> There:
    return There(ssh)


@pytest.fixture
def here(tmp_path: Path) -> ThisSide:
    for name in ("bin", "home"):
        (tmp_path / name).mkdir()
    return ThisSide(path=tmp_path / "bin", home=tmp_path / "home")


@pytest.fixture(params=["here", "there"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def open_at(place: Place, folder: Path, variables: Mapping[str, str | Secret] | None = None, *, watch: int | None = None) -> GuideShell:
    return GuideShell(place, str(folder / "guide"), variables=variables or {}, login=False, watch=watch)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that looks around ten times as often while nobody tells it anything."""
    monkeypatch.setattr(guide_shell, "_LOOP", guide_shell._LOOP.replace("read -r -t 2 ", "read -r -t 0.2 "))
    assert "-t 0.2 " in guide_shell._LOOP


@pytest.fixture
def shell(place: Place, tmp_path: Path) -> Iterator[GuideShell]:
    with open_at(place, tmp_path) as shell:
        yield shell


def said(answer: Answer) -> tuple[int | None, str, str]:
    return answer.status, answer.stdout.decode(), answer.stderr.decode()


def test_each_command_tells_its_status_and_both_streams(shell: GuideShell) -> None:
    assert said(shell.run("echo out; echo err >&2", within=20)) == (0, "out\n", "err\n")
    assert said(shell.run("false", within=20)) == (1, "", "")
    assert said(shell.run("no-such-program-anywhere", within=20))[0] == 127


def test_folder_and_variables_persist_as_for_a_person(shell: GuideShell) -> None:
    shell.run("cd /usr/bin; plain=1; export exported=2; greet() { echo hello $1; }", within=20)
    answer = shell.run('pwd; echo "$plain"; env | grep ^exported; greet you', within=20)
    assert said(answer) == (0, "/usr/bin\n1\nexported=2\nhello you\n", "")


def test_a_command_of_many_lines_arrives_as_it_is_written(shell: GuideShell) -> None:
    answer = shell.run("cat <<'END'\n$HOME `date` \\\n'quoted'\nEND\nfor n in 1 2; do\n  echo $n\ndone", within=20)
    assert said(answer) == (0, "$HOME `date` \\\n'quoted'\n1\n2\n", "")


def test_a_command_finds_nobody_to_ask(shell: GuideShell) -> None:
    assert said(shell.run("read answer; cat", within=20)) == (0, "", "")


def test_both_streams_may_be_large(shell: GuideShell) -> None:
    answer = shell.run(f"head -c {3 * MEGABYTE} /dev/zero; head -c {3 * MEGABYTE} /dev/zero >&2; exit_here() {{ return 4; }}; exit_here", within=30)
    assert (answer.status, len(answer.stdout), len(answer.stderr)) == (4, 3 * MEGABYTE, 3 * MEGABYTE)


def test_exit_ends_the_shell_with_its_status_and_the_next_command_is_told_so_at_once(shell: GuideShell) -> None:
    assert said(shell.run("echo last words; exit 7", within=20)) == (7, "last words\n", "")
    began = time.monotonic()
    answer = shell.run("echo nobody hears this", within=20)
    assert (answer.status, answer.fate, answer.stdout) == (None, "dead", b"")
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("impatient")
def test_a_guide_that_says_set_e_keeps_its_shell_while_it_is_idle(there: There, tmp_path: Path) -> None:
    with open_at(there, tmp_path) as shell:
        assert shell.run("set -euo pipefail", within=20).status == 0
        time.sleep(0.5)
        assert said(shell.run("echo alive; false", within=20)) == (1, "alive\n", "")


def test_a_shell_that_is_killed_is_dead_and_its_last_words_are_kept(there: There, tmp_path: Path) -> None:
    with open_at(there, tmp_path) as shell:
        answer = shell.run("echo before; kill -KILL $$; sleep 60", within=20)
    assert (answer.status, answer.fate, answer.stdout, answer.seconds < 15) == (None, "dead", b"before\n", True)


def test_a_folder_that_a_reboot_cleared_means_a_dead_shell(there: There, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide_shell, "_NEWS_SECONDS", 1)
    with open_at(there, tmp_path) as shell:
        answer = shell.run(f"rm -rf {shell.folder}; kill -KILL $$", within=20)
    assert (answer.status, answer.fate, answer.stderr, answer.seconds < 15) == (None, "dead", b"", True)


def test_a_hanging_command_meets_its_limit_and_ends_with_its_shell(there: There, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide_shell, "_NEWS_SECONDS", 1)
    told: list[str] = []
    with open_at(there, tmp_path) as shell:
        answer = shell.run(f"echo $$ > {tmp_path}/pid; echo so far so good; sleep 1234", within=4, alive=lambda _, line: told.append(line))
    assert (answer.status, answer.fate, answer.stdout) == (None, "limit", b"so far so good\n")
    assert told[-1] == "so far so good"
    wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text())) or Waiting("alive"), what="the shell's end", within=5, every=0.02)


def test_leaving_ends_the_shell_and_removes_its_folder(place: Place, tmp_path: Path) -> None:
    with open_at(place, tmp_path) as shell:
        pid = int(shell.run("echo $$", within=20).stdout)
        assert is_alive(pid)
        assert (tmp_path / "guide").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "guide").exists()
    wait_until(lambda: not is_alive(pid) or Waiting("alive"), what="the shell's end", within=5, every=0.02)


def test_a_folder_that_exists_is_not_taken_over(place: Place, tmp_path: Path) -> None:
    (tmp_path / "guide").mkdir()
    with pytest.raises(HarnessError, match="cannot start a shell"), open_at(place, tmp_path):
        pass


@pytest.mark.usefixtures("impatient")
def test_this_side_s_shell_ends_with_the_process_that_it_watches(here: ThisSide, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1234"]) as watched, open_at(here, tmp_path, watch=watched.pid) as shell:
        pid = int(shell.run("echo $$", within=20).stdout)
        assert is_alive(pid)
        watched.kill()
        watched.wait()
        wait_until(lambda: not is_alive(pid) or Waiting("alive"), what="the shell's end", within=8, every=0.05)


@pytest.mark.parametrize("cuts", [1, 2])
def test_a_connection_that_is_cut_does_not_lose_a_byte(sshd: Sshd, there: There, tmp_path: Path, cuts: int) -> None:
    script = "n=0; while [ $n -lt 25 ]; do n=$((n + 1)); echo out $n; echo err $n >&2; sleep 0.02; done; (exit 9)"
    output = tmp_path / "guide" / "1.out"

    def cut() -> None:
        for nth in range(cuts):
            line = f"out {10 * (nth + 1)}\n"
            wait_until(lambda line=line: (output.exists() and line in output.read_text()) or Waiting("less"), what=line, within=20, every=0.01)  # type: ignore[misc]
            sshd.cut()

    scissors = threading.Thread(target=cut)
    with open_at(there, tmp_path) as shell:
        scissors.start()
        answer = shell.run(script, within=30)
        scissors.join()
        assert said(shell.run("echo and $n", within=20)) == (0, "and 25\n", "")
    assert answer.status == 9
    assert answer.stdout.decode().splitlines() == [f"out {n}" for n in range(1, 26)]
    assert answer.stderr.decode().splitlines() == [f"err {n}" for n in range(1, 26)]


def test_a_command_may_cut_its_own_connection(sshd: Sshd, there: There, tmp_path: Path) -> None:
    with open_at(there, tmp_path) as shell:
        parent = sshd.sessions()
        assert parent
        answer = shell.run(f"echo before; kill -KILL {' '.join(map(str, parent))}; echo after", within=20)
    assert said(answer) == (0, "before\nafter\n", "")


def test_variables_arrive_exactly(place: Place, tmp_path: Path) -> None:
    values = ["", "a", "ab", "abc", "a=b==", " leading and trailing ", "two\nlines", "\\n", "$HOME `id`", "'\"", "ünï", "\t", "-n", "*"]
    variables: dict[str, str | Secret] = {f"V{number}": value for number, value in enumerate(values)}
    with open_at(place, tmp_path, {**variables, "TOKEN": Secret(TOKEN, name="token")}) as shell:
        names = [*variables, "TOKEN"]
        answer = shell.run("printf '%s\\0' " + " ".join(f'"${name}"' for name in names), within=20)
        assert answer.stdout.decode().split("\0")[:-1] == [*values, TOKEN]
        assert shell.run("bash -c '[ -n \"$TOKEN\" ]'", within=20).status == 0


def test_a_secret_is_in_no_argument_list_and_in_no_file(place: Place, tmp_path: Path) -> None:
    looks = Looks(lambda: [TOKEN.encode()])
    with looks, open_at(place, tmp_path, {"TOKEN": Secret(TOKEN, name="token")}) as shell:
        for _ in range(25):  # a busy machine looks more slowly
            answer = shell.run('[ ${#TOKEN} -eq 27 ] && sleep 0.4 && bash -c "[ \\${#TOKEN} -eq 27 ]"', within=20)
            if answer.status != 0 or looks.taken > 10:
                break
        files = [path for path in (tmp_path / "guide").iterdir() if path.is_file()]
        in_files = [path.name for path in files if TOKEN.encode() in path.read_bytes()]
    assert answer.status == 0
    assert len(files) >= 3
    assert in_files == []
    assert looks.taken >= 3
    assert looks.saw_guide_shell
    assert looks.found == []


class Looks:
    """Reads every process's argument list, again and again, until it is left. Finds are told by process, never by value."""

    def __init__(self, needles: Callable[[], list[bytes]]) -> None:
        self.needles = needles
        self.taken = 0
        self.saw_guide_shell = False
        self.found: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.is_set():
            self.taken += 1
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = process.read_bytes()
                except OSError:
                    continue
                self.saw_guide_shell |= b"guide-shell" in words
                self.found += [process.parent.name for needle in self.needles() if needle in words]


def test_this_side_judges_nothing(here: ThisSide) -> None:
    result = here.execute("cat; echo err >&2; exit 5", stdin=b"in", within=10)
    assert (result.status, result.stdout, result.stderr) == (5, b"in", b"err\n")


def test_this_side_finds_what_lies_in_front_and_has_a_home_of_its_own(here: ThisSide, tmp_path: Path) -> None:
    (tmp_path / "bin" / "ssh").write_text("#!/bin/sh\necho ours\n")
    (tmp_path / "bin" / "ssh").chmod(0o700)
    assert here.execute(["ssh"], within=10).text == "ours"
    assert here.execute("echo ~", within=10).text == str(tmp_path / "home")


def test_this_side_ends_all_of_a_command_that_meets_its_limit(here: ThisSide, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="still ran"):
        here.execute(f"sleep 1234 & echo $! > {tmp_path}/pid; wait", within=0.5)
    wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text())) or Waiting("alive"), what="the child's end", within=5, every=0.02)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


assert is_alive(os.getpid())
