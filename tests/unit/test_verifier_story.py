"""What a judge who was not there takes from a ledger alone, event by event; and how he is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cleanroom import ledger, verifier
from cleanroom.verifier import Story

SCENARIO = "c1.feature: Secrets hold secrets"
AT = "2026-01-01T00:00:00Z"


def green(steps: int = 3) -> list[tuple[str, dict[str, Any]]]:
    """A run of one scenario, whose every fact is as declared."""
    scenarios = [{"identity": SCENARIO, "line": 1, "on_request": False}]
    step = {"scenario": SCENARIO, "step": "Then it holds"}
    phase = {"scenario": SCENARIO, "outcome": "passed", "seconds": 0.5}
    return [
        ("run-began", {"run": "r", "role": "adversary", "keep": "never", "reuse": False}),
        ("suite", {"commit": "c" * 40, "dirty": False, "digest": "d" * 64}),
        ("inventory", {"files": {}, "scenarios": scenarios}),
        ("selected", {"scenarios": scenarios}),
        ("site", {"site_kind": "real", "digest": "f" * 64, "settings": {"kind": "real"}}),
        *(("revision", {"repository": name, "commit": "b" * 40}) for name in ("base", "secrets")),
        ("bootstrap-key", {"sha256": "e" * 64}),
        ("before", {"declared_image": "1" * 64}),
        ("machine", {"name": "throwaway", "image": "1" * 64, "type": "virtual-machine"}),
        ("toplevel", {"sha256": "a" * 64}),
        ("scenario-phase", {**phase, "phase": "setup"}),
        *((kind, step) for _ in range(steps) for kind in ("step-began", "step-passed")),
        ("scenario-phase", {**phase, "phase": "call"}),
        ("scenario-phase", {**phase, "phase": "teardown"}),
        ("run-ended", {"exit_status": 0}),
    ]


def told(folder: Path, events: list[tuple[str, dict[str, Any]]]) -> Story:
    """The story of a ledger whose chain holds."""
    previous, whole = ledger.BEGINNING, b""
    for number, (kind, fields) in enumerate(events):
        event = {"prev": previous, "n": number, "t": float(number), "at": AT, "kind": kind, **fields}
        whole += ledger.as_line(event) + b"\n"
        previous = ledger.head([event])
    path = folder / ledger.NAME
    path.write_bytes(whole)
    story = Story()
    assert list(story.read(path)) == []
    return story


@pytest.mark.parametrize(("steps", "doubts"), [(1, []), (2, []), (0, [f"not every step was seen to pass: {SCENARIO}"])])
def test_each_scenario_has_steps_and_each_of_them_passed(tmp_path: Path, steps: int, doubts: list[str]) -> None:
    assert list(told(tmp_path, green(steps)).doubts()) == doubts


def test_a_scenarios_seconds_are_those_of_its_phases(tmp_path: Path) -> None:
    story = told(tmp_path, green())
    assert (story.seconds(SCENARIO), story.seconds("another")) == (1.5, 0.0)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("90m", 5400), ("24h", 86400), ("30d", 2592000)])
def test_an_age_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert verifier._duration(text) == seconds


@pytest.mark.parametrize("text", ["24", "h", "1w", "1h30m", "-1h", "1.5h", "1000000d", ""])
def test_an_age_that_is_none_is_refused_with_an_example(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        verifier.main([str(tmp_path), f"--max-age={text}"])
    assert caught.value.code == 2
    assert "expected a duration such as 90m, 24h or 30d" in capsys.readouterr().err


def with_event(kind: str, **fields: Any) -> list[tuple[str, dict[str, Any]]]:
    *before, end = green()
    return [*before, (kind, fields), end]


def accepted(more: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """What a run with a signature and on a server that can make virtual machines tells besides."""
    *before, end = green()
    return [*before, ("signing", {"keyid": "k"}), ("server", {"drivers": ["lxc", "qemu"]}), *more, end]


@pytest.mark.parametrize(
    ("more", "evidence_class"),
    [
        ([], "ACCEPTANCE"),
        ([("lifecycle", {"action": "instance-created", "context": {"type": "virtual-machine"}})], "ACCEPTANCE"),
        ([("lifecycle", {"action": "instance-created", "context": {"type": "container"}})], "DEV"),
        ([("lifecycle", {"action": "instance-created"})], "ACCEPTANCE"),
        ([("lifecycle", {"action": "instance-updated", "context": {"type": "container"}})], "ACCEPTANCE"),
        ([("machine", {"name": "other", "image": "1" * 64, "type": "container"})], "DEV"),
        ([("server", {"drivers": ["lxc"]})], "DEV"),
        ([("host", {"arguments": ["features", "--reuse"]})], "DEV"),
        ([("host", {"arguments": ["features", "--role=builder"]})], "DEV"),
        ([("host", {"arguments": ["features"]})], "ACCEPTANCE"),
        ([("machine-kept", {"name": "throwaway"})], "DEV"),
    ],
)
def test_the_class_is_what_was_seen(more: list[tuple[str, dict[str, Any]]], evidence_class: str, tmp_path: Path) -> None:
    story = told(tmp_path, accepted(more))
    assert story.evidence_class(complete=True) == evidence_class
    assert story.evidence_class(complete=False) == "DEV"


@pytest.mark.parametrize(
    ("declared", "doubts"),
    [("b" * 40, []), ("main", []), ("d" * 40, ["the revision of base is not recorded, or not the declared one"])],
)
def test_a_declared_commit_is_the_one_that_was_fetched(declared: str, doubts: list[str], tmp_path: Path) -> None:
    settings = {"kind": "real", "base": {"revision": declared}}
    events = [(kind, {**fields, "settings": settings} if kind == "site" else fields) for kind, fields in green()]
    assert list(told(tmp_path, events).doubts()) == doubts


@pytest.mark.parametrize(
    ("kind", "fields", "doubt"),
    [
        ("hypervisor", {"action": "create", "instance": "other"}, "other was not seen to be gone"),
        ("left-behind", {"items": ["volume x", "lease y"]}, "left behind: volume x, lease y"),
        ("before", {"declared_image": "2" * 64}, "the image is not the declared one"),
        ("machine", {"name": "other", "image": "3" * 64, "type": "container"}, "other was not made from the declared image"),
        ("step-began", {"scenario": SCENARIO, "step": "Then more"}, f"not every step was seen to pass: {SCENARIO}"),
        ("scenario-phase", {"scenario": "x.feature: X", "phase": "setup", "outcome": "passed", "seconds": 0}, "in no feature file: x.feature: X"),
    ],
)
def test_what_stands_in_the_way_of_a_pass_is_told(kind: str, fields: dict[str, Any], doubt: str, tmp_path: Path) -> None:
    assert doubt in list(told(tmp_path, with_event(kind, **fields)).doubts())
