"""What a catalogue of sabotages must be, so that a matrix of kills means something."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cleanroom import inventory
from tests.sabotage import catalogue, sites
from tests.sabotage.bench import Sabotage
from tests.sabotage.catalogue import CATALOGUE

FEATURES = Path(__file__).parents[2] / "features"
TITLES = {planned.identity for planned in inventory.read(FEATURES).scenarios}
#: A reason shorter than this would be met by accident.
SHORTEST_REASON = 4


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_names_scenarios_that_there_are_and_reasons_of_its_own(name: str) -> None:
    sabotage = CATALOGUE[name]
    assert sabotage.reddens
    for title, reason in sabotage.reddens.items():
        assert f"{sabotage.feature}: {title}" in TITLES
        assert len(reason) >= SHORTEST_REASON, f"`{reason}` is no reason"
        assert reason not in title, "what the scenario is called is no reason for its being red"
    for title, why in sabotage.may_redden.items():
        assert title == "*" or f"{sabotage.feature}: {title}" in TITLES
        assert why
    assert not sabotage.reddens.keys() & sabotage.may_redden.keys()


def test_every_scenario_has_a_sabotage_that_must_redden_it() -> None:
    assert catalogue.unreddened() == []


def test_there_are_eighty_at_least() -> None:
    assert len(CATALOGUE) >= 80


def test_each_story_is_told_once() -> None:
    assert [story for story, count in Counter(sabotage.story for sabotage in CATALOGUE.values()).items() if count > 1] == []


def test_there_are_no_twins() -> None:
    """Two that do the same and are found by the same words would prove the same thing twice."""

    counted = Counter((_deeds(sabotage), sabotage.options, tuple(sorted(sabotage.reddens.items()))) for sabotage in CATALOGUE.values())
    assert [proof for proof, count in counted.items() if count > 1] == []


def test_the_control_covers_whatever_is_asked_for() -> None:
    controls = catalogue.controls(CATALOGUE)
    assert any(control.feature == "" and not control.options for control in controls.values())
    assert all(not control.reddens for control in controls.values())
    few = {name: sabotage for name, sabotage in CATALOGUE.items() if sabotage.static}
    assert all(control.static for control in catalogue.controls(few).values())


def _deeds(sabotage: Sabotage) -> str:
    """What it does, in words that can be compared: code, and what that code was given (the same code with other words is another deed)."""
    moment, act = sabotage.during or (None, None)
    return repr(
        [moment, sabotage.image, *(_deed(deed) for deed in (sabotage.edit, sabotage.later, sabotage.around, act, sabotage.claim, sabotage.suite))]
    )


def _deed(deed: object) -> object:
    code = getattr(deed, "__code__", None)
    given = [cell.cell_contents for cell in getattr(deed, "__closure__", None) or ()]
    return code and (code.co_code, code.co_consts, code.co_names, [_deed(each) if callable(each) else each for each in given])


def test_only_checks_that_there_are_are_excused_from_having_a_sabotage() -> None:
    keys = {site.key for site in sites.all_sites()}
    assert [excused for excused in sites.reasons() if excused not in keys] == []
    assert all(sites.reasons().values())
