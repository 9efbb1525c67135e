"""What must be true of a machine that claims to be new and blank."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from cleanroom.custody import Watch
from cleanroom.errors import CheckFailed
from cleanroom.hypervisor import Instance
from cleanroom.machine import Machine
from cleanroom.throwaway import Before, Blankness, Throwaway

BEGAN = datetime.datetime(2026, 11, 24, 2, 15, tzinfo=datetime.UTC)
IMAGE = "f" * 64
SYSTEM = "/nix/store/1-image"


class Named:
    where = "throwaway (192.0.2.1)"


def throwaway(*, blank: dict[str, Any] | None = None, before: dict[str, Any] | None = None, **instance: Any) -> Throwaway:
    """A machine that is all it should be, but for the changes."""
    config = {"volatile.uuid": instance.pop("uuid", "new"), "volatile.base_image": instance.pop("image", IMAGE)}
    facts = Instance(name="throwaway", type="virtual-machine", status="Running", created_at=BEGAN + datetime.timedelta(seconds=4), config=config)
    nothing = Blankness(
        repositories=(), swarm="inactive", containers=(), present=(), key_material=(), generations={"system-1-link": SYSTEM}, system=SYSTEM
    )
    then = Before(BEGAN, frozenset({"old", "older"}), "old", IMAGE)
    return Throwaway(
        "run",
        cast(Machine, Named()),
        replace(facts, **instance),
        replace(then, **(before or {})),
        replace(nothing, **(blank or {})),
        cast(Watch, None),
    )


CHECKS: list[Callable[[Throwaway], None]] = [
    Throwaway.check_identity,
    Throwaway.check_age,
    Throwaway.check_image,
    Throwaway.check_namesake,
    Throwaway.check_no_work,
    Throwaway.check_no_secrets,
    Throwaway.check_generation,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("changes", [{}, {"before": {"namesake": None}}, {"blank": {"swarm": "no docker"}}, {"created_at": BEGAN}])
def test_a_new_and_blank_machine_is_taken_for_one(check: Callable[[Throwaway], None], changes: dict[str, Any]) -> None:
    check(throwaway(**changes))


@pytest.mark.parametrize(
    ("check", "changes", "seen"),
    [
        (Throwaway.check_identity, {"uuid": "old"}, "old"),
        (Throwaway.check_identity, {"uuid": ""}, "no UUID"),
        (Throwaway.check_age, {"created_at": BEGAN - datetime.timedelta(microseconds=1)}, "the run began"),
        (Throwaway.check_image, {"image": "a" * 64}, "a" * 12),
        (Throwaway.check_image, {"image": ""}, "no image"),
        (Throwaway.check_image, {"image": "", "before": {"declared_image": ""}}, "no image"),
        (Throwaway.check_namesake, {"before": {"namesake": "new"}}, "the very same"),
        (Throwaway.check_no_work, {"blank": {"repositories": ("/root/cc-ci/.git",)}}, "/root/cc-ci/.git"),
        (Throwaway.check_no_work, {"blank": {"containers": ("1", "2")}}, "2 containers"),
        (Throwaway.check_no_work, {"blank": {"swarm": "active"}}, "active"),
        (Throwaway.check_no_work, {"blank": {"swarm": "error"}}, "error"),
        (Throwaway.check_no_work, {"blank": {"swarm": ""}}, "swarm state"),
        (Throwaway.check_no_secrets, {"blank": {"present": ("/run/secrets",)}}, "/run/secrets"),
        (Throwaway.check_no_secrets, {"blank": {"key_material": ("/root/key.txt",)}}, "/root/key.txt"),
        (Throwaway.check_generation, {"blank": {"generations": {}}}, "0 generations"),
        (Throwaway.check_generation, {"blank": {"generations": {"system-1-link": SYSTEM, "system-2-link": SYSTEM}}}, "2 generations"),
        (Throwaway.check_generation, {"blank": {"system": "/nix/store/2-other"}}, "2-other"),
    ],
)
def test_whatever_it_lacks_is_told(check: Callable[[Throwaway], None], changes: dict[str, Any], seen: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        check(throwaway(**changes))
    assert seen in caught.value.seen
    assert caught.value.where == Named.where
