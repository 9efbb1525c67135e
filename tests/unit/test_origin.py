from __future__ import annotations

import pytest

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.ledger import Ledger
from cleanroom.origin import origins
from cleanroom.wait import wait_until
from tests.sabotage import sites


def test_an_error_that_is_no_check_has_no_origin(ledger: Ledger) -> None:
    with pytest.raises(HarnessError) as told:
        ledger.record("x", n=1)
    assert origins(told.value) == []


def test_a_check_is_told_by_its_innermost_frame_and_the_one_in_whose_place_it_stands() -> None:
    def first() -> None:
        raise CheckFailed("this", seen="that", where="here")

    def second() -> None:
        try:
            first()
        except CheckFailed as problem:
            raise CheckFailed("these", seen=problem.seen, where="here") from None

    with pytest.raises(CheckFailed) as told:
        wait_until(second, what="never", within=0)
    lines = {code.__code__.co_firstlineno + offset for code, offset in ((second, 4), (first, 1))}
    assert set(origins(told.value)) == {f"tests/unit/test_origin.py:{line}" for line in lines}


def test_the_sites_of_the_library_are_found_and_told_apart_from_helpers() -> None:
    found = sites.all_sites()
    assert "cleanroom/throwaway.py: Throwaway.check_generation: the image's own generation and no other" in {site.key for site in found}
    assert not [site for site in found if "._fail:" in site.key]
    assert all(site.first <= site.last for site in found)
