"""The document in which a site's owner claims that it can be rebuilt: read as facts under known labels, and compared with the signed record.

Knows: how a claim is written down (docs/site-contract.md, "The evidence document"), and which scenarios bear out each half of it.
Refuses: facts in prose that the record does not have, labels that nobody knows, and a half that claims nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cleanroom.claim import recorded
from cleanroom.claim.record import Record
from cleanroom.claim.recorded import FACTS, Fact
from cleanroom.claim.sections import Row, Section, Text, document
from cleanroom.documents.reading import visible
from cleanroom.errors import CheckFailed

#: The two halves of a claim.
STATIC: Final = "Byte-identical closure (static)"
LIVE: Final = "Clean-room rebuild (live)"

_ENTRY: Final = re.compile(r"\bclean[- ]room run\b", re.IGNORECASE)
_HEADINGS: Final = {STATIC: re.compile(r"byte[- ]identical", re.IGNORECASE), LIVE: re.compile(r"clean[- ]room rebuild", re.IGNORECASE)}
#: What bears out each half: scenarios of the record, by the beginning of their identity.
_BORNE_OUT_BY: Final = {STATIC: "c1_secrets_split.feature: The canonical host has not drifted", LIVE: "c4_cleanroom.feature: "}
_CLAIMS_NOTHING: Final = re.compile(r"\bnothing is (?:claimed|decided)\b", re.IGNORECASE)
_LABELS: Final = {fact.label.casefold(): fact for fact in FACTS}
_RUN: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_STORE_PATH: Final = r"/nix/store/[^\s`'\"),;]+"
_NAR_HASH: Final = r"sha256-[A-Za-z0-9+/]{20,}=*|\b[0-9a-f]{64}\b"
#: Hex as openssl writes a fingerprint, and a SHA-256 as Nix wrote it once.
_OTHER_FORMS: Final = r"\b(?:[0-9a-f]{2}:){7,}[0-9a-f]{2}\b|\b[0-9a-df-np-sv-z]{52}\b"
#: What looks like a fact, wherever it stands: store path, NAR hash, uuid, run, moment, digest or commit.
_LOOKS_LIKE_A_FACT: Final = re.compile(
    rf"{_STORE_PATH}|{_NAR_HASH}|{_OTHER_FORMS}"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b\d{8}-\d{6}-[0-9a-f]{6}\b"
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?"
    r"|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b",
    re.IGNORECASE,
)
#: Words that claim, wherever they stand: each group's must be the record's own.
_VERDICTS: Final = re.compile(r"\b(?:PASSED|FAILED|INCOMPLETE)\b")
_CLASSES: Final = re.compile(r"\b(?:ACCEPTANCE|LAB|DEV)\b")
_ADVICE: Final = "take the entry from the run's own REVIEW.md"


@dataclass(frozen=True)
class Stated:
    """One fact as the document states it: its label, its value, its line."""

    label: str
    value: str
    line: int

    @property
    def fact(self) -> Fact | None:
        return _LABELS.get(self.label.casefold())


@dataclass(frozen=True)
class Entry:
    """The claim about one run: one section of the document, which a person opens as `file`."""

    file: str
    section: Section

    @property
    def where(self) -> str:
        return f"{self.file}:{self.section.line}"

    def half(self, half: str) -> Section:
        """One of the two halves; raises `CheckFailed` unless exactly one section is it."""
        found = self.section.outermost(_HEADINGS[half])
        if len(found) != 1:
            seen = f"{len(found)}, in lines {', '.join(str(section.line) for section in found)}" if found else "no heading that says so"
            raise CheckFailed(f"the claim has one section `{half}`", seen=seen, where=self.where, advice=_ADVICE)
        return found[0]

    def stated(self) -> Iterator[Stated]:
        """Every fact that the claim states: each row of a table with the head `fact | value`."""
        for grid in self.section.grids():
            if _is_of_facts(grid.head):
                for row in grid.rows:
                    label, value, *_more = (*row.cells, "", "")
                    yield Stated(label, value, row.line)

    @property
    def run(self) -> str:
        """The run that the claim refers to; raises `CheckFailed` if it names none, or several."""
        named = [stated.value for stated in self.stated() if stated.label.casefold() == "run"]
        if len(named) != 1 or _RUN.fullmatch(named[0]) is None:
            seen = ", ".join(named) or "no fact called `Run`"
            raise CheckFailed("the claim names the run that it refers to", seen=seen, where=self.where, advice=_ADVICE)
        return named[0]


def newest(markdown: str, *, file: str) -> Entry:
    """The entry of the newest run in the document; raises `CheckFailed` if there is no entry, or one that names no run."""
    found = [Entry(file, section) for section in document(markdown).outermost(_ENTRY)]
    if not found:
        raise CheckFailed("the evidence document has an entry about a clean-room run", seen="no heading that says so", where=file, advice=_ADVICE)
    told = Counter(entry.run for entry in found)
    run, times = max(told.items())
    if times > 1:
        lines = ", ".join(str(entry.section.line) for entry in found if entry.run == run)
        raise CheckFailed("each run is told of in one entry", seen=f"run {run} in {times}, in lines {lines}", where=file, advice=_ADVICE)
    return next(entry for entry in found if entry.run == run)


def check_half(entry: Entry, half: str, record: Record) -> None:
    """A half is there and claims something, and every scenario that bears it out passed in the record."""
    section = entry.half(half)
    texts = list(section.texts())
    told = " ".join(text.text for text in texts)
    wanted = {
        STATIC: ("the system's store path and its NAR hash", _shows_system(told, record)),
        LIVE: ("the guide's commands", any(text.is_code for text in texts)),
    }
    what, is_there = wanted[half]
    where = f"{entry.file}:{section.line}"
    if _CLAIMS_NOTHING.search(told) or not is_there:
        seen = "it says that nothing is claimed" if _CLAIMS_NOTHING.search(told) else "not there"
        raise CheckFailed(f"the section `{half}` claims it, and shows {what}", seen=seen, where=where, advice=_ADVICE)
    proofs = [name for name, on_request in record.planned.items() if name.startswith(_BORNE_OUT_BY[half]) and not on_request]
    if not proofs:
        raise CheckFailed(f"the record knows what bears out `{half}`", seen="no such scenario", where=str(record.folder))
    record.demand(proofs, f"`{half}`")


def _shows_system(told: str, record: Record) -> bool:
    """Whether the system that the record is of stands there, not just any: its path, and its hash in one of its two forms."""
    path, digest = (fact.draw(record.events) for label in ("toplevel", "NAR hash") for fact in FACTS if fact.label == label)
    return re.search(rf"{re.escape(path)}(?![\w.+?=-])", told) is not None and (digest in told or recorded.sri(digest) in told)


def check_stated_once(entry: Entry) -> None:
    """Every fact is stated, once; no label is unknown."""
    stated = list(entry.stated())
    times = Counter(each.label.casefold() for each in stated)
    problems = [(each.line, f"nobody knows a fact called `{each.label}`") for each in stated if each.fact is None]
    problems += [(entry.section.line, f"`{fact.label}` is not stated") for fact in FACTS if not times[fact.label.casefold()]]
    for label in (label for label, count in times.items() if count > 1):
        lines = [each.line for each in stated if each.label.casefold() == label]
        problems.append((lines[1], f"`{label}` is stated {len(lines)} times"))
    _tell(entry, problems, "each fact is stated once, under a label that is known")


def check_facts(entry: Entry, record: Record) -> None:
    """Every stated fact equals the record's."""
    problems = []
    for stated in entry.stated():
        if stated.fact is not None:
            value = stated.fact.draw(record.events)
            if not stated.fact.equals(stated.value, value):
                problems.append((stated.line, f"{stated.fact.label} is given as `{stated.value}`; the record has `{value}`"))
    _tell(entry, problems, "each fact in the document equals the signed record's")


