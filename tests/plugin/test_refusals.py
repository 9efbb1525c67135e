"""What collection refuses: each file that could be green without having looked, with its line, before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.plugin.project import Project

HEAD = "Feature: f\n  Scenario: a\n"
SOUND = f"{HEAD}    Given a machine\n    Then it answers\n"


class Case(NamedTuple):
    """A file, and what must be said of which lines."""

    name: str
    content: bytes
    faults: list[tuple[int, str]]


def written_cases() -> Iterator[Case]:
    """The files in refused.txt."""
    _preface, *cases = Path(__file__).with_name("refused.txt").read_text().split("\n== ")
    for case in cases:
        name, *lines = case.strip("\n").split("\n")
        marked = [line.partition("  <-- ") for line in lines]
        faults = [(number, words) for number, (_line, mark, words) in enumerate(marked, start=1) if mark]
        yield Case(name, "".join(f"{line}\n" for line, _mark, _words in marked).encode(), faults)


#: Files whose fault is in their bytes or at their end, where no mark can stand.
UNWRITABLE = [
    Case("an empty file", b"", [(1, "there is no feature")]),
    Case("not UTF-8", f"{HEAD}    Then it ".encode() + b"\xe4nswers\n", [(3, "not UTF-8")]),
    Case("a byte order mark", b"\xef\xbb\xbf" + SOUND.encode(), [(1, "byte order mark")]),
    Case("a tag at the end", f"{SOUND}  @c4\n".encode(), [(6, "ends too early")]),
    Case("a doc string without its end", f'{SOUND}      """\n      a\n'.encode(), [(7, "ends too early")]),
]
CASES = [*written_cases(), *UNWRITABLE]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_refuses(project: Project, case: Case) -> None:
    assert case.faults
    project.feature(case.content)
    result = project.pytester.inline_run("features", "-p", "no:terminal")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    [refused] = result.getfailedcollections()
    heading, *lines = refused.longreprtext.split("\n")
    assert heading == "refused, and nothing was made:"
    told = [re.fullmatch(r"features/x\.feature:(\d+): (\S.*)", line) for line in lines[::2]]
    assert [int(line[1]) for line in told if line] == [number for number, _words in case.faults], lines
    assert all(words in line[2] for line, (_number, words) in zip(told, case.faults, strict=True) if line), lines
    assert all(re.fullmatch(r"    \S.*", advice) for advice in lines[1::2]), lines


@pytest.mark.parametrize("arguments", [["features"], ["features/x.feature::b"], ["features", "-k", "b"], ["features", "-m", "not c4"]])
def test_nothing_is_made_before_every_file_is_sound(project: Project, arguments: list[str]) -> None:
    project.feature("Feature: f\n  Scenario: b\n    Given a machine\n    Then it answers\n  Scenario: vacuous\n    Given a machine\n")
    project.feature("Feature: g\n  Scenario: b\n    Given a machine\n    Then it answers\n", name="features/a.feature")
    assert project.run(*arguments).ret in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR}
    assert not (project.folder / "made").exists()
    assert project.run("features/a.feature").ret == pytest.ExitCode.OK
    assert (project.folder / "made").exists()


def test_all_faults_are_told_at_once(project: Project) -> None:
    """Those of the text, those of the steps, those of another file; each once, in the order of the lines."""
    project.feature(
        """
        @c5
        Feature: f
          Background:
            Given a moon
          Scenario: a
            When it is rebooted
          Scenario: a
            Then it sings
          Scenario Outline: b
            Then it answers
        """
    )
    project.feature("", name="features/y.feature")
    result = project.run("features")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert re.findall(r"^features/(\w)\.feature:(\d+):", result.stdout.str(), re.MULTILINE) == [
        *(("x", line) for line in ("1", "4", "5", "7", "8", "9")),
        ("y", "1"),
    ]
    assert len(re.findall("refused, and nothing was made", result.stdout.str())) == 2


def test_all_misfits_are_told_at_once(project: Project) -> None:
    project.feature(f"{SOUND}    Thn it answers\n    Wenn it answers\n")
    result = project.run("features")
    assert re.findall(r"x\.feature:(\d+): `(\w+)", result.stdout.str()) == [("5", "Thn"), ("6", "Wenn")]


