"""The throwaway as it was at its beginning, and what must be true of that.

Knows: the facts recorded before and at its creation, before anything was delivered to it.
Refuses: to take a machine for new or blank on anything but those facts - a later look could only see what the guide has made of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from cleanroom.custody import Watch
from cleanroom.errors import CheckFailed
from cleanroom.hypervisor import Instance
from cleanroom.machine import Machine


@dataclass(frozen=True)
class Before:
    """The hypervisor as it was before the throwaway was asked for. `began` is by the server's own clock; `namesake` is a UUID."""

    began: datetime.datetime
    uuids: frozenset[str]
    namesake: str | None
    declared_image: str


@dataclass(frozen=True)
class Blankness:
    """What a new machine held before anything was delivered to it."""

    repositories: tuple[str, ...]
    swarm: str
    containers: tuple[str, ...]
    present: tuple[str, ...]
    key_material: tuple[str, ...]
    generations: Mapping[str, str]
    system: str


@dataclass(frozen=True)
class Throwaway:
    """A machine that did not exist before this run, and the facts that prove it."""

    run_id: str
    machine: Machine
    instance: Instance
    before: Before
    blank: Blankness
    watch: Watch
    #: Its files when it was blank, by path; None if nobody looked then.
    files: frozenset[str] | None = None

    def check_identity(self) -> None:
        """Its UUID is none that the hypervisor had given before."""
        uuid = self.instance.uuid
        if not uuid or uuid in self.before.uuids:
            self._fail("a UUID that no instance of the project had before the run", seen=uuid or "no UUID")

    def check_age(self) -> None:
        """It was created after the run began, both by the server's clock (whose Date header counts whole seconds)."""
        if self.instance.created_at < self.before.began:
            seen = f"created {self.instance.created_at.isoformat()}, the run began {self.before.began.isoformat()}"
            self._fail("a machine created after the run began", seen=seen)

    def check_image(self) -> None:
        """It was made from the image that the site declares, by fingerprint."""
        declared = self.before.declared_image
        if not declared or self.instance.image != declared:
            self._fail(f"a machine made from image {declared[:12]}", seen=f"made from {self.instance.image[:12] or 'no image'}")

    def check_namesake(self) -> None:
        """What bore its name before, if anything did, is another instance and was deleted."""
        if self.before.namesake is not None and self.before.namesake == self.instance.uuid:
            self._fail("the earlier machine of that name deleted first", seen="it is the very same one")

    def check_no_work(self) -> None:
        """No repository, no container, no swarm."""
        if self.blank.repositories:
            self._fail("no repository on a blank machine", seen=", ".join(self.blank.repositories))
        if self.blank.containers:
            self._fail("no container on a blank machine", seen=f"{len(self.blank.containers)} containers")
        if self.blank.swarm not in {"inactive", "no docker"}:
            self._fail("a blank machine takes part in no swarm", seen=f"swarm state {self.blank.swarm}")

    def check_no_secrets(self) -> None:
        """None of the places where secrets, certificate and key belong exists yet, and no private key lies elsewhere but where the site says."""
        found = (*self.blank.present, *self.blank.key_material)
        if found:
            self._fail("no secret and no private key on a blank machine", seen=", ".join(found), advice="rebuild the image without it")

    def check_generation(self) -> None:
        """Exactly one system generation, and it is the one that runs."""
        systems = set(self.blank.generations.values())
        if len(self.blank.generations) != 1 or systems != {self.blank.system}:
            seen = f"{len(self.blank.generations)} generations ({', '.join(sorted(self.blank.generations))}), running {self.blank.system}"
            self._fail("the image's own generation and no other", seen=seen)

    def _fail(self, expected: str, *, seen: str, advice: str = "") -> None:
        raise CheckFailed(expected, seen=seen, where=self.machine.where, advice=advice)
