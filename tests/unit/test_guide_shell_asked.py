"""What the guide's shell asks of its place, question by question, and what it makes of each answer. The place reads its answers from a list."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cleanroom.errors import HarnessError, OutOfReach
from cleanroom.guide_shell import GuideShell
from cleanroom.redact import Secret
from cleanroom.ssh import Result

UNREACHED = OutOfReach("the connection is gone")


def answer(out: str = "", err: str = "", *, status: int = 0) -> Result:
    return Result("bash", status, out.encode(), err.encode(), 0.0, "there")


HANDED, GONE = answer(), answer(status=3)


class Scripted:
    """A place that answers what it was told to, in order, and keeps the questions: the words behind the script, and what came on standard input."""

    where = "there"

    def __init__(self, *answers: Result | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[list[str], bytes]] = []

    def execute(self, command: str | Sequence[str], *, stdin: bytes = b"", within: float) -> Result:
        assert within > 0
        self.asked.append((list(command)[4:], stdin))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def shell(place: Scripted, *, login: bool = False) -> GuideShell:
    return GuideShell(place, "/guide", variables={"A": "a", "T": Secret("s3cr3t", name="t")}, login=login)


@pytest.mark.parametrize(("login", "words"), [(False, []), (True, ["login"])])
def test_a_visitors_shell_reads_the_profile_and_the_operators_does_not(login: bool, words: list[str]) -> None:  # noqa: FBT001 - a column of a table
    place = Scripted(answer())
    with_login = shell(place, login=login)
    assert with_login.__enter__() is with_login
    [(given, stdin)] = place.asked
    assert (given[0], given[1], given[3:]) == ("/guide", "", words)
    assert stdin == b"A=YQ==\nT=czNjcjN0\n"


def test_a_shell_that_does_not_start_is_our_trouble() -> None:
    with pytest.raises(HarnessError, match="cannot start a shell for the guide: no room"):
        shell(Scripted(answer(err="no room\n", status=1))).__enter__()


def test_commands_are_numbered_and_each_question_goes_on_where_the_last_answer_ended() -> None:
    place = Scripted(HANDED, answer("running\none\n", "e"), answer("running\n", "rr"), answer("4\ntwo\n"), HANDED, answer("0\n"))
    opened = shell(place)
    first, second = opened.run("ls", within=90), opened.run("pwd", within=0.5)
    assert (first.status, first.fate, first.stdout, first.stderr) == (4, "4", b"one\ntwo\n", b"err")
    assert (second.status, second.fate, second.stdout, second.stderr) == (0, "0", b"", b"")
    assert place.asked == [
        (["/guide", "1"], b"ls"),
        *((["/guide", "1", out, err, "5"], b"") for out, err in (("0", "0"), ("4", "1"), ("4", "3"))),
        (["/guide", "2"], b"pwd"),
        (["/guide", "2", "0", "0", "1"], b""),
    ]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([answer("running\n")], "no output yet"),
        ([answer("running\none\ntwo\n")], "two"),
        ([answer("running\none\n", "a warning\n")], "a warning"),
        ([answer("")], "no answer"),
        ([UNREACHED], "the connection is gone"),
    ],
    ids=["nothing", "its output", "its complaint", "an empty answer", "no connection"],
)
def test_while_a_command_runs_the_last_of_it_is_told(answers: list[Result | Exception], told: str) -> None:
    lines: list[str] = []
    place = Scripted(HANDED, *answers, answer("0\n"))
    assert shell(place).run("ls", within=20, alive=lambda _elapsed, line: lines.append(line)).status == 0
    assert lines == [told]


@pytest.mark.parametrize(
    ("last", "fate"),
    [(answer("running\nsome\n"), "limit"), (UNREACHED, "unreachable"), (answer("dead\nsome\n"), "dead"), (answer("7\nsome\n"), "7")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_at_the_limit_the_last_answer_decides(last: Result | Exception, fate: str) -> None:
    ended = shell(Scripted(HANDED, last)).run("ls", within=0)
    assert (ended.fate, ended.status) == (fate, 7 if fate == "7" else None)
    assert ended.stdout == (b"" if fate == "unreachable" else b"some\n")


def test_a_command_is_handed_over_again_when_the_connection_broke_over_it() -> None:
    place = Scripted(UNREACHED, HANDED, answer("0\n"))
    assert shell(place).run("ls", within=20).status == 0
    assert place.asked[0] == place.asked[1] == (["/guide", "1"], b"ls")


def test_a_shell_that_is_gone_takes_no_command_and_that_is_the_commands_fate() -> None:
    ended = shell(Scripted(GONE)).run("ls", within=20)
    assert (ended.status, ended.fate, ended.stdout, ended.stderr) == (None, "dead", b"", b"")


def test_a_shell_that_takes_no_command_for_another_reason_is_our_trouble() -> None:
    with pytest.raises(HarnessError, match="does not take commands: disk full"):
        shell(Scripted(answer(err="disk full\n", status=1))).run("ls", within=20)


@pytest.mark.parametrize("last", [answer(), UNREACHED], ids=["there", "gone"])
def test_leaving_never_hides_what_happened_inside(last: Result | Exception) -> None:
    place = Scripted(answer(), last)
    with pytest.raises(KeyError, match="inside"), shell(place):
        raise KeyError("inside")
    assert [words[0] for words, _ in place.asked] == ["/guide", "/guide"]
