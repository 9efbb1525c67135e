"""A Markdown document by its headings: sections, and the tables, lists, code blocks and prose that stand in each.

Knows: CommonMark with tables (markdown-it-py), where each part stands, and what a reader sees of it.
Refuses: to show what a reader does not see: comments, and characters that have no shape.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from cleanroom.documents.reading import visible

_READER: Final = MarkdownIt("commonmark").enable("table")
_SHOWN: Final = {"text", "code_inline"}
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
_BREAKS: Final = {"softbreak", "hardbreak"}


@dataclass(frozen=True)
class Row:
    """One row of a table's body: what each cell shows, the line it stands on, and which cells show code."""

    cells: tuple[str, ...]
    line: int
    code: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A table: its head's cells, its body's rows."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]
    line: int


@dataclass(frozen=True)
class Text:
    """A paragraph, list item or heading as a reader sees it, or a code block's lines (`is_code`)."""

    text: str
    line: int
    is_code: bool = False


@dataclass(frozen=True)
class Section:
    """A heading (rank 1 to 6; 0 is the document itself) and everything under it, down to the next heading of its rank or a higher one."""

    title: str
    rank: int
    line: int
    tokens: tuple[Token, ...]

    def sections(self) -> Iterator[Section]:
        """Every section inside this one, whatever its rank, in the order of the document."""
        for position, token in enumerate(self.tokens):
            if token.type == "heading_open":
                rank = int(token.tag[1])
                end = next(
                    (other for other in range(position + 1, len(self.tokens)) if _ends(self.tokens[other], rank)),
                    len(self.tokens),
                )
                yield Section(shown(self.tokens[position + 1]), rank, _line(token), self.tokens[position + 3 : end])

    def outermost(self, title: re.Pattern[str]) -> tuple[Section, ...]:
        """The sections whose titles match, without those inside another that does."""
        found: list[Section] = []
        for section in self.sections():
            if title.search(section.title) and not any(section.tokens and section.tokens[0] in other.tokens for other in found):
                found.append(section)
        return tuple(found)

    def grids(self) -> Iterator[Grid]:
        """The tables in it, those of inner sections too."""
        rows: list[Row] = []
        for position, token in enumerate(self.tokens):
            if token.type == "table_open":
                rows = []
            elif token.type == "tr_open":
                cells = list(_cells(self.tokens[position:]))
                rows.append(Row(tuple(map(shown, cells)), _line(token), tuple(map(_has_code, cells))))
            elif token.type == "table_close" and rows:
                yield Grid(rows[0].cells, tuple(rows[1:]), rows[0].line)

    def texts(self) -> Iterator[Text]:
        """Everything else that a reader sees in it: paragraphs, list items, headings, code blocks, and HTML without its comments; no table."""
        in_table = False
        for token in self.tokens:
            in_table = (in_table or token.type == "table_open") and token.type != "table_close"
            if token.type == "inline" and not in_table and shown(token):
                yield Text(shown(token), _line(token))
            elif token.type == "html_block" and (raw := _COMMENT.sub("", token.content).strip()):
                # What stands in its attributes may be shown, too; what its tags cut into pieces is read as one.
                yield Text(visible(f"{raw} {html.unescape(_TAG.sub('', raw))}"), _line(token))
            elif token.type in {"fence", "code_block"}:
                yield Text(token.content.rstrip("\n"), _line(token), is_code=True)

    def items(self) -> Iterator[Text]:
        """The list items in it, by their first lines."""
        for token, inline in zip(self.tokens, self.tokens[2:], strict=False):
            if token.type == "list_item_open" and inline.type == "inline":
                yield Text(shown(inline), _line(inline))


def document(markdown: str) -> Section:
    """The whole document."""
    return Section("", 0, 1, tuple(_READER.parse(markdown)))


def shown(inline: Token) -> str:
    """What a reader sees of a line of text: words and code, without marks, comments and the targets of links."""
    parts = (child.content if child.type in _SHOWN else " " if child.type in _BREAKS else "" for child in inline.children or ())
    return " ".join(visible("".join(parts)).split())


def _has_code(inline: Token) -> bool:
    return any(child.type == "code_inline" for child in inline.children or ())


def _cells(tokens: Sequence[Token]) -> Iterator[Token]:
    for position, token in enumerate(tokens):
        if token.type == "tr_close":
            return
        if token.type in {"td_open", "th_open"}:
            yield tokens[position + 1]


def _ends(token: Token, rank: int) -> bool:
    return token.type == "heading_open" and int(token.tag[1]) <= rank


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1
