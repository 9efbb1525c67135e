"""Whether documents make the statements that they must make.

Knows: that a statement is made by one sentence, or one row of a table, which has all of its words and affirms them.
Refuses: words scattered over a file, in a heading, a comment, a block of code, or under a heading that says that this is past or yet to come, and
sentences that deny, doubt, ask or hope.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cleanroom.documents import phrases
from cleanroom.documents.library import Library
from cleanroom.documents.phrases import Sentence, phrase
from cleanroom.documents.reading import Document, Piece
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.tables.documents import Statement

#: A heading below which nothing is so yet.
_YET_TO_COME = re.compile(
    r"\b(?:planned|to[- ]?dos?|road ?map|wish ?list|ideas?|proposals?|proposed|future (?:work|plans?|ideas?)|upcoming|not yet|next steps"
    r"|open (?:points|questions|issues)|some ?day)\b",
    re.IGNORECASE,
)


def check_made(library: Library, statements: Sequence[Statement]) -> None:
    """Every statement stands in its document; raises `CheckFailed` with each that does not, and where its document comes nearest to it."""
    if not statements:
        raise HarnessError("no statement is demanded, so none can be missed", advice="[[statement]] in the site file")
    lacking = [(statement, library.part(statement.document)) for statement in statements if not is_made(statement, library.part(statement.document))]
    if lacking:
        first, document = lacking[0]
        where, seen = _nearest(first, document)
        more = "; ".join(f"{document.file} does not say: {statement.says} ({statement.id})" for statement, document in lacking[1:])
        advice = f"its words, together in one sentence that affirms them: {' + '.join(first.words)}"
        raise CheckFailed(
            f"{document.file} says: {first.says} (statement {first.id})", seen="; ".join(filter(None, (seen, more))), where=where, advice=advice
        )


def is_made(statement: Statement, document: Document) -> bool:
    """Whether the document makes the statement."""
    return any(phrases.affirms(sentence, statement.words) for _, sentence in _candidates(statement, document))


def _candidates(statement: Statement, document: Document) -> Iterator[tuple[Piece, Sentence]]:
    wanted = [phrase(each) for each in statement.section]
    pieces = document.under(lambda heading: any(pattern.search(heading) for pattern in wanted)) if wanted else document.pieces
    for piece in (piece for piece in pieces if not piece.is_past and not any(_YET_TO_COME.search(heading.text) for heading in piece.section)):
        if piece.kind == "row":
            yield piece, phrases.whole(piece)
        elif piece.kind == "text":
            yield from ((piece, sentence) for sentence in phrases.sentences(piece))


def _nearest(statement: Statement, document: Document) -> tuple[str, str]:
    """Where the document comes nearest to a statement that it does not make, and what it lacks there."""
    found = [(len(phrases.missing(sentence, statement.words)), piece, sentence) for piece, sentence in _candidates(statement, document)]
    if not found:
        return document.file, "no sentence at all" + (f" under a heading with {' or '.join(statement.section)}" if statement.section else "")
    count, piece, sentence = min(found, key=lambda candidate: candidate[0])
    where = f"{document.file}:{piece.line_of(sentence.start)}"
    quoted = f"`{' '.join(sentence.text.split())[:120]}`"
    if count == 0:
        return where, f"it is denied, doubted or asked there: {quoted}"
    if count == len(statement.words):
        return document.file, "no sentence has any of its words"
    return where, f"nearest to it is {quoted}, without {' and '.join(phrases.missing(sentence, statement.words))}"
