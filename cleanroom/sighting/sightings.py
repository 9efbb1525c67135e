"""Where a secret could have been left on this side: each place is read once, searched for everything, and judged as often as asked.

Knows: base's files, both repositories' histories, our own reports; machine_sightings.py knows the machine.
Refuses: to keep to itself what a search covered, found, or could not search for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, reduce
from operator import add
from pathlib import Path

from cleanroom import report
from cleanroom.leak import git as leak_git
from cleanroom.leak import tree as leak_tree
from cleanroom.leaks import Result, Search
from cleanroom.repository import Repository
from cleanroom.run import Run
from cleanroom.sighting.needles import Needles
from cleanroom.tables.git import Leaks


class Places:
    """Somewhere to search: every search is recorded - what was listed, what was scanned, what was found."""

    def __init__(self, run: Run, needles: Needles, settings: Leaks) -> None:
        self.run, self.needles, self.settings = run, needles, settings

    def search(self, read: Callable[[Search], None]) -> Result:
        """One search of what `read` reads into it."""
        search = Search(self.needles.searcher, accepted=accepted_places(self.settings.gaps))
        read(search)
        return search.result

    def told(self, result: Result) -> Result:
        """Record `result`, and return it."""
        told = result.as_data()
        for coverage in told["coverage"]:
            self.run.record("coverage", findings=len(result.findings) + result.untold, **coverage)
        for finding in told["findings"]:
            self.run.record("sighting", **finding)
        return result


class GitPlaces(Places):
    """Base's files and both repositories' histories. `scratch` is a folder of the run's own."""

    def __init__(self, run: Run, needles: Needles, settings: Leaks, *, base: Repository, secrets: Repository, scratch: Path) -> None:
        super().__init__(run, needles, settings)
        self._base, self._secrets = base, secrets
        self._scratch = scratch

    @cached_property
    def base_files(self) -> Result:
        """Base's files at the commit under test."""
        folder = self._scratch / "base-files"
        folder.mkdir()
        self._base.export(folder)
        return self.told(_renamed(self.search(lambda search: search.tree(folder)), str(folder), "base"))

    @cached_property
    def histories(self) -> Result:
        """Every object of both histories as fetched; in copies of the site's own also those that no ref leads to."""
        for name, repository in (("base", self._base), ("secrets", self._secrets)):
            if not any(leak_git.holds(path, repository.commit) for path in self.settings.repositories):
                reason = "the site names no copy of its own that holds the revision under test (leaks.repositories), and a forge gives none of them"
                _tell(self.run, f"objects of {name} that no ref leads to", reason)
        folders = {"base": self._base.folder, "secrets": self._secrets.folder} | {str(path): path for path in self.settings.repositories}
        return self.told(reduce(add, (self._history(path, name) for name, path in folders.items())))

    def _history(self, git_dir: Path, name: str) -> Result:
        return _renamed(self.search(lambda search: search.repository(git_dir)), str(git_dir), name)


class ReportPlaces(Places):
    """This run's own report folder."""

    def reports(self, scratch: Path) -> Result:
        """The folder as it is now, and in `scratch` the reports as they would be drawn now."""
        report.write(scratch, self.run.ledger.events)
        sizes = dict(leak_tree.listed(self.run.folder)) | dict(leak_tree.listed(scratch))

        def read(search: Search) -> None:
            # The ledger grows meanwhile: as much of each file is searched as was listed.
            search.texts("the suite's own reports", _beginnings(sizes), sizes, listed_by="find", scanned_by="reading")

        return self.told(_renamed(self.search(read), str(scratch), "drawn now"))


def accepted_places(gaps: Mapping[str, str]) -> dict[str, str]:
    """The site's accepted gaps, by path, as patterns of places: below a source, with whatever is packed inside."""
    return {f"*: .{path}*": reason for path, reason in gaps.items()}


def record_not_checked(run: Run, needles: Needles) -> None:
    """Tell the ledger, and the person who waits, which secrets cannot be searched for, and why."""
    for each in needles.searcher.not_checked:
        _tell(run, each.secret, each.reason)


def _tell(run: Run, what: str, reason: str) -> None:
    run.record("not-checked", secret=what, reason=reason)
    run.say(f"not checked: {what}: {reason}")


def _renamed(result: Result, old: str, new: str) -> Result:
    """`result` with the path of a copy on this side replaced by what it is a copy of."""
    findings = tuple(replace(each, place=each.place.replace(old, new)) for each in result.findings)
    return replace(result, findings=findings, coverage=tuple(replace(each, source=each.source.replace(old, new)) for each in result.coverage))


def _beginnings(sizes: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    for path, size in sizes.items():
        with Path(path).open("rb") as file:
            yield path, file.read(size)
