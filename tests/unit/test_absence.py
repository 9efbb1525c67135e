"""Judging what searches found."""

from __future__ import annotations

import secrets

import pytest

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.leaks import Result, Search, Searcher
from cleanroom.ledger import Ledger
from cleanroom.redact import Secret
from cleanroom.sighting.absence import check_absent, check_accounted, check_covered, check_only_where_allowed

VALUES = {name: secrets.token_urlsafe(24) for name in ("one", "two")}
SEARCHER = Searcher(
    {**{name: Secret(value, name=name) for name, value in VALUES.items()}, "pin": Secret("1234", name="pin")}, patterns={"key": "KEY[0-9]"}
)
ONE, TWO, KEY = frozenset({"one"}), frozenset({"two"}), frozenset({"key"})


def searched(texts: dict[str, str], *, listed: int | None = None) -> Result:
    search = Search(SEARCHER)
    names = dict.fromkeys(texts) if listed is None else dict.fromkeys(map(str, range(listed)))
    search.texts("files", ((name, text.encode()) for name, text in texts.items()), names, listed_by="find", scanned_by="tar")
    return search.result


CLEAN = searched({"/etc/hosts": "nothing here"})
LEAK = searched({"/etc/hosts": f"x {VALUES['one']}"})
KEYS = searched({"./etc/ssh/ssh_host_ed25519_key": "KEY1", "./root/old": "KEY2"})


def test_what_was_not_found_by_whole_searches_is_absent() -> None:
    check_absent(ONE | TWO, CLEAN, CLEAN)
    check_absent(TWO, LEAK)


def test_a_finding_of_one_group_is_told_for_that_group_alone() -> None:
    with pytest.raises(CheckFailed, match="one, raw, in files: /etc/hosts") as caught:
        check_absent(ONE, CLEAN, LEAK)
    assert VALUES["one"] not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "results"),
    [
        (frozenset[str](), (CLEAN,)),
        (ONE, ()),
        (ONE, (searched({}),)),
        (ONE, (searched({"a": "x"}, listed=2),)),
        (frozenset({"pin"}), (CLEAN,)),
    ],
    ids=["no secret", "no search", "nothing listed", "listed is not scanned", "nothing searched for"],
)
def test_who_cannot_tell_says_so(names: frozenset[str], results: tuple[Result, ...]) -> None:
    with pytest.raises(HarnessError):
        check_absent(names, *results)


def test_an_incomplete_search_that_found_something_is_red_all_the_same() -> None:
    with pytest.raises(CheckFailed):
        check_absent(ONE, searched({"a": VALUES["one"]}, listed=2))


def test_allowed_places_are_allowed_and_others_are_not() -> None:
    both = {"/etc/ssh/ssh_host_*_key": "its own", "/root/old": "known"}
    check_only_where_allowed(KEY, both, KEYS, table="private_keys")
    with pytest.raises(CheckFailed, match="root/old"):
        check_only_where_allowed(KEY, {"/etc/ssh/ssh_host_*_key": "its own"}, KEYS, table="private_keys")


def test_an_exception_that_nothing_needs_is_red() -> None:
    with pytest.raises(CheckFailed, match="nothing lies at /etc/ssl/private"):
        check_only_where_allowed(KEY, {"/etc/ssh/*": "its own", "/root/*": "known", "/etc/ssl/private": "gone"}, KEYS, table="private_keys")


def test_coverage_is_judged_whatever_was_found() -> None:
    check_covered(LEAK, CLEAN)
    for incomplete in ((), (CLEAN, searched({})), (searched({"a": "x", "b": "x"}, listed=3),)):
        with pytest.raises(HarnessError):
            check_covered(*incomplete)


def test_every_secret_is_searched_for_or_told(ledger: Ledger) -> None:
    with pytest.raises(HarnessError, match="pin"):
        check_accounted(ledger, ONE | {"pin"}, CLEAN)
    ledger.record("not-checked", secret="pin", reason="it is too short")
    check_accounted(ledger, ONE | {"pin"}, CLEAN)
    with pytest.raises(HarnessError, match="no secret at all"):
        check_accounted(ledger, frozenset(), CLEAN)
