"""The guard in front of the hypervisor: every HTTP request passes it before it is sent.

Knows: the one project, the one throwaway and its memory, and which instances this run made.
Refuses: any other project; every change to an instance that this run did not make or prove to be a dead run's; a machine without our mark, with more
memory than was declared, or beyond the number that was asked for; and memory set on a machine that runs.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests

from cleanroom import mark
from cleanroom.errors import NotOurs
from cleanroom.quantities import show_size, size

_READING = {"GET", "HEAD", "OPTIONS"}
#: The only reads outside a project: who the server is, and what it can do.
_SERVER_PATHS = re.compile(r"/1\.0(/resources|/projects/[^/]+(/state)?|/operations/[^/]+)?")


#: Configuration keys that change what a machine may take.
_MEMORY = re.compile(r"limits\.memory(\..*)?")
_INSTANCE = re.compile(r"/1\.0/instances/([^/]+)(/[^/]+)?")


@dataclass(frozen=True, order=True)
class Sent:
    """What one request was about: its scope is a project, or `all projects`; `keys` are the configuration keys that it sets."""

    verb: str
    path: str
    scope: str
    keys: tuple[str, ...]


class Guard:
    """What may be asked of the hypervisor.

    `creatable`, `owned` and `resizable` hold instance names; only the hypervisor module adds to them. `memory` is what a machine may be made with,
    `most` how many may stand at once, and `is_running` asks the hypervisor (a read) whether an instance runs.
    """

    def __init__(self, project: str, *, memory: int = 0, is_running: Callable[[str], bool] = lambda _name: True) -> None:
        self.project = project
        self.memory = memory
        self.most = 1
        self.is_running = is_running
        self.creatable: set[str] = set()
        self.owned: set[str] = set()
        #: Of others' machines, those that the site lets us resize and that somebody asked us to: stop, memory, start, and nothing else.
        self.resizable: set[str] = set()

    def check(self, method: str, url: str, *, params: dict[str, Any], body: Any) -> None:  # noqa: ANN401 - JSON data
        """Return if the request may be sent; raise `NotOurs` if not."""
        parts = urlsplit(url)
        path = unquote(parts.path) or "/"
        if any(part in {".", ".."} for part in path.split("/")):
            raise NotOurs(f"refused to send {method} {path}: a path that leads elsewhere than it says", where="cleanroom/guard.py")
        projects = {str(value) for value in (*parse_qs(parts.query).get("project", ()), params.get("project", self.project))}
        if projects != {self.project}:
            raise NotOurs(
                f"refused to send {method} {path}: project {' and '.join(sorted(projects))}, not {self.project}", where="cleanroom/guard.py"
            )
        if "all-projects" in parse_qs(parts.query) or "all-projects" in params:
            if method not in _READING:
                raise NotOurs(f"refused to send {method} {path} to all projects", where="cleanroom/guard.py")
            return
        if method in _READING or (method == "DELETE" and re.fullmatch(r"/1\.0/operations/[^/]+", path)):
            self._check_scope(method, path, params)
        else:
            self._check_change(method, path, body)

    def _check_scope(self, method: str, path: str, params: dict[str, Any]) -> None:
        named = re.match(r"/1\.0/projects/([^/]+)", path)
        if named and named[1] != self.project:
            raise NotOurs(f"refused to send {method} {path}: project {named[1]}, not {self.project}", where="cleanroom/guard.py")
        if "project" not in params and not _SERVER_PATHS.fullmatch(path):
            raise NotOurs(f"refused to send {method} {path} without a project", where="cleanroom/guard.py")

    def _check_change(self, method: str, path: str, body: Any) -> None:  # noqa: ANN401 - JSON data
        data = body if isinstance(body, dict) else {}
        creates = path == "/1.0/instances" and method == "POST"
        match = _INSTANCE.match(path)
        name, allowed = (str(data.get("name")), self.creatable) if creates else (match[1] if match else "", self.owned)
        if data.get("project", self.project) != self.project:
            raise NotOurs(f"refused to send {method} {path}: it would move {name} to project {data['project']}", where="cleanroom/guard.py")
        if name not in allowed and not (name in self.resizable and _only_resizes(method, match, data)):
            what = f"instance {name}" if name else path
            raise NotOurs(f"refused to send {method} {path}: this run did not make {what}", where="cleanroom/guard.py")
        if creates:
            self._check_creation(name, data)
        else:
            self._check_config(method, path, name, data)

    def _check_creation(self, name: str, body: dict[str, Any]) -> None:
        config = body.get("config") or {}
        others = self.owned - {name}
        source = body.get("source") or {}
        if not mark.is_whole(config):
            reason = "it would not carry our whole mark, and nobody could tell whose it is"
        elif source.get("type") == "copy" and source.get("source") not in self.owned:
            reason = f"it would copy {source.get('source')}, which this run did not make"
        elif (given := _bytes(config.get("limits.memory"))) is None or given > self.memory:
            reason = f"its memory would be {show_size(given) if given else 'without a limit'}, and {show_size(self.memory)} are declared"
        elif len(others) >= self.most:
            reason = f"{', '.join(sorted(others))} stands already, and {self.most} may"
        else:
            return
        raise NotOurs(f"refused to make instance {name}: {reason}", where="cleanroom/guard.py")

    def _check_config(self, method: str, path: str, name: str, body: dict[str, Any]) -> None:
        """A change of the instance itself: its mark stays whole, its memory is set while it stands still and is no more than was declared."""
        match = _INSTANCE.fullmatch(path)
        if match is None or match[2] is not None or method not in {"PUT", "PATCH"}:
            return
        config = dict(body.get("config") or {})
        replaces = method == "PUT" and "restore" not in body
        if name in self.owned and (replaces or config.keys() & {mark.SUITE, mark.RUN, mark.HOST}) and not mark.is_whole(config):
            raise NotOurs(f"refused to send {method} {path}: {name} would lose our mark", where="cleanroom/guard.py")
        if replaces or any(_MEMORY.fullmatch(str(key)) for key in config):
            given = _bytes(config.get("limits.memory"))
            if name in self.owned and (given is None or given > self.memory):
                raise NotOurs(f"refused to send {method} {path}: {show_size(self.memory)} are declared for {name}", where="cleanroom/guard.py")
            if self.is_running(name):
                raise NotOurs(f"refused to set memory on {name}: it runs", where="cleanroom/guard.py", advice="stop, set, start")


def _only_resizes(method: str, match: re.Match[str] | None, body: dict[str, Any]) -> bool:
    """Whether a change is one of the three that a resize takes: memory and nothing else, a stop or a start without force."""
    if match is None:
        return False
    if match[2] == "/state":
        return method == "PUT" and body.get("action") in {"stop", "start"} and not body.get("force")
    return match[2] is None and method == "PATCH" and body.keys() == {"config"} and body["config"].keys() == {"limits.memory"}


def _bytes(limit: object) -> int | None:
    """A limit as Incus writes it; None if it is none, or not to be read as a number of bytes."""
    try:
        return int(str(limit)) if str(limit).isdigit() else size(str(limit))
    except ValueError:
        return None


class GuardedSession(requests.Session):
    """A requests session that asks the guard first, ignores proxies and trust stores of the environment, and bounds every request.

    REQUESTS_CA_BUNDLE and its like override `verify` in plain requests: pinning would silently be somebody else's choice. `sent` counts
    what went to the wire: it is written where the request leaves, not where it is asked for.
    """

    def __init__(self, inner: requests.Session, guard: Guard, *, timeout: float) -> None:
        super().__init__()
        self.adapters = inner.adapters
        self.cert, self.verify = inner.cert, inner.verify
        self.trust_env = False
        self.guard = guard
        self.sent: Counter[Sent] = Counter()
        self._seconds = timeout

    def request(self, method: str | bytes, url: str | bytes, *arguments: Any, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        verb, target = str(method).upper(), str(url)
        self.guard.check(verb, target, params=dict(options.get("params") or {}), body=options.get("json"))
        if options.get("timeout") is None:
            options["timeout"] = self._seconds
        # What a redirect leads to was shown to no guard.
        return super().request(verb, target, *arguments, **{**options, "allow_redirects": False})

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        parts = urlsplit(str(request.url))
        query = parse_qs(parts.query)
        scope = "all projects" if "all-projects" in query else ", ".join(query.get("project", ()))
        self.sent[Sent(str(request.method), unquote(parts.path), scope, _configured(request))] += 1
        return super().send(request, **options)


def _configured(request: requests.PreparedRequest) -> tuple[str, ...]:
    """The configuration keys that a change of an instance names."""
    if request.method not in {"PUT", "PATCH"} or not request.body:
        return ()
    try:
        body = json.loads(request.body)
    except ValueError:
        return ()
    return tuple(sorted(body.get("config") or ())) if isinstance(body, dict) else ()
