"""The milestones as gates: each selects scenarios, each scenario belongs to one, and what they select fits what they are for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanroom import inventory

ROOT = Path(__file__).parents[2]
PLANNED = inventory.read(ROOT / "features").scenarios
GATES = ("w1", "w2", "w3", "w4", "w5", "w6")


@pytest.mark.parametrize("gate", GATES)
def test_each_gate_selects_something_that_runs_without_being_asked_for_twice(gate: str) -> None:
    assert [planned.identity for planned in PLANNED if f"@{gate}" in planned.tags and not planned.is_on_request]


def test_each_scenario_belongs_to_exactly_one_gate() -> None:
    gates = {planned.identity: sorted(planned.tags & {f"@{gate}" for gate in GATES}) for planned in PLANNED}
    assert {name: found for name, found in gates.items() if len(found) != 1} == {}


def test_the_headroom_gate_asks_for_no_machine() -> None:
    """W1 comes before there is anything to make a throwaway from."""
    text = (ROOT / "features" / "c6_resources.feature").read_text(encoding="utf-8")
    for scenario in re.findall(r"@w1[^\n]*\n(.*?)(?=\n\s*@|\Z)", text, re.DOTALL):
        assert "throwaway that did not exist" not in scenario


@pytest.mark.parametrize("gate", GATES)
def test_each_gate_is_registered_and_explained(gate: str) -> None:
    assert f'"{gate}: gate' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"`{gate}`" in (ROOT / "README.md").read_text(encoding="utf-8").replace("-m w1`", "`w1`")
