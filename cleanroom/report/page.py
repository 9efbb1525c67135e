"""The run as one HTML page that opens offline, runs nothing and fetches nothing.

Knows: the templates beside it, and what stands where.
Refuses: markup from the ledger: every text is made showable, cut and escaped on its way out, so that no template can forget it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from cleanroom import claims, verdict
from cleanroom.facts import facts
from cleanroom.ledger import Event
from cleanroom.quantities import show_duration, show_size
from cleanroom.report import pictures, tables
from cleanroom.report.scenes import tally, tell
from cleanroom.shown import shown

#: Rows of a table beyond which a reader is sent to the ledger.
MOST_ROWS = 300


class _Told(Event):
    """An event of which a template may ask for anything: what it does not tell is empty, and breaks no page."""

    def __missing__(self, key: str) -> str:
        return ""


def page(events: Sequence[Event]) -> bytes:
    """The page, in UTF-8."""
    told = [_Told(event) for event in events]
    chapters = tell(told)
    scenes = [scene for chapter in chapters for scene in chapter.scenes]
    unasked = sum(len(chapter.unasked) for chapter in chapters)
    text = _template().render(
        judged=verdict.judge(events),
        sentence=claims.sentence(events),
        limits=claims.limits(events),
        verify=claims.verify_command(events),
        facts=facts(told),
        chapters=chapters,
        numbers={scene.identity: number for number, scene in enumerate(scenes, start=1)},
        troubles=[scene for scene in scenes if scene.state != "passed" and scene.began_at_all],
        tally=tally(scenes, unasked),
        time_line=pictures.time_line(told, chapters),
        memory=pictures.memory_line(told),
        life_cycle=tables.life_cycle(told),
        log_ins=tables.log_ins(told),
        entered=tables.entered(told),
        searches=tables.searches(told),
        neighbours=tables.neighbours(told),
        ablation={event.get("number"): event for event in told if event["kind"] == "ablation"},
        moments=[event.get("moment") for event in events if event["kind"] == "estate"],
        of={kind: [event for event in told if event["kind"] == kind] for kind in _SHOWN_AS_THEY_ARE},
        kinds=sorted(Counter(str(event["kind"]) for event in events).items()),
        settings=_settings(events),
        most=MOST_ROWS,
    )
    return text.encode(errors="xmlcharrefreplace")


#: Kinds whose fields a template reads itself.
_SHOWN_AS_THEY_ARE = (
    *("sighting", "not-checked", "left-out", "programs"),
    *(
        "lifecycle-gap",
        "memory-gap",
        "memory-missed",
        "swept",
        "namesake-deleted",
        "machine-kept",
        "machine-gone",
        "left-behind",
        "requests",
        "elsewhere",
        "sabotage-matrix",
    ),
)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_showable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": _duration, "moment": _moment, "size": show_size, "exact": _exact, "thousands": "{:,}".format}
    return environment.get_template("page.html.j2")


def _showable(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _duration(seconds: float) -> str:
    return show_duration(seconds) if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _moment(at: str) -> str:
    """A time of the ledger as people write it: to the second, its zone named."""
    return f"{at[:10]} {at[11:19]} UTC" if at.endswith("Z") else at


def _exact(text: str) -> Markup:
    """A text as an attribute holds it for a program: as it is, but for what HTML cannot hold."""
    return Markup(escape(text.replace("\0", "\N{REPLACEMENT CHARACTER}")))  # noqa: S704 - escaped in this very line


def _settings(events: Sequence[Event]) -> str:
    site = next((event for event in events if event["kind"] == "site"), {})
    return json.dumps(site.get("settings") or {}, ensure_ascii=False, indent=2)
