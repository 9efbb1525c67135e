"""What a site's documents tell people to do, read as Markdown: sentences, and the commands of code blocks.

Knows: CommonMark and tables (markdown-it-py), and the ways in which documents ask for a certificate to be brought by hand.
Refuses: to examine nothing, and to take a sentence that says "nobody copies a certificate" for one that asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from markdown_it import MarkdownIt

from cleanroom.errors import CheckFailed, HarnessError

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")
_CERTIFICATE = r"(?:certificates?|certs?|fullchain|privkey|[\w/-]+\.(?:pem|crt))\b"
_BRING = r"\b(?:drop|copy|place|put|upload|transfer|paste|bring|install|deliver|supply|provide)\b"
_BROUGHT = r"\b(?:dropped|copied|placed|put|uploaded|transferred|pasted|brought|installed|delivered|supplied|provided)\b"
_BY_A_PERSON = r"\b(?:by hand|manually|by the operator|by an operator|out of band|out-of-band)\b"
#: "Nobody has to copy", "there is no certificate to drop": but not "do not forget to copy".
_DENIED = re.compile(r"\b(?:no|not|never|nobody|nothing|neither|without|instead of)\b(?! forget)", re.IGNORECASE)
#: Ways to ask for it, in a sentence.
ASKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_BRING}[^.;]{{0,60}}?{_CERTIFICATE}",
        rf"{_CERTIFICATE}[^.;]{{0,60}}?{_BROUGHT}[^.;]{{0,40}}?{_BY_A_PERSON}",
        rf"{_BY_A_PERSON}[^.;]{{0,60}}?{_BROUGHT}[^.;]{{0,40}}?{_CERTIFICATE}",
        rf"\boperator[- ](?:owned|supplied|provided|managed)\b[^.;]{{0,40}}?{_CERTIFICATE}",
    )
)
#: Programs that move a file, in a command.
_MOVES = re.compile(r"(?:^|[\s;&|(])(?:cp|mv|scp|sftp|rsync|install|tee|ln|cat\s*>)\s", re.IGNORECASE)


@dataclass(frozen=True)
class Passage:
    """A sentence, or a line of a code block. `line` counts from 1 in `file`; for a sentence it is where its paragraph begins."""

    file: str
    line: int
    text: str
    is_command: bool

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def passages(markdown: str, *, file: str) -> Iterator[Passage]:
    """Every sentence and every line of code in a document."""
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        line = token.map[0] + 1 if token.map else 1
        if token.type == "inline":
            text = " ".join(token.content.split())
            yield from (Passage(file, line, sentence, is_command=False) for sentence in _SENTENCE_END.split(text) if sentence)
        elif token.type in {"fence", "code_block"}:
            first = line + (token.type == "fence")
            yield from (Passage(file, first + n, text, is_command=True) for n, text in enumerate(token.content.splitlines()) if text.strip())


def asks_for_certificate(passage: Passage, paths: Iterable[str]) -> bool:
    """Whether a passage tells a person to bring a certificate file; `paths` are the places on the machine where one would be brought."""
    if passage.is_command:
        about = any(path in passage.text for path in paths) or re.search(_CERTIFICATE, passage.text)
        return bool(about and _MOVES.search(passage.text))
    found = next((match for pattern in ASKS if (match := pattern.search(passage.text))), None)
    return found is not None and not _DENIED.search(passage.text[: found.end()])


def check_brings_no_certificate(documents: Mapping[str, str], paths: Iterable[str]) -> None:
    """No document, by its path, asks anyone to bring a certificate; raises `CheckFailed` with file and line of one that does."""
    read = [passage for file, text in documents.items() for passage in passages(text, file=file)]
    empty = sorted(file for file in documents if not any(passage.file == file for passage in read))
    if empty or not read:
        raise HarnessError("there is nothing to read", where=", ".join(empty) or "the site's documents")
    for passage in read:
        if asks_for_certificate(passage, tuple(paths)):
            advice = "the certificate comes from git: renewal is a commit"
            raise CheckFailed("no document tells anyone to bring a certificate", seen=f"`{passage.text[:160]}`", where=passage.where, advice=advice)
