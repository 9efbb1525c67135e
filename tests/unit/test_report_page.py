"""The page: what stands on it, in which order, and what it never does."""

from __future__ import annotations

import re

import pytest

from cleanroom import claims, report
from cleanroom.ledger import Event
from cleanroom.report import pictures, tables
from tests.unit import ledgers, pages
from tests.unit.ledgers import FILE, ON_REQUEST, STATES, UNASKED


def page(events: list[Event]) -> pages.Element:
    return pages.read(report.page(events))


def told(events: list[Event]) -> str:
    """The heading and what follows, without the contents."""
    found = page(events)
    return found.all("h1")[0].text + found.all("main")[0].text


def test_it_opens_offline_and_runs_nothing() -> None:
    found = page(ledgers.mixed())
    links = [
        value
        for element in found.all()
        for name, value in element.attributes.items()
        if name in {"src", "href", "action", "data", "poster", "srcset"}
    ]
    assert links
    assert [link for link in links if not link.startswith("#")] == []
    assert not {element.tag for element in found.all()} & {"script", "link", "img", "iframe", "object", "embed", "form", "b", "base"}
    assert not [name for element in found.all() for name in element.attributes if name.startswith("on")]
    policy = found.all("meta", http_equiv="Content-Security-Policy")[0].attributes["content"]
    assert "default-src 'none'" in policy
    assert not re.search(r"url\(|@import|https?:", "".join(style.text for style in found.all("style")))
    assert "<script>alert(1)</script>" in found.text
    assert "a <b>bold</b> answer" in found.text


def test_every_link_leads_somewhere_and_no_id_is_there_twice() -> None:
    found = page(ledgers.mixed())
    ids = [element.attributes["id"] for element in found.having("id")]
    assert len(ids) == len(set(ids))
    named = [element.attributes[name] for name in ("aria-labelledby", "aria-describedby") for element in found.having(name)]
    assert {element.attributes["href"][1:] for element in found.having("href")} | set(named) <= set(ids)


def test_the_verdict_comes_first_then_what_failed_then_what_it_does_not_prove() -> None:
    text = told(ledgers.mixed())
    order = [
        "FAILED",
        "class",
        "LAB",
        "Why it is FAILED",
        f"failed: {FILE}: Breaks <here> & now",
        "a <b>bold</b> answer",
        "What this does not prove",
        "What must hold",
    ]
    at = [text.index(words) for words in order]
    assert at == sorted(at)
    green = told(ledgers.green())
    assert "Why it is" not in green
    assert green.index("PASSED") < green.index("What this does not prove") < green.index("What must hold")


def test_every_scenario_has_its_steps_and_its_block() -> None:
    found = page(ledgers.mixed())
    scenes = {scene.attributes["data-scenario"].split(": ")[1]: scene for scene in found.having("data-scenario")}
    steps = [(li.all(class_="title")[0].text, li.all(class_="step-state")[0].text) for li in scenes[STATES["failed"]].all("li")]
    assert steps == [("Given a site", "passed"), ("Then it works", "failed"), ("And it stays so", "not reached")]
    block = [(dt.text, dd.text) for dt, dd in zip(scenes[STATES["failed"]].all("dt"), scenes[STATES["failed"]].all("dd"), strict=True)]
    assert block == [("expected", "a <b>bold</b> answer"), ("seen", "none"), ("where", "docs/install.md:41"), ("next", "ask again")]
    assert [dt.text for dt in scenes[STATES["unfinished"]].all("dt")] == ["problem", "last step"]
    assert "open" in scenes[STATES["failed"]].attributes
    assert "open" not in scenes[STATES["passed"]].attributes


def test_what_did_not_run_is_named_with_its_reason() -> None:
    left = {element.attributes["data-not-run"].split(": ")[1]: element.text for element in page(ledgers.mixed()).having("data-not-run")}
    assert set(left) == {UNASKED, ON_REQUEST}
    assert "not run: was not asked for" in left[UNASKED]
    assert "not run: runs on request only" in left[ON_REQUEST]


def test_the_guide_stands_command_by_command() -> None:
    rows = page(ledgers.mixed()).all("section", id="guide")[0].all("tr")[1:]
    assert len(rows) == 2
    assert all(
        told in rows[0].text for told in ("docs/install.md:12", "the operator's side", "echo '<script>", "exit 0", "1.5 s", "bold <b>words</b>")
    )
    unfinished = [event for event in ledgers.mixed() if event["kind"] != "guide-result" or event["number"] == 1]
    rows = page(unfinished).all("section", id="guide")[0].all("tr")[1:]
    assert "did not end" in rows[1].text
    assert not rows[1].all(class_="word passed")


