"""Some hundreds of runs that nobody would think of: page, JUnit file and entry say of each what its verdict says, and lose nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom import claims, report, verdict
from cleanroom.ledger import Event
from tests.unit import ledgers, pages

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
    marks = {name: pages.MARKS[outcome.state] for name, outcome in outcomes.items()}
    assert pages.cases(report.junit(events)) == {**marks, **{name: ["skipped"] for name in unasked}}


ODD = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cn", "Co", "Zl", "Zp", "Zs")) | st.sampled_from(" `|\\*#\n"),
    min_size=1,
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(site=ODD, command=ODD)
def test_odd_facts_and_commands_come_back_as_they_were(site: str, command: str) -> None:
    changed: dict[str, dict[str, Any]] = {"site": {"name": site}, "guide-command": {"command": command}}
    events = [{**event, **changed.get(event["kind"], {})} for event in ledgers.green()]
    entry = claims.read(claims.review(events))
    assert entry.facts["Site"] == (" ".join(site.split()) or "unknown")
    assert [text for _, text in entry.commands] == [command, command]
