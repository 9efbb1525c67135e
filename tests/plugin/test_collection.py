"""`pytest features/x.feature`: what is collected, how it is selected, and where it says it stands."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cleanroom import inventory
from fixtures.collection import Scenario, scenario_of
from fixtures.feature import Step, slug
from tests.plugin.project import Project

ROOT = Path(__file__).parents[2]

#: Every construct that is fit to use, in one file.
SOUND = """
    # Prose goes into comments.
    @c4
    Feature: A machine

      Background:
        Given a machine

      Scenario: It survives a reboot
        When it is rebooted
        Then it answers
        And it answers

      @w5
      Scenario Outline: Each machine's name
        Given a machine called <name>
        Then it says "<name>"

        Examples:
          | name |
          | one  |
          | two  |

        @twice
        Examples: longer names
          | name      |
          | nine-to-5 |

      Rule: Documents count

        Background:
          Given a document
            \"\"\"
            a
            \"\"\"
            | b |

        Example: It reads
          Then it says "ab"
          But it answers
"""
SURVIVES = "features/x.feature::it-survives-a-reboot"
NAMES = "features/x.feature::each-machines-name"
READS = "features/x.feature::it-reads"
ALL = [SURVIVES, f"{NAMES}[one]", f"{NAMES}[two]", f"{NAMES}[nine-to-5]", READS]


@pytest.fixture
def sound(project: Project) -> Project:
    project.feature(SOUND)
    return project


def test_a_sound_file_runs(sound: Project) -> None:
    result = sound.run("features/x.feature")
    result.assert_outcomes(passed=5)
    assert result.ret == pytest.ExitCode.OK


def test_a_file_is_read_once(sound: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what runs: pytest-bdd does not open the file again."""
    monkeypatch.delattr("pytest_bdd.parser.get_gherkin_document")
    sound.run("features").assert_outcomes(passed=5)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["features/x.feature"], ALL),
        (["features"], ALL),
        (["."], ALL),
        ([READS], [READS]),
        ([NAMES], ALL[1:4]),
        ([f"{NAMES}[two]"], [f"{NAMES}[two]"]),
        (["features", "-k", "reboot"], [SURVIVES]),
        (["features", "-k", "IT and (reads or reboot)"], [SURVIVES, READS]),
        (["features", "-k", "survives and not twice"], [SURVIVES]),
        (["features", "-k", "nine-to-5"], [f"{NAMES}[nine-to-5]"]),
        (["features", "-m", "w5 and not twice"], [f"{NAMES}[one]", f"{NAMES}[two]"]),
        (["features", "-m", "twice"], [f"{NAMES}[nine-to-5]"]),
        (["features", "-m", "c4"], ALL),
    ],
)
def test_selects(sound: Project, arguments: list[str], expected: list[str]) -> None:
    assert sound.ids(*arguments) == expected


def test_selects_by_signs_that_only_the_title_has(project: Project) -> None:
    project.feature("Feature: f\n  Scenario: C4.9: again\n    Then it answers\n  Scenario: C4.10: alone\n    Then it answers\n")
    assert project.ids("features", "-k", "C4.9") == ["features/x.feature::c4-9-again"]


@pytest.mark.parametrize("arguments", [["-k", "nothing-of-the-kind"], ["-m", "w5 and not c4"], ["--deselect", "features"]])
def test_selecting_nothing_is_no_pass(sound: Project, arguments: list[str]) -> None:
    assert sound.run("features", *arguments).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_an_unknown_node_id_is_no_pass(sound: Project) -> None:
    assert sound.run("features/x.feature::no-such-scenario").ret == pytest.ExitCode.USAGE_ERROR


