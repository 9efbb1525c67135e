"""The JUnit file, as its readers take it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest
import xmlschema

from cleanroom import report
from cleanroom.ledger import Event
from tests.unit import ledgers
from tests.unit.ledgers import FILE, STATES

GOLDEN = Path(__file__).parent / "golden"


@cache
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def root(events: list[Event]) -> ET.Element:
    return ET.fromstring(report.junit(events))  # noqa: S314 - our own


def test_it_is_the_golden_file() -> None:
    assert report.junit(ledgers.mixed()) == (GOLDEN / "junit.xml").read_bytes()


def test_the_whole_is_the_sum_of_its_suites() -> None:
    found = root(ledgers.mixed())
    for key in ("tests", "failures", "errors", "skipped"):
        assert int(found.get(key, "")) == sum(int(suite.get(key, "")) for suite in found.iter("testsuite"))
    suite = found.find("testsuite")
    assert suite is not None
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "7", "failures": "1", "errors": "2", "skipped": "3", "time": "4.500"}


def test_a_failure_tells_its_whole_block() -> None:
    failure = root(ledgers.mixed()).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "expected a <b>bold</b> answer; seen none"
    assert failure.text == "expected: a <b>bold</b> answer\nseen: none\nwhere: docs/install.md:41\nnext: ask again"
    error = root(ledgers.mixed()).find(".//error")
    assert error is not None
    assert error.get("message") == "no answer at all"


def test_what_did_not_run_is_skipped_and_says_why() -> None:
    found = {case.get("name"): case.find("skipped") for case in root(ledgers.mixed()).iter("testcase")}
    told = {name: element.get("message") for name, element in found.items() if element is not None}
    assert told == {
        STATES["skipped"]: "skipped",
        ledgers.UNASKED: "was not asked for",
        ledgers.ON_REQUEST: "runs on request only, and was not asked for",
    }


def test_every_suite_tells_what_the_run_was() -> None:
    for suite in root(ledgers.green()).iter("testsuite"):
        told = {each.get("name"): each.get("value") for each in suite.iter("property")}
        assert told["run"] == ledgers.RUN
        assert (told["verdict"], told["class"], told["site"]) == ("PASSED", "LAB", "small")
        assert (told["revision.base"], told["revision.secrets"]) == ("c" * 40, "e" * 40)
        assert "hostname" not in suite.attrib


def test_a_step_is_told_with_its_outcome_and_its_time() -> None:
    outputs = {case.get("name"): case.findtext("system-out") for case in root(ledgers.mixed()).iter("testcase")}
    assert (
        outputs[STATES["failed"]]
        == "passed         0.500 s  Given a site\nfailed         0.500 s  Then it works\nnot reached             And it stays so"
    )


def test_a_run_without_a_scenario_is_a_file_without_a_suite() -> None:
    found = root([])
    assert (found.tag, found.get("tests"), list(found)) == ("testsuites", "0", [])
    assert f"features/{FILE}" not in ET.tostring(found).decode()


@pytest.mark.parametrize("length", [*range(0, 40, 3), len(ledgers.mixed())])
def test_every_file_fits_the_schema_that_readers_share(length: int) -> None:
    schema().validate(report.junit(ledgers.mixed()[:length]).decode().partition("?>")[2])


def test_so_does_one_of_odd_words() -> None:
    odd = "nul \x00, escape \x1b[31m, half \ud800, ]]> & < \u202e" + "x" * 100_000
    block = {"trouble": "check", "expected": odd, "seen": odd, "place": odd, "advice": odd}
    events = [
        {**event, **block} if event.get("trouble") else {**event, "name": odd} if event["kind"] == "site" else event for event in ledgers.mixed()
    ]
    schema().validate(report.junit(events).decode().partition("?>")[2])


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ('tests="7"', 'tests="many"'),
        ('name="Works"', 'name=""'),
        ('name="Works"', 'name="Was skipped"'),
        ('time="1.500"', 'time="-1"'),
        ('<skipped message="skipped" />', "<skipped />"),
        ('timestamp="2026', 'hostname="h" timestamp="2026'),
        ("<properties>", "<system-out/><properties>"),
    ],
    ids=["a count in words", "no name", "two of one name", "negative time", "a skip without a reason", "the host", "the wrong order"],
)
def test_the_schema_is_no_rubber_stamp(there: str, instead: str) -> None:
    text = report.junit(ledgers.mixed()).decode().partition("?>")[2]
    assert there in text
    assert not schema().is_valid(text.replace(there, instead, 1))
