"""The lab as a site file: `lab.toml` with what is this lab's own filled in.

Knows: which values a lab makes anew: addresses, keys, the daemon's port.
Refuses: to write a file that the suite could not load.
"""

from __future__ import annotations

import json
from pathlib import Path

from cleanroom.site import Site
from lab import credential, disk_image, hosts
from lab.daemon import Incus
from lab.names import BOOTSTRAP_KEY, CANONICAL_HOST, CANONICAL_KEY, DOMAIN, IMAGE, VM_IMAGE
from lab.repositories import fill, recipient
from lab.state import HERE, State


def write(state: State, incus: Incus) -> Path:
    """Write the site file and load it once, as the suite will."""
    # Where the server makes virtual machines and there is an image for one (`cleanroom lab vm-image`), the throwaway is one.
    makes_virtual_machines = "qemu" in str(incus.ask("/1.0")["environment"]["driver"])
    virtual = makes_virtual_machines and disk_image.has_image(incus)
    image = VM_IMAGE if virtual else IMAGE
    values = {
        "domain": DOMAIN,
        "gateway": str(incus.gateway().ip),
        "bootstrap": recipient(state, BOOTSTRAP_KEY),
        "canonical": recipient(state, CANONICAL_KEY),
        "image": image,
        "fingerprint": str(incus.ask(f"/1.0/images/aliases/{image}")["target"]),
        "endpoint": incus.endpoint,
        "client_certificate": str(credential.certificate_of(state).relative_to(state.folder)),
        "client_key": str(credential.key_of(state).relative_to(state.folder)),
        "server_certificate": str(credential.server_certificate_of(state).relative_to(state.folder)),
        # A container's image must not be tried by a server that could make virtual machines of others.
        "type": "virtual-machine" if virtual or not makes_virtual_machines else "container",
        "container": "\n".join(f'"{key}" = {json.dumps(value)}' for key, value in hosts.container_config().items()),
        "address": hosts.address_of(incus, CANONICAL_HOST),
        "host_key": hosts.host_key_of(incus, CANONICAL_HOST),
    }
    unfinished = state.folder / ".lab.toml"
    unfinished.write_text(fill((HERE / "lab.toml").read_text(), values))
    Site.load(unfinished)
    unfinished.replace(state.site_file)
    return state.site_file
