"""Drawings of the ledger: JUnit for machines, one HTML page for people.

Knows: how to render events that were recorded; it asks nobody else and adds no fact.
Refuses: to render a skipped, unfinished or unasked scenario as green, and to leave a run without a report.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import jinja2

from cleanroom import verdict
from cleanroom.ledger import Event
from cleanroom.quantities import show_duration

_TEMPLATE = Path(__file__).with_name("report.html.j2")


def write(folder: Path, events: Sequence[Event]) -> None:
    """Write `junit.xml` and `report.html` into `folder`, replacing older ones in one step each."""
    _replace(folder / "junit.xml", junit(events))
    _replace(folder / "report.html", page(events))


def junit(events: Sequence[Event]) -> bytes:
    """JUnit XML: a suite a feature file, a case a scenario under its own title; our trouble is an error, the site's a failure."""
    outcomes = list(verdict.scenario_outcomes(events))
    root = ET.Element("testsuites", name="clean room")
    for file in dict.fromkeys(outcome.scenario.split(": ", 1)[0] for outcome in outcomes):
        of_file = [outcome for outcome in outcomes if outcome.scenario.startswith(f"{file}: ")]
        counts = {state: sum(outcome.state == state for outcome in of_file) for state in ("failed", "error", "skipped", "unfinished")}
        suite = ET.SubElement(
            root,
            "testsuite",
            name=f"features/{file}",
            tests=str(len(of_file)),
            failures=str(counts["failed"]),
            errors=str(counts["error"] + counts["unfinished"]),
            skipped=str(counts["skipped"]),
            time=f"{sum(outcome.seconds for outcome in of_file):.3f}",
        )
        for outcome in of_file:
            _case(suite, file, outcome)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _case(suite: ET.Element, file: str, outcome: verdict.Outcome) -> None:
    title = outcome.scenario.split(": ", 1)[1]
    case = ET.SubElement(suite, "testcase", classname=f"features/{file}", name=title, file=f"features/{file}", time=f"{outcome.seconds:.3f}")
    if outcome.state in {"failed", "error", "unfinished"}:
        element = ET.SubElement(case, "failure" if outcome.state == "failed" else "error", message=_printable(_first_line(outcome)))
        element.text = _printable("\n".join(f"{key}: {value}" for key, value in _block(outcome)))
    elif outcome.state == "skipped":
        ET.SubElement(case, "skipped")


def page(events: Sequence[Event]) -> bytes:
    """One HTML page that opens offline and needs no script."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["duration"] = show_duration
    judged = verdict.judge(events)
    facts = {kind: [event for event in events if event["kind"] == kind] for kind in ("site", "server", "machine", "revision", "phase-ended")}
    results = {event["number"]: event for event in events if event["kind"] == "guide-result"}
    text = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        run=next((event for event in events if event["kind"] == "run-began"), {"run": "?", "role": "?", "at": "?"}),
        judged=judged,
        outcomes=[(outcome, _block(outcome), _steps(events, outcome.scenario)) for outcome in verdict.scenario_outcomes(events)],
        facts=facts,
        guide=[(event, results.get(event["number"])) for event in events if event["kind"] == "guide-command"],
        limits=_limits(facts["site"], facts["machine"]),
    )
    return text.encode()


def _limits(sites: Sequence[Event], machines: Sequence[Event]) -> list[str]:
    """What this run does not prove, in plain lines."""
    sftp = "Incus tells nobody of SFTP sessions (`incus file push`): what one of those changed is seen only where a scenario looks."
    lines = [sftp, "Whoever controls the hypervisor can deceive this run about everything that happens above it."]
    if any(site["site_kind"] == "lab" for site in sites):
        lines.insert(0, "The site was the embedded lab: Debian with Nix that keeps NixOS' contract, not NixOS, and not the customer's cc-ci.")
    if any(machine["type"] != "virtual-machine" for machine in machines):
        lines.insert(0, "The throwaway was a system container: it shares its host's kernel, and is no proof for a virtual machine.")
    if not machines:
        lines.insert(0, "No machine was made.")
    return lines


def _steps(events: Sequence[Event], scenario: str) -> list[tuple[str, str]]:
    ended = {"step-passed": "passed", "step-failed": "failed"}
    return [(event["step"], ended[event["kind"]]) for event in events if event["kind"] in ended and event["scenario"] == scenario]


def _block(outcome: verdict.Outcome) -> list[tuple[str, str]]:
    """The fixed block of a failure: expected, seen, where, what next."""
    trouble = outcome.trouble
    if trouble is None:
        return [("problem", "it did not finish")] if outcome.state == "unfinished" else []
    keys = (("expected", "expected"), ("seen", "seen"), ("problem", "problem"), ("place", "where"), ("advice", "next"))
    return [(label, str(trouble[key])) for key, label in keys if trouble.get(key)]


def _first_line(outcome: verdict.Outcome) -> str:
    block = dict(_block(outcome))
    return (
        f"expected {block['expected']}; seen {block.get('seen', '')}" if "expected" in block else block.get("problem", outcome.state).splitlines()[0]
    )


def _printable(text: str) -> str:
    """`text` without what XML 1.0 has no place for (section 2.2): one colour code would make the whole file unreadable."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)
