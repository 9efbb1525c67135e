"""Trials: what they may leave, and how the ledger excuses their commands."""

from __future__ import annotations

from typing import Any, cast

import pytest

from cleanroom import conduct
from cleanroom.errors import CheckFailed
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine
from cleanroom.trial import Footprint

BEFORE = Footprint("/nix/store/a-system", frozenset({("system-1-link", "/nix/store/a-system")}), (("/cert", "1  /cert"),))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"system": "/nix/store/b-system"}, ["the running system is /nix/store/b-system"]),
        ({"generations": frozenset()}, ["generation system-1-link"]),
        ({"files": (("/cert", "not there"),)}, ["file /cert"]),
    ],
)
def test_whatever_is_otherwise_than_before_is_told(change: dict[str, Any], told: list[str]) -> None:
    now = Footprint(**{**{name: getattr(BEFORE, name) for name in ("system", "generations", "files")}, **change})
    assert BEFORE.differences(now) == told


class Named:
    name = where = "throwaway"


MACHINE = cast(Machine, Named())
GUIDE = [("guide-command", {"number": 1}), ("guide-result", {"number": 1})]
BEGAN = ("trial-began", {"machine": "throwaway", "name": "renewal"})
ENDED = ("trial-ended", {"machine": "throwaway", "name": "renewal", "left": []})
TRIED = ("command", {"machine": "throwaway", "purpose": "trial", "argv": ["rm", "-f", "/cert"]})
LOOKED = ("command", {"machine": "throwaway", "purpose": "probe", "argv": ["ls"]})
ELSEWHERE = ("command", {"machine": "another", "purpose": "trial", "argv": ["rm"]})


def judged(ledger: Ledger, *events: tuple[str, dict[str, Any]]) -> None:
    for kind, fields in events:
        ledger.record(kind, **fields)
    conduct.check_trials(ledger, MACHINE)


@pytest.mark.parametrize("events", [(), (*GUIDE, BEGAN, TRIED, LOOKED, ENDED, LOOKED, BEGAN, TRIED, ENDED), (*GUIDE, LOOKED, ELSEWHERE)])
def test_declared_trials_are_excused(ledger: Ledger, events: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    judged(ledger, *events)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((*GUIDE, TRIED), "belong to a declared trial"),
        ((*GUIDE, ELSEWHERE, TRIED), "belong to a declared trial"),
        ((*GUIDE, BEGAN, ENDED, TRIED), "belong to a declared trial"),
        ((BEGAN, TRIED, ENDED), "begins when the guide has ended"),
        ((GUIDE[0], BEGAN, ENDED), "begins when the guide has ended"),
        ((*GUIDE, BEGAN, TRIED), "every trial ends"),
        ((*GUIDE, BEGAN, ("trial-ended", {**ENDED[1], "left": ["file /cert"]})), "leaves the machine as it was"),
    ],
)
def test_any_other_trial_is_told(ledger: Ledger, events: tuple[tuple[str, dict[str, Any]], ...], expected: str) -> None:
    with pytest.raises(CheckFailed, match=expected):
        judged(ledger, *events)
