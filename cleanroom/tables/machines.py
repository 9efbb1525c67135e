"""The tables about machines: the hypervisor, the way in, the canonical host, what blank means, the guide.

Knows: what a site says of its hypervisor and of what runs on it.
Refuses: a shell variable that the guide already has.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cleanroom.tables.base import Duration, Local, Names, SecretSource, Size, Table

Positive = Annotated[int, Field(gt=0)]


class Incus(Table):
    """The hypervisor and the one project that may be touched."""

    endpoint: str
    project: str
    client_certificate: Local | None = None
    client_key: Local | None = None
    server_certificate: Local | None = None
    throwaway: str
    image: str
    image_fingerprint: str | None = None
    type: Literal["virtual-machine", "container"] = "virtual-machine"
    fall_back_to_container: bool = False
    memory: Size = 4 * 2**30
    cpus: Positive | None = None
    root_size: Size | None = None
    secure_boot: bool | None = None
    config: dict[str, str] = Field(default_factory=dict)
    container_config: dict[str, str] = Field(default_factory=dict)
    virtual_machine_config: dict[str, str] = Field(default_factory=dict)
    profiles: Names = ("default",)
    canonical_host: str | None = None
    neighbours: Names = ()
    memory_guideline: Size = 12 * 2**30
    memory_physical: Size = 16 * 2**30
    create_within: Duration = 120.0
    boot_within: Duration = 180.0
    delete_within: Duration = 60.0
    silence: Duration = 600.0


class Access(Table):
    """How the suite gets its SSH access to a new machine: the one input beside the bootstrap key, recorded as such."""

    method: Literal["incus-push", "cloud-init", "image"] = "incus-push"
    user: Literal["root"] = "root"
    private_key: Local | None = None
    host_key_path: str = "/etc/ssh/ssh_host_ed25519_key.pub"

    @model_validator(mode="after")
    def _key_of_an_image(self) -> Access:
        if self.method == "image" and self.private_key is None:
            raise ValueError("method image needs private_key: the half that the image does not hold")
        return self


class Canonical(Table):
    """How to look at the canonical host: read-only, over SSH, its host key pinned (a public key line)."""

    address: str
    host_key: str
    private_key: Local
    user: str = "root"


class Blank(Table):
    """Paths that a blank machine must not have, beside those the suite always looks for."""

    absent: Names = ()


class Guide(Table):
    """Limits and variables of the install guide."""

    within: Duration = 1800.0
    rebuild: str = "nixos-rebuild switch"
    variables: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, SecretSource] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_of_a_shell(self) -> Guide:
        names = [*self.variables, *self.secrets]
        for name in names:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"no shell takes a variable called {name!r}")
            if name in {"MACHINE", "BOOTSTRAP_KEY"} or names.count(name) > 1:
                raise ValueError(f"variable {name} is given already")
        return self
