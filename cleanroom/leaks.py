"""Known-answer leak search: values that we hold, looked for in all their guises, with proof of what was looked at.

Knows: files and folders, git repositories, tar streams of another machine's folders, texts (journal, service specs, command lines), Docker images.
Refuses: to call anything clean that was not wholly listed by one means and scanned by another; to show a value, to put one into an argument list, a
file or a log.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, Literal

from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.leak import git as leak_git
from cleanroom.leak.archive import Source
from cleanroom.leak.content import LARGEST
from cleanroom.leak.coverage import Coverage, Gap, Roll, Tally
from cleanroom.leak.search import Label, NotChecked, Searcher
from cleanroom.leak.visit import Visit, rooted

__all__ = ["Coverage", "Finding", "Gap", "NotChecked", "Result", "Search", "Searcher", "Tally"]

#: Findings that are told one by one; a value in every file of a store needs no list to be believed.
_TOLD = 10_000


@dataclass(frozen=True)
class Finding:
    """A secret, by its name, that lies at `place`: in which form, which part of it, at which byte. Nothing of its value, nothing around it.

    One finding stands for all of the same secret in the same form at the same place; part and byte are those of the first.
    """

    secret: str
    form: str
    part: str
    place: str
    offset: int

    def __str__(self) -> str:
        part = f" ({self.part})" if self.part else ""
        return f"{self.secret}{part}, {self.form}, in {self.place} at byte {self.offset}"


@dataclass(frozen=True)
class Result:
    """What searches found and prove. `searched` names the secrets that were looked for; `untold` counts findings beyond the first ten thousand."""

    findings: tuple[Finding, ...]
    untold: int
    coverage: tuple[Coverage, ...]
    searched: tuple[str, ...]
    not_checked: tuple[NotChecked, ...]

    @property
    def verdict(self) -> Literal["found", "none found", "cannot tell"]:
        if self.findings:
            return "found"
        return "none found" if self.coverage and not self.problems else "cannot tell"

    @property
    def problems(self) -> tuple[str, ...]:
        """Why "none found" would prove nothing, one sentence each, with its source."""
        return tuple(f"{each.source}: {problem}" for each in self.coverage for problem in each.problems)

    def check(self) -> None:
        """Raise `CheckFailed` if a secret was found, `HarnessError` if nobody can tell."""
        if self.findings:
            others = len(self.findings) + self.untold - 1
            raise CheckFailed(
                "no secret lies in clear in " + ", ".join(each.source for each in self.coverage),
                seen=str(self.findings[0]) + (f", and {others} more" if others else ""),
                where=self.findings[0].place,
                advice="take it out, then renew the secret: whoever could read the place may have it",
            )
        if self.verdict == "cannot tell":
            problems = self.problems or ("nothing was searched",)
            more = f" (and {len(problems) - 1} more reasons)" if len(problems) > 1 else ""
            raise HarnessError(f"cannot tell whether a secret leaked: {problems[0]}{more}")

    def __add__(self, other: Result) -> Result:
        """Both results as one; what either could not check stays unchecked."""
        return Result(
            self.findings + other.findings,
            self.untold + other.untold,
            self.coverage + other.coverage,
            tuple(dict.fromkeys(self.searched + other.searched)),
            tuple(dict.fromkeys(self.not_checked + other.not_checked)),
        )

    def as_data(self) -> dict[str, Any]:
        """The whole result as JSON-like data."""
        return {
            "verdict": self.verdict,
            "findings": [vars(finding) for finding in self.findings],
            "untold": self.untold,
            "searched": list(self.searched),
            "not_checked": [vars(each) for each in self.not_checked],
            "coverage": [_coverage_data(each) for each in self.coverage],
        }


class Search:
    """Searches sources one after the other. `accepted` maps shell patterns of places to the reason why a gap there is lived with.

    `largest` is how many bytes one packed item may unpack to before it counts as not covered.
    """

    def __init__(self, searcher: Searcher, *, accepted: Mapping[str, str] | None = None, largest: int = LARGEST) -> None:
        self._searcher = searcher
        self._accepted = dict(accepted or {})
        self._largest = largest
        self._findings: dict[tuple[str, str, str], tuple[int, str]] = {}
        self._untold = 0
        self._coverage: list[Coverage] = []

    @property
    def result(self) -> Result:
        """Everything so far."""
        mask = self._searcher.mask
        found = (Finding(secret, form, part, mask(place), offset) for (secret, form, place), (offset, part) in self._findings.items())
        return Result(tuple(found), self._untold, tuple(self._coverage), self._searcher.secrets, self._searcher.not_checked)

    def tree(self, path: Path) -> None:
        """A file, or everything below a folder, git repositories in it object by object. Raises `BadInput` if there is nothing at `path`."""
        if not path.exists():
            raise BadInput("there is nothing to search", where=self._searcher.mask(str(path)))
        visit = self._visit(str(path), listed_by="find", scanned_by="a walk")
        git_dirs = visit.tree(path.resolve())
        self._coverage.append(visit.coverage())
        for git_dir in git_dirs:
            self.repository(git_dir)

    def repository(self, git_dir: Path) -> None:
        """Every object of the repository whose own directory is `git_dir`, those that no ref leads to as well."""
        visit = self._visit(f"objects of {git_dir}", listed_by="git cat-file --batch-check", scanned_by="git cat-file --batch")
        place = str(git_dir)
        with visit.attempt(place):
            for reason in leak_git.gaps(git_dir):
                visit.gap(place, reason)
        with visit.attempt(place), leak_git.running(git_dir, leak_git.LIST) as listing:
            visit.expect_objects(listing)
        with visit.attempt(place):
            visit.expect_reachable(leak_git.reachable(git_dir))
        with visit.attempt(place), leak_git.running(git_dir, leak_git.STREAM) as stream:
            visit.objects(stream, f"{place}: ")
        self._coverage.append(visit.coverage())

    def objects(self, source: str, listing: Iterable[bytes], stream: IO[bytes]) -> None:
        """A repository elsewhere: the output of `git` with `leak_git.LIST` and with `leak_git.STREAM` there. Whether it is whole, ask it yourself."""
        visit = self._visit(source, listed_by="git cat-file --batch-check", scanned_by="git cat-file --batch")
        with visit.attempt(source):
            visit.expect_objects(listing)
            visit.objects(stream, f"{source}: ")
        self._coverage.append(visit.coverage())

    def archive(self, source: str, stream: Source, inventory: Iterable[tuple[str, int]], *, listed_by: str = "find") -> None:
        """A tar stream of folders elsewhere; `inventory` names each regular file and symbolic link with its size (a link's: its target's length)."""
        visit = self._visit(source, listed_by=listed_by, scanned_by="tar")
        for name, size in inventory:
            visit.roll.expect(rooted(name), size)
        visit.archive(source, stream)
        self._coverage.append(visit.coverage())

    def texts(
        self, source: str, texts: Iterable[tuple[str, bytes | Source]], listed: Mapping[str, int | None], *, listed_by: str, scanned_by: str
    ) -> None:
        """Texts by name (journal, service specs, environments, command lines), and the size in bytes that another means lists for each, if any."""
        visit = self._visit(source, listed_by=listed_by, scanned_by=scanned_by)
        for name, size in listed.items():
            visit.roll.expect(name, size)
        for name, text in texts:
            visit.item(name, f"{source}: {name}", io.BytesIO(text) if isinstance(text, bytes) else text)
        self._coverage.append(visit.coverage())

    def image(self, source: str, stream: Source, layers: Iterable[str]) -> None:
        """A `docker save` stream, and the diff IDs (`sha256:...`) that `docker image inspect` lists as the image's layers.

        A layer answers by its digest, which is the SHA-256 of its tar archive (OCI image specification): there is no size to compare, nor a need to.
        """
        visit = self._visit(source, listed_by="docker image inspect", scanned_by="docker save", digesting=True)
        for layer in layers:
            visit.roll.expect(layer.removeprefix("sha256:"), None)
        visit.image(source, stream)
        self._coverage.append(visit.coverage())

    def _visit(self, source: str, *, listed_by: str, scanned_by: str, digesting: bool = False) -> Visit:
        roll = Roll(self._searcher.mask(source), listed_by=listed_by, scanned_by=scanned_by, show=self._searcher.mask)
        return Visit(roll, self._searcher, found=self._found, judge=self._judge, largest=self._largest, digesting=digesting)

    def _judge(self, gap: Gap) -> Gap:
        reason = next((reason for pattern, reason in self._accepted.items() if fnmatchcase(gap.place, pattern)), "")
        return Gap(self._searcher.mask(gap.place), self._searcher.mask(gap.reason), reason)

    def _found(self, label: Label, place: str, offset: int) -> None:
        key = label.secret, label.form, place
        if key in self._findings or len(self._findings) < _TOLD:
            self._findings[key] = min(self._findings.get(key, (offset, label.part)), (offset, label.part))
        else:
            self._untold += 1


def _coverage_data(coverage: Coverage) -> dict[str, Any]:
    tallies = {name: vars(tally) for name, tally in (("listed", coverage.listed), ("scanned", coverage.scanned), ("inside", coverage.inside))}
    return {"source": coverage.source, **tallies, "problems": list(coverage.problems), "gaps": [vars(gap) for gap in coverage.gaps]}
