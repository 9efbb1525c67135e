"""What is drawn to scale: the phases over time, and memory over time against its limits.

Knows: how seconds and bytes become places between 0 and 100 on a drawing of any size.
Refuses: to draw a phase that did not end as one that did, and to draw memory where nothing was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cleanroom.ledger import Event
from cleanroom.quantities import show_duration, show_size
from cleanroom.report.scenes import Chapter

_POINTS = 400
_ROOM_ABOVE = 1.12
_NICE_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
_MOST_LINES = 10


@dataclass(frozen=True)
class Bar:
    """Something that took time: where it begins and how long it is, in hundredths of the whole run."""

    name: str
    state: str
    left: float
    width: float
    began: float
    seconds: float


@dataclass(frozen=True)
class TimeLine:
    """The phases of a run, and each chapter with its scenarios, on one scale. `lines` are the places of the grid, `every` what lies between them."""

    seconds: float
    every: str
    lines: tuple[float, ...]
    phases: tuple[Bar, ...]
    chapters: tuple[tuple[str, tuple[Bar, ...]], ...]


@dataclass(frozen=True)
class Mark:
    """A level that memory is held against: its height from below in hundredths, and its name with its size."""

    height: float
    text: str


@dataclass(frozen=True)
class MemoryLine:
    """Memory over time: outlines in a box of 100 by 100, y from above."""

    limit: str
    usage: str
    marks: tuple[Mark, ...]
    began: str
    ended: str
    peak_limit: int
    peak_usage: int
    samples: int
    longest_gap: float
    instances: tuple[tuple[str, int, int], ...]


def time_line(events: Sequence[Event], chapters: Sequence[Chapter]) -> TimeLine:
    """Every phase from its beginning to its end; one that never ended reaches to the last event."""
    whole = max((float(event.get("t", 0)) for event in events), default=0.0)
    step = next((step for step in _NICE_STEPS if whole / step <= _MOST_LINES), whole)
    scenes = (
        (chapter.label or chapter.file, tuple(_bar(scene.title, scene.state, scene.began, scene.seconds, whole) for scene in chapter.scenes))
        for chapter in chapters
    )
    return TimeLine(
        seconds=whole,
        every=show_duration(step),
        lines=tuple(round(100 * number * step / whole, 3) for number in range(1, int(whole / step) + 1)) if whole else (),
        phases=tuple(_phases(events, whole)),
        chapters=tuple((label, bars) for label, bars in scenes if bars),
    )


def _phases(events: Sequence[Event], whole: float) -> list[Bar]:
    open_phases: dict[str, list[int]] = {}
    bars: list[Bar] = []
    for event in events:
        if event["kind"] == "phase-began":
            began = float(event.get("t", 0))
            open_phases.setdefault(str(event["name"]), []).append(len(bars))
            bars.append(_bar(str(event["name"]), "unfinished", began, whole - began, whole))
        elif event["kind"] == "phase-ended" and open_phases.get(str(event["name"])):
            at = open_phases[str(event["name"])].pop()
            state = "passed" if event.get("outcome") == "done" else "failed"
            bars[at] = _bar(bars[at].name, state, bars[at].began, float(event.get("seconds", 0)), whole)
    return bars


def _bar(name: str, state: str, began: float, seconds: float, whole: float) -> Bar:
    scale = 100 / whole if whole else 0.0
    return Bar(name, state, round(began * scale, 3), round(max(seconds, 0.0) * scale, 3), began, max(seconds, 0.0))


def memory_line(events: Sequence[Event]) -> MemoryLine | None:
    """Memory as it was measured during the run; None when nothing was."""
    samples = [event for event in events if event["kind"] == "memory-sample"]
    if not samples:
        return None
    levels = next((event for event in events if event["kind"] == "memory-began"), {})
    named = {name: int(levels[key]) for key, name in (("guideline", "guideline"), ("physical", "physically there")) if levels.get(key)}
    limits = [(float(event.get("t") or 0), int(event.get("limit") or 0)) for event in samples]
    usages = [(float(event.get("t") or 0), int(event.get("usage") or 0)) for event in samples]
    top = max([*named.values(), *(value for _, value in (*limits, *usages)), 1]) * _ROOM_ABOVE
    began, ended = limits[0][0], limits[-1][0]
    return MemoryLine(
        limit=_stairs(_thinned(limits), began, ended, top),
        usage=_stairs(_thinned(usages), began, ended, top),
        marks=tuple(Mark(round(100 * value / top, 2), f"{name} {show_size(value)}") for name, value in named.items()),
        began=show_duration(began),
        ended=show_duration(ended),
        peak_limit=max(value for _, value in limits),
        peak_usage=max(value for _, value in usages),
        samples=len(samples),
        longest_gap=max((after - before for (before, _), (after, _) in pairwise(limits)), default=0.0),
        instances=tuple(_peaks(samples)),
    )


def _thinned(series: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """At most `_POINTS` of a series: the highest of each stretch, so that no peak is lost."""
    stretch = -(-len(series) // _POINTS)
    return [max(series[at : at + stretch], key=lambda point: point[1]) for at in range(0, len(series), stretch)]


def _stairs(series: Sequence[tuple[float, int]], began: float, ended: float, top: float) -> str:
    """The outline as SVG path commands: a value holds until the next is measured."""
    width = (ended - began) or 1.0
    points = [(round(100 * (t - began) / width, 2), round(100 - 100 * value / top, 2)) for t, value in series]
    return f"M0 {points[0][1]}" + "".join(f"H{x}V{y}" for x, y in points) + "H100"


def _peaks(samples: Sequence[Event]) -> list[tuple[str, int, int]]:
    """The most that each instance was allowed, and the most that it used."""
    peaks: dict[str, tuple[int, int]] = {}
    for event in samples:
        for name, state in (event.get("instances") or {}).items():
            limit, usage = peaks.get(name, (0, 0))
            peaks[name] = max(limit, int(state.get("limit") or 0)), max(usage, int(state.get("usage") or 0))
    return [(name, limit, usage) for name, (limit, usage) in sorted(peaks.items())]
