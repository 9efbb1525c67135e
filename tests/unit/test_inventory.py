"""What there is to run, by reading feature files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from textwrap import dedent

import pytest

from cleanroom.errors import HarnessError
from cleanroom.inventory import identity, read


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def test_scenarios_rows_and_rules_are_found_with_their_line_and_tags(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "deep/x.feature",
        """
        @c4
        Feature: X

          Background:
            Given a house

          @w3
          Scenario: Plain
            Then it stands

          Scenario Outline: Table of <what>
            Then <what> is <how>

            Examples:
              | what | how  |
              | roof | red  |

            @twice
            Examples:
              | what | how  |
              | door | open |

          @rule
          Rule: Later
            Scenario: Within
              Then it stands
        """,
    )
    found = read(tmp_path)
    assert found.titles == {"deep/x.feature": "X"}
    assert found.files == {"deep/x.feature": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert [(planned.identity, planned.line, planned.tags) for planned in found.scenarios] == [
        ("deep/x.feature: Plain", 8, frozenset({"@c4", "@w3"})),
        ("deep/x.feature: Table of <what> [roof | red]", 16, frozenset({"@c4"})),
        ("deep/x.feature: Table of <what> [door | open]", 21, frozenset({"@c4", "@twice"})),
        ("deep/x.feature: Within", 25, frozenset({"@c4", "@rule"})),
    ]
    assert [planned.is_on_request for planned in found.scenarios] == [False, False, True, False]


@pytest.mark.parametrize("tag", ["@twice", "@ablation"])
def test_tags_that_mean_on_request_are_inherited(tmp_path: Path, tag: str) -> None:
    write(tmp_path, "x.feature", f"{tag}\nFeature: X\n  Scenario: A\n    Then b\n")
    assert read(tmp_path).scenarios[0].is_on_request


def test_files_are_read_in_one_order(tmp_path: Path) -> None:
    for name in ("b.feature", "a.feature", "c/d.feature"):
        write(tmp_path, name, "Feature: X\n  Scenario: A\n    Then b\n")
    assert list(read(tmp_path).files) == ["a.feature", "b.feature", "c/d.feature"]


def test_nothing_to_run_is_our_trouble(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no scenario"):
        read(tmp_path)
    write(tmp_path, "x.feature", "Feature: X\n")
    with pytest.raises(HarnessError, match="no scenario"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"Feature: X\n  Scenario: A\n    Then b\n    stray\n", b"no gherkin", b"Feature: \xff\n"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.feature").write_bytes(content)
    with pytest.raises(HarnessError) as caught:
        read(tmp_path)
    assert caught.value.where == str(tmp_path / "x.feature")


def test_an_identity_is_file_title_and_row() -> None:
    assert identity("x.feature", "A") == "x.feature: A"
    assert identity("x.feature", "A", ("1", "2")) == "x.feature: A [1 | 2]"


def test_our_own_features_can_be_read_and_no_two_scenarios_are_called_the_same() -> None:
    identities = [planned.identity for planned in read(Path(__file__).parents[2] / "features").scenarios]
    assert len(identities) == len(set(identities))
