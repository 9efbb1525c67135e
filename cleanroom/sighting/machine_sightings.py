"""Where a secret could have been left on the throwaway: each place is read once, searched on this side, and judged as often as asked.

Knows: the Nix store, all other files, the journal, Docker's specs and containers, command lines and environments of processes.
Refuses: to send a value to the machine, and to take a place that kept changing while it was read for one that was searched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from cleanroom.declared import DECRYPTED
from cleanroom.leaks import Result, Search
from cleanroom.machine import Machine
from cleanroom.run import Run
from cleanroom.sighting import docker_specs, journal, machine_files, processes
from cleanroom.sighting.machine_files import File
from cleanroom.sighting.needles import Needles
from cleanroom.sighting.sightings import Places
from cleanroom.tables.git import Leaks

STORE = "/nix/store"
#: A place that changes while it is read is read again, so often.
_ATTEMPTS = 5


class MachinePlaces(Places):
    """The places of one machine. `before` are its files before anything was delivered, `key_path` where the bootstrap key belongs."""

    def __init__(self, run: Run, needles: Needles, settings: Leaks, *, machine: Machine, before: Mapping[str, File] | None, key_path: str) -> None:
        super().__init__(run, needles, settings)
        self.machine = machine
        self._before = before
        self._key_path = key_path

    def all(self) -> tuple[Result, ...]:
        """Every place of the machine."""
        return (self.store, self.files, self.journal, self.specs, self.processes)

    @cached_property
    def store(self) -> Result:
        """The whole Nix store, derivations included."""
        return self.told(self._files("the Nix store", (STORE,), {}))

    @cached_property
    def files(self) -> Result:
        """Every other file of the machine, but for the places where secrets belong, and programs of the image that nobody touched since."""
        without = {
            **machine_files.not_files(self.machine),
            **self.settings.programs,
            **dict.fromkeys(DECRYPTED, "decrypted secrets belong there"),
            self._key_path: "the bootstrap key belongs there",
            STORE: "searched by itself",
            **dict.fromkeys(journal.files(self.machine), "searched by itself, entry by entry"),
        }
        self.run.record("left-out", source="files", without=without)
        result = self._files("files", ("/",), without)
        changed = self._changed_programs()
        if changed:
            result += self._files("changed programs", changed, {})
        return self.told(result)

    @cached_property
    def journal(self) -> Result:
        """The journal, entry by entry, those that units have of their own with it."""

        def read(search: Search) -> None:
            listed = {f"entry {number}": None for number in range(1, sum(journal.files(self.machine).values()) + 1)}
            texts = ((f"entry {number}", entry) for number, entry in enumerate(journal.entries(self.machine), start=1))
            search.texts("the journal", texts, listed, listed_by="journalctl --header", scanned_by="journalctl --output=export")

        return self.told(self._steadily(read))

    @cached_property
    def specs(self) -> Result:
        """What Docker was told: services, secrets (names and labels), configs, nodes, networks, volumes, and containers with their environments."""

        def read(search: Search) -> None:
            listed, texts = docker_specs.listed(self.machine), docker_specs.inspected(self.machine)
            search.texts("Docker's specs", texts.items(), dict.fromkeys(listed), listed_by="docker ls", scanned_by="docker inspect")

        return self.told(self._steadily(read))

    @cached_property
    def processes(self) -> Result:
        """Command lines and environments of the processes that run, and the environment that systemd gives to those to come."""

        def read(search: Search) -> None:
            texts, expected = processes.texts(self.machine)
            texts |= processes.inherited(self.machine)
            search.texts("processes", texts.items(), dict.fromkeys(expected | texts.keys()), listed_by="ps", scanned_by="/proc")

        return self.told(self._steadily(read))

    def _files(self, source: str, places: Sequence[str], without: Mapping[str, str]) -> Result:
        def read(search: Search) -> None:
            listed = machine_files.inventory(self.machine, places, without)
            with machine_files.archive(self.machine, places, without) as stream:
                search.archive(source, stream, ((path, file.size) for path, file in listed.items()))

        return self._steadily(read)

    def _changed_programs(self) -> tuple[str, ...]:
        """Files below the image's folders of programs that are new or otherwise than before anything was delivered; all, if nobody looked then."""
        changed: list[str] = []
        for folder in self.settings.programs:
            now = machine_files.inventory(self.machine, (folder,), machine_files.not_files(self.machine))
            here = self._changed(folder, now)
            self.run.record("programs", folder=folder, files=len(now), changed=len(here))
            changed += [folder] if len(here) == len(now) else here
        return tuple(changed)

    def _changed(self, folder: str, now: Mapping[str, File]) -> list[str]:
        if self._before is not None:
            return [path for path, file in now.items() if self._before.get(path) != file]
        # A kept machine: what an earlier run saw of it is in the ledger, as a digest.
        told = next((event["folders"].get(folder) for event in self.run.ledger.of("files-before") if event["machine"] == self.machine.name), None)
        return [] if told == machine_files.digest(now) else list(now)

    def _steadily(self, read: Callable[[Search], None]) -> Result:
        """Read a place that lives until nothing changed while it was read; whatever was found on the way stays found."""
        result = self.search(read)
        for _ in range(_ATTEMPTS - 1):
            if not result.problems:
                break
            again = self.search(read)
            result = replace(again, findings=tuple(dict.fromkeys(result.findings + again.findings)), untold=result.untold + again.untold)
        return result
