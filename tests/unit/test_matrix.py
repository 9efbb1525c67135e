from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cleanroom import matrix
from cleanroom.errors import BadInput

FEATURES = {"c4.feature": "0a" * 32}


def written(folder: Path, **changes: Any) -> Path:
    data: dict[str, Any] = {
        "commit": "c0ffee",
        "features": FEATURES,
        "whole": True,
        "control": {"control1": {"survived": []}},
        "counts": {"sabotages": 3, "killed": 2, "survived": 1, "scenarios": 2, "catalogue": 3},
    }
    path = folder / "matrix.json"
    path.write_text(json.dumps({**data, **changes}))
    return path


def test_its_figures_and_its_digest_are_told(tmp_path: Path) -> None:
    path = written(tmp_path)
    told = matrix.told(path, FEATURES)
    assert told.pop("sha256") == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told == {"commit": "c0ffee", "whole": True, "control": "green", "sabotages": 3, "killed": 2, "survived": 1, "scenarios": 2}


@pytest.mark.parametrize(("control", "word"), [({}, "not run"), ({"a": {"survived": []}, "b": {"survived": ["red"]}}, "red")])
def test_a_control_that_is_not_green_is_told(tmp_path: Path, control: dict[str, Any], word: str) -> None:
    assert matrix.told(written(tmp_path, control=control), FEATURES)["control"] == word


def test_one_of_other_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="other feature files"):
        matrix.told(written(tmp_path, features={"c4.feature": "0b" * 32}), FEATURES)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"control": 1}'])
def test_what_is_no_matrix_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "matrix.json").write_text(text)
    with pytest.raises(BadInput, match="no matrix"):
        matrix.told(tmp_path / "matrix.json", FEATURES)


def test_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        matrix.told(tmp_path / "matrix.json", FEATURES)
