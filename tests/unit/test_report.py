"""What holds for both drawings of the ledger: they exist, they agree, and nothing is greener than it was."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom import ledger, report, verdict
from cleanroom.ledger import Event
from cleanroom.redact import Redactor
from tests.unit import ledgers, pages
from tests.unit.ledgers import FILE, STATES

FILES = ["REVIEW.md", "STATUS.md", "junit.xml", "report.html"]
JUNIT_MARKS = {"passed": [], "failed": ["failure"], "error": ["error"], "unfinished": ["error"], "skipped": ["skipped"]}


def cases(events: list[Event]) -> dict[str, list[str]]:
    """The marks of each case in the JUnit file, by the scenario's identity."""
    root = ET.fromstring(report.junit(events))  # noqa: S314 - our own
    found = [(f"{case.get('file', '').removeprefix('features/')}: {case.get('name')}", case) for case in root.iter("testcase")]
    assert len({name for name, _ in found}) == len(found), "two cases of one name"
    return {name: [child.tag for child in case if child.tag != "system-out"] for name, case in found}


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


TITLES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12).filter(lambda text: text == text.strip())
PHASES = st.lists(
    st.builds(
        lambda name, outcome, trouble: {"phase": name, "outcome": outcome, **({"trouble": trouble} if trouble and outcome == "failed" else {})},
        st.sampled_from(["setup", "call", "teardown"]),
        st.sampled_from(["passed", "passed", "passed", "failed", "skipped", "rerun", ""]),
        st.sampled_from(["check", "harness", "crash", "interrupt", "", None]),
    ),
    max_size=5,
) | st.just([{"phase": name, "outcome": "passed"} for name in ("setup", "call", "teardown")])
SCENARIOS = st.dictionaries(TITLES, st.tuples(st.booleans(), st.booleans(), PHASES), max_size=6)


def a_run(scenarios: dict[str, tuple[bool, bool, list[dict[str, Any]]]], cut: int) -> list[Event]:
    """A run of scenarios, each selected or not and with phases of its own, that ended after some event or did not."""
    known = [ledgers.planned(title, on_request=on_request) for title, (_, on_request, _) in scenarios.items()]
    selected = [scenario for scenario, (asked, _, _) in zip(known, scenarios.values(), strict=True) if asked]
    told = [
        ledgers.event("scenario-phase", scenario=scenario["identity"], seconds=0.1, **phase)
        for scenario in selected
        for phase in scenarios[scenario["identity"].split(": ", 1)[1]][2]
    ]
    whole = [*ledgers.beginning(selected, unasked=[scenario for scenario in known if scenario not in selected]), *told, *ledgers.ending()]
    return ledgers.chained(whole[: len(whole) - cut])


@settings(max_examples=80, deadline=None)
@given(scenarios=SCENARIOS, cut=st.integers(0, 30))
def test_page_and_junit_say_what_the_verdict_says_and_nothing_greener(
    scenarios: dict[str, tuple[bool, bool, list[dict[str, Any]]]], cut: int
) -> None:
    events = a_run(scenarios, cut)
    page = pages.read(report.page(events))
    outcomes = {outcome.scenario: outcome for outcome in verdict.scenario_outcomes(events)}
    drawn = {scene.attributes["data-scenario"]: scene for scene in page.having("data-scenario")}
    assert set(drawn) == set(outcomes)
    for name, scene in drawn.items():
        state = outcomes[name].state
        assert (scene.attributes["data-state"], [word.text for word in scene.all(class_="state")]) == (state, [state])
        assert scene.classes == {"scene", state}
        uses = [use.attributes["href"] for use in scene.all("summary")[0].all("use")]
        assert uses == [f"#mark-{state}"]
    known = [scenario["identity"] for event in events if event["kind"] == "inventory" for scenario in event["scenarios"]]
    unasked = set(known) - set(outcomes)
    left = {element.attributes["data-not-run"]: element for element in page.having("data-not-run")}
    assert set(left) == unasked
    assert not [
        element
        for element in left.values()
        if "passed" in element.text.removeprefix(element.attributes["data-not-run"].split(": ")[1]) or element.all(class_="passed")
    ]
    judged = verdict.judge(events)
    assert [element.text for element in page.all("strong", class_="verdict")] == [judged.word]
    assert [element.text for element in page.all("strong", class_="class")] == [judged.evidence_class]
    assert cases(events) == {**{name: JUNIT_MARKS[outcome.state] for name, outcome in outcomes.items()}, **{name: ["skipped"] for name in unasked}}


def test_every_state_is_drawn_in_both() -> None:
    events = ledgers.mixed()
    assert {name.split(": ")[1]: scene.attributes["data-state"] for name, scene in scenes(events).items()} == {
        title: state for state, title in STATES.items()
    }
    marks = {title: JUNIT_MARKS[state] for state, title in STATES.items()}
    assert {name.split(": ")[1]: found for name, found in cases(events).items()} == {
        **marks,
        ledgers.UNASKED: ["skipped"],
        ledgers.ON_REQUEST: ["skipped"],
    }
