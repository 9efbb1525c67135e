"""The open questions, and the answers that the site's decisions give them.

Knows: the five questions, the answers that each can have, and what the site file and the repositories show of each.
Refuses: a question answered by a further question, by a task for later, by both answers at once, or otherwise than the site is made.

A decision is a section, or a paragraph or list item with a bold beginning, or a row of a table: a title, and what follows it. Of what follows, the
first sentence that affirms an answer gives it; a title only names the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cleanroom.documents import phrases
from cleanroom.documents.phrases import Sentence, phrase
from cleanroom.documents.reading import Document, Piece
from cleanroom.errors import CheckFailed
from cleanroom.guide import Guide
from cleanroom.quantities import show_size
from cleanroom.site import Site

_OPEN = re.compile(
    r"\b(?:todo|tbd|tba|fixme|xxx|undecided|open question|to be (?:decided|determined|discussed|done)"
    r"|(?:not|never) (?:yet )?(?:been )?decided|yet to be|pending)\b",
    re.IGNORECASE,
)
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?G(?:i?B)?\b")
#: What stands right behind one of these was not chosen.
_REJECTED = re.compile(r"\b(?:rather than|instead of|in place of|over|not|no|nor|without)(?: [\w-]+){0,3} $", re.IGNORECASE)
_DOUBTED = re.compile(r"\b(?:would|could|might|may|should|considered|alternatively|if)\b", re.IGNORECASE)
#: A title that tells what was not chosen, or why.
_AGAINST = re.compile(r"\b(?:not|no|against|without|rejected|alternatives?|considered)\b", re.IGNORECASE)
_GIGA = 1 << 30


@dataclass(frozen=True)
class Question:
    """An open question: how people ask it, by which phrases the title of its decision is known, and each answer with the phrases that give it.

    `is_asked_once`: whether a title that fits is about nothing else, so that every decision with such a title must give the same answer.
    """

    name: str
    asks: str
    titles: Sequence[str]
    answers: Mapping[str, Sequence[str]]
    is_asked_once: bool = False


@dataclass(frozen=True)
class Decision:
    """A decision as it is written: its title, what follows, and where it begins."""

    title: str
    body: tuple[Piece, ...]
    where: str

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """What follows the title."""
        return tuple(sentence for piece in self.body for sentence in phrases.sentences(piece))


CONSUMED = Question(
    "consumed",
    "is secrets a flake input or a submodule?",
    ("(flake input|submodule)",),
    {"flake-input": ("flake input|inputs",), "submodule": ("submodule|submodules",)},
    is_asked_once=True,
)
KEY = Question(
    "key",
    "how does the key reach a new machine?",
    ("key ... machine|host|throwaway|reach*|arrive*|delivered|bootstrap", "bootstrap* ... key|machine", "(recovery key|new host key)"),
    {
        "the key as it is": ("(bootstrap|recovery|master) ... key", "key as it is"),
        "a new host key": ("new ... host|machine ... key", "(new age key|own key|re-encrypt*|reencrypt*|encrypted again)"),
    },
)
FETCHED = Question(
    "fetched",
    "how is the private repository fetched?",
    ("(private repository|secrets repository|cc-ci-secrets) ... fetched|fetch|cloned|access*", "fetch* ... private|secrets"),
    {"a token": ("token|tokens",), "a deploy key": ("(deploy key|deploy keys|deployment key)",)},
)
SIZING = Question("sizing", "what is the final sizing?", ("sizing|size|sizes|memory",), {})
DNS = Question(
    "dns",
    "is DNS as code in scope?",
    ("DNS",),
    {
        "out of scope": ("(out of scope|not in scope|outside the scope|no part of this)",),
        "in scope": ("(in scope|within scope|part of this repository)",),
    },
)
QUESTIONS = (CONSUMED, KEY, FETCHED, SIZING, DNS)


def decisions(document: Document) -> tuple[Decision, ...]:
    """Every decision of a document: rows and bold beginnings, then headings with all that stands below them up to the next."""
    narrow: list[Decision] = []
    wide: list[tuple[Piece, list[Piece]]] = []
    goes_on = False
    for piece in (piece for piece in document.pieces if not piece.is_past):
        where = f"{document.file}:{piece.line}"
        if piece.kind == "heading":
            wide.append((piece, []))
            goes_on = False
            continue
        if wide:
            wide[-1][1].append(piece)
        if piece.kind == "row" and piece.entry is not None:
            narrow.append(Decision(piece.cells[0], (Piece("text", piece.line, ". ".join(piece.cells[1:])),), where))
        elif piece.kind == "text" and piece.lead and piece.text.strip().startswith(piece.lead.strip()):
            rest = piece.text.strip()[len(piece.lead.strip()) :].lstrip(" :.")
            narrow.append(Decision(piece.lead.strip(), (Piece("text", piece.line, rest),), where))
            goes_on = True
        elif piece.kind != "row" and goes_on:
            narrow[-1] = Decision(narrow[-1].title, (*narrow[-1].body, piece), narrow[-1].where)
    return (*narrow, *(Decision(piece.text.strip(), tuple(body), f"{document.file}:{piece.line}") for piece, body in wide))


def about(document: Document, question: Question) -> tuple[Decision, ...]:
    """The decisions about a question, the narrowest first; raises `CheckFailed` if there is none, or if one says that it is none yet."""
    wanted = [phrase(title) for title in question.titles]
    named = [each for each in decisions(document) if any(pattern.search(each.title) for pattern in wanted)]
    written = [each for each in named if any(piece.text.strip() for piece in each.body)]
    found = tuple(each for each in written if not _AGAINST.search(each.title)) or tuple(written)
    if not found:
        advice = "a heading, a bold beginning or a row of a table that asks it, and the answer behind it"
        raise CheckFailed(f"{document.file} answers: {question.asks}", seen="no decision about it", where=document.file, advice=advice)
    for each in found:
        waiting = next((match for piece in each.body for match in [_OPEN.search(piece.text)] if match), None) or _OPEN.search(each.title)
        if waiting:
            raise CheckFailed(f"{document.file} answers: {question.asks}", seen=f"it says `{waiting[0]}`", where=each.where)
    return found


def answer(document: Document, question: Question) -> str:
    """The answer to a question. Raises `CheckFailed` if there is none, or two: in one sentence, or in two decisions that ask it."""
    found = about(document, question)
    given: dict[str, str] = {}
    for decision in found if question.is_asked_once else (Decision("", tuple(piece for each in found for piece in each.body), found[0].where),):
        answers = next(filter(None, ([*_given(sentence, question)] for sentence in decision.sentences)), [])
        given |= {name: decision.where for name in answers if name not in given}
    if len(given) > 1:
        seen = f"{' and '.join(given)} at once ({', '.join(dict.fromkeys(given.values()))})"
        raise CheckFailed(f"{document.file} gives one answer: {question.asks}", seen=seen, where=found[0].where)
    if given:
        return next(iter(given))
    advice = f"possible answers: {', '.join(question.answers)}; the first sentence that affirms one gives it"
    raise CheckFailed(f"{document.file} answers: {question.asks}", seen="no sentence affirms an answer", where=found[0].where, advice=advice)


def sizes(document: Document) -> tuple[float, ...]:
    """Every size in GiB that the decision on sizing states: who writes GB for memory means GiB."""
    sentences = (sentence for each in about(document, SIZING) for sentence in each.sentences)
    return tuple(float(number) for sentence in sentences for number in _SIZE.findall(sentence.text))


def check_answered(document: Document) -> None:
    """Each open question has one of its possible answers."""
    for question in QUESTIONS:
        if question.answers:
            answer(document, question)
    if not sizes(document):
        advice = "in GiB: for the canonical host, for a rebuilt machine"
        raise CheckFailed(f"{document.file} answers: {SIZING.asks}", seen="no size", where=about(document, SIZING)[0].where, advice=advice)


def check_agree(document: Document, site: Site, guide: Guide) -> None:
    """Each answer is what the site file and the guide show."""
    makes_a_key = any(re.search(r"\b(?:ssh-keygen|age-keygen|sops\s+updatekeys|ssh-to-age)\b", command.text) for command in guide.commands)
    shown = (
        (CONSUMED, site.secrets.consumed_as, "secrets.consumed_as in the site file"),
        (KEY, "a new host key" if makes_a_key else "the key as it is", f"the commands of {guide.file}"),
        (FETCHED, "a token" if site.secrets.credential.token is not None else "a deploy key", "secrets.credential in the site file"),
        (DNS, "out of scope", f"the preconditions of {guide.file}, of which DNS is one"),
    )
    for question, expected, by in shown:
        given = answer(document, question)
        if given != expected:
            raise CheckFailed(f"{document.file} says what is so: {expected}, by {by}", seen=given, where=about(document, question)[0].where)
    _check_sizes(document, site)


def _check_sizes(document: Document, site: Site) -> None:
    """The sizes decided are those applied: the throwaway's is among them, and the canonical host is given one."""
    found, where = sizes(document), about(document, SIZING)[0].where
    if site.incus.memory / _GIGA not in found:
        seen = ", ".join(f"{size:g}" for size in found)
        expected = f"the sizing names what a new machine gets, {show_size(site.incus.memory)} (incus.memory in the site file)"
        raise CheckFailed(expected, seen=f"sizes in GiB: {seen}", where=where)
    host = site.incus.canonical_host
    if host is not None and not any(_speaks_of(part, host) for part in _parts(document)):
        raise CheckFailed(f"the sizing gives the canonical host {host} a size", seen="no size beside its name", where=where)


def _parts(document: Document) -> Iterator[str]:
    for sentence in (sentence for each in about(document, SIZING) for sentence in each.sentences):
        yield from re.split(r"[,;:|]", sentence.text)


def _speaks_of(part: str, host: str) -> bool:
    return bool(_SIZE.search(part)) and (host in part or "canonical host" in part.lower())


def _given(sentence: Sentence, question: Question) -> Iterator[str]:
    """The answers that a sentence affirms."""
    return (name for name, sources in question.answers.items() if any(_is_given(sentence, source) for source in sources))


def _is_given(sentence: Sentence, source: str) -> bool:
    """Whether a sentence affirms an answer by a phrase: somewhere it neither rejects nor doubts it."""
    if sentence.text.rstrip().endswith("?") or _DOUBTED.search(sentence.text):
        return False
    matches = phrase(source).finditer(sentence.text)
    return any(not phrases.denies(sentence, match, source) and not _REJECTED.search(sentence.text[: match.start()]) for match in matches)
