"""Closures in every JSON shape that `nix path-info --json -r` has had, and what is no closure."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cleanroom.closure import StorePath, check_equal, parse, record_system
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.machine import Machine
from tests.unit.notes import Notes

STORE = "/nix/store"
HASHES = {"system": "sha256-" + "A" * 43 + "=", "lib": "sha256-" + "B" * 43 + "="}
SYSTEM, LIB = "1" * 32 + "-system", "2" * 32 + "-lib"

EXPECTED = {
    f"{STORE}/{SYSTEM}": StorePath(f"{STORE}/{SYSTEM}", HASHES["system"], 1000, frozenset({f"{STORE}/{SYSTEM}", f"{STORE}/{LIB}"})),
    f"{STORE}/{LIB}": StorePath(f"{STORE}/{LIB}", HASHES["lib"], 20, frozenset()),
}


def info(path: str, prefix: str, **more: Any) -> dict[str, Any]:
    """One path's facts, references with `prefix` before their base names."""
    references = [f"{prefix}{SYSTEM}", f"{prefix}{LIB}"] if path == SYSTEM else []
    key = "system" if path == SYSTEM else "lib"
    return {"narHash": HASHES[key], "narSize": 1000 if path == SYSTEM else 20, "references": references, **more}


def listed(**more: Any) -> list[dict[str, Any]]:
    return [{"path": f"{STORE}/{path}", **info(path, f"{STORE}/", **more)} for path in (SYSTEM, LIB)]


def keyed(**more: Any) -> dict[str, Any]:
    return {f"{STORE}/{path}": info(path, f"{STORE}/", **more) for path in (SYSTEM, LIB)}


def versioned(version: int, **more: Any) -> dict[str, Any]:
    return {"version": version, "storeDir": STORE, "info": {path: info(path, "", **more) for path in (SYSTEM, LIB)}}


FULL = {"ca": None, "deriver": f"{STORE}/3-x.drv", "registrationTime": 1, "ultimate": True}
SHAPES = {
    "2.8 to 2.14": listed(),
    "2.8 to 2.14, with all that may be set": listed(signatures=["cache:sig"], **FULL),
    "2.15 to 2.18": listed(valid=True),
    "2.19 to 2.22": keyed(),
    "2.23 to 2.32": keyed(signatures=[], **FULL),
    "2.33, format 1": keyed(signatures=[], version=1, storeDir=STORE, **FULL),
    "2.33, format 2": versioned(2, signatures=[], ca={"method": "nar", "hash": "x"}, deriver="3-x.drv"),
    "2.35, format 3": versioned(3, signatures=[{"keyName": "cache", "sig": "x"}], deriver="3-x.drv"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_the_same_closure(shape: str) -> None:
    assert parse(json.dumps(SHAPES[shape]), where="here") == EXPECTED


def spoilt(shape: Any, **changes: Any) -> Any:
    """The same shape with the library's facts changed; a value of `...` leaves the key out."""
    copy = json.loads(json.dumps(shape))
    rows = copy if isinstance(copy, list) else copy.get("info", copy)
    facts = rows[1] if isinstance(rows, list) else rows[next(path for path in rows if path.endswith("-lib"))]
    for key, value in changes.items():
        facts.pop(key, None) if value is ... else facts.update({key: value})
    return copy


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "changes",
    [
        {"narHash": ...},
        {"narHash": None},
        {"narHash": "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"},
        {"narSize": ...},
        {"narSize": "many"},
        {"references": ...},
        {"references": [f"{STORE}/{'4' * 32}-not-listed"]},
    ],
    ids=["no hash", "null hash", "hash in another form", "no size", "size in words", "no references", "not closed"],
)
def test_a_path_that_is_not_wholly_told_is_refused(shape: str, changes: dict[str, Any]) -> None:
    with pytest.raises(HarnessError) as caught:
        parse(json.dumps(spoilt(SHAPES[shape], **changes)), where="here")
    assert caught.value.where == "here"


INVALID = {
    "2.8 to 2.14": [*listed(), {"path": f"{STORE}/5-gone", "valid": False}],
    "2.15 to 2.18": [*listed(valid=True), {"path": f"{STORE}/5-gone", "valid": False}],
    "2.19 to 2.32": {**keyed(), f"{STORE}/5-gone": None},
    "2.33 on": {**versioned(2), "info": {**versioned(2)["info"], "5-gone": None}},
}


@pytest.mark.parametrize("shape", INVALID)
def test_an_invalid_path_is_refused_by_name(shape: str) -> None:
    with pytest.raises(HarnessError, match="5-gone is no valid store path"):
        parse(json.dumps(INVALID[shape]), where="here")


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", "7", '"x"', "[null]", "[[]]", '{"x": 1}', '{"version":2,"storeDir":"/nix/store","info":{}}', "[{"]
)
def test_what_is_no_closure_is_refused(text: str) -> None:
    with pytest.raises(HarnessError):
        parse(text, where="here")


def test_equal_closures_are_equal() -> None:
    check_equal(EXPECTED, dict(reversed(EXPECTED.items())), where="here")


@pytest.mark.parametrize(
    "other",
    [
        {path: facts for path, facts in EXPECTED.items() if path.endswith("-system")},
        {**EXPECTED, f"{STORE}/0-more": StorePath(f"{STORE}/0-more", HASHES["lib"], 1, frozenset())},
        {**EXPECTED, f"{STORE}/{LIB}": StorePath(f"{STORE}/{LIB}", HASHES["system"], 20, frozenset())},
        {**EXPECTED, f"{STORE}/{LIB}": StorePath(f"{STORE}/{LIB}", HASHES["lib"], 21, frozenset())},
        {**EXPECTED, f"{STORE}/{LIB}": StorePath(f"{STORE}/{LIB}", HASHES["lib"], 20, frozenset({f"{STORE}/{SYSTEM}"}))},
        {},
    ],
    ids=["less", "more", "another hash", "another size", "another reference", "nothing"],
)
def test_closures_that_differ_are_told_by_the_first_path(other: dict[str, StorePath]) -> None:
    with pytest.raises(CheckFailed) as caught:
        check_equal(EXPECTED, other, where="here")
    differing = min(path for path in EXPECTED.keys() | other.keys() if EXPECTED.get(path) != other.get(path))
    assert differing in caught.value.expected
    assert caught.value.expected.removeprefix(f"{differing}: ") != caught.value.seen


class Store:
    """A machine in so far as it runs a system and knows its closure."""

    name, where = "m", "m (192.0.2.1)"

    def current_system(self) -> str:
        return f"{STORE}/{SYSTEM}"

    def probe(self, *_argv: str, within: float) -> SimpleNamespace:
        return SimpleNamespace(text=json.dumps(listed()), within=within)


def test_the_system_is_recorded_as_evidence_names_it(notes: Notes) -> None:
    record_system(cast(Machine, Store()), notes.record)
    lines = f"{STORE}/{SYSTEM} {HASHES['system']}\n{STORE}/{LIB} {HASHES['lib']}\n"
    closure = {"paths": 2, "sha256": hashlib.sha256(lines.encode()).hexdigest()}
    named = {"path": f"{STORE}/{SYSTEM}", "nar_hash": HASHES["system"], "sha256": "00" * 32}
    assert notes == [{"n": 0, "kind": "toplevel", "machine": "m", **named, "closure": closure}]
