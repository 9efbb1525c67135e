"""A linter for claims, written apart from what makes them: no sentence may be stronger than the verdict it stands on.

A sentence claims something when it holds a word of success and no word that takes it back. It may, where the verdict is PASSED; below ACCEPTANCE it
must name its class. Tables and fenced blocks hold facts and commands, and are compared elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

STRONG = re.compile(
    r"\b(holds?|held|pass(es|ed)?|prov(es?|en|ed)|done|ran the system|becomes?|became|works?|succeeds?|succeeded|identical|verified|complete[ds]?"
    r"|rebuilt|reproduc\w+|accept(ed|ance)|certified|guarantee[ds]?|healthy|correct|safe|secure|green|feasible|confirmed|satisf\w+|met|fulfil\w+)\b",
    re.IGNORECASE,
)
TAKEN_BACK = re.compile(
    r"\b(not|nothing|nobody|neither|nor|no|none|cannot|never|unknown|failed|error|skipped|unfinished|missing|incomplete|could have)\b", re.IGNORECASE
)
#: Names of parts, which claim nothing.
HEADINGS = {
    "### Byte-identical closure (static)",
    "### Clean-room rebuild (live)",
    "### What this does not prove",
    "### How to verify it",
    "### Facts",
}


def overclaims(text: str, *, word: str, evidence_class: str) -> list[str]:
    """The sentences of a Markdown text that say more than a run of that verdict and class may."""
    return [sentence for sentence in _sentences(text) if _is_too_strong(sentence, word, evidence_class)]


def _is_too_strong(sentence: str, word: str, evidence_class: str) -> bool:
    if re.search(r"\bACCEPTANCE\b", sentence) and evidence_class != "ACCEPTANCE" and not TAKEN_BACK.search(sentence):
        return True
    if not STRONG.search(sentence) or TAKEN_BACK.search(sentence):
        return False
    return word != "PASSED" or (evidence_class != "ACCEPTANCE" and evidence_class not in sentence)


def _sentences(text: str) -> Iterator[str]:
    fence = ""
    for line in text.split("\n"):
        if fence or line.startswith("```"):
            fence = "" if fence and line == fence else fence or re.match("`+", line)[0]  # type: ignore[index]
        elif line.strip() and not line.startswith("|") and line not in HEADINGS:
            yield from re.split(r"(?<=[.!?])\s+", line)
