"""What the hypervisor holds in the project and what we hold on this side, before a run and after it: whatever is more, was left behind.

Knows: everything that a machine can bring along - snapshots, volumes, images, profiles, networks, leases, warnings - in the manner of Incus' own
tests, which end by checking that nothing is there; pools by the devices that name them, where a restricted certificate may not list them.
Refuses: to count what it may not see as gone (it says so), and to call somebody else's new machine ours: we can make none without our mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom import marks
from cleanroom.errors import CheckFailed, HarnessError, OutOfReach
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Event, Ledger
from cleanroom.surroundings import survey
from cleanroom.surroundings.survey import Seen
from cleanroom.wait import Waiting, wait_until

#: How long Incus may take to tidy up behind a deletion.
_SETTLING_SECONDS = 10.0
#: A private key in a file on this side; a text that only names the sign of one (a search for it, say) is none.
_KEY = re.compile(rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAGE-SECRET-KEY-1[0-9A-Z]{50}", re.MULTILINE)
_KEY_BYTES = 1 << 20
#: What is compared where it can be seen, and is nothing that a run makes.
_NOT_ASKED_FOR = {"warnings"}


@dataclass(frozen=True)
class Estate:
    """What is there, by kind; each thing by a name that tells it from all others. `foreign` are instances that carry no mark and no name of ours."""

    things: Mapping[str, frozenset[str]]
    hidden: Mapping[str, str]
    foreign: frozenset[str]

    def more_than(self, before: Estate, *, kept: Iterable[str] = ()) -> list[str]:
        """What is here and was not before, one line each; a kind that was visible before and is not now counts as well, for it hides something."""
        excused = {*(self.foreign - before.foreign), *kept}
        more = [
            f"{kind.removesuffix('s')} {thing}"
            for kind, things in sorted(self.things.items())
            for thing in sorted(things - before.things.get(kind, frozenset()))
            if not excused & set(thing.replace("/", " ").split())
        ]
        blind = [f"{kind}: cannot be seen any more ({why})" for kind, why in sorted(self.hidden.items()) if kind not in before.hidden]
        return more + blind


def take(hypervisor: Hypervisor, record: Callable[..., Event], moment: str) -> Estate:
    """Look at everything and record it."""
    estate = _look(hypervisor)
    told = {kind: sorted(things) for kind, things in estate.things.items()}
    record("estate", moment=moment, **told, hidden=dict(estate.hidden))
    return estate


def left(hypervisor: Hypervisor, before: Estate, record: Callable[..., Event], *, kept: Iterable[str]) -> list[str]:
    """What is left after a run, when Incus has had its time to tidy up; recorded."""
    names = tuple(kept)

    def nothing() -> bool | Waiting:
        more = _look(hypervisor).more_than(before, kept=names)
        return Waiting("; ".join(more)) if more else True

    try:
        wait_until(nothing, what="nothing to be left", within=_SETTLING_SECONDS, record=record)
    except HarnessError as problem:
        if isinstance(problem, OutOfReach):
            raise
    return take(hypervisor, record, "after").more_than(before, kept=names)


def keys_on_this_side(*folders: Path) -> list[str]:
    """Files below the folders that hold a private key."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    begins = file.read(_KEY_BYTES)
                if _KEY.search(begins):
                    found.append(f"key file {path}")
    return found


def check_nothing_left(ledger: Ledger) -> None:
    """The hypervisor holds nothing that it did not hold before; raises `HarnessError` if that was not looked at, before and after."""
    moments = {event["moment"] for event in ledger.of("estate")}
    if moments != {"before", "after"}:
        raise HarnessError("cannot tell what is left: the hypervisor was not looked at before and after", where=str(ledger.path))
    items = [item for event in ledger.of("left-behind") for item in event["items"]]
    if items:
        advice = "whose are they? cleanroom sweep removes instances that carry our mark; anything else is for whoever made it"
        raise CheckFailed("the hypervisor holds nothing that it did not hold before the run", seen="; ".join(items), where="project", advice=advice)
    hidden = sorted({kind for event in ledger.of("estate") for kind in event["hidden"]} - _NOT_ASKED_FOR)
    if hidden:
        raise HarnessError(f"cannot tell what is left: our credential does not show {', '.join(hidden)}", where="project")


