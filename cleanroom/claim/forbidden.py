"""Phrases that may stand nowhere in a site's documents: above all, that a live rebuild is infeasible by design.

Knows: the phrase, the words that people put in its place, and everything that hides one from a plain search: line breaks, markup, comments, code,
hyphens, capitals, typographic signs, invisible characters, letters of other alphabets that look the same.
Refuses: to pass a document that it could not read, and a site without documents.

A text is searched by its letters alone; a finding must begin and end where words do, in the text itself or in what a reader sees of it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cleanroom.errors import CheckFailed, HarnessError


def _any(*phrases: str) -> str:
    """One of these phrases, by its letters alone; the longest first, so that none hides behind its own beginning."""
    return f"(?:{'|'.join(sorted((phrase.replace(' ', '') for phrase in phrases), key=len, reverse=True))})"


_IMPOSSIBLE: Final = _any(
    *("infeasible", "unfeasible", "not feasible", "nonfeasible", "impossible", "not possible", "impracticable", "impractical", "unachievable"),
    *("not achievable", "unattainable", "undoable", "not doable", "cannot be done", "cant be done", "can not be done", "unworkable", "not workable"),
    *("isnt feasible", "isnt possible", "arent feasible", "arent possible", "never feasible", "never possible", "no longer feasible"),
    "out of the question",
)
_BY_DESIGN: Final = _any(
    *("by design", "by construction", "by architecture", "by its design", "by the design", "by its nature", "by its very nature", "by nature"),
    *("by definition", "inherently", "intrinsically", "in principle", "on principle", "fundamentally", "architecturally"),
    *("as designed", "given its design", "due to its design", "because of its design", "due to the design", "because of the design"),
)
_REBUILD: Final = _any(
    *("live rebuild", "real rebuild", "clean room rebuild", "rebuild from scratch", "rebuilding live", "rebuilding from scratch", "full rebuild"),
    *("rebuild on a blank machine", "rebuild on a fresh machine", "rebuilding the host", "rebuilding the server", "rebuilding the machine"),
)
_ANY_REBUILD: Final = f"{_any('a', 'any', 'the')}?(?:{_REBUILD}|{_any('rebuild', 'rebuilding it', 'rebuilding')})"
_IS: Final = _any("is", "was", "would be", "remains", "seems", "is simply", "is just", "is inherently", "is fundamentally")
_CANNOT_BE: Final = _any("cannot be", "can not be", "cant be", "could not be", "can never be", "will never be")
_REBUILT: Final = _any("rebuilt live", "rebuilt from scratch", "rebuilt on a blank machine", "rebuilt on another machine", "rebuilt by design")
#: The old excuse in other words, on a text's letters alone.
_REWORDINGS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        f"{_IMPOSSIBLE}{_BY_DESIGN}",
        f"{_BY_DESIGN}{_any('it', 'it is', 'this is', 'that is', 'a rebuild is')}?{_IMPOSSIBLE}",
        f"{_REBUILD}{_IS}?{_IMPOSSIBLE}",
        f"{_any('the design', 'its design', 'this design', 'the architecture')}{_any('makes', 'made', 'renders')}{_ANY_REBUILD}{_IMPOSSIBLE}",
        f"{_REBUILD}{_any('cannot be done', 'can not be done', 'cant be done', 'cannot work')}",
        f"{_CANNOT_BE}{_REBUILT}",
    )
)

#: Letters of other alphabets that look like ours.
_LOOK_ALIKES: Final = str.maketrans("аеорсухіјѕһԁӏɡɑοαειρτυνκ", "aeopcyxijshdlgaoaeiptuvk")
#: What a reader does not see: tags and comments, the targets of links and images, reference definitions.
_UNSEEN: Final = (
    re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL),
    re.compile(r"</?[A-Za-z][^<>]*>"),
    re.compile(r"(?<=\])\((?:[^()\n]|\n(?!\n)){0,500}\)"),
    re.compile(r"(?<=\])\[[^\]\n]{0,100}\]"),
)


_SENTENCE_END: Final = re.compile(r"[.!?:;]\s|\n\s*\n")


@dataclass(frozen=True, order=True)
class Sighting:
    """A forbidden phrase, and the line (from 1) on which it begins."""

    line: int
    phrase: str


@dataclass(frozen=True)
class _Letters:
    """A text by its letters and digits alone, and where in the text each of them stands."""

    text: str
    squeezed: str
    places: Sequence[int]

    @staticmethod
    def of(text: str) -> _Letters:
        letters, places = [], []
        for place, character in enumerate(text):
            for letter in unicodedata.normalize("NFKD", character.casefold()).translate(_LOOK_ALIKES):
                if letter.isalnum():
                    letters.append(letter)
                    places.append(place)
        return _Letters(text, "".join(letters), places)

    def find(self, wanted: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        """First place, and the place behind the last, of what begins and ends as words do."""
        for match in wanted.finditer(self.squeezed):
            first, last = self.places[match.start()], self.places[match.end() - 1]
            if self._is_edge(first - 1, -1) and self._is_edge(last + 1, 1):
                yield first, last + 1

    def _is_edge(self, place: int, away: int) -> bool:
        """Whether no word goes on there; what nobody sees is passed over, away from the finding."""
        while 0 <= place < len(self.text) and unicodedata.category(self.text[place]) in {"Cf", "Mn"}:
            place += away
        return not 0 <= place < len(self.text) or not self.text[place].isalpha()


def sightings(text: str, site: Sequence[str]) -> list[Sighting]:
    """Every place of `text` at which a phrase begins, in what is written or in what a reader sees; each line and phrase once.

    A site's phrase is found across anything; other words for the excuse only within a sentence.
    """
    literal = {phrase: re.compile(re.escape(_Letters.of(phrase).squeezed)) for phrase in site}
    written = html.unescape(text) if "&" in text else text
    seen: set[Sighting] = set()
    for view in dict.fromkeys((text, written, _as_seen(written, ""), _as_seen(written, " "))):
        letters = _Letters.of(view)
        for phrase, wanted in literal.items():
            seen |= {Sighting(_line(view, first), phrase) for first, _end in letters.find(wanted)}
        for wanted in _REWORDINGS:
            for first, end in letters.find(wanted):
                if not _SENTENCE_END.search(view, first, end):
                    seen.add(Sighting(_line(view, first), " ".join(view[first:end].split()).casefold()))
    return sorted(seen)


def check_nowhere(documents: Mapping[str, bytes], site: Sequence[str]) -> None:
    """No document, by its path, says any of it; raises `CheckFailed` with every place, and `HarnessError` for what cannot be read."""
    if not documents:
        raise HarnessError("there is no document to search", where="the site's documents")
    found = [(file, sighting) for file, content in sorted(documents.items()) for sighting in sightings(text_of(content, file), site)]
    if found:
        seen = "; ".join(f"{file}:{sighting.line} has `{sighting.phrase}`" for file, sighting in found)
        where, advice = f"{found[0][0]}:{found[0][1].line}", "it can be rebuilt: say how, and show the run that did it"
        raise CheckFailed("no document says that a rebuild is infeasible by design, nor any forbidden phrase", seen=seen, where=where, advice=advice)


def text_of(content: bytes, file: str) -> str:
    """A document's text, UTF-8 or UTF-16 with its mark; raises `HarnessError` for anything else."""
    try:
        return content.decode("utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    except UnicodeDecodeError:
        raise HarnessError("this document is neither UTF-8 nor UTF-16: what it says cannot be told", where=file) from None


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _as_seen(text: str, instead: str) -> str:
    """The text without what a reader does not see; lines stay where they are."""
    for unseen in _UNSEEN:
        text = unseen.sub(lambda match: instead + "\n" * match[0].count("\n"), text)
    return text