def check_prose(entry: Entry, record: Record) -> None:
    """Whatever else in the claim looks like a fact stands in the signed record too, and whatever names a verdict or a class names the record's."""
    known = json.dumps([record.statement, *record.events], ensure_ascii=False).casefold()
    drawn = {fact.label: fact.draw(record.events) for fact in FACTS}
    known += f" {recorded.sri(drawn['NAR hash'])} {' '.join(drawn.values())}".casefold()
    problems = []
    for text in _prose(entry):
        words = visible(text.text)
        tokens = (match[0].rstrip(".:") for match in _LOOKS_LIKE_A_FACT.finditer(words))
        problems += [(text.line, f"`{token}`") for token in tokens if not _is_known(token.replace(" ", "T").casefold(), known)]
        for known_words, label in ((_VERDICTS, "verdict"), (_CLASSES, "class")):
            problems += [(text.line, f"`{word}`, and the {label} was {drawn[label]}") for word in known_words.findall(words) if word != drawn[label]]
    if drawn["machine type"] != "virtual-machine":
        said = (text for text in entry.half(LIVE).texts() if not text.is_code and re.search(r"virtual[- ]machine", text.text, re.IGNORECASE))
        problems += [(text.line, f"`virtual machine`, and it was a {drawn['machine type']}") for text in said]
    _tell(entry, problems, "what looks like a fact in the claim's words stands in the signed record")


