"""The sizing that a site has decided on, read from its record of decisions, and compared with what is applied.

Knows: where such a decision stands (docs/site-contract.md, "The sizing decision") and how people write sizes: 4 GiB, 4GiB, 4 GB.
Refuses: a decision that names no machine, two sizes for one machine, and to guess which machine a size is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.hypervisor import Instance
from cleanroom.quantities import show_size, size

#: Of "6 → 4 GiB" the last one is meant.
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?(GiB|GB|G|MiB|MB|M)\b")
#: What parts one machine's size from the next: a clause, a row, an item. A full stop does so only before a blank, or at the end.
_CLAUSE = re.compile(r"[,;:]|\.(?=\s|$)")
_CODE = re.compile(r"`([^`]+)`")
_BINARY = {"GiB": "GiB", "GB": "GiB", "G": "GiB", "MiB": "MiB", "MB": "MiB", "M": "MiB"}


@dataclass(frozen=True)
class Decided:
    """One machine's size as the document has it: bytes, as people mean GB and GiB alike where memory is spoken of."""

    machine: str
    size: int
    line: int


def decided(markdown: str, *, file: str, word: str, machines: frozenset[str]) -> dict[str, Decided]:
    """Each machine's size, by the machine's name; raises `CheckFailed` if there is no such decision, or one that says two things."""
    texts = list(_sizing_texts(markdown, word))
    if not texts:
        expected = f"{file} records the final sizing"
        raise CheckFailed(expected, seen=f"no heading and no paragraph that begins with `{word}` in bold", where=file, advice="say what was decided")
    found: dict[str, Decided] = {}
    for line, text in texts:
        for name, bytes_ in _sizes(text, machines):
            new = Decided(name, bytes_, line)
            if name in found and found[name].size != new.size:
                seen = f"{show_size(found[name].size)} (line {found[name].line}) and {show_size(new.size)} (line {line})"
                raise CheckFailed(f"{file} records one size for {name}", seen=seen, where=f"{file}:{line}")
            found[name] = new
    return found


def _sizes(text: str, machines: frozenset[str]) -> Iterator[tuple[str, int]]:
    """Each machine that a text names with a size: in one clause with it, or as what the text begins with, if it has no other and one size."""
    clauses = [clause for clause in _CLAUSE.split(text) if _SIZE.search(clause) and machines & set(_CODE.findall(clause))]
    if not clauses and len(_SIZE.findall(text)) == 1 and len(machines & set(_CODE.findall(text))) == 1 and text.startswith("`"):
        clauses = [text]
    for clause in clauses:
        number, unit = _SIZE.findall(clause)[-1]
        yield from ((name, size(f"{number}{_BINARY[unit]}")) for name in sorted(machines & set(_CODE.findall(clause))))


def check_recorded(decisions: Mapping[str, Decided], canonical: str | None, *, file: str) -> None:
    """The canonical host's size is among what was decided."""
    if canonical is None:
        raise HarnessError("cannot tell which machine must have a size: the site names no canonical host", advice="incus.canonical_host")
    if canonical not in decisions:
        named = ", ".join(sorted(decisions)) or "no machine"
        raise CheckFailed(f"{file} records the final size of `{canonical}`", seen=f"a size for {named}", where=file)


def check_applied(decisions: Mapping[str, Decided], instances: Sequence[Instance], *, file: str) -> None:
    """Each machine has the size that was decided for it; raises `HarnessError` for one that the hypervisor does not show."""
    there = {instance.name: instance for instance in instances}
    if missing := sorted(decisions.keys() - there.keys()):
        raise HarnessError(f"cannot tell what size {', '.join(missing)} has: the hypervisor shows no such instance", where=file)
    for name, decision in sorted(decisions.items()):
        applied = _limit(there[name])
        if applied != decision.size:
            expected = f"{name} has the {show_size(decision.size)} that {file}:{decision.line} records"
            advice = "stop, set, start; or record what is meant"
            raise CheckFailed(expected, seen=_shown(applied), where=f"instance {name}", advice=advice)


def _limit(instance: Instance) -> int | None:
    text = instance.expanded.get("limits.memory") or instance.config.get("limits.memory")
    if not text:
        return None
    return int(text) if text.isdigit() else size(text)


def _shown(applied: int | None) -> str:
    return f"limits.memory is {show_size(applied)}" if applied is not None else "no limits.memory at all"


def _sizing_texts(markdown: str, word: str) -> Iterator[tuple[int, str]]:
    """Line and text of every paragraph, item and row below a heading that has the word, or of a paragraph that begins with it in bold."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    rank = 0
    row: list[str] = []
    row_line = 0
    for position, token in enumerate(tokens):
        if token.type == "heading_open":
            if not rank or int(token.tag[1]) <= rank:
                rank = int(token.tag[1]) if _has(tokens[position + 1].content, word) else 0
        elif token.type == "tr_open":
            row, row_line = [], (token.map or [0])[0] + 1
        elif token.type == "tr_close" and rank:
            # The cells of a row belong together.
            yield row_line, " ".join(row)
        elif token.type == "inline" and tokens[position - 1].type in {"td_open", "th_open"}:
            row.append(_said(token))
        elif token.type == "inline" and tokens[position - 1].type == "paragraph_open" and (rank or _leads(token, word)):
            yield (token.map or [0])[0] + 1, " ".join(_said(token).split())


def _said(token: Token) -> str:
    """A text as its reader sees it, names in code still marked: without comments, and without what is struck out."""
    said, struck = [], 0
    for child in token.children or ():
        struck += {"s_open": 1, "s_close": -1}.get(child.type, 0)
        if not struck and child.type in {"text", "code_inline", "softbreak", "hardbreak"}:
            said.append(f"`{child.content}`" if child.type == "code_inline" else child.content or " ")
    return "".join(said)


def _leads(token: Token, word: str) -> bool:
    """Whether a paragraph begins in bold, and the bold part has the word."""
    children = [child for child in token.children or () if child.content or child.type == "strong_open"]
    return len(children) > 1 and children[0].type == "strong_open" and _has(children[1].content, word)


def _has(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None
