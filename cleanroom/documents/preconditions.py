"""What the install guide asks for before it begins: DNS, the gateway, the age key, and nothing else.

Knows: the section in which a guide says so, its list or table, and by which words an entry may call each of the three.
Refuses: an entry that adds a word of its own to one of them, one that names none of them, a further demand in the sentences around the list or below
an entry, and a second list under another heading that asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cleanroom.documents import phrases
from cleanroom.documents.phrases import phrase
from cleanroom.documents.reading import Document, Piece, entries
from cleanroom.errors import CheckFailed

#: Each precondition: the word that makes an entry name it, and the words that may go with that.
_ALLOWED: dict[str, tuple[str, frozenset[str]]] = {
    "DNS": ("dns", frozenset({"records", "record", "entries", "entry", "wildcard", "names", "name", "public", "domain"})),
    "gateway": ("gateway", frozenset({"tls", "sni", "external", "pass", "through", "passthrough"})),
    "age key": ("key", frozenset({"age", "bootstrap", "recovery", "file", "private", "its"})),
}
#: Other headings under which a guide asks for something, whatever a site calls its own.
_ALSO = re.compile(r"\brequirements\b|\bwhat (?:\w+ ){0,2}you (?:\w+ ){0,2}need\b(?! to\b)", re.IGNORECASE)
#: What is asked for wherever it is named and not denied.
_FURTHER = "(account|accounts|password|passwords|licence|license|subscription|VPN|API key|certificate|certificates|cert|certs)"
_FILLERS = frozenset({"the", "a", "an", "your", "one", "and", "of", "for", "this", "to"})
#: What a thing is called ends where a mark stands; without one, where it is said what it does or where it is.
_NAME_ENDS = re.compile(r"[:.,;(|]| - ")
_TOLD = re.compile(r" (?:is|are|passes|points?|leads?|resolves?|forwards?|routes?|must|that|which|in|at)\b")
#: How a sentence asks for something.
_DEMANDS = (
    "you ... need|require",
    "you must|should have",
    "(is|are|be) (required|needed|necessary|mandatory)",
    "make sure|certain",
    "ensure",
    "(have|has|hold|keep) ... (ready|at hand)",
    "(requires|presupposes|assumes|needs)",
)


@dataclass(frozen=True)
class Precondition:
    """One entry of the list: what it calls itself, and where."""

    name: str
    where: str


def preconditions(document: Document, headings: Sequence[str]) -> tuple[Precondition, ...]:
    """The entries of the section. Raises `CheckFailed` if there is no such section, or it has no list."""
    pieces = _section(document, headings)
    found = tuple(Precondition(_name(entry[0]), f"{document.file}:{entry[0].line}") for entry in entries(pieces))
    if not found:
        seen = "prose alone" if pieces else f"no heading says {' or '.join(headings)}"
        advice = "a list or a table with one entry for each; documents.preconditions in the site file names the heading"
        raise CheckFailed("the guide lists what must be true before it begins", seen=seen, where=document.file, advice=advice)
    return found


def check_exact(document: Document, headings: Sequence[str]) -> None:
    """The list names DNS, gateway and the age key, each once, and nothing else."""
    named: dict[str, Precondition] = {}
    for entry in preconditions(document, headings):
        covered = _covered(entry.name)
        if not covered:
            expected = "the preconditions are DNS, gateway and the age key, and nothing else"
            raise CheckFailed(expected, seen=f"`{entry.name}`", where=entry.where)
        for name in covered:
            if name in named:
                raise CheckFailed("each precondition is named once", seen=f"{name} at {named[name].where} and again", where=entry.where)
            named[name] = entry
    missing = [name for name in _ALLOWED if name not in named]
    if missing:
        raise CheckFailed("the preconditions are DNS, gateway and the age key", seen=f"not named: {', '.join(missing)}", where=document.file)


def check_nothing_beside(document: Document, headings: Sequence[str]) -> None:
    """No sentence around the list, or behind the name of an entry, asks for anything more."""
    for piece in _section(document, headings):
        for sentence in phrases.sentences(piece) if piece.kind in {"text", "row"} else ():
            for source in (*_DEMANDS, _FURTHER):
                match = phrase(source).search(sentence.text)
                if match and not phrases.denies(sentence, match, source):
                    seen = f"`{' '.join(sentence.text.split())[:160]}`"
                    where = f"{document.file}:{piece.line_of(sentence.start + match.start())}"
                    raise CheckFailed("nothing is asked beside the list of preconditions", seen=seen, where=where)


def _section(document: Document, headings: Sequence[str]) -> tuple[Piece, ...]:
    wanted = [*(phrase(each) for each in headings), _ALSO]
    return document.under(lambda heading: any(pattern.search(heading) for pattern in wanted))


def _name(piece: Piece) -> str:
    """What an entry calls itself: its bold beginning, or what stands before the first mark."""
    if piece.kind == "row":
        return piece.cells[0]
    name = _NAME_ENDS.split(piece.lead or piece.text, maxsplit=1)[0]
    return " ".join((name if piece.lead else _TOLD.split(name, maxsplit=1)[0]).split())


def _covered(name: str) -> tuple[str, ...]:
    """The preconditions that a name covers; none if a word of it belongs to none of them."""
    words = set(re.findall(r"[\w']+", name.lower()))
    covered = tuple(each for each, (word, _) in _ALLOWED.items() if word in words)
    if "age key" in covered and not words & {"age", "bootstrap", "recovery"}:
        return ()
    known = _FILLERS.union(*({_ALLOWED[each][0]} | _ALLOWED[each][1] for each in covered))
    return covered if words <= known else ()