def test_what_a_run_does_not_prove_stands_on_its_page() -> None:
    text = page(ledgers.mixed()).text
    for told in ("not NixOS", "system container", "controls the hypervisor", "Nobody signed", "No scenario of C1, C2"):
        assert told in text
    assert "No machine was made" in page([]).text
    real = page(ledgers.green(kind="real")).text
    assert not [told for told in ("system container:", "Nobody signed", "No scenario of") if told in real]


def test_a_suite_that_is_in_no_commit_is_told() -> None:
    changed = [{**event, "dirty": True} if event["kind"] == "suite" else event for event in ledgers.green()]
    assert "is in no commit" in page(changed).text
    assert "b" * 40 + ", changed since" in page(changed).text
    assert "is in no commit" not in page(ledgers.green()).text


def test_absent_is_said_to_be_absent() -> None:
    text = page([]).text
    for told in (
        "Memory was not measured",
        "No command of the guide was run",
        "Nothing was searched",
        "No phase began",
        "No machine was asked for its log-ins",
    ):
        assert told in text


def test_bars_stand_to_scale() -> None:
    events = ledgers.chained([*(ledgers.event("tick") for _ in range(20)), ledgers.event("phase-began", name="late")])
    events += [{**ledgers.event("phase-ended", name="late", outcome="done", seconds=10.0), "n": 21, "at": "", "t": 20.0, "prev": ""}]
    (bar,) = pictures.time_line(events, []).phases
    assert (bar.left, bar.width, bar.state) == (50.0, 50.0, "passed")
    (open_bar,) = pictures.time_line(events[:-1], []).phases
    assert open_bar.state == "unfinished"


def test_equal_phases_inside_one_another_each_end_once() -> None:
    told = [
        ledgers.event("phase-began", name="x"),
        ledgers.event("phase-began", name="x"),
        ledgers.event("phase-ended", name="x", outcome="done", seconds=0.5),
    ]
    assert [bar.state for bar in pictures.time_line(ledgers.chained(told), []).phases] == ["unfinished", "passed"]


def test_memory_is_drawn_against_its_limits_and_no_peak_is_lost() -> None:
    gib = 1 << 30
    spike = [ledgers.event("memory-sample", instances={}, limit=8 * gib, usage=(15 if number == 777 else 1) * gib) for number in range(2_000)]
    line = pictures.memory_line(ledgers.chained([ledgers.event("memory-began", guideline=12 * gib, physical=16 * gib), *spike]))
    assert line is not None
    assert (line.peak_limit, line.peak_usage, line.samples, line.longest_gap) == (8 * gib, 15 * gib, 2_000, 0.5)
    top = 16 * gib * 1.12
    assert f"V{round(100 - 100 * 15 * gib / top, 2)}" in line.usage
    assert [(mark.text, mark.height) for mark in line.marks] == [
        ("guideline 12.0 GiB", round(1200 * gib / top, 2)),
        ("physically there 16.0 GiB", round(1600 * gib / top, 2)),
    ]
    assert "Memory over time" in report.page(ledgers.chained([*ledgers.green(), *ledgers.memory()])).decode()


def test_what_no_act_of_ours_explains_is_left_over() -> None:
    told = ledgers.chained(
        [
            ledgers.event("hypervisor", action="stop", instance="m", expects=["instance-stopped"], allows=["instance-shutdown"]),
            ledgers.event("lifecycle", action="instance-stopped", instance="m", requestor={"username": "root"}, context=None),
            ledgers.event("lifecycle", action="instance-shutdown", instance="m", requestor={}, context=None),
            ledgers.event("lifecycle", action="instance-shutdown", instance="m", requestor={"username": "eve"}, context=None),
            ledgers.event("lifecycle", action="instance-exec", instance="m", requestor={"username": "eve"}, context=None),
        ]
    )
    assert [(each.event, each.left_over) for each in tables.life_cycle(told)] == [
        ("instance-stopped", 0),
        ("instance-shutdown", 1),
        ("instance-exec", 1),
    ]
    assert "eve" in page(told).all("section", id="custody")[0].text


def test_a_log_in_by_another_door_is_shown() -> None:
    told = [*ledgers.mixed(), ledgers.event("login", machine="throwaway", method="password", user="eve", address="10.0.0.9", port=1, key="")]
    assert [login.ours for login in tables.log_ins(told)] == ["suite", ""]


