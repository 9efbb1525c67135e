"""Phrases, in a small language for people, and whether a sentence affirms or denies what it names.

Knows: `drop|copy ... cert|certificate*`: words, one of several, any ending, up to five words between; `(by hand|manually)`: several words each.
Refuses: to match across the end of a sentence, and to take a sentence that denies, doubts, asks or hopes for one that affirms.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from cleanroom.documents.reading import Piece

Span = tuple[int, int]
#: In how many ways the words of a phrase may be picked from a sentence that has some of them several times.
_MOST_WAYS = 1000
#: Words that may stand where a phrase says `...`; none of them ends a clause.
_GAP = r"(?:[^\s,;:()|]+[ ]+){0,5}?"
_BETWEEN = r"[ -]+"
_PART = re.compile(r"\(([^()]*)\)|(\S+)")
#: A sentence ends at its mark, unless that stands behind an abbreviation.
_END = re.compile(r"(?<![ (][eic]\.[gef])(?<! cf)(?<! vs)(?<! etc)[.!?;][\"')\]]*(?=\s)|\s\|\s")
_NEGATORS = r"not|no|never|nobody|no one|nothing|none|neither|nor|without|cannot|\w+n't"
_DENIES = re.compile(rf"\b(?:{_NEGATORS}|instead of|rather than|in place of)\b(?! (?:only|until|forget|hesitate|fail to))", re.IGNORECASE)
#: What keeps a clause from being a plain statement; and what a whole sentence, wherever it stands in it.
_NOT_AFFIRMED = re.compile(
    rf"\b(?:{_NEGATORS}|instead of|rather than|in place of|would|should|could|might|may|used to|formerly|previously|hardly|rarely)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:except|unless|apart from|other than|but for|not yet|no longer|not (?:really|quite|so|true|the case)|wrong(?:ly)?|untrue|false"
    r"|mistaken(?:ly)?|a myth|planned|eventually|todo|tbd|one day|some day|in (?:the )?future)\b",
    re.IGNORECASE,
)
#: The one exception that belongs to the model.
_THE_KEY = re.compile(r"\b(?:except|apart from|other than|but for)(?: for)?(?: [\w-]+){0,5} (?:bootstrap|recovery|age)(?: age)? key\b", re.IGNORECASE)
#: Where one clause ends and the next begins; what stands on the other side of it denies nothing here.
_CLAUSE = re.compile(r"[,:()|]| - |\b(?:but|then|so)\b", re.IGNORECASE)
_PART_OF_SENTENCE = re.compile(rf"{_CLAUSE.pattern}|\band\b", re.IGNORECASE)
_CONDITION = re.compile(r"\b(?:if|when|where|unless|until|once|in case)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Sentence:
    """A sentence within a piece, and where in its text it begins."""

    text: str
    start: int


@cache
def phrase(source: str) -> re.Pattern[str]:
    """A phrase as a pattern; raises `ValueError` if it is none."""
    parts: list[str] = []
    pending = ""
    for grouped, word in _PART.findall(source):
        if word == "...":
            pending = _GAP
            continue
        choices = (grouped or word).split("|")
        if set("()") & set(word):
            raise ValueError(f"a parenthesis of `{source}` has no other half")
        if not all(choice.strip(" *-") for choice in choices):
            raise ValueError(f"an alternative of `{source}` says nothing")
        parts.append(pending + rf"(?<!\w)(?:{'|'.join(map(_words, choices))})(?!\w)")
        pending = ""
    if not parts or pending or source.lstrip().startswith("..."):
        raise ValueError(f"`{source}` is no phrase: words, with `...` between them")
    return re.compile(_BETWEEN.join(parts), re.IGNORECASE)


def _words(choice: str) -> str:
    words = re.split(r"[\s-]+", choice.strip())
    return _BETWEEN.join(re.escape(word).replace(r"\*", r"[\w./@-]*") for word in words)


def sentences(piece: Piece) -> Iterator[Sentence]:
    """The sentences of a piece. In code each line is one, and so are comments that go on from line to line."""
    if piece.kind == "code":
        yield from _lines(piece.text)
        return
    text = piece.text.replace('"', " ")
    start = 0
    for end in _END.finditer(text):
        if text[start : end.end()].strip():
            yield Sentence(text[start : end.end()], start)
        start = end.end()
    if text[start:].strip():
        yield Sentence(text[start:], start)


def _lines(text: str) -> Iterator[Sentence]:
    """Comment marks become blanks, so that every character keeps its place."""
    for block in re.finditer(r"(?:^[ \t]*(?:#|//)(?![!$]).*\n?)+|^.+$", text, re.MULTILINE):
        yield Sentence(re.sub(r"(?m)^[ \t]*(?:#+|//+)|\n|\"", lambda mark: " " * len(mark[0]), block[0]), block.start())


def whole(piece: Piece) -> Sentence:
    """A piece taken as one sentence: a row of a table, whose cells complete each other."""
    return Sentence(piece.text.replace('"', " "), 0)


def affirms(sentence: Sentence, words: Sequence[str]) -> bool:
    """Whether a sentence holds all of `words` (phrases) and affirms them.

    In the clauses from the first of them to the last nothing denies or doubts, and nothing in the sentence takes them back - but for their own words.
    """
    found = [[match.span() for match in phrase(word).finditer(sentence.text)] for word in words]
    if not all(found) or sentence.text.rstrip().endswith("?"):
        return False
    own = [*itertools.chain(*found), *(match.span() for match in _THE_KEY.finditer(sentence.text))]
    if not all(_is_within(doubt.span(), own) for doubt in _TAKEN_BACK.finditer(sentence.text)):
        return False
    return any(_is_plain(sentence.text, spans, own) for spans in itertools.islice(itertools.product(*found), _MOST_WAYS))


def _is_plain(text: str, spans: Sequence[Span], own: Sequence[Span]) -> bool:
    """Whether the clauses that hold `spans` neither deny nor doubt."""
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    begin = max((end.end() for end in _PART_OF_SENTENCE.finditer(text, 0, first)), default=0)
    after = _PART_OF_SENTENCE.search(text, last)
    return all(_is_within(doubt.span(), own) for doubt in _NOT_AFFIRMED.finditer(text, begin, after.start() if after else len(text)))


def missing(sentence: Sentence, words: Sequence[str]) -> list[str]:
    """Those of `words` that a sentence does not hold."""
    return [word for word in words if not phrase(word).search(sentence.text)]


def denies(sentence: Sentence, match: re.Match[str], source: str) -> bool:
    """Whether what `match` found is denied, and on no condition: by a word of its own clause, before it or where the phrase `source` left room."""
    before = [boundary.end() for boundary in _CLAUSE.finditer(sentence.text, 0, match.start())]
    end = match.start() if _DENIES.search(source) else match.end()
    clause = sentence.text[before[-1] if before else 0 : end]
    return any(not _CONDITION.search(clause, 0, denial.start()) for denial in _DENIES.finditer(clause))


def _is_within(span: Span, spans: Sequence[Span]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in spans)
