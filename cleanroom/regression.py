"""The site's own regression, run on the rebuilt machine: its command, its named lines, its verdict.

Knows: which lines must be there, and how the site writes that one holds or fails.
Refuses: a line that says neither, an exit status that contradicts the lines, and a regression that printed nothing: nobody could tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.machine import Machine
from cleanroom.run import Run
from cleanroom.site import Site
from cleanroom.tables.resources import Regression

_LINE = 200


@dataclass(frozen=True)
class Outcome:
    """What the command printed and how it ended."""

    settings: Regression
    status: int
    lines: tuple[str, ...]
    where: str

    def lines_of(self, name: str) -> list[str]:
        """The lines that begin with a name."""
        return [line for line in self.lines if re.match(rf"\W*{re.escape(name)}\b", line)]

    def check(self) -> None:
        """Each named line is there and holds, as often as it is there, and the command ended well."""
        if not any(self.lines_of(name) for name in self.settings.names):
            seen = f"status {self.status}, {len(self.lines)} lines, none of them named"
            raise HarnessError(f"cannot tell whether the regression holds: {seen}", where=self.where, advice="[regression] command and names")
        for name in self.settings.names:
            lines = self.lines_of(name)
            if not lines:
                raise CheckFailed(f"the regression has a line for {name}", seen="it has none", where=self.where)
            for line in lines:
                if _says(line, self.settings.failed) or not _says(line, self.settings.passed):
                    raise CheckFailed(f"the regression's {name} holds", seen=f"`{line[:_LINE]}`", where=self.where)
        if self.status != 0:
            raise CheckFailed("the regression ends with status 0", seen=f"status {self.status}", where=self.where)


def _says(line: str, words: Iterable[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line) for word in words)


def argv(site: Site) -> list[str]:
    """How the site's regression is run: its command, in a log-in shell as its operators have; nothing if the site names none."""
    return ["bash", "-lc", site.regression.command] if site.regression is not None else []


def run_on(machine: Machine, site: Site, run: Run) -> Outcome:
    """Run the site's command on the machine, in a log-in shell as its operators do; raises `BadInput` if the site names none."""
    settings = site.regression
    if settings is None:
        raise BadInput("the site file does not say what its own regression is", where=str(site.path), advice="[regression]")
    with run.phase("the site's regression"):
        result = machine.execute(argv(site), purpose="regression", within=settings.within)
    lines = tuple(line.strip() for line in result.text.splitlines() if line.strip())
    run.record("regression", machine=machine.name, command=settings.command, status=result.status, lines=[line[:_LINE] for line in lines])
    return Outcome(settings, result.status, lines, f"{machine.where}, `{settings.command}`")
