"""The run as a JUnit file, as Jenkins, GitLab and pytest's own readers take it.

Knows: the elements and attributes that those readers share, in the order that the strictest of them wants.
Refuses: a case without a mark for anything that did not pass, the name of the host it ran on, and characters that XML has no place for.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from cleanroom import verdict
from cleanroom.facts import Facts, facts
from cleanroom.ledger import Event
from cleanroom.report.scenes import Chapter, Scene, tell
from cleanroom.shown import one_line, shown

_MESSAGE = 400


def junit(events: Sequence[Event]) -> bytes:
    """JUnit XML: a suite a feature file, a case a scenario; our trouble is an error, the site's a failure, what did not run is skipped."""
    told, judged = facts(events), verdict.judge(events)
    chapters = tell(events)
    root = ET.Element("testsuites", {"name": "clean room", **_counts(chapters)})
    for chapter in chapters:
        suite = ET.SubElement(root, "testsuite", {"name": _printable(f"features/{chapter.file}"), **_counts([chapter])})
        suite.set("timestamp", _timestamp(next((scene.at for scene in chapter.scenes if scene.at), told.began)))
        _properties(suite, told, judged)
        for scene in (*chapter.scenes, *chapter.unasked):
            _case(suite, scene)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(chapters: Sequence[Chapter]) -> dict[str, str]:
    scenes = [scene for chapter in chapters for scene in (*chapter.scenes, *chapter.unasked)]
    states = [scene.state for scene in scenes]
    return {
        "tests": str(len(scenes)),
        "failures": str(states.count("failed")),
        "errors": str(states.count("error") + states.count("unfinished")),
        "skipped": str(states.count("skipped") + states.count("not run")),
        "time": f"{sum(scene.seconds for scene in scenes):.3f}",
    }


def _properties(suite: ET.Element, told: Facts, judged: verdict.Judged) -> None:
    """What a reader of one suite must know of the whole run."""
    named = {
        "run": told.run,
        "verdict": judged.word,
        "class": judged.evidence_class,
        "role": told.role,
        "site": told.site,
        "suite": str(told.suite.get("commit") or told.suite.get("digest") or ""),
    }
    named |= {f"revision.{repository}": commit for repository, (_, commit) in told.revisions.items()}
    properties = ET.SubElement(suite, "properties")
    for name, value in named.items():
        ET.SubElement(properties, "property", name=_printable(name), value=_printable(one_line(value)) or "unknown")


def _case(suite: ET.Element, scene: Scene) -> None:
    file = _printable(f"features/{scene.file}")
    case = ET.SubElement(
        suite, "testcase", name=_printable(scene.title), classname=file, file=file, line=str(scene.line), time=f"{scene.seconds:.3f}"
    )
    element = {"failed": "failure", "error": "error", "unfinished": "error", "skipped": "skipped", "not run": "skipped"}.get(scene.state)
    if element is not None:
        mark = ET.SubElement(case, element, message=_printable(_message(scene)))
        if element != "skipped":
            mark.set("type", {"failed": "the site", "error": "the suite", "unfinished": "the run"}[scene.state])
            mark.text = _printable("\n".join(f"{label}: {shown(text)}" for label, text in scene.block))
    if scene.steps:
        ET.SubElement(case, "system-out").text = _printable("\n".join(_step_lines(scene)))


def _step_lines(scene: Scene) -> list[str]:
    return [f"{step.state:<11} {'' if step.seconds is None else f'{step.seconds:.3f} s':>10}  {shown(step.text)}" for step in scene.steps]


def _message(scene: Scene) -> str:
    """The block in a line; a scenario that passed has none."""
    block = dict(scene.block)
    if "expected" in block:
        return one_line(f"expected {block['expected']}; seen {block.get('seen', '')}", _MESSAGE)
    return one_line(block.get("problem") or block.get("why") or scene.state, _MESSAGE)


def _timestamp(at: str) -> str:
    """The schema's own form: seconds, and no zone (it is UTC)."""
    return at[:19] if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", at[:19]) else "1970-01-01T00:00:00"


def _printable(text: str) -> str:
    """`text` without what XML 1.0 has no place for (section 2.2): one colour code would make the whole file unreadable."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)
