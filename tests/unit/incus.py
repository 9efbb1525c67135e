"""A small server that answers like Incus 6.0, over a unix socket or TLS with client certificates.

Knows: instances, operations, files and life-cycle events, as far as the clean room uses them; keeps every request it got.
Refuses: nothing but what a test tells it to - it is there to be asked wrongly, too.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cleanroom.tables.machines import Incus as Settings
from tests.unit.authority import Authority, Issued, tls_server

IMAGE = "f" * 64
GIB = 2**30
NETWORK = {
    "lo": {"addresses": [{"family": "inet", "scope": "local", "address": "127.0.0.1"}]},
    "eth0": {
        "addresses": [
            {"family": "inet6", "scope": "global", "address": "fd00::2"},
            {"family": "inet", "scope": "global", "address": "10.0.0.2"},
            {"family": "inet6", "scope": "link", "address": "fe80::2"},
        ]
    },
}
LISTS: dict[str, list[dict[str, Any]]] = {
    "images": [{"fingerprint": IMAGE}],
    "profiles": [{"name": "default", "devices": {"root": {"type": "disk", "path": "/", "pool": "pool"}}}],
    "networks": [{"name": "bridge", "managed": True}, {"name": "lo", "managed": False}],
    "networks/bridge/leases": [{"hostname": "neighbour", "hwaddr": "10:66:6a:00:00:01"}],
    "storage-pools": [{"name": "pool"}],
    "storage-pools/pool/volumes": [{"type": "container", "name": "neighbour"}, {"type": "image", "name": IMAGE}],
    "warnings": [],
}


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class Incus:
    """The server's state; change it as a test needs it."""

    environment: dict[str, Any] = field(default_factory=lambda: {"server": "incus", "server_version": "6.0.4", "driver": "lxc | qemu"})
    auth: str = "trusted"
    projects: set[str] = field(default_factory=lambda: {"ours"})
    aliases: dict[str, str] = field(default_factory=lambda: {"base": IMAGE})
    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    network: dict[str, Any] | None = field(default_factory=lambda: dict(NETWORK))
    #: What a virtual machine without an agent says is -1.
    processes: int = 12
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Bytes that the hypervisor has.
    memory: int = 16 * GIB
    #: What is answered to a list that nothing else here knows, by its path.
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: json.loads(json.dumps(LISTS)))
    #: Paths that are refused, as a certificate that is restricted to a project would be.
    denied: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    #: How the next operations end: an error text each, or None; Success when there are none left.
    failures: list[str | None] = field(default_factory=list)
    #: Operations never end.
    stuck: bool = False
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: What the list of operations says of those that run.
    running: list[dict[str, Any]] = field(default_factory=list)
    #: How many of the next questions, and of the next commands, get no answer: the line is cut instead. A command is done nonetheless.
    unanswered: int = 0
    lost: int = 0
    listeners: list[socket.socket] = field(default_factory=list)
    endpoint: str = ""
    #: Who is said to have asked for what is told.
    username: str = "root"

    def instance(self, name: str, **config: str) -> dict[str, Any]:
        """Make an instance exist."""
        self.instances[name] = {
            "name": name,
            "type": "virtual-machine",
            "status": "Running",
            "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
            "config": {"volatile.uuid": f"uuid-{name}", "volatile.base_image": IMAGE, **config},
        }
        return self.instances[name]

    def settings(self, **changes: Any) -> Settings:
        """What a site file says of this server."""
        limits = {"create_within": "5s", "delete_within": "5s"}
        return Settings(**{"endpoint": self.endpoint, "project": "ours", "throwaway": "throwaway", "image": "base", **limits, **changes})

    def changes(self) -> list[tuple[str, str]]:
        """Method and path of every request that was more than a look."""
        return [(asked.method, asked.path) for asked in self.asked if asked.method != "GET"]

    def tell(self, action: str, name: str, *, project: str = "ours", **context: str) -> None:
        """Send a life-cycle event to everybody who listens."""
        source = f"/1.0/instances/{name}?project={project}"
        metadata = {"action": action, "source": source, "context": context or None, "requestor": {"username": self.username, "address": ""}}
        payload = json.dumps({"type": "lifecycle", "project": project, "metadata": metadata}).encode()
        head = bytes([0x81, len(payload)]) if len(payload) < 126 else bytes([0x81, 126]) + len(payload).to_bytes(2, "big")
        for listener in self.listeners:
            listener.sendall(head + payload)

    def hang_up(self) -> None:
        """Break every connection on which events are told."""
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Status and JSON for one request."""
        return self._listed(asked) or self._known(asked)

    def _listed(self, asked: Asked) -> tuple[int, Any] | None:
        """What needs no more than the state's own lists, or is refused; None for everything else."""
        path = asked.path.removeprefix("/1.0/")
        if path in self.denied:
            return _error(500, "Certificate is restricted")
        if asked.method == "GET" and path == "resources":
            return _sync({"memory": {"total": self.memory}})
        return _sync(self.lists[path]) if asked.method == "GET" and path in self.lists else None

    def _known(self, asked: Asked) -> tuple[int, Any]:
        match (asked.method, asked.path.strip("/").split("/")[1:]):
            case ("GET", []):
                return _sync({"api_extensions": ["projects"], "auth": self.auth, "environment": self.environment})
            case ("GET", ["projects", name]):
                return _sync({"name": name}) if name in self.projects else _error(404, "Project not found")
            case ("GET", ["images", *names]):
                return self._image(*names)
            case ("GET", ["profiles", name]):
                return _sync(self.profiles[name]) if name in self.profiles else _error(404, "Profile not found")
            case ("GET", ["operations", *names]):
                return self._operation(*names)
            case ("GET", ["instances"]):
                return _sync([self._whole(data) if asked.query.get("recursion") == "2" else data for data in self.instances.values()])
            case ("POST", ["instances"]):
                return self._operate(lambda: self._create(asked.body))
            case (_, ["instances", name, *_]) if name not in self.instances:
                return _error(404, "Instance not found")
            case (method, ["instances", name, *rest]):
                return self._about(method, name, rest, asked)
            case _:
                return _error(404, "not found")

    def _operation(self, name: str | None = None) -> tuple[int, Any]:
        if name is None:
            return _sync({"running": self.running} if self.running else {})
        if name not in self.operations:
            return _error(404, "Operation not found")
        return _sync({"status": "Running", "err": ""} if self.stuck else self.operations[name])

    def _whole(self, data: dict[str, Any]) -> dict[str, Any]:
        """An instance as recursion 2 tells it: with what its profiles add, and with its state."""
        runs = data["status"] != "Stopped"
        state = {"pid": 4711 if runs else 0, "memory": {"usage": GIB if runs else 0, "total": 4 * GIB}}
        more = {"project": "ours", "expanded_config": data["config"], "expanded_devices": {}, "profiles": ["default"], "last_used_at": "then"}
        return {**more, **data, "state": state}

    def _image(self, *names: str) -> tuple[int, Any]:
        match names:
            case ["aliases", name]:
                return _sync({"target": self.aliases[name]}) if name in self.aliases else _error(404, "Image alias not found")
            case [name] if IMAGE.startswith(name):
                return _sync({"fingerprint": IMAGE})
            case _:
                return _error(404, "Image not found")

    def _about(self, method: str, name: str, rest: list[str], asked: Asked) -> tuple[int, Any]:
        match (method, rest):
            case ("GET", []):
                return _sync(self.instances[name])
            case ("GET", ["state"]):
                return _sync({"network": self.network, "processes": self.processes})
            case ("PUT", ["state"]):
                return self._operate(lambda: self._act(name, asked.body))
            case ("PATCH", []):
                self.instances[name]["config"].update(asked.body["config"])
                self.tell("instance-updated", name)
                return _sync({})
            case ("DELETE", []):
                return self._operate(lambda: self._delete(name))
            case ("POST", ["files"]):
                self.files[asked.query["path"]] = asked.body
                if asked.headers.get("x-incus-type") != "directory":
                    self.tell("instance-file-pushed", name, path=asked.query["path"])
                return _sync({})
            case _:
                return _error(404, "not found")

    def _create(self, body: Any) -> None:
        self.instance(body["name"], **body["config"])["type"] = body["type"]
        self.tell("instance-created", body["name"])
        self.tell("instance-started", body["name"])

    def _act(self, name: str, body: Any) -> None:
        action = body["action"]
        self.instances[name]["status"] = "Stopped" if action == "stop" else "Running"
        stopped = "instance-stopped" if body.get("force") else "instance-shutdown"
        self.tell({"stop": stopped, "restart": "instance-restarted", "start": "instance-started"}[action], name)

    def _delete(self, name: str) -> None:
        del self.instances[name]
        self.tell("instance-deleted", name)

    def _operate(self, act: Any) -> tuple[int, Any]:
        """Begin an operation; it does what it should unless it is to fail."""
        identity = f"operation-{len(self.operations)}"
        failure = self.failures.pop(0) if self.failures else None
        if failure is None and not self.stuck:
            act()
        self.operations[identity] = {"status": "Failure" if failure else "Success", "err": failure or ""}
        return 202, {"type": "async", "status_code": 100, "operation": f"/1.0/operations/{identity}", "metadata": {}}


