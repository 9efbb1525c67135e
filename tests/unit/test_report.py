"""What holds for both drawings of the ledger: they exist, they agree, and nothing is greener than it was."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cleanroom import ledger, report
from cleanroom.ledger import Event
from cleanroom.redact import Redactor
from tests.unit import ledgers, pages
from tests.unit.ledgers import FILE, STATES

FILES = ["REVIEW.md", "STATUS.md", "junit.xml", "report.html"]


def scenes(events: list[Event]) -> dict[str, pages.Element]:
    found = pages.read(report.page(events)).having("data-scenario")
    return {scene.attributes["data-scenario"]: scene for scene in found}


@pytest.mark.parametrize("length", range(len(ledgers.mixed()) + 1))
def test_a_run_cut_short_at_any_event_has_every_report(tmp_path: Path, length: int) -> None:
    report.write(tmp_path, ledgers.mixed()[:length])
    ET.fromstring((tmp_path / "junit.xml").read_bytes())  # noqa: S314 - our own
    assert "What this does not prove" in pages.read((tmp_path / "report.html").read_bytes()).text
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def test_reports_replace_older_ones(tmp_path: Path) -> None:
    report.write(tmp_path, [])
    report.write(tmp_path, ledgers.mixed())
    assert b"Never ended" in (tmp_path / "report.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


@pytest.mark.parametrize(
    "odd", ["bell \x07, escape \x1b[31m, nul \x00, form feed \x0c, é", "\u202egnp.exe", "half \ud800 a pair", "]]> --> </script>", "x" * 3_000_000]
)
def test_no_text_breaks_a_report(tmp_path: Path, odd: str) -> None:
    block = {"trouble": "check", "expected": odd, "seen": odd, "place": odd, "advice": odd}
    events = [
        {**event, **block}
        if event["kind"] == "step-failed" or event.get("trouble") == "check"
        else {**event, "command": odd}
        if "command" in event
        else event
        for event in ledgers.mixed()
    ]
    report.write(tmp_path, events)
    ET.fromstring((tmp_path / "junit.xml").read_bytes())  # noqa: S314 - our own
    page = (tmp_path / "report.html").read_bytes()
    assert len(page) < 1_000_000
    told = pages.read(page).text
    assert not set("\x00\x07\x1b\u202e") & set(told)
    assert re.split("[\x07\u202e\ud800]", odd[:20], maxsplit=1)[0] in told


def test_a_title_is_compared_by_what_it_is_and_shown_by_what_can_be_seen() -> None:
    title = 'odd "quotes" & \u202e turned <b>'
    events = ledgers.chained([*ledgers.beginning([ledgers.planned(title)]), *ledgers.passing(f"{FILE}: {title}"), *ledgers.ending()])
    assert list(scenes(events)) == [f"{FILE}: {title}"]
    assert 'odd "quotes" & [U+202E] turned <b>' in pages.read(report.page(events)).text


def test_the_head_is_the_digest_of_the_files_last_line(tmp_path: Path) -> None:
    written = ledger.Ledger(tmp_path, Redactor())
    for event in ledgers.mixed():
        written.record(event["kind"], **{key: value for key, value in event.items() if key not in {"prev", "n", "at", "t", "kind"}})
    written.close()
    for events in (written.events, ledger.read(written.path)):
        html = pages.read(report.page(events)).all("html")[0]
        assert html.attributes["data-head"] == written.head
        assert html.attributes["data-events"] == str(len(written.events))


def test_every_state_is_drawn_in_both() -> None:
    events = ledgers.mixed()
    assert {name.split(": ")[1]: scene.attributes["data-state"] for name, scene in scenes(events).items()} == {
        title: state for state, title in STATES.items()
    }
    marks = {title: pages.MARKS[state] for state, title in STATES.items()}
    assert {name.split(": ")[1]: found for name, found in pages.cases(report.junit(events)).items()} == {
        **marks,
        ledgers.UNASKED: ["skipped"],
        ledgers.ON_REQUEST: ["skipped"],
    }
