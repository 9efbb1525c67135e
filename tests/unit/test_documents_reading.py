"""A document as its reader sees it: text, lines, sections, entries, anchors."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cleanroom.documents.reading import entries, read, slug
from cleanroom.errors import BadInput

TEXT = """# One *two* `three`

A paragraph **with** emphasis in the
cert**ificate**, ~~struck~~ out, a [link](a.md#b "t")
and `code` on line five.

## Section

| a | b |
|---|---|
| 1 | `x` |
| 2 | [y](z.md) |

- item one
  goes on

  and on
  - nested
1. **Lead**: rest

> quoted

<!-- hidden
text -->

Text <!-- hidden --> <a id="here"></a>seen &amp; <img src="i.png">

# Other

```sh operator within=1m
# a comment
ls /etc
```

    indented
"""


def test_pieces_are_what_a_reader_takes_in() -> None:
    seen = [(piece.kind, piece.line, re.sub(r"\s+", " ", piece.text).strip()) for piece in read(TEXT, file="a.md").pieces]
    assert seen == [
        ("heading", 1, "One two three"),
        ("text", 3, "A paragraph with emphasis in the certificate, out, a link and code on line five."),
        ("heading", 7, "Section"),
        ("row", 9, "a | b"),
        ("row", 11, "1 | x"),
        ("row", 12, "2 | y"),
        ("text", 14, "item one goes on"),
        ("text", 17, "and on"),
        ("text", 18, "nested"),
        ("text", 19, "Lead: rest"),
        ("text", 21, "quoted"),
        ("text", 26, "Text seen &"),
        ("heading", 28, "Other"),
        ("code", 31, "# a comment ls /etc"),
        ("code", 35, "indented"),
    ]


def test_a_piece_knows_its_lines_its_links_and_its_code() -> None:
    piece = read(TEXT, file="a.md").pieces[1]
    assert [piece.line_of(piece.text.index(word)) for word in ("A par", "certificate", "link", "code")] == [3, 4, 4, 5]
    assert [(link.target, link.line) for link in piece.links] == [("a.md#b", 4)]
    assert piece.code == (("code", 5),)


def test_code_knows_its_lines_and_its_words() -> None:
    code = next(piece for piece in read(TEXT, file="a.md").pieces if piece.kind == "code")
    assert (code.info, code.line_of(code.text.index("ls"))) == ("sh operator within=1m", 32)


def test_sections_reach_to_the_next_heading_of_their_rank() -> None:
    document = read("# A\n\na\n\n## B\n\nb\n\n### C\n\nc\n\n## D\n\nd\n\n# E\n\ne\n", file="a.md")
    under = {name: [p.text for p in document.under(name.__eq__) if p.kind == "text"] for name in "ABCDE"}
    assert under == {"A": ["a", "b", "c", "d"], "B": ["b", "c"], "C": ["c"], "D": ["d"], "E": ["e"]}
    assert [piece.text for piece in document.only(lambda heading: heading == "B").pieces] == ["B", "b", "C", "c"]


def test_entries_are_outermost_items_and_rows_of_a_body() -> None:
    found = [" / ".join(" ".join(piece.text.split()) for piece in entry) for entry in entries(read(TEXT, file="a.md").pieces)]
    assert found == ["1 | x", "2 | y", "item one goes on / and on / nested", "Lead: rest"]


def test_a_table_within_an_item_is_part_of_it() -> None:
    found = list(entries(read("- item\n\n  | a |\n  |---|\n  | b |\n\n- two\n\n| c |\n|---|\n| d |\n", file="a.md").pieces))
    assert [[piece.text for piece in entry] for entry in found] == [["item", "a", "b"], ["two"], ["d"]]


def test_a_footnote_is_read_and_is_no_link() -> None:
    document = read("Text[^1] and `a[0][1]`.\n\n[^1]: note\n", file="a.md")
    assert [(piece.text, piece.links) for piece in document.pieces] == [("Text[^1] and a[0][1].", ()), ("[^1] - note", ())]


def test_line_ends_and_underlined_headings() -> None:
    document = read("Title\r\n=====\r\n\r\nText\r\nmore\r\n", file="a.md")
    assert [(piece.kind, piece.line, piece.text) for piece in document.pieces] == [("heading", 1, "Title"), ("text", 4, "Text more")]


def test_a_lead_is_the_bold_beginning() -> None:
    leads = [piece.lead for piece in read("**A b**: c **d**\n\nx **y**\n\n- **`z`** w\n", file="a.md").pieces]
    assert leads == ["A b", "", "z"]


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Install cc-ci on a blank machine", "install-cc-ci-on-a-blank-machine"),
        ("2. Rebuild", "2-rebuild"),
        ("What's `nixos-rebuild`?", "whats-nixos-rebuild"),
        ("snake_case & co", "snake_case--co"),
        ("Überblick", "überblick"),
    ],
)
def test_anchors_are_the_forges(heading: str, anchor: str) -> None:
    assert anchor in read(f"# {heading}\n", file="a.md").anchors


def test_equal_headings_get_numbers_and_html_gives_anchors() -> None:
    assert read('# A\n\n# A\n\n# A\n\n<a name="q"></a>\n\n<h2 id="r">R</h2>\n', file="a.md").anchors == {"a", "a-1", "a-2", "q", "r"}
    assert slug("A", {"a"}) == "a-1"


@pytest.mark.parametrize("text", ["", "\n\n", "<!-- only a comment -->\n", "~~struck~~\n", "[a]: b.md\n", "<script>x()</script>\n"])
def test_a_document_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="nothing to read"):
        read(text, file="a.md")


WORDS = st.lists(st.sampled_from(["drop", "the", "certificate", "git", "host", "key", "machine", "secrets"]), min_size=1, max_size=12)
MARKS = st.sampled_from(["{}", "*{}*", "**{}**", "`{}`", "[{}](x.md)", "{}<!-- c -->", "{}\u200b"])


@settings(max_examples=200, deadline=None)
@given(WORDS, st.data())
def test_marks_and_line_ends_change_nothing_that_is_read(words: list[str], data: st.DataObject) -> None:
    dressed = [data.draw(MARKS).format(word) for word in words]
    joined = "".join(word + data.draw(st.sampled_from([" ", "\n", "  "])) for word in dressed)
    document = read(joined, file="a.md")
    assert " ".join(document.pieces[0].text.split()) == " ".join(words)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab *_`#|-\n>[]()<!~1.\\&", max_size=80))
def test_whatever_stands_there_is_read_or_refused(text: str) -> None:
    try:
        document = read(text, file="a.md")
    except BadInput:
        return
    lines = text.count("\n") + 1
    for piece in document.pieces:
        assert 1 <= piece.line <= lines
        assert all(1 <= piece.line_of(offset) <= lines + 1 for offset in range(len(piece.text)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["word", "**bold**", "`code`", "two words"]), min_size=1, max_size=5))
def test_the_text_is_that_of_the_rendered_page(parts: list[str]) -> None:
    source = " ".join(parts)
    page = re.sub(r"<[^>]+>", "", MarkdownIt("commonmark").render(source)).strip()
    assert read(source, file="a.md").pieces[0].text.strip() == page
