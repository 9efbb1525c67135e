"""The matrix: sabotage by scenario, as data and as a page.

Knows: how findings become `matrix.json` (what `--with-matrix` takes) and `matrix.html`, and what a matrix was made of: commit and feature files.
Refuses: to count a survivor as killed, and to call itself whole when it was asked for less than the catalogue.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2

from cleanroom import inventory
from tests.sabotage import sites
from tests.sabotage.bench import ROOT, Sabotage
from tests.sabotage.catalogue import CATALOGUE
from tests.sabotage.finding import Cell, Finding

_TEMPLATE = Path(__file__).with_name("matrix.html.j2")


def data(findings: Mapping[str, Finding], *, control: Mapping[str, Finding], seconds: float, lanes: int) -> dict[str, Any]:
    """Everything that was found, by sabotage, with what it was found in."""
    killed = [name for name, finding in findings.items() if not finding.survived]
    reddened = {(CATALOGUE[name].feature, title) for name in killed for title in CATALOGUE[name].reddens}
    counts = {
        "sabotages": len(findings),
        "catalogue": len(CATALOGUE),
        "killed": len(killed),
        "survived": len(findings) - len(killed),
        "static": sum(CATALOGUE[name].static for name in findings),
        "scenarios": len(reddened),
    }
    return {
        "commit": _git("rev-parse", "HEAD") + ("-dirty" if _git("status", "--porcelain") else ""),
        "features": dict(inventory.read(ROOT / "features").files),
        "counts": counts,
        "whole": set(findings) == set(CATALOGUE),
        "uncovered": sites.unexplained(findings.values()),
        "control": {name: asdict(finding) for name, finding in control.items()},
        "seconds": round(seconds, 1),
        "lanes": lanes,
        "sabotages": {name: {"story": CATALOGUE[name].story, **asdict(finding)} for name, finding in sorted(findings.items())},
    }


def write(folder: Path, matrix: Mapping[str, Any], findings: Mapping[str, Finding]) -> None:
    """`matrix.json` and `matrix.html` in `folder`."""
    (folder / "matrix.json").write_text(json.dumps(matrix, indent=1, ensure_ascii=False))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(_TEMPLATE.read_text()).render(**{**matrix, "chapters": _chapters(findings)})
    (folder / "matrix.html").write_text(page)


def _chapters(findings: Mapping[str, Finding]) -> list[dict[str, Any]]:
    chapters: dict[str, dict[str, Finding]] = {}
    for name, finding in findings.items():
        chapters.setdefault(name.partition("/")[0], {})[name] = finding
    return [_chapter(name, rows) for name, rows in sorted(chapters.items())]


def _chapter(chapter: str, findings: Mapping[str, Finding]) -> dict[str, Any]:
    titles = list(dict.fromkeys(title for finding in findings.values() for title in finding.cells))
    rows = [
        {
            "name": name.partition("/")[2],
            "story": CATALOGUE[name].story,
            "killed": not finding.survived,
            "seconds": finding.seconds,
            "marks": [_mark(CATALOGUE[name], title, finding.cells.get(title)) for title in titles],
            "lines": finding.survived or [cell.told[:160] for cell in finding.cells.values() if cell.part == "must"],
        }
        for name, finding in findings.items()
    ]
    return {"name": chapter, "titles": titles, "rows": rows}


def _mark(sabotage: Sabotage, title: str, cell: Cell | None) -> dict[str, str]:
    if cell is None:
        return {"kind": "", "sign": ""}
    right = {
        "must": cell.state in {"failed", "error"} and sabotage.reddens.get(title, "") in cell.told,
        "may": True,
        "green": cell.state == "passed",
    }[cell.part]
    if not right:
        return {"kind": "wrong", "sign": "!"}
    if cell.part == "must":
        return {"kind": "must", "sign": "R"}
    return {"kind": "", "sign": "·"} if cell.state == "passed" else {"kind": "may", "sign": "r"}


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
