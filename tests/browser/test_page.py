"""What a reader meets: nothing said, nothing fetched, everything legible, on paper and on a phone, by day and by night."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import RUNS, WORDS, Open

PHONE = {"width": 390, "height": 844}
SCHEMES = ("light", "dark")

#: Everything that shows text of its own, with its size, its place and whether it can be seen.
TEXTS = """() => [...document.querySelectorAll('body *')]
  .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()) && each.checkVisibility())
  .map(each => ({
    text: each.textContent.trim().slice(0, 40),
    size: parseFloat(getComputedStyle(each).fontSize),
    right: each.getBoundingClientRect().right,
  }))"""
#: What is folded away on the screen, and would be missing on paper.
FOLDED = """() => [...document.querySelectorAll('details > :not(summary)')]
  .filter(each => each.getBoundingClientRect().height < 5).map(each => each.textContent.slice(0, 40))"""
#: How light the page's ground is, from 0 to 1.
LIGHTNESS = "() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765"
OPEN_ALL = "() => document.querySelectorAll('details').forEach(each => { each.open = true })"


@pytest.mark.parametrize("run", RUNS)
def test_it_says_nothing_and_asks_for_nothing(visit: Open, run: str, folder: Path) -> None:
    with visit(run) as seen:
        seen.page.evaluate(OPEN_ALL)
        assert seen.said == []
        assert seen.asked == [(folder / run / "report.html").as_uri()]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_can_be_read_by_everybody(visit: Open, run: str, scheme: str) -> None:
    with visit(run, scheme=scheme) as seen:
        seen.page.evaluate(OPEN_ALL)
        found = Axe().run(seen.page, options={"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {}))
        assert found.response["violations"] == [], found.generate_report()
        assert seen.page.evaluate(LIGHTNESS) > 0.9 if scheme == "light" else seen.page.evaluate(LIGHTNESS) < 0.2


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 800}, {"width": 320, "height": 640}], ids=["phone", "desk", "narrowest"])
def test_the_verdict_is_seen_at_once_and_nothing_overflows(visit: Open, run: str, size: dict[str, int]) -> None:
    with visit(run, **size) as seen:
        verdict = seen.page.locator("strong.verdict")
        assert verdict.inner_text() == WORDS[run]
        for part in (verdict, seen.page.locator("strong.class"), seen.page.locator(".lead")):
            place = part.bounding_box()
            assert place is not None
            assert place["y"] + place["height"] < size["height"]
        seen.page.evaluate(OPEN_ALL)
        assert seen.page.evaluate("() => document.documentElement.scrollWidth") <= size["width"]
        texts = seen.page.evaluate(TEXTS)
        assert len(texts) > 50
        assert [text for text in texts if text["size"] < 12 or text["right"] > size["width"] + 0.5] == []


@pytest.mark.parametrize("run", RUNS)
def test_it_prints_whole(visit: Open, run: str, tmp_path: Path) -> None:
    with visit(run, scheme="dark", width=794, height=1123) as seen:
        seen.page.emulate_media(media="print")
        assert seen.page.evaluate(LIGHTNESS) == 1.0
        assert seen.page.evaluate("() => document.documentElement.scrollWidth") <= 794
        assert not seen.page.locator("nav").is_visible()
        assert seen.page.evaluate(FOLDED) == []
        seen.page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
        assert (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n") > 1


def test_it_is_read_with_the_keyboard_alone(visit: Open) -> None:
    with visit("passed") as seen:
        page = seen.page
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.getAttribute('href')") == "#limits"
        page.locator("details.scene > summary").first.focus()
        assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        assert page.locator("details.scene").first.get_attribute("open") is not None
        assert page.locator("details.scene li").first.is_visible()


def test_failures_come_right_after_the_verdict(visit: Open) -> None:
    with visit("failed") as seen:
        headings = seen.page.locator("h2").all_inner_texts()
        assert headings[:3] == ["Why it is FAILED", "What this does not prove", "What must hold, and what was seen"]
        first = seen.page.locator("article.trouble").first
        assert first.locator("dt").all_inner_texts() == ["expected", "seen", "where", "next"]
        first.locator("a").click()
        assert seen.page.evaluate("() => document.querySelector(location.hash).open")


def test_bars_and_memory_are_as_long_as_they_lasted(visit: Open) -> None:
    with visit("passed") as seen:
        lane = seen.page.locator(".lane").first
        whole, bar = lane.bounding_box(), lane.locator("rect").bounding_box()
        assert whole is not None
        assert bar is not None
        assert bar["width"] / whole["width"] == pytest.approx(3.25 / RUNS["passed"]()[-1]["t"], rel=0.05)
        guideline = seen.page.locator(".level-1").bounding_box()
        allowed = seen.page.locator("path.limit").first.bounding_box()
        assert guideline is not None
        assert allowed is not None
        assert allowed["y"] == pytest.approx(guideline["y"], abs=3), "three machines of 4 GiB reach the guideline of 12 GiB"


def test_no_state_is_told_by_colour_alone(visit: Open) -> None:
    with visit("failed") as seen:
        read = "all => all.map(each => [each.querySelector('.state').innerText, each.querySelector('use').getAttribute('href')])"
        states = seen.page.locator(".scene > summary").evaluate_all(read)
        assert len({word for word, _ in states}) == len({mark for _, mark in states}) == len(states) == 5