@pytest.mark.parametrize(
    ("listed", "scanned", "same"),
    [
        ({"count": 4, "bytes": 9}, {"count": 4, "bytes": 9}, True),
        ({"count": 4, "bytes": None}, {"count": 4, "bytes": 9}, True),
        ({"count": 4, "bytes": 9}, {"count": 4, "bytes": 8}, False),
        ({"count": 4, "bytes": 9}, {"count": 3, "bytes": 9}, False),
        ({"count": 0, "bytes": 0}, {"count": 0, "bytes": 0}, False),
        ({}, {}, False),
    ],
    ids=["equal", "one means without bytes", "fewer bytes", "fewer things", "nothing at all", "no counts"],
)
def test_a_search_is_whole_only_where_both_means_met_the_same(listed: Event, scanned: Event, same: bool) -> None:  # noqa: FBT001 - a table's column
    told = [ledgers.event("coverage", source="the store", listed=listed, scanned=scanned, inside={}, findings=0, problems=[], gaps=["a socket"])]
    (found,) = tables.searches(told)
    assert found.same is same
    assert ("yes" in page(told).all("section", id="coverage")[0].all("td")[-1].text) is same


def test_values_that_were_not_checked_are_named() -> None:
    told = [ledgers.event("not-checked", secret="drone/pin", reason="4 bytes are everywhere")]
    text = page(told).all("section", id="coverage")[0].text
    assert "drone/pin" in text
    assert "4 bytes are everywhere" in text


def test_the_closed_list_of_inputs_is_shown_where_there_is_one() -> None:
    told = [*ledgers.mixed(), ledgers.event("input", way="git", what="base at cccc", bytes=2048, sha256="7" * 64, by="nixos-rebuild")]
    assert [each.what for each in tables.entered(told)] == ["base at cccc"]
    assert [each.way for each in tables.entered(ledgers.mixed())] == ["delivered"]


def can_be_judged(events: list[Event]) -> bool:
    """Whether a run wrote this: the verdict does without nothing that it reads."""
    try:
        claims.lacking(events)
    except (KeyError, AttributeError, TypeError):
        return False
    return True


def test_an_event_that_does_not_tell_everything_breaks_no_page() -> None:
    whole = ledgers.with_everything(ledgers.mixed())
    seen: set[tuple[str, str]] = set()
    for number, event in enumerate(whole):
        for key in event.keys() - {"kind", "t", "at", "n", "prev"}:
            events = [*whole[:number], {name: value for name, value in event.items() if name != key}, *whole[number + 1 :]]
            if (event["kind"], key) not in seen and can_be_judged(events):
                seen.add((event["kind"], key))
                assert b"What this does not prove" in report.page(events), (event["kind"], key)
    assert len(seen) > 60


def test_long_tables_end_with_a_note() -> None:
    told = ledgers.chained(ledgers.event("not-checked", secret=f"name {number}", reason="short") for number in range(500))
    text = page(told).text
    assert "200 more rows are in the ledger" in text
    assert "name 499" not in text


def test_what_was_left_and_who_else_was_there_is_told() -> None:
    custody = page(ledgers.with_everything(ledgers.mixed())).all("section", id="custody")[0].text
    for words in (
        "throwaway-old, left by run 20261101",
        "a lease",
        "listed before and after, and compared",
        "state, limits.memory",
        "GET /1.0/instances",
        "sets limits.memory",
    ):
        assert words in custody
    assert [(each.name, each.changed, each.seen_twice) for each in tables.neighbours(ledgers.looked_after())] == [
        ("cc-nix-test", (), True),
        ("lichen-staging", ("state", "limits.memory"), False),
    ]
    bare = page(ledgers.mixed()).all("section", id="custody")[0].text
    assert "nobody compared what was there before" in bare
    assert "No other instance was looked at" in bare


def test_a_command_that_was_left_out_once_says_what_came_of_it() -> None:
    rows = page(ledgers.with_everything(ledgers.mixed())).all("section", id="guide")[0].all("tr")
    assert "left out once: needed, for without it: the key is not there" in rows[1].text
    assert "left out" not in rows[2].text


def test_where_memory_was_not_measured_is_told() -> None:
    memory = page(ledgers.with_everything(ledgers.mixed())).all("section", id="memory")[0].text
    assert "Nothing was measured for 4.2 s." in memory
    assert "A measurement was missed: no answer within 5 s" in memory
