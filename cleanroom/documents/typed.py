"""Units as people type them in commands: `systemctl restart docker`, `journalctl -fu reconcile-proxy`.

Knows: which words of the two commands are options, which options take a word of their own, and that a name without an ending is a service's.
Refuses: what is no unit of the machine that is typed on: those of a user or of another host, patterns and variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_COMMAND = re.compile(r"(?<![\w./-])(systemctl|journalctl)((?:[ \t]+[^\s|;&<>()\"'`#]+)+)")
_WORD = re.compile(r"\S+")
_UNIT = re.compile(r"[A-Za-z][\w.@:-]*")
_ENDING = re.compile(r"\.(?:service|socket|timer|target|mount|automount|slice|scope|path|swap|device)$")
_VERBS = frozenset(
    {
        *("cat", "disable", "edit", "enable", "is-active", "is-enabled", "is-failed", "kill", "list-dependencies", "mask", "reenable", "reload"),
        *("reload-or-restart", "reset-failed", "restart", "show", "start", "status", "stop", "try-restart", "unmask"),
    }
)
#: Options of systemctl's behind which stands a word of their own.
_TAKING = frozenset(
    {"-n", "-o", "-p", "-P", "-s", "-t", "--job-mode", "--kill-whom", "--lines", "--output", "--property", "--signal", "--state", "--type"}
)
_ELSEWHERE = ("--user", "-H", "-M", "--host", "--machine", "-D", "--directory", "--file", "--root", "--image")


def units(text: str) -> Iterator[tuple[str, int]]:
    """Each unit that a command in `text` is about, with its ending, and where it stands."""
    for command in _COMMAND.finditer(text):
        words = [(word[0], command.start(2) + word.start()) for word in _WORD.finditer(command[2])]
        if not any(word.startswith(_ELSEWHERE) for word, _ in words):
            named = _of_systemctl(words) if command[1] == "systemctl" else _of_journalctl(words)
            yield from ((unit if _ENDING.search(unit) else f"{unit}.service", at) for unit, at in named if _UNIT.fullmatch(unit))


def _of_systemctl(words: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """What stands behind a verb that works on units."""
    previous, verb = "", ""
    for word, at in words:
        if not word.startswith("-") and previous not in _TAKING:
            if verb in _VERBS:
                yield word, at
            verb = verb or word
        previous = word


def _of_journalctl(words: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """What stands behind `-u`, also behind other letters in the same word."""
    previous = ""
    for word, at in words:
        if re.fullmatch(r"-[a-z]*u|--unit", previous):
            yield word, at
        elif word.startswith("--unit="):
            yield word.removeprefix("--unit="), at
        previous = word
