"""A Markdown document as its reader sees it: pieces of text with their lines, under their headings, without the marks that made them.

Knows: CommonMark with tables and struck-out text (markdown-it-py), the text in raw HTML, and the anchors that a forge gives headings.
Refuses: comments, struck-out text and link targets as text, and a document in which there is nothing to read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from cleanroom.errors import BadInput

Kind = Literal["heading", "text", "row", "code"]
#: Typographic forms of what a phrase writes plainly.
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-", "‐": "-"})  # noqa: RUF001 - that is the point
#: CommonMark would take a footnote for the definition of a link; forges show it.
_FOOTNOTE = re.compile(r"^( {0,3}\[\^[^\]]+\]):", re.MULTILINE)
#: What is left of a link whose definition is not there.
_UNDEFINED = re.compile(r"\[[^\[\]]+\]\[[^\[\]]*\]")
_PAST = re.compile(r"\b(?:abolished|superseded|obsolete|no longer true|history)\b", re.IGNORECASE)
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True)
class Link:
    """Where a link or an image leads, as written, and its line. `[text][name]` is one whose definition is not there."""

    target: str
    line: int


@dataclass(frozen=True)
class Heading:
    """A heading's text and rank (1 is the highest)."""

    text: str
    rank: int


@dataclass(frozen=True)
class Piece:
    """What a reader takes in at once: a heading, a paragraph, one row of a table, one block of code. `line` counts from 1.

    `lead` is the bold text that it begins with; `code` holds its inline code, each with its line; `section` are the headings above it, outermost
    first. `info` is what stands behind a fence; `entry` is the number of the outermost list item that it belongs to, or of the table's row.
    """

    kind: Kind
    line: int
    text: str
    section: tuple[Heading, ...] = ()
    lead: str = ""
    code: tuple[tuple[str, int], ...] = ()
    links: tuple[Link, ...] = ()
    info: str = ""
    entry: int | None = None
    cells: tuple[str, ...] = ()
    breaks: tuple[tuple[int, int], ...] = ()

    @property
    def is_past(self) -> bool:
        """Whether a heading above it says that it holds no more."""
        return any(_PAST.search(heading.text) for heading in self.section)

    def line_of(self, offset: int) -> int:
        """The line on which the character at `offset` of `text` stands."""
        if self.kind == "code":
            return self.line + self.text.count("\n", 0, offset)
        return next((line for begins, line in reversed(self.breaks) if begins <= offset), self.line)


@dataclass(frozen=True)
class Document:
    """One document. `file` is its path as people know it; `anchors` are all that a link may name in it."""

    file: str
    pieces: tuple[Piece, ...]
    anchors: frozenset[str] = frozenset()

    def under(self, wanted: Callable[[str], bool]) -> tuple[Piece, ...]:
        """What stands below headings that are `wanted`, each up to the next heading of its rank or a higher one."""
        return tuple(piece for piece in self.pieces if any(wanted(heading.text) for heading in piece.section))

    def only(self, wanted: Callable[[str], bool]) -> Document:
        """The sections that are `wanted`, their headings with them."""
        kept = self.under(wanted)
        return Document(self.file, tuple(p for p in self.pieces if p in kept or (p.kind == "heading" and wanted(p.text))), self.anchors)


def read(markdown: str, *, file: str) -> Document:
    """Read a document; raises `BadInput` if it says nothing."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(_FOOTNOTE.sub(r"\1 -", markdown))
    reader = _Reader()
    for position, token in enumerate(tokens):
        reader.take(token, tokens, position)
    if not any(piece.text.strip() for piece in reader.pieces):
        raise BadInput("there is nothing to read", where=file)
    return Document(file, tuple(reader.pieces), frozenset(reader.anchors))


def slug(heading: str, taken: Sequence[str] | set[str] = ()) -> str:
    """The anchor that a forge (Forgejo, Gitea, GitHub) makes of a heading; a number tells equal ones apart."""
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
    number, found = 0, plain
    while found in taken:
        number += 1
        found = f"{plain}-{number}"
    return found


def visible(text: str) -> str:
    """Text with what nobody sees left out and typographic characters in their plain form."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).translate(_PLAIN)


