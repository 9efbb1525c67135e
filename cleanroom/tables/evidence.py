"""The table about evidence: whose key signs a run of this site, where its owner claims what runs have proven, and what his documents may not say.

Knows: what a site says of its evidence.
Refuses: a key in place of its path, and evidence that is older than a day, whatever the site would allow.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from cleanroom.quantities import show_duration
from cleanroom.tables.base import Duration, Listed, Local, Names, Table

_OLDEST = 24 * 3600.0


class Evidence(Table):
    """What signs this site's runs, unless --signing-key or CLEANROOM_SIGNING_KEY names another key; and the claim that the site can be rebuilt.

    Nothing is required: what is not named cannot be judged. The claim lies in base (`document`) or on this side (`document_file`); `records` holds
    report folders by their runs' names, and `trusted_key` is the public half that must have signed them. `status` is the document in base that says
    DONE, and like the claim may be committed after the run that it speaks of.
    """

    signing_key: Local | None = None
    document: str | None = None
    document_file: Local | None = None
    status: str | None = None
    records: Local | None = None
    trusted_key: Local | None = None
    max_age: Duration = _OLDEST
    local_documents: Annotated[tuple[Local, ...], Listed] = ()
    forbidden_phrases: Names = ("infeasible by design",)

    @model_validator(mode="after")
    def _one_document(self) -> Evidence:
        if self.document is not None and self.document_file is not None:
            raise ValueError("expected one of document and document_file, not both")
        return self

    @model_validator(mode="after")
    def _a_day_at_most(self) -> Evidence:
        if not 0 < self.max_age <= _OLDEST:
            raise ValueError(f"evidence may be {show_duration(_OLDEST)} old at most")
        return self
