"""The language of phrases, and what a sentence affirms or denies."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.documents import phrases
from cleanroom.documents.phrases import Sentence, phrase
from cleanroom.documents.reading import read


@pytest.mark.parametrize(
    ("source", "fits", "fits_not"),
    [
        ("drop", ["drop it", "Drop", "(drop)", "drop."], ["drops", "backdrop", "drop_in"]),
        ("drop*", ["drops", "dropped"], ["backdrop"]),
        ("*.pem", ["a.pem", "/etc/x.pem"], ["pem", "x.pem2"]),
        ("cert|certs", ["cert", "certs"], ["certain"]),
        ("host key", ["host key", "host-key", "HOST  KEY", "host - key"], ["hostkey", "host, key", "host. key"]),
        ("host-bound", ["host bound", "host-bound"], ["hostbound"]),
        (
            "drop ... cert",
            ["drop cert", "drop the old new big red cert"],
            ["drop a b c d e f cert", "drop it, the cert", "drop (the cert"],
        ),
        ("(by hand|manually)", ["by hand", "manually", "by  hand"], ["by my hand", "hand"]),
        ("(in git|in the repository) ... now", ["in git right now"], ["in git"]),
    ],
)
def test_a_phrase_fits_what_it_says_and_nothing_else(source: str, fits: list[str], fits_not: list[str]) -> None:
    assert [text for text in fits if not phrase(source).search(text)] == []
    assert [text for text in fits_not if phrase(source).search(text)] == []


@pytest.mark.parametrize(
    "source", ["", "  ", "...", "... a", "a ...", "a|", "|", "(a|)", "()", "*", "-", "a - b", "(a|--)", "a * b", "(a", "a)", "(a|(b))"]
)
def test_what_is_no_phrase_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r"no phrase|says nothing|no other half"):
        phrase(source)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("One. Two! Three? Four; five.", ["One.", "Two!", "Three?", "Four;", "five."]),
        ("See e.g. this, i.e. that, cf. there.", ["See e.g. this, i.e. that, cf. there."]),
        ("A file `a.b` and 1.5 GiB.", ["A file a.b and 1.5 GiB."]),
        ('"Said." And "more."', ["Said. ", "And more. "]),
        ("| a. b | c |\n|---|---|\n| d | e |", ["a.", "b", "c", "d", "e"]),
        ("```sh\n# one\n# two\nls\n\ncat\n```", ["one two", "ls", "cat"]),
    ],
)
def test_sentences(markdown: str, expected: list[str]) -> None:
    found = [sentence for piece in read(markdown, file="a.md").pieces for sentence in phrases.sentences(piece)]
    assert [" ".join(sentence.text.replace("|", "").split()) for sentence in found] == [" ".join(text.split()) for text in expected]


WORDS = ("certificate", "(from git|in git)")
AFFIRMED = [
    "The certificate comes from git.",
    "The certificate and its key are in git.",
    "The certificate is in git, and nothing else is.",
    "Nobody brings a file: the certificate is in git.",
    "The certificate is in git and no operator has a part in it.",
    "No certificate is dropped: the certificate comes from git.",
    "The certificate, like every secret but for the bootstrap age key, is in git.",
    "Everything is in git except for the one age key, the certificate too.",
]
NOT_AFFIRMED = [
    "The certificate does not come from git.",
    "The certificate doesn't come from git.",
    "The certificate was never in git.",
    "The certificate should come from git.",
    "The certificate would be in git.",
    "Does the certificate come from git?",
    "All but the certificate is not in git.",
    "Everything is in git except the certificate.",
    "Everything is in git, apart from the certificate.",
    "The certificate comes from git one day.",
    "The certificate is in git, but not yet.",
    "It is not true that the certificate is in git.",
    "It is wrong, that the certificate is in git.",
    "The certificate comes from Bob instead of from git.",
    "TODO: the certificate comes from git.",
    "The certificate used to be in git.",
    "The certificate is here. The rest is in git.",
    "The digit certificates are ungit.",
]


@pytest.mark.parametrize("number", range(len(AFFIRMED)))
def test_a_sentence_that_affirms(number: int) -> None:
    assert phrases.affirms(Sentence(AFFIRMED[number], 0), WORDS)


@pytest.mark.parametrize("number", range(len(NOT_AFFIRMED)))
def test_a_sentence_that_does_not(number: int) -> None:
    pieces = read(NOT_AFFIRMED[number], file="a.md").pieces
    assert not any(phrases.affirms(sentence, WORDS) for piece in pieces for sentence in phrases.sentences(piece))


def test_a_denial_that_is_the_statement_itself_affirms_it() -> None:
    words = ("(no operator|nobody)", "certificate")
    assert phrases.affirms(Sentence("No operator drops a certificate.", 0), words)
    assert not phrases.affirms(Sentence("No operator never drops a certificate.", 0), words)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab.|*()- ", max_size=30), st.text(max_size=60))
def test_any_text_is_a_phrase_or_is_refused_and_can_be_looked_for(source: str, text: str) -> None:
    try:
        pattern = phrase(source)
    except ValueError:
        return
    found = pattern.search(text)
    assert found is None or found[0].strip()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab. ;!?\n|", min_size=1, max_size=60))
def test_no_character_is_lost_between_sentences(text: str) -> None:
    if not text.strip(" \n|"):
        return
    for piece in read(f"x{text}", file="a.md").pieces:
        for sentence in phrases.sentences(piece):
            assert piece.text.replace('"', " ")[sentence.start :].startswith(sentence.text) or piece.kind == "code"
