"""What was brought to the machine from the operator's side: its files before and after each command of the guide that runs there.

Knows: every file that such a command made or changed, its bytes and its digest, and what was pushed through the hypervisor.
Refuses: to call a delivery complete that was not watched; what it does not look at is named in the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cleanroom import declared, repository
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.guide import Command, Guide
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine
from cleanroom.sighting import machine_files
from cleanroom.sighting.machine_files import File
from cleanroom.site import Site
from cleanroom.tables.git import Credential

#: Where the machine writes of its own accord while a command runs.
_OWN = {
    "/dev": "devices",
    "/run": "what runs now (new folders there are looked at, and the site's own paths)",
    "/var/log": "the machine's own records",
    "/var/lib/systemd": "systemd's own records",
    "/var/lib/lastlog": "log-ins, which C4 accounts for",
}
#: What of that is memory: people put there what is to be forgotten.
_MEMORY = ("/run", "/dev/shm")  # noqa: S108 - to be looked at
#: What a log-in makes in memory, and what we do.
_OURS_IN_MEMORY = ("/run/user", "/run/sudo", "/run/lock", "/run/cleanroom-")
#: What Incus itself brings to the agent in a virtual machine.
_OF_THE_AGENT = {"agent:config", "cloud-init:config"}
#: Where files come and go on a machine with nobody at it.
_PASSING = (
    "/run/",
    "/dev/shm/",  # noqa: S108 - where they are, not where we write
    "/tmp/",  # noqa: S108
    "/var/tmp/",  # noqa: S108
    "/var/cache/",
    "/var/spool/",
    "/var/lib/dhcp",
    "/var/lib/NetworkManager/",
    "/var/lib/chrony/",
    "/root/.cache/",
)


class Deliveries:
    """Watches the commands of one guide on one machine. `around` is the follower's observer.

    `paths` are looked at wherever they lie; of `folders` the state before the first command is told in the ledger too, as a digest. `blank` are the
    files of the blank machine: what there is beyond them when the guide begins came by no command of the guide.
    """

    def __init__(
        self, machine: Machine, paths: Sequence[str], folders: Iterable[str], record: Callable[..., object], *, blank: frozenset[str] | None = None
    ) -> None:
        self._machine = machine
        self._blank = blank
        self._paths = paths
        self._folders = tuple(folders)
        self._record = record
        #: All files before the first command: nothing had been delivered then. None until there was one.
        self.before: Mapping[str, File] | None = None

    @contextmanager
    def around(self, command: Command) -> Iterator[None]:
        """While `command` runs: what it brings is in the ledger afterwards, an event a file."""
        before = self._look(command) if command.place == "operator" or self.before is None else {}
        if self.before is None:
            self.before = before
            folders = {folder: machine_files.digest(machine_files.below(before, folder)) for folder in self._folders}
            new = sorted(set(before) - (self._blank or set()))
            appeared = None if self._blank is None else [path for path in new if self._is_site_s(path) or not path.startswith(_PASSING)]
            self._record("files-before", machine=self._machine.name, files=len(before), folders=folders, appeared=appeared)
        yield
        if command.place == "operator":
            after = self._look(command)
            changed = sorted(path for path in after if after[path] != before.get(path) and not self._is_its_own(path, before))
            digests = declared.digests(self._machine, changed) if changed else {}
            for path in changed:
                self._record("delivered", by=command.where, number=command.number, path=path, bytes=after[path].size, sha256=digests.get(path))
            self._record("delivery-watched", number=command.number, by=command.where, files=len(after), delivered=len(changed))

    def _is_its_own(self, path: str, before: Mapping[str, File]) -> bool:
        """Whether `path` lies in memory where the machine, or who is logged in, had files before: there they come and go by themselves."""
        if not path.startswith("/run/") or self._is_site_s(path):
            return False
        top = "/".join(path.split("/")[:3])
        return top.startswith(_OURS_IN_MEMORY) or any(each == top or each.startswith(f"{top}/") for each in before)

    def _is_site_s(self, path: str) -> bool:
        return any(path == each or path.startswith(f"{each}/") for each in self._paths)

    def _look(self, command: Command) -> dict[str, File]:
        files, without = look(self._machine, self._paths)
        self._record("inventory-of-files", around=command.number, files=len(files), bytes=sum(each.size for each in files.values()), without=without)
        return files


def look(machine: Machine, paths: Sequence[str]) -> tuple[dict[str, File], dict[str, str]]:
    """Every file of the machine but where it writes of its own accord, `paths` wherever they lie; and what was left out, with the reasons."""
    without = {**machine_files.not_files(machine), **_OWN}
    files = machine_files.inventory(machine, ("/",), without)
    files |= machine_files.inventory(machine, _MEMORY, machine_files.not_files(machine))
    for path in (path for path in paths if any(path.startswith(f"{place}/") for place in without)):
        if machine.exists(path):
            files |= machine_files.inventory(machine, (path,), {})
    return files, without


def disks(hypervisor: Hypervisor, name: str) -> list[str]:
    """A machine's disks, those of its profiles too, but for its own root and what Incus itself brings."""
    devices = hypervisor.look(f"instances/{name}").get("expanded_devices") or {}
    brought = {
        name: device
        for name, device in devices.items()
        if device.get("type") == "disk" and device.get("path") != "/" and device.get("source") not in _OF_THE_AGENT
    }
    return [f"{name} ({device.get('source')} at {device.get('path')})" for name, device in sorted(brought.items())]


