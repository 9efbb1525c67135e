"""The old excuse, wherever it hides and whatever it calls itself."""

from __future__ import annotations

import time

import pytest

from cleanroom.claim import forbidden
from cleanroom.errors import CheckFailed, HarnessError

SITE = ("infeasible by design",)


def seen(text: str) -> list[str]:
    return [sighting.phrase for sighting in forbidden.sightings(text, SITE)]


@pytest.mark.parametrize(
    "text",
    [
        "A live rebuild is infeasible by design.",
        "INFEASIBLE BY DESIGN",
        "Infeasible\nby design",
        "infeasible\n> by\n> design",
        "- infeasible\n  by design",
        "infeasible-by-design",
        "in\u00adfeasible by design",
        "infeas\u200bible by design",
        "infeasible\u00a0by\u2003design",
        "infeasible by de-\nsign",
        "*infeasible* by **design**",
        "infeas*ible* by design",
        "`infeasible` by `design`",
        "[infeasible](https://example.org/why) by design",
        "[infeasible][why] by design",
        "infeasible<br>by design",
        "infeas<!-- really -->ible by design",
        "infeasible <!-- \n --> by design",
        "<!-- infeasible by design -->",
        "<!--\ninfeasible\nby design",
        "```\n# infeasible by design\n```",
        "    infeasible by design",
        "| infeasible | by design |",
        "\u201cinfeasible\u201d \u2018by\u2019 design",
        "infeasible—by—design",
        "infeasible, by design",
        "infeasible (by design)",
        "inf&#101;asible by design",
        "infeasible&nbsp;by&nbsp;design",
        "infea\\sible by design",
        "\uff49\uff4e\uff46\uff45\uff41\uff53\uff49\uff42\uff4c\uff45 by design",
        "infe\u0430sible by d\u0435sign",
        "infeásible by design",
        "infeasible.by.design",
        '<p title="infeasible by design">fine</p>',
        "![infeasible by design](x.png)",
        "[x]: https://example.org/infeasible-by-design",
        "They said infeasible_by_design.",
        "It is \u200binfeasible by design.",
        "It is \u00ad\u2060infeasible by design\u200b.",
        "\ufeffinfeasible by design",
        "**\u2060infeasible by design**",
    ],
)
def test_the_phrase_is_found_wherever_it_hides(text: str) -> None:
    assert "infeasible by design" in seen(text)


@pytest.mark.parametrize(
    "text",
    [
        "A live rebuild is not possible by design.",
        "It is impossible by construction.",
        "This is inherently infeasible.",
        "By design, impossible.",
        "By its very nature it cannot be done",
        "It can't be done, by design",
        "It can\u2019t be done, by design",
        "A clean-room rebuild is\nout of the question.",
        "A live rebuild would be impracticable.",
        "The host cannot be rebuilt from scratch.",
        "it can never be rebuilt live",
        "A live re-build is unfeasible",
        "A live rebuild isn't feasible.",
        "It isn\u2019t feasible by design",
        "infeasible, due to its design",
        "The design makes a rebuild impossible.",
        "No full rebuild: it is never possible by design",
    ],
)
def test_other_words_for_it_are_found(text: str) -> None:
    assert seen(text)


@pytest.mark.parametrize(
    "text",
    [
        "A live rebuild is feasible, by design.",
        "A rebuild takes four minutes.",
        "It is chinfeasible by designers.",
        "This is feasible by design",
        "That is not possible. In principle, all is well.",
        "Small by design; infeasible is no word of ours.",
        "Design by infeasible",
        "The server is rebuilt from scratch each week.",
        "DNS as code is out of scope.",
        "The design makes a rebuild possible.",
        "It is chin\u200binfeasible by design",
    ],
)
def test_what_is_no_excuse_is_let_pass(text: str) -> None:
    assert seen(text) == []


def test_a_sites_own_phrases_are_found_too() -> None:
    found = forbidden.sightings("one\n\nwe never\nask   WHY", ("never ask why",))
    assert [(sighting.line, sighting.phrase) for sighting in found] == [(3, "never ask why")]


def test_every_place_is_told() -> None:
    documents = {"a.md": b"fine", "b.md": b"x\ninfeasible\nby design", "DECISIONS.md": b"<!-- infeasible by design -->"}
    with pytest.raises(CheckFailed, match=r"(?s)DECISIONS\.md:1 has `infeasible by design`; b\.md:2 has .*where:    DECISIONS\.md:1"):
        forbidden.check_nowhere(documents, SITE)


def test_other_encodings() -> None:
    assert forbidden.text_of("infeasible".encode("utf-16"), "x") == "infeasible"
    assert forbidden.text_of(b"\xef\xbb\xbfinfeasible", "x") == "infeasible"
    with pytest.raises(HarnessError, match="neither UTF-8 nor UTF-16"):
        forbidden.check_nowhere({"a.md": b"caf\xe9"}, SITE)


def test_nothing_to_search_is_no_pass() -> None:
    with pytest.raises(HarnessError, match="no document to search"):
        forbidden.check_nowhere({}, SITE)


def test_a_long_document_takes_no_time() -> None:
    text = "A machine is rebuilt from git, a key and DNS (see [install](docs/install.md)).\n" * 5000
    began = time.monotonic()
    assert seen(text + "infeasible by design") == ["infeasible by design"]
    assert time.monotonic() - began < 10
