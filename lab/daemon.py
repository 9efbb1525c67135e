"""The lab's private Incus: one daemon started by hand, one pool, one bridge, one project, one door for a certificate restricted to it.

Knows: how to start it beside an Incus that already runs, and how its network gives names and addresses without a way out.
Refuses: to touch another daemon, to reach for anything beyond this machine, and to write a firewall rule.
"""

from __future__ import annotations

import ipaddress
import json
import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

from cleanroom.errors import HarnessError
from cleanroom.incus.door import fingerprint
from cleanroom.wait import Waiting, wait_until
from lab.names import FORGE_HOST, POOL, PROJECT
from lab.processes import Service
from lab.state import State
from lab.tools import environment, run

_LOOPBACK = "127.0.0.1"
_POOL_SIZE = "40GiB"  # a sparse file: it takes what is written
#: A proxy that nobody serves: whatever the daemon wants from outside fails at once, on this machine.
_NOWHERE = "http://127.0.0.1:9"


class Incus:
    """The lab's daemon, asked through its own command line."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.service = Service("incusd", state.folder / "incusd.pid", state.logs / "incusd.log")
        self._environment = environment(INCUS_DIR=str(state.incus), INCUS_CONF=str(state.folder / "client"), HOME=str(state.folder))

    def __call__(self, *argv: str | Path, stdin: bytes = b"", within: float = 60.0) -> str:
        """`incus ARGV`: its standard output. Raises `HarnessError`."""
        return run("incus", *argv, stdin=stdin, env=self._environment, within=within)

    def ask(self, path: str) -> Any:  # noqa: ANN401 - JSON data
        """One GET of the REST API; None where the daemon says nothing (its spelling of an empty list)."""
        return json.loads(self("query", path).strip() or "null")

    @property
    def answers(self) -> bool:
        return self.service.pid() is not None and self.state.socket.is_socket()

    def start(self) -> None:
        """Start the daemon unless it runs, and wait until it answers."""
        if not self.answers:
            self.service.stop()
            self.state.incus.mkdir(mode=0o711, exist_ok=True)
            env = {**self._environment, **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NOWHERE)}
            self.service.start([_incusd(), "--group", "root"], env=env, cwd=self.state.folder)

        def ready() -> bool | Waiting:
            if self.service.pid() is None:
                raise HarnessError(f"incusd ended: {self.service.last_words()}", where=str(self.service.log))
            try:
                self("admin", "waitready", "--timeout", "1")
            except HarnessError as problem:
                return Waiting(problem.problem)
            return True

        wait_until(ready, what="incusd to answer", within=60.0, every=0.1, where=str(self.service.log))

    @property
    def endpoint(self) -> str:
        """Where the daemon listens with TLS; `open_to` has been said."""
        return f"https://{self.ask('/1.0')['config']['core.https_address']}"

    def open_to(self, certificate: Path) -> None:
        """Listen with TLS on loopback, and let the holder of a certificate into the project - and nowhere else."""
        if not self._listens():
            self._listen()
        if fingerprint(certificate) not in self._names("certificates"):
            self("config", "trust", "add-certificate", certificate, "--name", certificate.stem, "--restricted", "--projects", PROJECT)

    def _listens(self) -> bool:
        """Whether it is this daemon that answers at the address that it remembers; the port may be another's since."""
        host, _, port = self.ask("/1.0")["config"].get("core.https_address", "").rpartition(":")
        try:
            shown = ssl.get_server_certificate((host, int(port)), timeout=5.0)
        except (OSError, ValueError):
            return False
        return shown == (self.state.incus / "server.crt").read_text()

    def _listen(self) -> None:
        """At a port that the kernel knows to be free: several labs on one machine must not meet. The daemon remembers it."""
        with socket.socket() as probe:
            probe.bind((_LOOPBACK, 0))
            port = probe.getsockname()[1]
        self("config", "set", f"core.https_address={_LOOPBACK}:{port}")

    def furnish(self) -> None:
        """Pool, bridge, profile and project, each made unless it is there; btrfs where the kernel can (copies are free)."""
        if POOL not in self._names("storage-pools"):
            try:
                self("storage", "create", POOL, "btrfs", f"size={_POOL_SIZE}")
            except HarnessError:
                self("storage", "create", POOL, "dir")
        if self.state.bridge not in self._names("networks"):
            self("network", "create", self.state.bridge, *_network(_free_subnet()))
        if PROJECT not in self._names("projects"):
            self("project", "create", PROJECT, "-c", "features.images=false", "-c", "features.profiles=false")
        devices = {
            "root": {"type": "disk", "path": "/", "pool": POOL},
            "eth0": {"type": "nic", "name": "eth0", "network": self.state.bridge},
        }
        # Written only where it differs: Incus tells of every instance that has the profile as updated, and a run may be listening.
        if self.ask("/1.0/profiles/default")["devices"] != devices:
            self("profile", "edit", "default", stdin=json.dumps({"devices": devices}).encode())

    def _names(self, collection: str) -> set[str]:
        return {str(path).rsplit("/", 1)[-1] for path in self.ask(f"/1.0/{collection}") or ()}

    def gateway(self) -> ipaddress.IPv4Interface:
        """The bridge's own address with its prefix."""
        return ipaddress.IPv4Interface(self.ask(f"/1.0/networks/{self.state.bridge}")["config"]["ipv4.address"])


def _incusd() -> str:
    for path in ("/usr/libexec/incus/incusd", "/usr/lib/incus/incusd", shutil.which("incusd")):
        if path and Path(path).exists():
            return path
    raise HarnessError("incusd is not installed", advice="lab/install installs what the lab needs")


def _network(address: ipaddress.IPv4Interface) -> list[str]:
    """No address translation, no forwarding, no rule in the firewall; names of the forge's host and of nothing else."""
    names = f"no-resolv\naddress=/{FORGE_HOST}/{address.ip}\n"
    return [
        f"ipv4.address={address}",
        "ipv4.nat=false",
        "ipv4.firewall=false",
        "ipv4.routing=false",
        "ipv6.address=none",
        "ipv6.firewall=false",
        "dns.domain=lab.cleanroom.test",
        f"raw.dnsmasq={names}",
    ]


def _free_subnet() -> ipaddress.IPv4Interface:
    """A private /24 that overlaps no route of this machine."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "table", "all"))
    taken = [ipaddress.IPv4Network(route["dst"], strict=False) for route in routes if route["dst"] not in {"default", "0.0.0.0/0"}]
    for candidate in ipaddress.IPv4Network("10.77.0.0/16").subnets(new_prefix=24):
        if not any(candidate.overlaps(network) for network in taken):
            return ipaddress.IPv4Interface(f"{candidate[1]}/24")
    raise HarnessError("no free private network for the lab: every part of 10.77.0.0/16 has a route")