def check_nothing_appeared(ledger: Ledger, machine: Machine) -> None:
    """From the first look at the blank machine to the guide's first command no file appeared but where a machine puts such things itself."""
    event = next((event for event in ledger.of("files-before") if event["machine"] == machine.name), None)
    if event is None or event["appeared"] is None:
        raise HarnessError("cannot tell what appeared before the guide's first command: nobody looked twice", where=machine.where)
    if event["appeared"]:
        seen = f"{len(event['appeared'])} appeared: {', '.join(event['appeared'][:5])}"
        raise CheckFailed("nobody brings a file to the machine before the guide does", seen=seen, where=machine.where)


def check_watched(ledger: Ledger, guide: Guide) -> None:
    """Each command that the guide runs on the operator's side was watched; raises `HarnessError` if one was not."""
    watched = {event["number"] for event in ledger.of("delivery-watched")}
    missed = [command for command in guide.commands if command.place == "operator" and command.number not in watched]
    if missed:
        raise HarnessError(f"cannot tell what {missed[0]} delivered: nobody looked", where=missed[0].where)


def check_handed(site: Site) -> None:
    """Each secret variable of the guide fetches the private repository: any other would be a second secret that is not in git.

    Raises `CheckFailed`, or `HarnessError` where the forge cannot be asked.
    """
    credential = site.secrets.credential
    for name, source in site.guide.secrets.items():
        value = source.load(f"guide variable {name}").reveal().strip()
        if value == _known(credential):
            continue
        if credential.token is None:
            raise HarnessError(f"cannot tell what the guide's ${name} is for: it is not the deploy key", where=str(site.path))
        asked = Credential(user=credential.user, token=source)
        if repository.refusal(site.secrets.url, forge=site.forge, credential=asked) is not None:
            expected, seen = "the guide is handed no secret but what fetches the private repository", f"${name}, with which the forge lets nobody in"
            raise CheckFailed(expected, seen=seen, where=str(site.path), advice="put it into git, encrypted, and declare it")


def _known(credential: Credential) -> bytes:
    if credential.token is not None:
        return credential.token.load("token of the private repository").reveal().strip()
    assert credential.deploy_key is not None  # noqa: S101 - one of both
    return credential.deploy_key.read_bytes().strip()


def check_only_key(ledger: Ledger, guide: Guide, *, key_file: Path, key_path: str) -> None:
    """What was delivered is one file, the bootstrap key, byte for byte."""
    check_watched(ledger, guide)
    delivered = {event["path"]: event for event in ledger.of("delivered")}
    if set(delivered) != {key_path}:
        seen = ", ".join(f"{path} ({event['bytes']} bytes, by {event['by']})" for path, event in sorted(delivered.items())) or "nothing"
        raise CheckFailed(f"exactly one file is delivered before the rebuild: {key_path}", seen=seen, where=guide.file)
    try:
        key = key_file.read_bytes()
    except OSError as problem:
        raise BadInput(f"cannot read the bootstrap key: {problem.strerror}", where=str(key_file)) from None
    event = delivered[key_path]
    if (event["bytes"], event["sha256"]) != (len(key), hashlib.sha256(key).hexdigest()):
        seen = f"{event['bytes']} bytes, SHA-256 {str(event['sha256'])[:16]}..."
        raise CheckFailed("what is delivered is the bootstrap key, byte for byte", seen=seen, where=event["by"])