class _Reader:
    """Takes tokens one by one and keeps what they say."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.anchors: set[str] = set()
        self._section: tuple[Heading, ...] = ()
        self._lists = 0
        self._entries = 0
        self._entry: int | None = None
        self._row: list[Token] | None = None
        self._in_head = False

    def take(self, token: Token, tokens: Sequence[Token], position: int) -> None:
        """One token: what opens or closes something, or what holds text."""
        line = token.map[0] + 1 if token.map else 1
        if token.type == "heading_open":
            self._heading(tokens[position + 1], int(token.tag[1]), line)
        elif token.nesting:
            self._structure(token.type)
        elif token.type == "inline" and self._row is not None:
            self._row.append(token)
        elif token.type == "html_block" or (token.type == "inline" and tokens[position - 1].type != "heading_open"):
            self._add(_Inline(token, line), "text", line, entry=self._entry)
        elif token.type in {"fence", "code_block"}:
            first = line + (token.type == "fence")
            self.pieces.append(Piece("code", first, visible(token.content), self._section, info=token.info.strip(), entry=self._entry))

    def _structure(self, kind: str) -> None:
        match kind:
            case "bullet_list_open" | "ordered_list_open":
                self._lists += 1
            case "bullet_list_close" | "ordered_list_close":
                self._lists -= 1
            case "list_item_open" if self._lists == 1:
                self._entries, self._entry = self._entries + 1, self._entries + 1
            case "list_item_close" if self._lists == 1:
                self._entry = None
            case "thead_open" | "thead_close":
                self._in_head = kind == "thead_open"
            case "tr_open":
                self._row = []
            case "tr_close":
                self._end_row()

    def _heading(self, token: Token, rank: int, line: int) -> None:
        inline = _Inline(token, line)
        self._section = tuple(heading for heading in self._section if heading.rank < rank)
        self._add(inline, "heading", line)
        self.anchors.add(slug(inline.text, self.anchors))
        self._section = (*self._section, Heading(inline.text, rank))

    def _end_row(self) -> None:
        cells = [_Inline(token, token.map[0] + 1 if token.map else 1) for token in self._row or ()]
        self._row = None
        if not self._in_head and self._entry is None:
            self._entries += 1
        entry = self._entry if self._entry is not None else None if self._in_head else self._entries
        line = cells[0].line if cells else 1
        whole = _Inline.joined(cells, line)
        self._add(whole, "row", line, entry=entry, cells=tuple(cell.text.strip() for cell in cells))

    def _add(self, inline: _Inline, kind: Kind, line: int, *, entry: int | None = None, cells: tuple[str, ...] = ()) -> None:
        self.anchors |= inline.anchors
        if inline.text.strip() or inline.links:
            self.pieces.append(
                Piece(
                    kind,
                    line,
                    inline.text,
                    self._section,
                    lead=inline.lead,
                    code=tuple(inline.code),
                    links=tuple(inline.links),
                    entry=entry,
                    cells=cells,
                    breaks=tuple(inline.breaks),
                )
            )


class _Inline:
    """The text of one run of inline marks: emphasis joins what it splits, a line's end is a blank, what is struck out is not there."""

    def __init__(self, token: Token | None, line: int) -> None:
        self.text, self.lead, self.line = "", "", line
        self.code: list[tuple[str, int]] = []
        self.links: list[Link] = []
        self.anchors: set[str] = set()
        self.breaks: list[tuple[int, int]] = []
        self._now, self._struck, self._strong = line, 0, False
        if token is not None and token.type == "html_block":
            self._html(token.content)
        for child in (token.children or ()) if token is not None else ():
            self._take(child)

    @staticmethod
    def joined(cells: Sequence[_Inline], line: int) -> _Inline:
        """A row: its cells side by side."""
        row = _Inline(None, line)
        row.text = " | ".join(cell.text for cell in cells)
        row.lead = cells[0].text.strip() if cells else ""
        for cell in cells:
            row.code += cell.code
            row.links += cell.links
            row.anchors |= cell.anchors
        return row

    def _take(self, child: Token) -> None:
        match child.type:
            case "softbreak" | "hardbreak":
                self._write(" ")
                self._now += 1
                self.breaks.append((len(self.text), self._now))
            case "s_open" | "s_close":
                self._struck += child.nesting
            case "strong_open" | "strong_close":
                self._strong = child.type == "strong_open" and not self.text.strip()
            case "link_open" | "image":
                self.links.append(Link(str(child.attrs.get("href") or child.attrs.get("src") or ""), self._now))
                self._write(child.content)
            case "html_inline":
                self._html(child.content)
            case "code_inline":
                if not self._struck:
                    self.code.append((visible(child.content), self._now))
                self._write(child.content)
            case "text":
                self.links += [Link(found[0], self._now) for found in _UNDEFINED.finditer(child.content)]
                self._write(child.content)

    def _write(self, text: str) -> None:
        if not self._struck:
            self.text += visible(text)
            self.lead += visible(text) if self._strong else ""

    def _html(self, source: str) -> None:
        seen = _Html()
        seen.feed(source)
        seen.close()
        self._write(" ".join("".join(seen.text).split()))
        self.links += [Link(target, self._now) for target in seen.targets]
        self.anchors |= seen.anchors


@dataclass
class _Tally:
    """What raw HTML holds."""

    text: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)


class _Html(HTMLParser, _Tally):
    """The text, links and anchors of a piece of raw HTML; comments, styles and scripts are nothing to a reader."""

    def __init__(self) -> None:
        HTMLParser.__init__(self, convert_charrefs=True)
        _Tally.__init__(self)
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag's anchor, and where it leads."""
        self._hidden += tag in {"script", "style", "template"}
        for name, value in attrs:
            if value and name in {"id", "name"}:
                self.anchors.add(value)
            elif value and name in {"href", "src"}:
                self.targets.append(value)

    def handle_endtag(self, tag: str) -> None:
        """The end of what is hidden."""
        self._hidden -= bool(self._hidden) and tag in {"script", "style", "template"}

    def handle_data(self, data: str) -> None:
        """Text."""
        if not self._hidden:
            self.text.append(data)


def entries(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, ...]]:
    """The list items and table rows among `pieces`, each with all that stands in it."""
    for number in dict.fromkeys(piece.entry for piece in pieces if piece.entry is not None):
        yield tuple(piece for piece in pieces if piece.entry == number)