def test_works_from_any_folder(sound: Project, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.chdir(sound.folder / "features")
    assert sound.ids("x.feature") == ALL
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert sound.ids(sound.folder / "features" / "x.feature") == ALL


def test_an_item_knows_its_scenario(sound: Project) -> None:
    items = sound.collect("features")
    path = sound.folder / "features" / "x.feature"
    assert scenario_of(items[0]) == Scenario(
        path=path,
        line=8,
        title="It survives a reboot",
        feature_title="A machine",
        tags=frozenset({"c4"}),
        steps=(
            Step("Given", "a machine", 6, "given"),
            Step("When", "it is rebooted", 9, "when"),
            Step("Then", "it answers", 10, "then"),
            Step("And", "it answers", 11, "then"),
        ),
    )
    row = scenario_of(items[3])
    assert row is not None
    assert (row.line, row.row, row.name) == (26, ("nine-to-5",), "Each machine's name [nine-to-5]")
    assert row.tags == {"c4", "w5", "twice"}
    assert row.steps[-1] == Step("Then", 'it says "nine-to-5"', 16, "then")
    in_rule = scenario_of(items[4])
    assert in_rule is not None
    assert [step.line for step in in_rule.steps] == [6, 31, 38, 39]


def test_a_test_in_python_is_no_scenario(project: Project) -> None:
    project.pytester.makepyfile(test_plain="def test_plain(): pass")
    assert [scenario_of(item) for item in project.collect("test_plain.py")] == [None]


def test_locations_are_the_features(sound: Project) -> None:
    assert [item.location for item in sound.collect("features")][:2] == [
        ("features/x.feature", 7, "It survives a reboot"),
        ("features/x.feature", 19, "Each machine's name [one]"),
    ]


def test_module_fixtures_live_as_long_as_the_file(project: Project) -> None:
    """Scopes are pytest's own: one file is one module."""
    project.feature("Feature: f\n  Scenario: a\n    Then once\n  Scenario: b\n    Then once\n")
    project.pytester.makeconftest("""
        import pytest
        from pytest_bdd import then
        pytest_plugins = ["fixtures.collection"]
        made = []
        @pytest.fixture(scope="module")
        def one():
            made.append(1)
        @then("once")
        def once(one):
            assert made == [1]
    """)
    project.run("features").assert_outcomes(passed=2)


def test_no_title_becomes_a_hook(project: Project) -> None:
    """`setup_module` and its like are names that pytest calls if a module has them."""
    titles = ["Setup module", "setUpModule", "Pytest generate tests", "teardown function"]
    project.feature("Feature: f\n" + "".join(f"  Scenario: {title}\n    Then it answers\n" for title in titles))
    project.run("features").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("It survives a reboot", "it-survives-a-reboot"),
        ("The guide's own rule", "the-guides-own-rule"),
        ("C4.9: two_words, twice!", "c4-9-two-words-twice"),
        ("Größe zählt", "größe-zählt"),
        ("...", ""),
    ],
)
def test_slug(title: str, expected: str) -> None:
    assert slug(title) == expected


@pytest.mark.parametrize(("family", "extra"), [("xunit2", {}), ("xunit1", {"file": "features/x.feature", "line": "20"})])
def test_junit_names_are_titles(sound: Project, family: str, extra: dict[str, str]) -> None:
    sound.run("features", "--junitxml=junit.xml", "-o", f"junit_family={family}")
    cases = ET.parse(sound.folder / "junit.xml").getroot().findall("./testsuite/testcase")  # noqa: S314 - written by the run above
    assert [case.get("name") for case in cases] == [
        "It survives a reboot",
        "Each machine's name [one]",
        "Each machine's name [two]",
        "Each machine's name [nine-to-5]",
        "It reads",
    ]
    assert {case.get("classname") for case in cases} == {"features.x.feature"}
    assert {name: cases[1].get(name) for name in ("file", "line") if name in cases[1].keys()} == extra  # noqa: SIM118 - an element is no mapping


def test_this_suite_collects_all_that_its_inventory_lists(tmp_path: Path) -> None:
    """The real tree, from a foreign folder: what is read from the files, and what pytest collects, are the same scenarios."""
    everything = "twice or ablation or not twice"
    arguments = ["--collect-only", "-q", "-p", "no:cacheprovider", "-m", everything, str(ROOT / "features")]
    result = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    collected = [line for line in result.stdout.splitlines() if "::" in line]
    planned = [item.identity.partition(": ") for item in inventory.read(ROOT / "features").scenarios]
    expected = [f"features/{file}::{slug(title.partition(' [')[0])}" for file, _colon, title in planned]
    # In another order: what judges the whole run comes last.
    assert sorted(node_id.partition("[")[0] for node_id in collected) == sorted(expected)
