"""The recipes of docs/ci.md: they parse, call what exists, publish both files whatever happened, and hide no red run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/ci.md").read_text()
#: Ways in which the servers let a job fail in silence.
HIDING = {"continue-on-error", "allow_failure", "failure"}


def recipes() -> dict[str, Any]:
    """Each YAML block by the heading above it."""
    return {
        heading: YAML(typ="safe", pure=True).load(block)
        for heading, block in re.findall(r"(?ms)^## ([^\n]+)\n(?:(?!^## ).)*?^```yaml\n(.*?)^```$", TEXT)
    }


def inside(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at every depth; the items of a list have none."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield str(key), each
            yield from inside(each)
    elif isinstance(value, list):
        for each in value:
            yield "", each
            yield from inside(each)


def test_every_recipe_parses() -> None:
    assert set(recipes()) == {"Drone", "Forgejo and Gitea", "GitLab"}
    assert TEXT.count("```yaml") == 3
    assert all(isinstance(recipe, dict) for recipe in recipes().values())


@pytest.mark.parametrize("server", ["Drone", "Forgejo and Gitea", "GitLab"])
def test_it_runs_everything_and_hides_nothing(server: str) -> None:
    told = list(inside(recipes()[server]))
    assert [each for _, each in told if isinstance(each, str) and each == "make acceptance"] == ["make acceptance"]
    assert not HIDING & {key for key, _ in told}


def test_the_commands_and_files_they_name_exist() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"make (acceptance|test|check|bench)\b", TEXT)) <= targets
    writer = (ROOT / "cleanroom/report/__init__.py").read_text()
    assert all(f'"{name}"' in writer for name in ("junit.xml", "report.html"))


def test_drone_publishes_both_files_of_a_red_run_too() -> None:
    publish = recipes()["Drone"]["steps"][1]
    assert publish["when"]["status"] == ["success", "failure"]
    assert all(name in publish["commands"][-1] for name in ("junit.xml", "report.html"))
    assert "$TOKEN" not in publish["commands"][-1].split("curl")[1], "a token does not belong into an argument list"


def test_the_action_publishes_both_files_of_a_red_run_too() -> None:
    upload = recipes()["Forgejo and Gitea"]["jobs"]["acceptance"]["steps"][-1]
    assert (upload["if"], upload["with"]["path"]) == ("always()", "reports/latest/")


def test_gitlab_reads_the_junit_file_of_a_red_run_too() -> None:
    artifacts = recipes()["GitLab"]["clean-room"]["artifacts"]
    assert (artifacts["when"], artifacts["reports"]["junit"], artifacts["paths"]) == ("always", "reports/*/junit.xml", ["reports/"])


def test_jenkins_publishes_both_whatever_happened() -> None:
    (block,) = re.findall(r"(?ms)^```groovy\n(.*?)^```$", TEXT)
    after = block.partition("always {")[2]
    assert "junit testResults: 'reports/latest/junit.xml'" in after
    assert "archiveArtifacts artifacts: 'reports/**'" in after
    assert block.count("{") == block.count("}")


def test_the_readme_leads_here() -> None:
    assert "docs/ci.md" in (ROOT / "README.md").read_text()
