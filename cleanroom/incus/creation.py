"""What is asked of Incus when a machine is made.

Knows: which keys belong to every machine, which to virtual machines alone and which to containers alone; Incus refuses those of the other kind.
Refuses: to resize a root disk that no profile declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cleanroom.errors import BadInput
from cleanroom.tables.machines import Incus

VIRTUAL_MACHINE = "virtual-machine"


def creation(
    settings: Incus, name: str, *, kind: str, fingerprint: str, config: Mapping[str, str], profiles: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The body of the request. `profiles` are the declared ones by name, in their order; they are read for the root disk alone."""
    body = {
        "name": name,
        "type": kind,
        "start": True,
        "source": {"type": "image", "fingerprint": fingerprint},
        "profiles": list(settings.profiles),
        "config": {"limits.memory": str(settings.memory), **_of_its_kind(settings, kind), **settings.config, **config},
    }
    if settings.root_size is not None:
        body["devices"] = _root_disk(profiles, settings.root_size)
    return body


def _of_its_kind(settings: Incus, kind: str) -> dict[str, str]:
    keys = {} if settings.cpus is None else {"limits.cpu": str(settings.cpus)}
    if kind != VIRTUAL_MACHINE:
        return {**keys, **settings.container_config}
    secure_boot = {} if settings.secure_boot is None else {"security.secureboot": str(settings.secure_boot).lower()}
    return {**keys, **secure_boot, **settings.virtual_machine_config}


def _root_disk(profiles: Mapping[str, Mapping[str, Any]], size: int) -> dict[str, Any]:
    """The root disk as the last profile that has one declares it, with another size: a device replaces its namesake as a whole."""
    disks = {
        name: device
        for profile in profiles.values()
        for name, device in (profile.get("devices") or {}).items()
        if device.get("type") == "disk" and device.get("path") == "/"
    }
    if not disks:
        raise BadInput("no profile declares a root disk whose size could be set", where=f"incus.profiles = {', '.join(profiles)}")
    name, device = list(disks.items())[-1]
    return {name: {**device, "size": str(size)}}