def check_no_keys(folders: Iterable[Path]) -> None:
    """No private key of the run lies on this side any more; raises `HarnessError` if there was nothing to look through."""
    looked = [folder for folder in folders if folder.is_dir()]
    if not looked:
        raise HarnessError("cannot tell whether a key is left on this side: none of the run's folders is there")
    found = keys_on_this_side(*looked)
    if found:
        raise CheckFailed("no key file of the run is left on this side", seen="; ".join(found), where=str(looked[0]))


def _look(hypervisor: Hypervisor) -> Estate:
    project, throwaway = hypervisor.settings.project, hypervisor.settings.throwaway
    seen = [each for each in survey.instances(hypervisor) if each.project == project]
    kinds: dict[str, Callable[[], Iterable[str]]] = {
        "instances": lambda: (each.name for each in seen),
        "snapshots": lambda: (f"{each.name}/{snapshot}" for each in seen for snapshot in each.snapshots),
        "images": lambda: (image["fingerprint"] for image in hypervisor.look("images", recursion="1")),
        "profiles": lambda: (profile["name"] for profile in hypervisor.look("profiles", recursion="1")),
        "networks": lambda: _managed(hypervisor),
        "leases": lambda: _leases(hypervisor),
        "volumes": lambda: _volumes(hypervisor, seen),
        "warnings": lambda: (f"{each['type']} {each['entity_url']}" for each in hypervisor.look("warnings", recursion="1")),
    }
    things: dict[str, frozenset[str]] = {}
    hidden: dict[str, str] = {}
    for kind, ask in kinds.items():
        try:
            things[kind] = frozenset(ask())
        except OutOfReach:
            raise
        except HarnessError as problem:
            hidden[kind] = problem.problem
    foreign = frozenset(each.name for each in seen if marks.SUITE not in each.config and not each.name.startswith(throwaway))
    return Estate(things, hidden, foreign)


def _managed(hypervisor: Hypervisor) -> list[str]:
    """Incus' own networks; the hypervisor's other interfaces come and go as they please."""
    return [str(network["name"]) for network in hypervisor.look("networks", recursion="1") if network["managed"]]


def _leases(hypervisor: Hypervisor) -> Iterable[str]:
    for network in _managed(hypervisor):
        for lease in hypervisor.look(f"networks/{network}/leases") or ():
            yield f"{network}/{lease['hostname']} {lease['hwaddr']}"


def _volumes(hypervisor: Hypervisor, seen: Iterable[Seen]) -> Iterable[str]:
    """Of every pool that can be known of. An image's own volume is Incus' cache of it, and goes with the image."""
    images = {image["fingerprint"] for image in hypervisor.look("images", recursion="1")}
    for pool in sorted(_pools(hypervisor, seen)):
        for volume in hypervisor.look(f"storage-pools/{pool}/volumes", recursion="1"):
            if volume["type"] != "image" or volume["name"] not in images:
                yield f"{pool}/{volume['type']}/{volume['name']}"


def _pools(hypervisor: Hypervisor, seen: Iterable[Seen]) -> set[str]:
    devices: list[Mapping[str, Any]] = [device for each in seen for device in each.devices.values()]
    devices += [device for profile in hypervisor.look("profiles", recursion="1") for device in profile["devices"].values()]
    named = {str(device["pool"]) for device in devices if device.get("pool")}
    try:
        return named | {str(pool["name"]) for pool in hypervisor.look("storage-pools", recursion="1")}
    except OutOfReach:
        raise
    except HarnessError:
        return named
