"""What a machine became: a system that it had not before, and replicas for every service."""

from __future__ import annotations

from typing import cast

import pytest

from cleanroom import activation
from cleanroom.errors import CheckFailed
from cleanroom.machine import Machine, SwarmService
from cleanroom.site import Site
from cleanroom.tables.serving import Service
from cleanroom.throwaway import Throwaway

IMAGE, SYSTEM = "/nix/store/1-image", "/nix/store/2-system"
TRAEFIK = SwarmService("traefik_app", 1, 1)


class Became:
    """A machine that runs a system and services."""

    where = "throwaway (192.0.2.1)"
    record = None

    def __init__(self, *services: SwarmService, system: str = SYSTEM) -> None:
        self._services = [*services]
        self._system = system

    def services(self) -> list[SwarmService]:
        return self._services

    def generations(self) -> dict[str, str]:
        return {"system-1-link": IMAGE, "system-2-link": SYSTEM}

    def current_system(self) -> str:
        return self._system


class Made:
    """A throwaway, as far as its generations go."""

    def __init__(self, machine: Became, *files: str) -> None:
        self.machine = machine
        self.files = frozenset(files) if files else None

    @property
    def blank(self) -> Made:
        return self

    generations = frozenset({"system-1-link"})


class Named:
    """A site with one service."""

    service = (Service.model_construct(name="traefik_app", replicas=1, within=0.01),)


def services(*found: SwarmService, others: bool = True) -> None:
    activation.check_services(cast(Machine, Became(*found)), cast(Site, Named()), others=others)


@pytest.mark.parametrize("files", [(), (f"{IMAGE}/activate", f"{SYSTEM}-more/activate", "/etc/hosts")])
def test_a_generation_that_the_machine_had_not_before_is_new(files: tuple[str, ...]) -> None:
    activation.check_generation(cast(Throwaway, Made(Became(), *files)))


def test_a_system_that_lay_in_the_image_was_not_built_by_the_guide() -> None:
    with pytest.raises(CheckFailed, match="lay on the blank machine already"):
        activation.check_generation(cast(Throwaway, Made(Became(), f"{SYSTEM}/activate")))


def test_a_generation_of_the_image_is_not_new() -> None:
    with pytest.raises(CheckFailed, match="a new system generation, running"):
        activation.check_generation(cast(Throwaway, Made(Became(system=IMAGE))))


def test_services_with_their_replicas_have_them() -> None:
    services(TRAEFIK, SwarmService("cache_app", 2, 2), SwarmService("backup", 0, 0))


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        ((), "traefik_app: 0 of 1 run"),
        ((SwarmService("traefik_app", 2, 2),), "traefik_app: 2 of 1 run"),
        ((TRAEFIK, SwarmService("cache_app", 0, 1)), "cache_app: 0 of 1 run"),
        ((TRAEFIK, SwarmService("cache_app", 1, 2), SwarmService("all", 1, 1)), "cache_app: 1 of 2 run"),
    ],
)
def test_a_service_without_its_replicas_is_told_whoever_named_it(found: tuple[SwarmService, ...], seen: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        services(*found)
    assert caught.value.seen == seen


def test_a_service_that_nobody_named_may_come_and_go_on_a_server_at_work() -> None:
    services(TRAEFIK, SwarmService("test-of-a-recipe", 0, 1), others=False)


def test_the_swarm_must_want_what_the_site_says() -> None:
    with pytest.raises(CheckFailed, match="the swarm wants 2"):
        services(SwarmService("traefik_app", 1, 2))