def _prose(entry: Entry) -> list[Text]:
    """All of the claim's words that are neither stated facts nor the guide's commands: its heading, its other blocks, and tables with their heads."""
    guide = list(entry.half(LIVE).texts())
    prose = [Text(entry.section.title, entry.section.line), *(text for text in entry.section.texts() if not (text.is_code and text in guide))]
    tables = [grid for grid in entry.section.grids() if not _is_of_facts(grid.head)]
    rows = [row for grid in tables for row in (Row(grid.head, grid.line), *grid.rows)]
    return prose + [Text(cell, row.line) for row in rows for cell in row.cells]


def _is_known(token: str, known: str) -> bool:
    """Whether a fact stands in the record, as it is written or without the colons between its digits."""
    return token in known or (re.fullmatch(r"[0-9a-f]{2}(?::[0-9a-f]{2}){7,}", token) is not None and token.replace(":", "") in known)


def check_commands(entry: Entry, record: Record) -> None:
    """The code blocks of the live half are the guide's commands as they ran, each in a block of its own, in their order."""
    section = entry.half(LIVE)
    shown = [text for text in section.texts() if text.is_code]
    ran = recorded.commands(record.events)
    if len(shown) != len(ran):
        expected = f"the document shows the commands that ran, {len(ran)} of them, each in a code block"
        raise CheckFailed(expected, seen=str(len(shown)), where=f"{entry.file}:{section.line}", advice=_ADVICE)
    for text, command in zip(shown, ran, strict=True):
        if text.text != command.rstrip("\n"):
            expected, seen = _apart(command, text.text)
            raise CheckFailed(f"the command that ran has the line `{expected}`", seen=f"`{seen}`", where=f"{entry.file}:{text.line}", advice=_ADVICE)


def _is_of_facts(head: tuple[str, ...]) -> bool:
    return [cell.casefold() for cell in head] == ["fact", "value"]


def _apart(one: str, other: str) -> tuple[str, str]:
    """The first lines by which two commands differ."""
    pairs = zip([*one.splitlines(), "(nothing more)"], [*other.splitlines(), "(nothing more)"], strict=False)
    return next((pair for pair in pairs if pair[0] != pair[1]), (one, other))


def _tell(entry: Entry, problems: list[tuple[int, str]], expected: str) -> None:
    """Raise `CheckFailed` with every problem and its line, if there is any."""
    if problems:
        seen = "; ".join(f"line {line}: {problem}" for line, problem in sorted(problems))
        raise CheckFailed(expected, seen=seen, where=f"{entry.file}:{min(problems)[0]}", advice=_ADVICE)
