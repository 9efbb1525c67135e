"""The suite's own proof that it can fail, as part of a run's record: a matrix of sabotages, by its digest and its figures.

Knows: the file that `make sabotage` writes.
Refuses: a matrix of other feature files than this run's: it would say nothing about what ran.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleanroom.errors import BadInput


def told(path: Path, features: Mapping[str, str]) -> dict[str, Any]:
    """What the record says of the matrix in `path`; raises `BadInput` for a file that is none, or none of `features` (digests by name)."""
    try:
        raw = path.read_bytes()
        matrix = json.loads(raw)
        control = matrix["control"].values()
        figures = {key: int(matrix["counts"][key]) for key in ("sabotages", "killed", "survived", "scenarios")}
        fields = {"commit": str(matrix["commit"]), "whole": bool(matrix["whole"]), "control": _word([bool(run["survived"]) for run in control])}
        its = dict(matrix["features"])
    except OSError as problem:
        raise BadInput(f"cannot read the matrix: {problem.strerror}", where=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput("this is no matrix of sabotages", where=str(path), advice="make sabotage writes one: reports/sabotage-*/matrix.json") from None
    if its != dict(features):
        raise BadInput("this matrix is one of other feature files than this run's", where=str(path), advice="make sabotage")
    return {"sha256": hashlib.sha256(raw).hexdigest(), **fields, **figures}


def _word(red: list[bool]) -> str:
    return "not run" if not red else "red" if any(red) else "green"
