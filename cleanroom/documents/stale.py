"""Whether a document still tells the model that was abolished.

Knows: stale phrases, in sentences, headings, rows and blocks of code, across line ends and emphasis; and commands that move a certificate.
Refuses: to excuse a phrase for standing in a quote. Three marks excuse it, for they alone cannot be misread: it is denied in its own clause, it is
struck out, or it stands under a heading that says that this is past (`Abolished`, `Superseded`, `No longer true`, `History`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cleanroom.documents import phrases
from cleanroom.documents.model import EXCUSED, STALE
from cleanroom.documents.phrases import phrase
from cleanroom.documents.reading import Document, Piece
from cleanroom.errors import CheckFailed, HarnessError

#: Programs that move a file, in a command.
_MOVES = re.compile(r"(?:^|[\s;&|('\"])(?:[\w./-]*/)?(?:(?:cp|mv|scp|sftp|rsync|install|tee|ln)\s|cat\s*>)", re.IGNORECASE)
#: What stands before a file into which something is written.
_WRITES = r"(?:>\s*|\bof=|-o\s*|--output[ =])[\"']?"
_CERTIFICATE_FILE = re.compile(r"\b(?:certificates?|certs?|fullchain|privkey)\b|[\w/-]+\.(?:pem|crt)\b", re.IGNORECASE)
_CERTIFICATE = "a certificate is dropped in"


@dataclass(frozen=True)
class Find:
    """A stale phrase: which model it tells, where, and in which words."""

    tells: str
    where: str
    words: str


def check_none(documents: Iterable[Document], more: Mapping[str, Sequence[str]], certificate_paths: Sequence[str]) -> None:
    """No document tells the old model: the default phrases' or, in `more`, the site's own; raises `CheckFailed` with each find."""
    known = {tells: (*STALE.get(tells, ()), *more.get(tells, ())) for tells in (*STALE, *more)}
    _report([found for document in _some(documents) for found in finds(document, known, certificate_paths)], "no document tells the old model")


def check_brings_no_certificate(documents: Iterable[Document], certificate_paths: Sequence[str]) -> None:
    """No document tells anyone to bring a certificate."""
    known = {_CERTIFICATE: STALE[_CERTIFICATE]}
    found = [found for document in _some(documents) for found in finds(document, known, certificate_paths)]
    _report(found, "no document tells anyone to bring a certificate")


def finds(document: Document, known: Mapping[str, Sequence[str]], certificate_paths: Sequence[str]) -> Iterator[Find]:
    """Each stale phrase of a document, once a sentence and model."""
    for piece in document.pieces:
        if piece.is_past:
            continue
        for sentence in phrases.sentences(piece):
            for tells, sources in known.items():
                match = next((found for source in sources if (found := _told(sentence, source, EXCUSED.get(tells, ())))), None)
                if match is not None:
                    yield Find(tells, f"{document.file}:{piece.line_of(sentence.start + match.start())}", " ".join(match[0].split()))
        if piece.kind == "code" and _CERTIFICATE in known:
            yield from _moves(document, piece, certificate_paths)


def _told(sentence: phrases.Sentence, source: str, excuses: Sequence[str]) -> re.Match[str] | None:
    """The first place where a sentence tells what a phrase says, neither denying it nor going on as an excuse does."""
    for match in phrase(source).finditer(sentence.text):
        goes_on = any(phrase(excuse).match(sentence.text, match.start()) for excuse in excuses)
        if not goes_on and not phrases.denies(sentence, match, source):
            return match
    return None


def _moves(document: Document, piece: Piece, paths: Sequence[str]) -> Iterator[Find]:
    for number, line in enumerate(piece.text.splitlines()):
        about = any(path in line for path in paths) or _CERTIFICATE_FILE.search(line)
        written = any(re.search(rf"{_WRITES}{re.escape(path)}", line) for path in paths)
        if written or (about and _MOVES.search(line)):
            yield Find(_CERTIFICATE, f"{document.file}:{piece.line + number}", line.strip()[:160])


def _some(documents: Iterable[Document]) -> Sequence[Document]:
    found = list(documents)
    if not found:
        raise HarnessError("there is no document, so none can tell anything")
    return found


def _report(found: Sequence[Find], expected: str) -> None:
    if found:
        seen = "; ".join(f"`{find.words}` ({find.where}): {find.tells}" for find in found[:5])
        advice = "say how it is now; what is past is struck out, denied, or under a heading that says so"
        raise CheckFailed(expected, seen=seen, where=found[0].where, advice=advice)
