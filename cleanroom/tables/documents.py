"""The tables about documents: which there are, what they must state, what none may tell any more.

Knows: how a statement and a stale phrase are written; those that hold for every cc-ci are in documents/model.py.
Refuses: a phrase that is none, and a statement of one word: that would hold wherever the word stands.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from cleanroom.documents.phrases import phrase
from cleanroom.tables.base import Listed, Local, Table


def _phrases(value: object) -> object:
    """Every phrase is one; what is no text is for the type to refuse."""
    for source in value if isinstance(value, (list, tuple)) else ():
        if isinstance(source, str) and source:
            phrase(source)
    return value


Phrases = Annotated[tuple[str, ...], Listed, BeforeValidator(_phrases)]


class Statement(Table):
    """One statement that a document must make: `words` are phrases that stand together in one sentence, or one row of a table, that affirms them.

    `document` is `guide`, `secrets`, `architecture`, `plan` or a path; `section` are phrases of which one stands in the heading above.
    """

    id: str
    says: str
    document: str
    section: Phrases = ()
    words: Phrases

    @model_validator(mode="after")
    def _more_than_a_word(self) -> Statement:
        if len(" ".join(self.words).split()) < 2:  # noqa: PLR2004 - a pair
            raise ValueError("expected at least two words: one alone holds wherever it stands")
        return self


class Documents(Table):
    """Which documents there are beside guide, secrets document and decisions, and what is said of names in them.

    `plan` lies in base, `plan_file` on this side; of a plan the sections on certificate and secrets count. `stale` are phrases beside the default
    ones, by the name of what was abolished; `examples` are names that need not exist, each with its reason.
    """

    architecture: str = "docs/architecture.md"
    plan: str | None = None
    plan_file: Local | None = None
    plan_sections: Phrases = ("certificate*", "TLS", "secret*")
    preconditions: Phrases = ("before you begin", "prerequisites", "preconditions")
    stale: dict[str, Phrases] = Field(default_factory=dict)
    examples: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_plan(self) -> Documents:
        if self.plan is not None and self.plan_file is not None:
            raise ValueError("expected one of plan and plan_file")
        return self
