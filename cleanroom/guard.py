"""The guard in front of the hypervisor: every HTTP request passes it before it is sent.

Knows: the one project, the one throwaway, and which instances this run made.
Refuses: any other project, and every change to an instance that this run did not make or prove to be a dead run's.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests

from cleanroom.errors import NotOurs

_READING = {"GET", "HEAD", "OPTIONS"}
#: The only reads outside a project: who the server is, and what it can do.
_SERVER_PATHS = re.compile(r"/1\.0(/resources|/projects/[^/]+(/state)?|/operations/[^/]+)?")


class Guard:
    """What may be asked of the hypervisor. `creatable` and `owned` hold instance names; only the hypervisor module adds to them."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.creatable: set[str] = set()
        self.owned: set[str] = set()

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
        if path == "/1.0/instances" and method == "POST":
            name, allowed = str((body or {}).get("name")), self.creatable
        else:
            match = re.match(r"/1\.0/instances/([^/]+)", path)
            name, allowed = (match[1] if match else ""), self.owned
        if isinstance(body, dict) and body.get("project", self.project) != self.project:
            raise NotOurs(f"refused to send {method} {path}: it would move {name} to project {body['project']}", where="cleanroom/guard.py")
        if name not in allowed:
            what = f"instance {name}" if name else path
            raise NotOurs(f"refused to send {method} {path}: this run did not make {what}", where="cleanroom/guard.py")


class GuardedSession(requests.Session):
    """A requests session that asks the guard first, ignores proxies and trust stores of the environment, and bounds every request.

    REQUESTS_CA_BUNDLE and its like override `verify` in plain requests: pinning would silently be somebody else's choice.
    """

    def __init__(self, inner: requests.Session, guard: Guard, *, timeout: float) -> None:
        super().__init__()
        self.adapters = inner.adapters
        self.cert, self.verify = inner.cert, inner.verify
        self.trust_env = False
        self.guard = guard
        self._seconds = timeout

    def request(self, method: str | bytes, url: str | bytes, *arguments: Any, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        verb, target = str(method).upper(), str(url)
        self.guard.check(verb, target, params=dict(options.get("params") or {}), body=options.get("json"))
        if options.get("timeout") is None:
            options["timeout"] = self._seconds
        return super().request(verb, target, *arguments, **options)
