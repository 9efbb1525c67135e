"""A site's install guide: plain Markdown documentation, read as numbered commands with file and line.

Knows: which fenced blocks run, where, how long they may take and how they should end (docs/site-contract.md, "The install guide").
Refuses: a guide without a command, a block that says it runs in a way nobody defined, and shell text that bash itself calls incomplete.

Markdown is read by markdown-it-py (CommonMark); where one command ends and the next begins is bash's own judgement (`bash -n`).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt

from cleanroom import quantities
from cleanroom.errors import BadInput

Place = Literal["machine", "operator"]
#: A tag of raw HTML: whether it closes, its name, what else it says.
_TAG = re.compile(r"<(/?)([a-z][a-z0-9-]*)((?:\s[^<>]*?)?)(/?)>", re.IGNORECASE)
_UNSEEN = {"template", "noscript", "iframe", "object", "select", "title"}
_SAYS_UNSEEN = re.compile(r"\shidden\b|display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_ALONE = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_SHELLS = {"sh", "bash", "shell"}
_CONSOLES = {"console", "shell-session"}


@dataclass(frozen=True)
class Command:
    """One documented command. `line` counts from 1 in `file`; `within` is its own limit in seconds; `status` is the exit status it should have."""

    number: int
    file: str
    line: int
    place: Place
    text: str
    within: float
    status: int

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        first, *more = self.text.splitlines()
        return f"command {self.number} ({self.where}): {first}{' ...' if more else ''}"


@dataclass(frozen=True)
class Guide:
    """A parsed guide."""

    file: str
    commands: tuple[Command, ...]

    def last_with(self, text: str) -> Command:
        """The last command that contains `text`; raises `BadInput` if none does."""
        for command in reversed(self.commands):
            if text in command.text:
                return command
        raise BadInput(
            f"no command of the guide contains `{text}`", where=self.file, advice="guide.rebuild in the site file names the rebuild command"
        )


def parse(markdown: str, *, file: str, within: float) -> Guide:
    """Read a guide. `within` is the limit, in seconds, of a command that states none. Raises `BadInput` with file and line."""
    commands: list[Command] = []
    unseen: list[str] = []
    for token in MarkdownIt("commonmark").parse(markdown):
        for html in (each.content for each in (token, *(token.children or ())) if each.type in {"html_block", "html_inline"}):
            unseen = _unseen(unseen, html)
        if token.type != "fence" or token.map is None:
            continue
        language, *words = token.info.split() or [""]
        language = language.lower()
        if language not in _SHELLS | _CONSOLES:
            continue
        where = f"{file}:{token.map[0] + 1}"
        options = _options(words, where, within)
        if options is None:
            continue
        if unseen:
            raise BadInput("this block runs, and whoever reads the page does not see it", where=where, advice=f"it stands inside <{unseen[0]}>")
        place, limit, status = options
        split = _console if language in _CONSOLES else _statements
        found = [*split(token.content, token.map[0] + 2, file)]
        if not found:
            raise BadInput(
                "this block runs, and has no command", where=where, advice="a console block's commands follow `$ ` or `# `; say example if it is none"
            )
        commands += [Command(len(commands) + n, file, line, place, text, limit, status) for n, (line, text) in enumerate(found, start=1)]
    if not commands:
        raise BadInput(
            "the guide has no command to run", where=file, advice="a command stands in a fenced block whose language is sh, bash or console"
        )
    return Guide(file=file, commands=tuple(commands))


def _unseen(within: list[str], html: str) -> list[str]:
    """The elements that are open behind a piece of raw HTML, from the first that a browser does not show."""
    elements = list(within)
    for closes, name, says, alone in _TAG.findall(re.sub(r"<!--.*?(-->|\Z)", "", html, flags=re.DOTALL)):
        tag = name.lower()
        if closes and tag in elements:
            del elements[len(elements) - 1 - elements[::-1].index(tag) :]
        elif not closes and not alone and tag not in _ALONE and (elements or tag in _UNSEEN or _SAYS_UNSEEN.search(says)):
            elements.append(tag)
    return elements


def _options(words: list[str], where: str, within: float) -> tuple[Place, float, int] | None:
    """Place, limit and status of a block; None for one that is only shown."""
    place: Place = "machine"
    status = 0
    for word in words:
        key, equals, value = word.partition("=")
        if word == "example":
            return None
        if word in {"machine", "operator"}:
            place = "operator" if word == "operator" else "machine"
        elif key == "status" and value.isascii() and value.isdecimal():
            status = int(value)
        elif key == "within" and equals:
            try:
                within = quantities.duration(value)
            except ValueError as problem:
                raise BadInput(f"within={value}: {problem}", where=where) from None
        else:
            known = "machine, operator, within=10m, status=1 and example"
            raise BadInput(f"nobody defined what `{word}` means behind a block's language", where=where, advice=f"known are {known}")
    return place, within, status


def _statements(content: str, first: int, file: str) -> Iterator[tuple[int, str]]:
    """Whole statements of a script: as many lines as bash needs to call it complete."""
    pending: list[str] = []
    start = first
    for number, line in enumerate(content.removesuffix("\n").split("\n"), start=first):
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if not pending:
            start = number
        pending.append(line)
        if _is_complete("\n".join(pending), f"{file}:{start}"):
            yield start, "\n".join(pending)
            pending = []
    if pending:
        raise BadInput("this command has no end: bash waits for more", where=f"{file}:{start}")


def _console(content: str, first: int, file: str) -> Iterator[tuple[int, str]]:
    """Commands of a session: after `$ ` or `# `, continued while bash wants more; every other line is what the reader sees."""
    lines = content.removesuffix("\n").split("\n")
    index = 0
    while index < len(lines):
        if not lines[index].startswith(("$ ", "# ")):
            index += 1
            continue
        start, pending = index, [lines[index][2:]]
        index += 1
        while not _is_complete("\n".join(pending), f"{file}:{first + start}"):
            if index == len(lines):
                raise BadInput("this command has no end: bash waits for more", where=f"{file}:{first + start}")
            pending.append(lines[index].removeprefix("> "))
            index += 1
        yield first + start, "\n".join(pending)


def _is_complete(text: str, where: str) -> bool:
    """Bash's own judgement; raises `BadInput` for text that no further line could mend."""
    if (len(text) - len(text.rstrip("\\"))) % 2:
        return False
    verdict = subprocess.run(["bash", "-n"], input=text + "\n", capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if "here-document" in verdict.stderr:
        return False
    if verdict.returncode == 0:
        return True
    if "unexpected end of file" in verdict.stderr or "unexpected EOF" in verdict.stderr:
        return False
    complaint = verdict.stderr.strip().splitlines()[0].removeprefix("bash: ")
    raise BadInput(f"bash cannot read this command: {complaint}", where=where)
