"""Incus, as much of it as a clean room needs.

Knows: how to make, start, restart, look at and delete the one throwaway, each with a deadline of its own, and what the server can do.
Refuses: through the guard, everything else; and to call a deletion done before the instance is seen to be gone.

pylxd carries the requests (REST API of Incus 6.0); operations are started without waiting and polled here, because pylxd's own wait has no deadline.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import pylxd.exceptions

from cleanroom.errors import BadInput, HarnessError, NotOurs, OutOfReach, OutOfTime
from cleanroom.guard import Guard
from cleanroom.incus.creation import creation
from cleanroom.incus.door import open_door, speaking_of
from cleanroom.tables.machines import Incus
from cleanroom.wait import Deadline, Waiting, wait_until

#: For a machine that was asked for while nobody answered: how long it must have been missed before it counts as never made.
_SETTLING_SECONDS = 5.0
_GONE = 404


@dataclass(frozen=True)
class Server:
    """What the server says of itself."""

    version: str
    drivers: frozenset[str]
    clock: datetime.datetime

    @property
    def makes_virtual_machines(self) -> bool:
        return "qemu" in self.drivers


@dataclass(frozen=True)
class Instance:
    """What the hypervisor knows of one instance; `config` is its own configuration, volatile keys included."""

    name: str
    type: str
    status: str
    created_at: datetime.datetime
    config: Mapping[str, str]
    expanded: Mapping[str, str] = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        return self.config.get("volatile.uuid", "")

    @property
    def image(self) -> str:
        """Fingerprint of the image it was made from."""
        return self.config.get("volatile.base_image", "")

    @property
    def is_running(self) -> bool:
        return self.status in {"Running", "Ready"}


class Hypervisor:
    """One project on one server, behind the guard. `Hypervisor.connect` is the way in."""

    def __init__(self, client: Any, guard: Guard, settings: Incus, record: Callable[..., object]) -> None:  # noqa: ANN401 - pylxd is untyped
        self.client = client
        self.guard = guard
        self.settings = settings
        self._record = record
        #: One change at a time: Incus gives up a restart during which an instance's configuration is written, as a heartbeat does.
        self._changing = threading.RLock()
        #: Machines that were asked for, and nobody knows whether the server heard it.
        self._unsettled: set[str] = set()

    @staticmethod
    def connect(settings: Incus, *, record: Callable[..., object], say: Callable[[str], object] = lambda _line: None) -> Hypervisor:
        """Reach the server and check that it is Incus and that the project exists.

        `record(kind, **fields)` receives every change made, and every time that the server did not answer; a person hears of the latter by `say`.
        Raises `BadInput` for unusable paths, `OutOfReach` if nothing answers or trusts us.
        """
        guard = Guard(settings.project, memory=settings.memory)
        hypervisor = Hypervisor(open_door(settings, guard, record=record, say=say), guard, settings, record)
        guard.is_running = hypervisor.runs
        hypervisor._check_server()
        return hypervisor

    def _check_server(self) -> None:
        environment = self.client.host_info.get("environment", {})
        if self.client.host_info.get("auth") != "trusted":
            advice = "add the client certificate to the server's trust store, restricted to the project"
            raise OutOfReach("the hypervisor does not trust us", where=self.settings.endpoint, advice=advice)
        if environment.get("server") != "incus":
            raise BadInput(f"expected an Incus server, found {environment.get('server', 'none')}", where=self.settings.endpoint)
        with self.asking("project"):
            self.client.api.projects[self.settings.project].get()

    def look(self, path: str, **params: str) -> Any:  # noqa: ANN401 - JSON data
        """The answer to one read, by its path below `/1.0`: of the project, unless `all-projects` is asked for.

        Raises `OutOfReach` if nothing answers, and `HarnessError` with the server's words if it does not let us see.
        """
        scope = {} if "all-projects" in params else {"project": self.settings.project}
        with self.asking(path):
            answer = self.client.api.session.get(f"{self.client.api._api_endpoint}/{path}", params={**scope, **params})  # noqa: SLF001 - pylxd adds the project always
            self.client.api._assert_response(answer)  # noqa: SLF001
        return answer.json()["metadata"]

    def server(self) -> Server:
        """Version, drivers and clock of the server, asked now."""
        with self.asking("server"):
            response = self.client.api.get()
        environment = response.json()["metadata"]["environment"]
        drivers = frozenset(part.strip() for part in environment["driver"].split("|"))
        clock = response.headers.get("Date")
        if not clock:
            raise HarnessError("the hypervisor does not say what time it is", where=self.settings.endpoint)
        return Server(version=environment["server_version"], drivers=drivers, clock=parsedate_to_datetime(clock))

    def instance_type(self) -> str:
        """The declared type, or `container` where the site allows it and the server cannot make virtual machines; raises `BadInput` otherwise."""
        if self.settings.type == "container" or self.server().makes_virtual_machines:
            return self.settings.type
        if self.settings.fall_back_to_container:
            return "container"
        advice = "give it /dev/kvm and vhost_vsock, or set incus.fall_back_to_container (never ACCEPTANCE)"
        raise BadInput("this server cannot make virtual machines", where=self.settings.endpoint, advice=advice)

    def image_fingerprint(self) -> str:
        """Fingerprint behind the declared image alias (or the alias itself if it is one); raises `BadInput` if the server has no such image."""
        image = self.settings.image
        try:
            with speaking_of(self.settings.endpoint):
                answer = self.client.api.images.aliases[image].get()
                return str(answer.json()["metadata"]["target"])
        except pylxd.exceptions.NotFound:
            pass
        try:
            with speaking_of(self.settings.endpoint):
                return str(self.client.api.images[image].get().json()["metadata"]["fingerprint"])
        except pylxd.exceptions.NotFound:
            raise BadInput(f"there is no image {image} in project {self.settings.project}", where=self.settings.endpoint) from None

    def image_size(self, fingerprint: str) -> int | None:
        """How many bytes an image has; None if the server has it no more."""
        try:
            with speaking_of(self.settings.endpoint):
                return int(self.client.api.images[fingerprint].get().json()["metadata"]["size"])
        except pylxd.exceptions.NotFound:
            return None

    def instances(self) -> list[Instance]:
        """Every instance of the project."""
        with self.asking("instances"):
            answer = self.client.api.instances.get(params={"recursion": "1"})
        return [_instance(data) for data in answer.json()["metadata"]]

    def instance(self, name: str) -> Instance | None:
        """One instance, or None if the server says that there is none."""
        try:
            with speaking_of(self.settings.endpoint):
                return _instance(self.client.api.instances[name].get().json()["metadata"])
        except pylxd.exceptions.NotFound:
            return None

    def runs(self, name: str) -> bool:
        """Whether an instance does anything but stand still; one that is not there does not run."""
        instance = self.instance(name)
        return instance is not None and instance.status != "Stopped"

    def address(self, name: str) -> str | None:
        """The instance's first global IPv4 address (IPv6 if it has no other), or None while it has none."""
        with self.asking(f"state of {name}"):
            state = self.client.api.instances[name].state.get().json()["metadata"]
        found: dict[str, list[str]] = {"inet": [], "inet6": []}
        for device, network in (state.get("network") or {}).items():
            if device != "lo" and not device.startswith(("docker", "veth", "br-")):
                for address in network["addresses"]:
                    if address["scope"] == "global":
                        found[address["family"]].append(address["address"])
        return next(iter(found["inet"] + found["inet6"]), None)

    def answers_inside(self, name: str) -> bool:
        """Whether files can be read and written in it: always in a running container, in a virtual machine once its agent runs."""
        with self.asking(f"state of {name}"):
            return int(self.client.api.instances[name].state.get().json()["metadata"]["processes"]) > 0

    def create(self, name: str, *, kind: str, config: Mapping[str, str]) -> None:
        """Ask for the throwaway and wait until it exists and runs. The guard must allow `name`; from this moment on it is the run's own."""
        profiles = {} if self.settings.root_size is None else {profile: self._profile(profile) for profile in self.settings.profiles}
        body = creation(self.settings, name, kind=kind, fingerprint=self.image_fingerprint(), config=config, profiles=profiles)
        self._check_absent(name)
        self.guard.creatable.add(name)
        self.guard.owned.add(name)  # before the request: whatever becomes of it, clean-up may delete what this run asked for
        # A virtual machine's agent may report it ready, which is told as well.
        told = json.dumps(body["config"], sort_keys=True).encode()
        given = {"keys": sorted(body["config"]), "bytes": len(told), "sha256": hashlib.sha256(told).hexdigest()}
        expecting = self._expecting(name, "create", "instance-created", "instance-started", allows=["instance-ready"], **given)
        with expecting, self._unless_lost(name):
            self._operate(
                lambda api: api.instances.post(json=body),
                what=f"{name} to be created",
                within=self.settings.create_within,
                done=lambda: (found := self.instance(name)) is not None and found.is_running,
            )

    def _profile(self, name: str) -> Mapping[str, Any]:
        with self.asking(f"profile {name}"):
            return dict(self.client.api.profiles[name].get().json()["metadata"])

    def _check_absent(self, name: str) -> None:
        if self.instance(name) is not None:
            raise HarnessError(
                f"an instance {name} exists already", where=f"project {self.settings.project}", advice="cleanroom sweep lists what dead runs left"
            )

    def restart(self, name: str, *, within: float) -> None:
        """Reboot the machine as its owner would: an orderly shutdown, then a start."""
        body = {"action": "restart", "timeout": int(within), "force": False}
        # Now and then Incus sees the machine go down before it sees it come back, and tells of that, too.
        with self._expecting(name, "restart", "instance-restarted", allows=["instance-shutdown", "instance-ready"]):
            self._operate(lambda api: api.instances[name].state.put(json=body), what=f"{name} to restart", within=within)

    def stop(self, name: str, *, within: float) -> None:
        """An orderly shutdown, waited for."""
        body = {"action": "stop", "timeout": int(within), "force": False}
        with self._expecting(name, "stop", "instance-shutdown", allows=["instance-stopped"]):
            self._operate(lambda api: api.instances[name].state.put(json=body), what=f"{name} to shut down", within=within)

    def start(self, name: str, *, within: float) -> None:
        """Start a machine that stands still."""
        body = {"action": "start", "timeout": int(within), "force": False}
        with self._expecting(name, "start", "instance-started", allows=["instance-ready"]):
            self._operate(lambda api: api.instances[name].state.put(json=body), what=f"{name} to start", within=within)

    def set_memory(self, name: str, memory: int) -> None:
        """What the machine may take from its next start on; the guard refuses while it runs."""
        with self._expecting(name, "set memory", "instance-updated", memory=memory), self.asking(f"configuration of {name}"):
            self.client.api.instances[name].patch(json={"config": {"limits.memory": str(memory)}})

    def read_file(self, name: str, path: str) -> bytes:
        """A file inside the instance; raises `HarnessError` if it cannot be read."""
        with self._expecting(name, "read", f"instance-file-retrieved {path}"), self.asking(f"file {path} in {name}"):
            return bytes(self.client.api.instances[name].files.get(params={"path": path}, is_api=False).content)

    def push_file(self, name: str, path: str, content: bytes, *, mode: int, kind: str = "file") -> None:
        """Put one file (or, with `kind` "directory", one folder) owned by root into the instance; recorded as a delivery."""
        # Both spellings: Incus 6.0 reads either, LXD-era headers went away later.
        headers = {f"X-{brand}-{key}": value for brand in ("Incus", "LXD") for key, value in _file_headers(mode, kind).items()}
        events = [f"instance-file-pushed {path}"] if kind == "file" else []  # Incus tells of files, not of folders
        digest = hashlib.sha256(content).hexdigest()
        with self._expecting(name, "push", *events, path=path, bytes=len(content), sha256=digest), self.asking(f"file {path} in {name}"):
            self.client.api.instances[name].files.post(params={"path": path}, data=content, headers=headers)

    def set_config(self, name: str, config: Mapping[str, str]) -> None:
        """Change `user.*` keys of our own instance; PATCH, because pylxd's save() writes back stale volatile keys."""
        with self._expecting(name, "mark", "instance-updated"), self.asking(f"configuration of {name}"):
            self.client.api.instances[name].patch(json={"config": dict(config)})

    def delete(self, name: str, *, within: float | None = None) -> None:
        """Stop by force, delete, and see that it is gone. Not found is success; a refusal is retried until the deadline, then raised."""
        limit = within or self.settings.delete_within
        deadline = Deadline(limit)
        absent: list[Deadline] = []

        def gone() -> bool | Waiting:
            try:
                instance = self.instance(name)
                if instance is None:
                    return name not in self._unsettled or self._stays_away(name, absent)
                absent.clear()
                if instance.status != "Stopped":
                    body = {"action": "stop", "force": True, "timeout": -1}
                    with self._expecting(name, "stop", "instance-stopped"):
                        self._operate(lambda api: api.instances[name].state.put(json=body), what=f"{name} to stop", within=deadline.left + 1)
                with self._expecting(name, "delete", "instance-deleted"):
                    self._operate(lambda api: api.instances[name].delete(), what=f"{name} to be deleted", within=deadline.left + 1)
            except HarnessError as problem:
                return Waiting(problem.problem)
            return Waiting("deleted, not yet seen to be gone")

        wait_until(
            gone, what=f"instance {name} to be gone", within=limit, where=self.settings.endpoint, advice="cleanroom sweep --yes removes it later"
        )
        self.guard.owned.discard(name)
        self.guard.creatable.discard(name)
        self._unsettled.discard(name)

    @contextmanager
    def _unless_lost(self, name: str) -> Iterator[None]:
        """A creation whose outcome becomes known; otherwise `delete` has to reckon with a machine that comes later."""
        self._unsettled.add(name)
        try:
            yield
        except (OutOfReach, OutOfTime):
            raise
        except NotOurs:  # it was never asked for: what may come to bear the name is somebody's
            self.guard.owned.discard(name)
            self._unsettled.discard(name)
            raise
        except HarnessError:
            self._unsettled.discard(name)
            raise
        self._unsettled.discard(name)

    def _stays_away(self, name: str, absent: list[Deadline]) -> bool | Waiting:
        """Whether a machine whose creation may still be under way has been missed for long enough, and no operation is about it."""
        with self.asking("operations"):
            operations = self.client.api.operations.get(params={"recursion": "1"}).json()["metadata"] or {}
        running = (*operations.get("running", ()), *operations.get("pending", ()))
        named = re.compile(rf"/instances/{re.escape(name)}(?![^/?\"])")
        if any(named.search(json.dumps(operation.get("resources"))) for operation in running):
            absent.clear()
            return Waiting("an operation on it still runs")
        if not absent:
            absent.append(Deadline(_SETTLING_SECONDS))
        return True if absent[0].passed else Waiting("it was asked for, and may still come")

    def _operate(self, request: Callable[[Any], Any], *, what: str, within: float, done: Callable[[], bool] = lambda: False) -> None:
        """Start an operation and wait for its end. Incus forgets one 5 s after it; then `done` looks whether what it was to do is done."""
        with self.asking(what):
            answer = request(self.client.api).json()
        identity = str(answer.get("operation", "")).rsplit("/", 1)[-1]
        if not identity:
            return

        def finished() -> bool | Waiting:
            with speaking_of(self.settings.endpoint):
                try:
                    operation = self.client.api.operations[identity].get().json()["metadata"]
                except pylxd.exceptions.NotFound:
                    if done():
                        return True
                    advice = "was its daemon restarted, or the network away for a while?"
                    raise OutOfReach(f"the hypervisor has forgotten that it waits for {what}", where=self.settings.endpoint, advice=advice) from None
            if operation["status"] == "Success":
                return True
            if operation["status"] in {"Failure", "Cancelled"}:
                raise HarnessError(
                    f"Incus could not do it: waited for {what}; it says: {operation['err'] or operation['status']}", where=self.settings.endpoint
                )
            return Waiting(operation["status"])

        wait_until(finished, what=what, within=within, every=0.1, where=self.settings.endpoint)

    @contextmanager
    def _expecting(self, name: str, action: str, *events: str, **fields: object) -> Iterator[None]:
        """Record a change and the life-cycle events it must cause, before it is sent; take them back if it failed (or nobody knows)."""
        with self._changing:
            self._record("hypervisor", action=action, instance=name, expects=list(events), **fields)
            try:
                yield
            except (OutOfReach, OutOfTime):
                self._record(
                    "hypervisor", action=f"{action} not known to have happened", instance=name, withdraws=list(events), uncertain=list(events)
                )
                raise
            except BaseException:
                self._record("hypervisor", action=f"{action} failed", instance=name, withdraws=list(events))
                raise

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """NotFound becomes an error of ours, for questions whose subject must exist."""
        with speaking_of(self.settings.endpoint):
            try:
                yield
            except pylxd.exceptions.NotFound:
                raise HarnessError(f"the hypervisor knows no {what}", where=f"project {self.settings.project} at {self.settings.endpoint}") from None


def _file_headers(mode: int, kind: str) -> dict[str, str]:
    return {"mode": f"{mode:04o}", "uid": "0", "gid": "0", "type": kind}


def _instance(data: Mapping[str, Any]) -> Instance:
    return Instance(
        name=data["name"],
        type=data["type"],
        status=data["status"],
        created_at=datetime.datetime.fromisoformat(data["created_at"]),
        config=dict(data["config"]),
        expanded=dict(data.get("expanded_config") or {}),
    )
