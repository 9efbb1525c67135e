"""The lab's life: up, down, and what it is doing.

Knows: the stages in their order and what each is made from; a stage is done again only if that changed.
Refuses: to leave a half-made stage looking finished, and to call the lab down while anything of it is left.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanroom import signing
from cleanroom.errors import HarnessError
from cleanroom.quantities import show_duration
from lab import ca, credential, disk_image, evidence, forge, hosts, image, leftovers, repositories, sitefile
from lab.daemon import Incus
from lab.names import BOOTSTRAP_KEY, CANONICAL_HOST, CANONICAL_KEY, NEIGHBOUR, SIGNING_KEY, TOKEN
from lab.processes import Service
from lab.state import HERE, State, digest

#: A first `up` takes minutes; another process waits for it.
_PATIENCE = 900.0

Report = Callable[[str], None]


def up(report: Report, *, with_evidence: bool = False) -> Path:
    """Bring the lab up, or find it up, and return its site file; on demand with evidence to be judged."""
    began = time.monotonic()
    state = State.locate()
    with state.locked(wait=_PATIENCE):
        _Building(state, report).all()
        if with_evidence:
            evidence.provide(state, report)
    report(f"the lab is up ({show_duration(time.monotonic() - began)}): {state.site_file}")
    return state.site_file


def vm_image(report: Report) -> str:
    """Build the image for virtual machines, unless it is there as the recipe wants it, and return its fingerprint; the lab must be up."""
    state = State.locate()
    incus = Incus(state)
    if not incus.answers:
        raise HarnessError("the lab is not up", where=str(state.folder), advice="cleanroom lab up")
    with state.locked(wait=_PATIENCE):
        shutil.rmtree(state.scratch, ignore_errors=True)
        state.scratch.mkdir(mode=0o700)
        fingerprint = _Building(state, report).for_virtual_machines(incus)
        sitefile.write(state, incus)
        shutil.rmtree(state.scratch)
    return fingerprint


@dataclass(frozen=True)
class _Building:
    """One `up`: each method is a stage."""

    state: State
    report: Report

    def all(self) -> None:
        state, incus = self.state, Incus(self.state)
        shutil.rmtree(state.scratch, ignore_errors=True)
        state.scratch.mkdir(mode=0o700)
        self._stage("certificates", digest(HERE / "ca.py"), lambda: ca.make(state))
        self._signing_key()
        if not incus.answers:
            with self._phase("daemon"):
                incus.start()
        incus.furnish()
        incus.open_to(credential.make(state))
        image_digest = self._image(incus)
        rendered = self._repositories(str(incus.gateway().ip))
        self._forge(str(incus.gateway().ip))
        self._hosts(incus, image_digest, rendered)
        sitefile.write(state, incus)
        shutil.rmtree(state.scratch)

    def _signing_key(self) -> None:
        """The lab signs its runs with a key of its own: it vouches for nothing but that a run's files are one run's."""
        path = self.state.keys / SIGNING_KEY
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            signing.make(path)

    def _image(self, incus: Incus) -> str:
        state = self.state
        packages = digest(image.RECIPE / "packages.txt")
        binary = digest(image.RECIPE / "traefik.txt")
        whole = digest(image.RECIPE, image.NIXOS, state.certificates / ca.ROOT, packages, binary)
        if state.done().get("image") != whole or not image.has_image(incus):
            self._stage("root", packages, lambda: image.make_root(state))
            self._stage("traefik", binary, lambda: image.make_traefik(state))
            state.remember(image="")
            self._stage("image", whole, lambda: image.make_image(state, incus))
        return whole

    def for_virtual_machines(self, incus: Incus) -> str:
        state = self.state
        packages = digest(image.RECIPE / "packages.txt", disk_image.PACKAGES)
        self._stage("vm-root", packages, lambda: disk_image.make_root(state))
        whole = digest(image.RECIPE, image.NIXOS, state.certificates / ca.ROOT, packages, HERE / "disk_image.py")
        self._stage("vm-image", whole, lambda: disk_image.make_image(state))
        with self._phase("vm-import"):
            return disk_image.import_image(state, incus)

    def _repositories(self, gateway: str) -> str:
        state = self.state
        repositories.make_keys(state)
        recipients = [repositories.recipient(state, name) for name in (BOOTSTRAP_KEY, CANONICAL_KEY)]
        whole = digest(repositories.SITE, HERE / "repositories.py", state.certificates / f"{ca.SITE}.pem", gateway, *recipients)
        self._stage("repositories", whole, lambda: repositories.render(state, gateway=gateway))
        return whole

    def _forge(self, gateway: str) -> None:
        state = self.state
        whole = digest(HERE / "forge.py", state.certificates / f"{ca.FORGE}.pem", state.keys / TOKEN, gateway)
        process = forge.service(state)
        if state.done().get("forge") != whole or process.pid() is None:
            with self._phase("forge"):
                process.stop()
                forge.start(state, gateway)
            state.remember(forge=whole)

    def _hosts(self, incus: Incus, image_digest: str, rendered: str) -> None:
        state = self.state
        present = hosts.instances(incus)
        state.remember(**{name: "" for name in (NEIGHBOUR, CANONICAL_HOST) if name not in present})
        self._stage(NEIGHBOUR, image_digest, lambda: hosts.make_neighbour(incus))
        whole = digest(image_digest, rendered)
        self._stage(CANONICAL_HOST, whole, lambda: hosts.make_canonical(state, incus, self.report))
        for name in (NEIGHBOUR, CANONICAL_HOST):
            hosts.ensure_runs(incus, name)

    def _stage(self, name: str, made_from: str, make: Callable[[], None]) -> None:
        """Make a stage unless it was made from the very same; it counts as done only when it is."""
        if self.state.done().get(name) != made_from:
            self.state.remember(**{name: ""})
            with self._phase(name):
                make()
            self.state.remember(**{name: made_from})

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        last = self.state.times().get(name)
        self.report(f"lab: {name} ..." + (f" (last time {show_duration(last)})" if last is not None else ""))
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.state.remember_time(name, seconds)
        self.report(f"lab: {name} done after {show_duration(seconds)}")


def down(report: Report) -> None:
    """End everything and remove the folder; raises `HarnessError` with what is left."""
    began = time.monotonic()
    state = State.locate()
    if not state.folder.exists() and not leftovers.what_is_left(state):
        report("the lab is not there")
        return
    with state.locked(wait=_PATIENCE):
        for service in _services(state):
            service.stop(within=5.0)
        leftovers.remove(state)
        shutil.rmtree(state.folder)
    left = leftovers.what_is_left(state)
    if left:
        raise HarnessError("the lab is not quite down; left are:\n  " + "\n  ".join(left), where=str(state.folder), advice="say it again")
    report(f"the lab is down ({show_duration(time.monotonic() - began)}); nothing is left")


def status() -> dict[str, str]:
    """What each part is doing, in the order in which `up` makes them."""
    state = State.locate()
    if not state.folder.exists():
        return {"lab": f"not there ({state.folder})"}
    answers = {service.name: f"runs as process {pid}" if (pid := service.pid()) else "not running" for service in _services(state)}
    incus = Incus(state)
    if incus.answers:
        present = hosts.instances(incus)
        answers["image"] = "there" if image.has_image(incus) else "not there"
        answers |= {name: present.get(name, "not there").lower() for name in (CANONICAL_HOST, NEIGHBOUR)}
        answers |= {name: f"{word.lower()} (a run's)" for name, word in present.items() if name not in answers}
    answers["site file"] = str(state.site_file) if state.site_file.exists() else "not there"
    return answers


def _services(state: State) -> tuple[Service, ...]:
    return (Incus(state).service, forge.service(state))
