"""Where a secret could have been left: each place is read once, searched for everything on this side, and judged as often as asked.

Knows: both repositories, the throwaway's store, its other files, its journal, Docker's specs, its processes, and our own reports.
Refuses: to send a value to the machine, to keep what a search covered to itself, and to take a place that kept changing for one that was searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, reduce
from operator import add
from pathlib import Path

from cleanroom import docker_specs, journal, leak_tree, machine_files, processes, report
from cleanroom.leaks import Result, Search
from cleanroom.machine import Machine
from cleanroom.machine_files import File
from cleanroom.needles import Needles
from cleanroom.repository import Repository
from cleanroom.run import Run
from cleanroom.site import Site

STORE = "/nix/store"
#: Where decrypted secrets belong: in memory, below these.
DECRYPTED = ("/run/secrets.d", "/run/secrets-for-users.d")
_JOURNAL = "/var/log/journal"
#: A place that changes while it is read is read again, so often.
_ATTEMPTS = 5


class Sightings:
    """Results of searches, each made when first asked for. Every one is recorded: what was listed, what was scanned, what was found."""

    def __init__(
        self,
        run: Run,
        site: Site,
        machine: Machine,
        needles: Needles,
        *,
        repositories: Mapping[str, Repository],
        before: Mapping[str, File] | None,
        scratch: Path,
    ) -> None:
        self._run, self._site, self.machine, self.needles = run, site, machine, needles
        self._repositories = repositories
        self._before = before
        self._scratch = scratch
        for each in needles.searcher.not_checked:
            run.record("not-checked", secret=each.secret, reason=each.reason)
            run.say(f"not checked: {each.secret}: {each.reason}")

    @cached_property
    def base_files(self) -> Result:
        """Base's files at the commit under test."""
        folder = self._scratch / "base-files"
        folder.mkdir()
        self._repositories["base"].export(folder)
        return self._told(_renamed(self._once(lambda search: search.tree(folder)), str(folder), "base"))

    @cached_property
    def histories(self) -> Result:
        """Every object of both repositories' histories; where the site names copies of its own, what no ref leads to as well."""
        folders = {f"{name} as fetched": repository.folder for name, repository in self._repositories.items()}
        folders |= {f"the site's copy {path.name}": path for path in self._site.leaks.repositories}
        found = [_renamed(self._once(lambda search, path=path: search.repository(path)), str(path), name) for name, path in folders.items()]
        return self._told(reduce(add, found))

    @cached_property
    def store(self) -> Result:
        """The whole Nix store, derivations included."""
        return self._told(self._files("the Nix store", (STORE,), {}))

    @cached_property
    def files(self) -> Result:
        """Every other file of the machine, but for the places where secrets belong, and programs of the image that nobody touched since."""
        without = {
            **machine_files.not_files(self.machine),
            **self._site.leaks.programs,
            **dict.fromkeys(DECRYPTED, "decrypted secrets belong there"),
            self._site.bootstrap.machine_path: "the bootstrap key belongs there",
            STORE: "searched by itself",
            _JOURNAL: "searched by itself, entry by entry",
        }
        self._run.record("left-out", source="files", without=without)
        result = self._files("files", ("/",), without)
        changed = self._changed_programs()
        if changed:
            result += self._files("changed programs", changed, {})
        return self._told(result)

    @cached_property
    def journal(self) -> Result:
        """The journal, entry by entry."""

        def read(search: Search) -> None:
            listed = {f"entry {number}": None for number in range(1, journal.count(self.machine) + 1)}
            texts = ((f"entry {number}", entry) for number, entry in enumerate(journal.entries(self.machine), start=1))
            search.texts("the journal", texts, listed, listed_by="journalctl --header", scanned_by="journalctl --output=export")

        return self._told(self._steadily(read))

    @cached_property
    def specs(self) -> Result:
        """What Docker was told: swarm services, secrets (names and labels), configs, and containers with their environments."""

        def read(search: Search) -> None:
            listed, texts = docker_specs.listed(self.machine), docker_specs.inspected(self.machine)
            search.texts("Docker's specs", texts.items(), dict.fromkeys(listed), listed_by="docker ls", scanned_by="docker inspect")

        return self._told(self._steadily(read))

    @cached_property
    def processes(self) -> Result:
        """Command lines and environments of the processes that run."""

        def read(search: Search) -> None:
            texts, expected = processes.texts(self.machine)
            search.texts("processes", texts.items(), dict.fromkeys(expected | texts.keys()), listed_by="ps", scanned_by="/proc")

        return self._told(self._steadily(read))

    def reports(self) -> Result:
        """This run's own report folder as it is now, and the reports as they would be drawn now."""
        drawn = self._scratch / "drawn"
        drawn.mkdir(exist_ok=True)
        report.write(drawn, self._run.ledger.events)
        sizes = dict(leak_tree.listed(self._run.folder)) | dict(leak_tree.listed(drawn))
        search = Search(self.needles.searcher, accepted=self._site.leaks.gaps)
        # The ledger grows meanwhile: as much of each file is searched as was listed.
        search.texts("the suite's own reports", _beginnings(sizes), sizes, listed_by="find", scanned_by="reading")
        return self._told(_renamed(search.result, str(drawn), "drawn now"))

    def _files(self, source: str, places: Sequence[str], without: Mapping[str, str]) -> Result:
        def read(search: Search) -> None:
            listed = machine_files.inventory(self.machine, places, without)
            with machine_files.archive(self.machine, places, without) as stream:
                search.archive(source, stream, ((path, file.size) for path, file in listed.items()))

        return self._steadily(read)

    def _changed_programs(self) -> tuple[str, ...]:
        """Files below the image's folders of programs that are new or otherwise than before anything was delivered; all, if nobody looked then."""
        places = tuple(self._site.leaks.programs)
        if not places:
            return ()
        now = machine_files.inventory(self.machine, places, machine_files.not_files(self.machine))
        changed = tuple(path for path, file in now.items() if self._before is None or self._before.get(path) != file)
        self._run.record("programs", places=places, files=len(now), changed=len(changed))
        return places if len(changed) == len(now) else changed

    def _once(self, read: Callable[[Search], None]) -> Result:
        search = Search(self.needles.searcher, accepted=self._site.leaks.gaps)
        read(search)
        return search.result

    def _steadily(self, read: Callable[[Search], None]) -> Result:
        """Read a place that lives until nothing changed while it was read; whatever was found on the way stays found."""
        result = self._once(read)
        for _ in range(_ATTEMPTS - 1):
            if not result.problems:
                break
            again = self._once(read)
            result = replace(again, findings=tuple(dict.fromkeys(result.findings + again.findings)), untold=result.untold + again.untold)
        return result

    def _told(self, result: Result) -> Result:
        told = result.as_data()
        for coverage in told["coverage"]:
            self._run.record("coverage", findings=len(result.findings) + result.untold, **coverage)
        for finding in told["findings"]:
            self._run.record("sighting", **finding)
        return result


def _renamed(result: Result, old: str, new: str) -> Result:
    """`result` with the path of a copy on this side replaced by what it is a copy of."""
    findings = tuple(replace(each, place=each.place.replace(old, new)) for each in result.findings)
    return replace(result, findings=findings, coverage=tuple(replace(each, source=each.source.replace(old, new)) for each in result.coverage))


def _beginnings(sizes: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    for path, size in sizes.items():
        with Path(path).open("rb") as file:
            yield path, file.read(size)
