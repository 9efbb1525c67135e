"""How a failure is told: by the feature's line and words, and by frames only where they help."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.plugin.project import Project

WRONG = "Feature: f\n  Scenario: It is healthy\n    Given a machine\n    Then it answers\n    And it is wrong\n"
UNKNOWN = WRONG.replace("it is wrong", "nobody can tell")
CRASH = WRONG.replace("it is wrong", "it crashes")

FAILED_CHECK = [
    "*___ It is healthy ___*",
    "features/x.feature:5: And it is wrong",
    "expected: the unit is active",
    "seen:     it has failed",
    "where:    unit web.service",
    "next:     read its journal",
    "*=== short test summary info ===*",
]
TROUBLE = [
    "features/x.feature:5: And nobody can tell",
    "This is the suite's own trouble; it says nothing about the site.",
    "problem:  the host does not answer",
    "where:    10.0.0.5:22",
    "next:     start it",
    "*=== short test summary info ===*",
]


@pytest.mark.parametrize(("text", "lines"), [(WRONG, FAILED_CHECK), (UNKNOWN, TROUBLE)], ids=["the site's fault", "our own trouble"])
def test_our_errors_are_told_in_their_own_words(project: Project, text: str, lines: list[str]) -> None:
    project.feature(text)
    result = project.run("features")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(lines, consecutive=True)
    result.stdout.no_fnmatch_line("*.py*")


def test_the_summary_names_scenario_and_step(project: Project) -> None:
    project.feature(WRONG)
    project.run("features").stdout.fnmatch_lines(["FAILED features/x.feature::it-is-healthy - And it is wrong"])
    project.run("features", "--tb=line").stdout.fnmatch_lines([f"{project.folder}/features/x.feature:5: And it is wrong"])


def test_a_surprise_keeps_its_traceback(project: Project) -> None:
    project.feature(CRASH)
    result = project.run("features")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ['>*return surprise?"missing"?', "*KeyError: 'missing'", "*phrasebook.py:*: KeyError", "*- step -*", "features/x.feature:5: And it crashes"]
    )
    result.stdout.no_fnmatch_line("*pytest_bdd*")


def test_a_plain_assertion_keeps_its_comparison(project: Project) -> None:
    project.feature('Feature: f\n  Scenario: a\n    Given a machine called m\n    Then it says "n"\n')
    result = project.run("features")
    result.stdout.fnmatch_lines(["*AssertionError: assert 'n' == 'm'", "*- step -*", 'features/x.feature:4: Then it says "n"'])


def test_frames_can_be_asked_for(project: Project) -> None:
    project.feature(WRONG)
    project.run("features", "--full-trace").stdout.fnmatch_lines(
        ["*raise CheckFailed*", "*phrasebook.py:*: CheckFailed", "features/x.feature:5: And it is wrong"]
    )


def test_a_row_is_named_by_its_cells(project: Project) -> None:
    project.feature(
        """
        Feature: f
          Scenario Outline: Names
            Given a machine called one
            Then it is <state>
            Examples:
              | state |
              | wrong |
        """
    )
    result = project.run("features")
    result.stdout.fnmatch_lines(
        ["*___ Names ?wrong? ___*", "features/x.feature:4: Then it is wrong", "FAILED features/x.feature::names?wrong? - Then it is wrong"]
    )


FIXTURE = """
import pytest
from cleanroom.errors import CheckFailed

@pytest.fixture(autouse=True)
def leaves_nothing():
    {}
"""


@pytest.mark.parametrize(("phase", "body"), [("setup", "{}"), ("teardown", "yield; {}")])
def test_trouble_outside_the_steps_names_the_scenario(project: Project, phase: str, body: str) -> None:
    """No step is at fault: the one that ran last least of all."""
    raises = 'raise CheckFailed("nothing is left", seen="a volume", where="pool default")'
    project.add_steps("", FIXTURE.format(body.format(raises)))
    project.feature("Feature: f\n  Scenario: It is healthy\n    Then it answers\n")
    result = project.run("features")
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines([f"features/x.feature:2: {phase} of It is healthy", "expected: nothing is left"])


def test_junit_has_the_block(project: Project) -> None:
    project.feature(WRONG)
    project.run("features", "--junitxml=junit.xml")
    [failure] = ET.parse(project.folder / "junit.xml").getroot().findall("./testsuite/testcase/failure")  # noqa: S314 - written by the run above
    assert failure.get("message", "").startswith("And it is wrong\nexpected: the unit is active")
    assert (failure.text or "").startswith("features/x.feature:5: And it is wrong\nexpected: the unit is active")


def test_a_test_in_python_is_told_as_ever(project: Project) -> None:
    project.pytester.makepyfile(
        test_plain="from cleanroom.errors import CheckFailed\ndef test_plain():\n    raise CheckFailed('a', seen='b', where='c')\n"
    )
    project.run("test_plain.py").stdout.fnmatch_lines(["test_plain.py:3: CheckFailed"])
