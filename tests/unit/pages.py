"""What a reader of the page sees, and what a program reads off it and off the JUnit file."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "input", "link"}
#: What a case of the JUnit file is marked with, by its scenario's state.
MARKS = {"passed": [], "failed": ["failure"], "error": ["error"], "unfinished": ["error"], "skipped": ["skipped"]}


@dataclass
class Element:
    """One element: its attributes, its text with that of everything inside, and what stands inside."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """This element and everything inside it with that tag, and those attributes (`class_` and `data_x` for `class` and `data-x`)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        mine = [self] if tag in {"", self.tag} and wanted.items() <= self.attributes.items() else []
        return mine + [found for child in self.children for found in child.all(tag, **attributes)]

    def having(self, attribute: str) -> list[Element]:
        mine = [self] if attribute in self.attributes else []
        return mine + [found for child in self.children for found in child.having(attribute)]

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.stack = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.stack[-1].children.append(element)
        if tag not in _VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.stack[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack[-1].tag == tag, f"</{tag}> closes <{self.stack[-1].tag}>"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        for element in self.stack:
            element.text += data


def read(page: bytes) -> Element:
    """The page's elements; an element that is not closed in its turn is an assertion's matter."""
    reader = _Reader()
    reader.feed(page.decode())
    reader.close()
    assert len(reader.stack) == 1, f"<{reader.stack[-1].tag}> is never closed"
    return reader.stack[0]


def cases(junit: bytes) -> dict[str, list[str]]:
    """The marks of each case in the JUnit file, by the scenario's identity."""
    found = [(f"{case.get('file', '').removeprefix('features/')}: {case.get('name')}", case) for case in ET.fromstring(junit).iter("testcase")]  # noqa: S314 - our own
    assert len({name for name, _ in found}) == len(found), "two cases of one name"
    return {name: [child.tag for child in case if child.tag != "system-out"] for name, case in found}
