"""`@late` and `@last`: what judges the whole run comes after everything else, and nothing else moves."""

from __future__ import annotations

import pytest

from tests.plugin.project import Project

FIRST = """
    Feature: One

      @last
      Scenario: The house is empty
        Then it answers

      @late @last
      Scenario: The door is shut
        Then it answers

      @late
      Scenario Outline: The lights go out
        Given a machine called <name>
        Then it says "<name>"

        Examples:
          | name |
          | hall |
          | attic |

      Scenario: Somebody is at home
        Given a machine
        Then it answers
"""
SECOND = """
    Feature: Two

      Scenario: Supper is served
        Given a machine
        Then it answers

      @late
      Scenario: Everybody yawns
        Then it answers
"""
ONE = ["somebody-is-at-home", "the-lights-go-out[hall]", "the-lights-go-out[attic]", "the-house-is-empty", "the-door-is-shut"]


@pytest.fixture
def house(project: Project) -> Project:
    project.add_plugins("fixtures.order")
    project.feature(FIRST, "features/one.feature")
    project.feature(SECOND, "features/two.feature")
    return project


def titles(ids: list[str]) -> list[str]:
    return [node.partition("::")[2] for node in ids]


def test_late_scenarios_come_after_all_others_whatever_their_file(house: Project) -> None:
    everything = ["somebody-is-at-home", "supper-is-served", *ONE[1:3], "everybody-yawns", *ONE[3:]]
    assert titles(house.ids("features")) == everything


def test_the_order_that_was_asked_for_stays_among_equals(house: Project) -> None:
    asked = ["features/two.feature", "features/one.feature"]
    assert titles(house.ids(*asked)) == ["supper-is-served", "somebody-is-at-home", "everybody-yawns", *ONE[1:]]


def test_one_file_alone_is_ordered_too(house: Project) -> None:
    assert titles(house.ids("features/one.feature")) == ONE
    assert titles(house.ids("features", "-m", "not late")) == ["somebody-is-at-home", "supper-is-served", "the-house-is-empty"]


def test_a_session_fixture_lives_through_the_mixture_of_files(house: Project) -> None:
    """Made once, before the first scenario that asks for it, and unmade after the last scenario of all."""
    house.add_steps(
        module="",
        conftest="""
        import pathlib, pytest

        def told(word):
            with pathlib.Path("told").open("a") as file:
                file.write(word + "\\n")

        @pytest.fixture(scope="session", autouse=True)
        def machine_of_the_session():
            told("made")
            yield
            told("gone")

        def pytest_runtest_call(item):
            told(item.name)
        """,
    )
    house.run("features").assert_outcomes(passed=7)
    lines = (house.folder / "told").read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("made", "gone", 9)


def test_it_runs_in_that_order(house: Project) -> None:
    result = house.run("features", "-v")
    result.stdout.fnmatch_lines(["*supper-is-served*", "*everybody-yawns*", "*the-house-is-empty*", "*the-door-is-shut*"])
    assert result.ret == pytest.ExitCode.OK