def _sync(metadata: Any) -> tuple[int, Any]:
    return 200, {"type": "sync", "status": "Success", "status_code": 200, "metadata": metadata}


def _error(code: int, text: str) -> tuple[int, Any]:
    return code, {"type": "error", "error": text, "error_code": code, "metadata": None}


class _Handler(BaseHTTPRequestHandler):
    """HTTP around an `Incus`."""

    protocol_version = "HTTP/1.1"
    incus: Incus

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw and "json" in self.headers.get("Content-Type", "") else raw
        asked = Asked(self.command, parts.path, query, body, {key.lower(): value for key, value in self.headers.items()})
        self.incus.asked.append(asked)
        if self._is_cut(asked):
            self.close_connection = True
        elif parts.path == "/1.0/events":
            self._listen()
        elif self.command == "GET" and parts.path.endswith("/files"):
            self._send_file(query["path"])
        else:
            status, data = self.incus.answer(asked)
            self._send(status, json.dumps(data).encode(), "application/json")

    def _is_cut(self, asked: Asked) -> bool:
        """Whether the line breaks before the answer; a command is done nonetheless."""
        if asked.method == "GET":
            self.incus.unanswered -= (cut := self.incus.unanswered > 0)
        else:
            self.incus.lost -= (cut := self.incus.lost > 0)
            if cut:
                self.incus.answer(asked)
        return cut

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the standard library's names

    def _send_file(self, path: str) -> None:
        if path in self.incus.files:
            self.incus.tell("instance-file-retrieved", self.path.split("/")[3], path=path)
            self._send(200, self.incus.files[path], "application/octet-stream")
        else:
            self._send(404, json.dumps(_error(404, "file does not exist")[1]).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response_only(status)
        self.send_header("Date", format_datetime(datetime.datetime.now(datetime.UTC), usegmt=True))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _listen(self) -> None:
        """RFC 6455, the server's half: shake hands, then hold the line until the other side closes it."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response_only(101)
        for name, value in (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.incus.listeners.append(self.connection)
        while data := self.rfile.read1(1 << 16):
            if data[0] & 0x0F == 8:
                self.connection.sendall(bytes([0x88, 0]))
                break
        self.incus.listeners.remove(self.connection)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = super().get_request()
        return connection, ("a socket", 0)

    def handle_error(self, *_: object) -> None:
        return


@contextmanager
def on_socket(folder: Path) -> Iterator[Incus]:
    """Incus at a unix socket in `folder`."""
    incus = Incus()
    handler = type("Handler", (_Handler,), {"incus": incus})
    with _UnixServer(str(folder / "unix.socket"), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        incus.endpoint = "http+unix://" + str(folder / "unix.socket").replace("/", "%2F")
        try:
            yield incus
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def on_tls(authority: Authority, leaf: Issued) -> Iterator[Incus]:
    """Incus at loopback over TLS; whoever comes without a certificate of `authority` is sent away."""
    incus = Incus()
    handler = type("Handler", (_Handler,), {"incus": incus})
    with tls_server(handler, leaf, ("127.0.0.1", 0), clients=authority.bundle) as server:
        incus.endpoint = f"https://127.0.0.1:{server.server_address[1]}"
        yield incus
