"""Drawings of the ledger."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cleanroom import report
from cleanroom.ledger import Event

FILE = "c4_cleanroom.feature"
STATES = {"passed": "Works", "failed": "Breaks <here> & now", "error": "Could not be told", "skipped": "Was skipped", "unfinished": "Never ended"}


def event(kind: str, **fields: Any) -> Event:
    return {"kind": kind, "n": 0, "at": "2026-11-24T02:15:00.000Z", "t": 0.0, "prev": "0" * 64, **fields}


def phase(scenario: str, name: str, outcome: str = "passed", **more: Any) -> Event:
    return event("scenario-phase", scenario=scenario, phase=name, outcome=outcome, seconds=0.5, **more)


def whole() -> list[Event]:
    """A run with one scenario of each state."""
    name = {state: f"{FILE}: {title}" for state, title in STATES.items()}
    check = {"trouble": "check", "expected": "a <b>bold</b> answer", "seen": "none", "place": "docs/install.md:41", "advice": "ask again"}
    harness = {"trouble": "harness", "problem": "no answer\nat all", "place": "host", "advice": ""}
    planned = [{"identity": identity, "line": 1, "on_request": False} for identity in name.values()]
    return [
        event("run-began", run="20261124-021500-3fa9c1", role="adversary", keep="never", reuse=False),
        event("inventory", files={FILE: "0" * 64}, scenarios=planned),
        event("selected", scenarios=planned),
        event("site", name="small", site_kind="lab", digest="d" * 64, settings={}),
        event("server", version="6.0.4", drivers=["lxc"], clock="2026-11-24T02:15:00+00:00"),
        event("revision", repository="base", url="https://forge/base", commit="c" * 40),
        event("phase-began", name="provision"),
        event("hypervisor", action="create", instance="throwaway"),
        event("machine", name="throwaway", uuid="u", created_at="now", image="f" * 64, type="container", address="10.0.0.2", boot_id="b"),
        event("phase-ended", name="provision", outcome="done", seconds=3.25),
        event("guide-command", number=1, place="machine", where="docs/install.md:12", command="echo '<script>alert(1)</script>'"),
        event("guide-result", number=1, status=0, expected=0, fate="0", seconds=1.5, stdout="", stderr=""),
        event("guide-command", number=2, place="operator", where="docs/install.md:20", command="hang"),
        *(phase(name["passed"], part) for part in ("setup", "call", "teardown")),
        event("step-began", scenario=name["failed"], step="Then it works"),
        event("step-failed", scenario=name["failed"], step="Then it works", **check),
        phase(name["failed"], "call", "failed", **check),
        phase(name["error"], "setup", "failed", **harness),
        phase(name["skipped"], "setup", "skipped"),
        phase(name["unfinished"], "setup"),
        event("machine-gone", name="throwaway"),
        event("run-ended", run="20261124-021500-3fa9c1", exit_status=1),
    ]


def read_xml(text: bytes) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own


def test_junit_counts_what_became_of_each_scenario() -> None:
    suite = read_xml(report.junit(whole())).find("testsuite")
    assert suite is not None
    assert suite.get("name") == f"features/{FILE}"
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "5", "failures": "1", "errors": "2", "skipped": "1", "time": "3.500"}
    found = {case.get("name"): [child.tag for child in case] for case in suite.findall("testcase")}
    assert found == {
        STATES["passed"]: [],
        STATES["failed"]: ["failure"],
        STATES["error"]: ["error"],
        STATES["skipped"]: ["skipped"],
        STATES["unfinished"]: ["error"],
    }


def test_junit_tells_the_whole_block_of_a_failure() -> None:
    failure = read_xml(report.junit(whole())).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "expected a <b>bold</b> answer; seen none"
    assert failure.text == "expected: a <b>bold</b> answer\nseen: none\nwhere: docs/install.md:41\nnext: ask again"
    error = read_xml(report.junit(whole())).find(".//error")
    assert error is not None
    assert error.get("message") == "no answer"


class Page(HTMLParser):
    """What a reader of the page sees, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.outside: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.outside += [value for key, value in attrs if key in {"src", "href"} and value and not value.startswith("#")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(events: list[Event]) -> Page:
    return Page(report.page(events).decode())


def test_the_page_opens_offline_and_runs_nothing() -> None:
    found = page(whole())
    assert found.outside == []
    assert found.tags.isdisjoint({"script", "link", "img", "iframe", "object", "b"})
    assert "<script>alert(1)</script>" in found.text
    assert "a <b>bold</b> answer" in found.text


def test_the_page_tells_the_verdict_its_reasons_and_every_scenario() -> None:
    text = page(whole()).text
    for told in (
        "FAILED",
        "class LAB",
        f"failed: {FILE}: Breaks <here> & now",
        f"skipped: {FILE}: Was skipped",
        "docs/install.md:12",
        "hang",
        "3.2 s",
    ):
        assert told in text
    for title in STATES.values():
        assert f"{FILE}: {title}" in text


def test_no_colour_of_success_is_given_to_what_did_not_pass() -> None:
    html = report.page(whole()).decode()
    assert html.count('<td class="passed">passed</td>') == 1
    for state in ("failed", "error", "skipped", "unfinished"):
        assert f'<td class="{state}">{state}</td>' in html


def test_what_a_run_does_not_prove_stands_on_its_page() -> None:
    text = page(whole()).text
    assert "not NixOS" in text
    assert "system container" in text
    assert "controls the hypervisor" in text
    assert "No machine was made" in page([]).text
    real = [event | {"site_kind": "real", "type": "virtual-machine"} for event in whole()]
    assert "system container" not in page(real).text


@pytest.mark.parametrize("length", range(len(whole()) + 1))
def test_a_run_cut_short_at_any_event_has_both_reports(tmp_path: Path, length: int) -> None:
    report.write(tmp_path, whole()[:length])
    read_xml((tmp_path / "junit.xml").read_bytes())
    assert "What this does not prove" in Page((tmp_path / "report.html").read_text()).text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "report.html"]


def test_reports_replace_older_ones(tmp_path: Path) -> None:
    report.write(tmp_path, [])
    report.write(tmp_path, whole())
    assert b"Never ended" in (tmp_path / "report.html").read_bytes()


def test_odd_characters_do_not_break_a_report(tmp_path: Path) -> None:
    odd = "bell \x07, escape \x1b[31m, nul \x00, form feed \x0c, é"
    events = whole()
    events[15] = phase(f"{FILE}: {STATES['failed']}", "call", "failed", trouble="check", expected=odd, seen=odd, place="x", advice="")
    report.write(tmp_path, events)
    read_xml((tmp_path / "junit.xml").read_bytes())
