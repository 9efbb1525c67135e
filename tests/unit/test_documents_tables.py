"""The site file's tables about documents: what a mistake in them is told as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cleanroom.documents import model
from cleanroom.documents.phrases import phrase
from cleanroom.errors import BadInput
from cleanroom.site import Site
from tests.unit.sites import write

STATEMENT = {"id": "x", "says": "the moon is round", "document": "guide", "words": ["moon", "round"]}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({"documents.stale": {"old": ["drop ..."]}}, "`drop ...` is no phrase"),
        ({"documents.stale": {"old": ["a|"]}}, "says nothing"),
        ({"documents.plan_sections": ["..."]}, "is no phrase"),
        ({"documents.plan": "docs/plan.md", "documents.plan_file": "plan.md"}, "one of plan and plan_file"),
        ({"documents.gone": 1}, "no such key"),
        ({"statement": [{**STATEMENT, "words": ["moon"]}]}, "at least two words"),
        ({"statement": [{**STATEMENT, "words": []}]}, "at least two words"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, edits: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        Site.load(write(tmp_path, edits))
    assert told in caught.value.problem


def test_what_is_written_well_is_taken(tmp_path: Path) -> None:
    site = Site.load(write(tmp_path, {"statement": [STATEMENT], "documents.stale": {"old": ["ask Bob ... login*"]}}))
    assert model.statements(site.statement)[-1].id == "x"


def test_every_default_phrase_is_one() -> None:
    sources = [source for each in model.STALE.values() for source in each]
    sources += [source for each in model.STATEMENTS for source in (*each.words, *each.section)]
    assert all(phrase(source).pattern for source in sources)
    assert len({each.id for each in model.STATEMENTS}) == len(model.STATEMENTS)
