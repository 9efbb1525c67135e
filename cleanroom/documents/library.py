"""A site's documents, together: those of base at the revision under test, and the plan.

Knows: which document has which part - guide, secrets, architecture, plan - and that of a plan some sections count: the rest is history and schedule.
Refuses: a document that is not there or says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cleanroom.documents.phrases import phrase
from cleanroom.documents.reading import Document, read
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.repository import Repository
from cleanroom.site import Site


@dataclass(frozen=True)
class Library:
    """The documents by their paths, `parts` by what they are for; `outside` are those that do not lie in base."""

    documents: Mapping[str, Document]
    parts: Mapping[str, str]
    outside: frozenset[str] = frozenset()

    def part(self, name: str) -> Document:
        """A document by its part or path; raises `HarnessError` if the site names none."""
        path = self.parts.get(name, name)
        if path not in self.documents:
            advice = f"documents.{name} in the site file" if name in {"plan", "architecture"} else "base.documents in the site file"
            raise HarnessError(f"cannot tell: the site names no document `{name}`", advice=advice)
        return self.documents[path]


def load(site: Site, base: Repository) -> Library:
    """Read every document that the site names. Raises `CheckFailed` for one that is not in base, `BadInput` for a plan on this side that is not."""
    own = site.documents
    parts = {"guide": site.base.guide, "secrets": site.base.secrets_document, "architecture": own.architecture, "decisions": site.resources.decisions}
    documents = {path: read_one(base, path) for path in dict.fromkeys((*site.base.documents, *parts.values()))}
    outside: frozenset[str] = frozenset()
    if own.plan is not None:
        parts["plan"] = own.plan
        documents[own.plan] = _sections(read_one(base, own.plan), site)
    elif own.plan_file is not None:
        name = own.plan_file.name
        parts["plan"], outside = name, frozenset({name})
        try:
            documents[name] = _sections(read(own.plan_file.read_text(encoding="utf-8"), file=name), site)
        except (OSError, UnicodeDecodeError) as problem:
            raise BadInput(f"cannot read the plan: {problem}", where=str(own.plan_file), advice="documents.plan_file in the site file") from None
    return Library(documents, parts, outside)


def read_all(base: Repository, paths: Sequence[str]) -> tuple[Document, ...]:
    """Some documents of base; raises `CheckFailed` for one that is not there."""
    return tuple(read_one(base, path) for path in paths)


def read_one(base: Repository, path: str) -> Document:
    """A document of base; raises `CheckFailed` if it is not there, or no text."""
    try:
        return read(base.read(path).decode(), file=path)
    except BadInput as problem:
        raise CheckFailed(f"base has the document {path}", seen=problem.problem, where=base.url) from None
    except UnicodeDecodeError:
        raise CheckFailed(f"the document {path} is text", seen="it is not UTF-8", where=base.url) from None


def _sections(plan: Document, site: Site) -> Document:
    wanted = [phrase(each) for each in site.documents.plan_sections]
    found = plan.only(lambda heading: any(pattern.search(heading) for pattern in wanted))
    if not found.pieces:
        expected = "the plan has sections on certificate and secrets"
        raise CheckFailed(expected, seen="no heading names either", where=plan.file, advice="documents.plan_sections in the site file")
    return found
