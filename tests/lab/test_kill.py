"""A sample of the kill matrix (`make kill-matrix` cuts at every point): one cut of each kind, on this machine's lab."""

from __future__ import annotations

import pytest

from lab.state import State
from tests.kill.cut import carry_out
from tests.kill.points import POINTS, SAMPLE, Blow, Point

JOBS = [(point, blow) for point in POINTS for blow in point.blows if (point.name, blow.name) in SAMPLE]


def test_each_of_the_sample_is_there() -> None:
    assert len(JOBS) == len(SAMPLE)


@pytest.mark.parametrize(("point", "blow"), JOBS, ids=[f"{point.name} {blow.name}" for point, blow in JOBS])
def test_nothing_is_left_of_a_run_cut_off(state: State, point: Point, blow: Blow) -> None:
    assert state.site_file.exists()
    assert carry_out((point, blow)).wrong == ()