@pytest.mark.parametrize(
    ("text", "near"),
    [("Then it answer", "Then it answers"), ("Given it answers", "Then it answers"), ("Given the machine called x", "Given a machine called {name}")],
)
def test_an_undefined_step_is_told_the_nearest_phrase(project: Project, text: str, near: str) -> None:
    project.feature(f"{HEAD}    {text}\n    Then it answers\n" if text.startswith("Given") else f"{HEAD}    {text}\n")
    project.run("features").stdout.fnmatch_lines([f"*the nearest phrase is `{near}`*"])


AMBIGUOUS = {
    "two plain ones": ("@then('it sings')\ndef one(): pass\n@then('it sings')\ndef two(): pass", ""),
    "a plain one and a parser": ("@then('it sings')\ndef one(): pass\n@then(parsers.parse('it {does}'))\ndef two(): pass", ""),
    "two parsers": ("@then(parsers.re('it s.*'))\ndef one(): pass\n@then(parsers.parse('it sing{s}'))\ndef two(): pass", ""),
    "one for any keyword": ("@then('it sings')\ndef one(): pass\n@step('it sings')\ndef two(): pass", ""),
    "one in each of two modules": ("@then('it sings')\ndef one(): pass", "@then('it sings')\ndef one(): pass"),
    "one that would override": ("", "@then('it answers')\ndef one(): pass"),
}


@pytest.mark.parametrize(("module", "conftest"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_refuses_a_line_that_two_steps_match(project: Project, module: str, conftest: str) -> None:
    project.add_steps(module, conftest)
    project.feature(f"{HEAD}    Then {'it sings' if module else 'it answers'}\n")
    result = project.run("features")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["features/x.feature:3: several steps match `Then it *`", "    leave one of `*` (*.py:*) and `*` (*.py:*)"])


def test_a_line_of_which_one_step_matches_is_not_ambiguous(project: Project) -> None:
    """The same wording for another keyword, the same function under another name or in another module: none is a second meaning."""
    one = "@given('it sings')\ndef before(): pass\n@then('it sings')\ndef after(): pass"
    project.add_steps(f"{one}\nfrom phrasebook import *")
    project.feature(f"{HEAD}    Given it sings\n    Then it sings\n    And it answers\n")
    project.run("features").assert_outcomes(passed=1)


def test_a_step_module_that_is_loaded_under_two_names_is_not_ambiguous(project: Project) -> None:
    rooms = project.folder / "rooms"
    rooms.mkdir()
    (rooms / "song.py").write_text("from pytest_bdd import then\n@then('it sings')\ndef sings(): pass\n")
    project.pytester.syspathinsert(rooms)
    project.add_plugins("rooms.song", "song")
    project.feature(f"{HEAD}    Then it sings\n")
    project.run("features").assert_outcomes(passed=1)


def test_what_is_matched_is_what_runs(project: Project) -> None:
    """Holds `phrases.visible` against pytest-bdd itself: for every step that runs, the one fitting phrase is the function that was called."""
    project.add_steps(
        "@step('it sings')\ndef sings(): pass",
        """
        from pathlib import Path
        from fixtures import phrases
        from fixtures.collection import scenario_of

        @then(parsers.cfparse("it has {count:d} wheels"))
        @then(parsers.re(r"wheels: (?P<count>\\d+)"))
        def wheels(count): pass

        def pytest_bdd_before_step(request, step, step_func):
            steps = [found for found in scenario_of(request.node).steps if found.line == step.line_number]
            fitting = [phrase for phrase in phrases.visible(request.node.parent) if phrase.fits(steps[0])]
            place = f"{step_func.__code__.co_filename}:{step_func.__code__.co_firstlineno}"
            assert [phrase.place for phrase in fitting] == [place]
            Path(f"seen-{step.line_number}").touch()
    """,
    )
    project.feature(
        f'{HEAD}    Given a machine called m\n    When it sings\n    Then it says "m"\n    And it sings\n    And it has 4 wheels\n    And wheels: 4\n'
    )
    project.run("features").assert_outcomes(passed=1)
    assert len(list(project.folder.glob("seen-*"))) == 6
