"""Runs that were killed: finding their folder, waiting for their guardian, and what their reports say otherwise than their ledger."""

from __future__ import annotations

from pathlib import Path

from cleanroom import ledger, verifier
from cleanroom.verifier import Findings, Story
from cleanroom.wait import Waiting, wait_until


def folder_of(reports: Path) -> Path:
    """The folder of the one run whose reports go there, once it has begun."""

    def begun() -> Path | Waiting:
        return next((path.parent for path in reports.glob("2*/ledger.ndjson")), None) or Waiting("no ledger")

    return wait_until(begun, what="the run to begin", within=120, every=0.002)


def guardians(folder: Path) -> list[int]:
    """The processes that watch a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"cleanroom.guardian" in words and str(folder.parent).encode() in words:
            found.append(int(process.name))
    return found


def wait_for_the_end(folder: Path) -> None:
    """Until the guardian has drawn the reports and gone."""
    wait_until(lambda: not guardians(folder) or Waiting("it is there"), what="the guardian to go", within=120, every=0.02)


def tells(folder: Path) -> list[str]:
    """What the drawings say otherwise than the ledger, as far as that goes, by the judge who shares no code with either."""
    story, found = Story(), Findings()
    cut = list(story.read(folder / ledger.NAME))
    found.take("the ledger", verifier._judge(found, story, "dev", verifier.SKEW))
    assert not cut or "is cut short" in cut[0]
    drawn = Findings()
    drawn.take("junit.xml", verifier._junit(folder / "junit.xml", story))
    drawn.take("report.html", verifier._page(folder / "report.html", story, found))
    return drawn.wrong
