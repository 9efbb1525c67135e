"""A run's end: what lies in its folder, and by whom it is signed."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from cleanroom import ledger, signing
from tests.plugin.project import Project

GREEN = "Feature: f\n  Scenario: It is healthy\n    Given a machine\n    Then it answers\n"


@pytest.fixture
def recorded(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("CLEANROOM_SITE", "CLEANROOM_ROLE", "CLEANROOM_REPORTS", "CLEANROOM_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    project.add_plugins("fixtures.options", "fixtures.signals", "fixtures.recording")
    project.feature(GREEN)
    return project


def folder(project: Project) -> Path:
    return (project.folder / "reports" / "latest").resolve()


def events(project: Project, kind: str) -> list[dict[str, Any]]:
    return [event for event in ledger.read(folder(project) / ledger.NAME) if event["kind"] == kind]


def test_a_run_without_a_key_is_unsigned_and_says_so(recorded: Project) -> None:
    result = recorded.pytester.runpytest_subprocess("features")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["signed:  no, by nobody"])
    assert json.loads((folder(recorded) / "statement.json").read_text())["predicate"]["cleanroom"]["signing"] == "unsigned"
    assert not (folder(recorded) / "evidence.dsse.json").exists()


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_key_that_is_named_signs(recorded: Project, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    path = recorded.folder / "key.pem"
    signer = signing.make(path)
    monkeypatch.setenv("CLEANROOM_SIGNING_KEY", str(path) if way == "environment" else "/no/such/key")
    result = recorded.pytester.runpytest_subprocess("features", *(["--signing-key", str(path)] if way == "option" else []))
    result.assert_outcomes(passed=1)
    assert (folder(recorded) / "public.pem").read_text() == signer.public
    assert [event["keyid"] for event in events(recorded, "signing")] == [signer.keyid]
    assert [event["kind"] for event in ledger.read(folder(recorded) / ledger.NAME)[:2]] == ["run-began", "signing"]


def test_an_unusable_key_is_one_clear_error_before_anything_is_made(recorded: Project) -> None:
    (recorded.folder / "key.pem").write_text("no key")
    result = recorded.pytester.runpytest_subprocess("features", "--signing-key", "key.pem")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.no_fnmatch_line("*Traceback*")
    assert "the signing key is no private key in PKCS#8 PEM" in result.stdout.str() + result.stderr.str()
    assert not (recorded.folder / "reports").exists()
    assert not (recorded.folder / "made").exists()


def test_the_ledger_says_what_ran_and_on_what(recorded: Project) -> None:
    recorded.pytester.runpytest_subprocess("features", "-q")
    assert len(events(recorded, "suite")[0]["digest"]) == 64
    assert events(recorded, "host")[0]["arguments"][-2:] == ["features", "-q"]
    assert "pytest-bdd" in events(recorded, "host")[0]["packages"]


def test_a_run_leaves_its_drawings_and_what_may_be_claimed_of_it(recorded: Project) -> None:
    red = "  Scenario: It is whole\n    Given a machine\n    Then it is wrong\n    And it answers\n"
    recorded.feature(GREEN + red)
    recorded.pytester.runpytest_subprocess("features")
    written = {path.name: path.read_text() for path in folder(recorded).iterdir() if path.suffix in {".md", ".html", ".xml"}}
    assert set(written) == {"REVIEW.md", "STATUS.md", "junit.xml", "report.html"}
    assert written["STATUS.md"].startswith("## Not done\n")
    assert "| Verdict | `FAILED` |" in written["REVIEW.md"]
    assert [scenario["steps"] for scenario in events(recorded, "selected")[0]["scenarios"]] == [
        ["Given a machine", "Then it answers"],
        ["Given a machine", "Then it is wrong", "And it answers"],
    ]
    assert events(recorded, "inventory")[0]["titles"] == {"x.feature": "f"}
    (failure,) = ET.fromstring(written["junit.xml"]).iter("failure")  # noqa: S314 - written by the run above
    assert failure.text == "expected: the unit is active\nseen: it has failed\nwhere: unit web.service\nnext: read its journal"
    assert written["report.html"].count('<span class="step-state">not reached</span>') == 1


@pytest.mark.parametrize("strict", [True, False])
def test_what_was_expected_to_fail_is_told_whatever_became_of_it(recorded: Project, *, strict: bool) -> None:
    soft = "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n    for item in items:\n"
    recorded.pytester.makepyfile(soft=f"{soft}        item.add_marker(pytest.mark.xfail(strict={strict}))\n")
    recorded.pytester.runpytest_subprocess("features", "-p", "soft")
    phases = [event for event in events(recorded, "scenario-phase") if event["phase"] == "call"]
    assert phases
    assert all(event.get("expected_to_fail") or event["outcome"] == "failed" for event in phases)
