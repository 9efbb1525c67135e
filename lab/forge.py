"""The lab's forge: git over HTTPS, base for everybody, secrets for holders of the bot's token.

Knows: git's smart HTTP protocol as far as handing it to `git http-backend` (RFC 3875), and HTTP basic authentication (RFC 7617).
Refuses: pushes, every other address than the bridge's, an anonymous look at the private repository, and to log a credential.

Runs as a process of its own: `python -m lab.forge ADDRESS`, with the lab's state folder named by CLEANROOM_LAB.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import os
import re
import socket
import ssl
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from cleanroom.errors import HarnessError
from cleanroom.wait import Waiting, wait_until
from lab import ca
from lab.names import BOT, SECRETS, TOKEN
from lab.processes import Service
from lab.state import HERE, State
from lab.tools import environment

PORT = 443
_ROUTE = re.compile(r"/([A-Za-z0-9_-]+/([A-Za-z0-9_-]+?))(?:\.git)?(/(?:info/refs|git-upload-pack))")


def service(state: State) -> Service:
    return Service("forge", state.folder / "forge.pid", state.logs / "forge.log")


def start(state: State, address: str) -> None:
    """Start the forge on the bridge's address unless it runs, and wait until it listens."""
    process = service(state)
    if process.pid() is None:
        env = environment(CLEANROOM_LAB=str(state.folder))
        process.start([sys.executable, "-m", "lab.forge", address], env=env, cwd=HERE.parent)

    def listening() -> bool | Waiting:
        if process.pid() is None:
            raise HarnessError(f"the forge ended: {process.last_words()}", where=str(process.log))
        try:
            socket.create_connection((address, PORT), timeout=1).close()
        except OSError as problem:
            return Waiting(str(problem))
        return True

    wait_until(listening, what="the forge to listen", within=15.0, every=0.05, where=f"{address}:{PORT}")


class Handler(BaseHTTPRequestHandler):
    """One request. `root`, `token` and the rest of what it knows come with the server."""

    protocol_version = "HTTP/1.1"
    server: Forge

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        route = _ROUTE.fullmatch(unquote(parts.path))
        if route is None or "git-receive-pack" in parts.query:
            self._answer(403 if "git-receive-pack" in self.path else 404, b"no such repository, or nothing that may be done with it\n")
            return
        repository, name, action = route.groups()
        if name == SECRETS and not self._is_allowed():
            self._answer(401, b"this repository is private\n", {"WWW-Authenticate": 'Basic realm="cleanroom lab forge"'})
            return
        self._answer(*self._backend(f"/{repository}.git{action}", parts.query, body))

    def _is_allowed(self) -> bool:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(encoded, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and user == BOT.encode() and hmac.compare_digest(password, self.server.token)

    def _backend(self, path: str, query: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        env = environment(
            GIT_PROJECT_ROOT=str(self.server.root),
            GIT_HTTP_EXPORT_ALL="1",
            GIT_CONFIG_NOSYSTEM="1",
            GIT_CONFIG_GLOBAL="/dev/null",
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""),
            PATH_INFO=path,
            QUERY_STRING=query,
            REQUEST_METHOD=self.command,
            CONTENT_TYPE=self.headers.get("Content-Type", ""),
            CONTENT_LENGTH=str(len(body)),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
        )
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, check=False, env=env)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200" if done.returncode == 0 else "500").split()[0])
        return status, content, headers

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)


class Forge(ThreadingHTTPServer):
    """The listening side: TLS is spoken in each connection's own thread, so that a silent stranger blocks nobody."""

    daemon_threads = True

    def __init__(self, address: str, port: int, state: State) -> None:
        self.root = state.repositories
        self.token = (state.keys / TOKEN).read_bytes().strip()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(state.certificates / f"{ca.FORGE}.pem", state.keys / f"{ca.FORGE}-key.pem")
        super().__init__((address, port), Handler)

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Shake hands, then handle; a stranger who cannot is dropped."""
        if not isinstance(request, socket.socket):
            return
        request.settimeout(30)
        with contextlib.suppress(OSError), self._tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)


def main() -> int:
    """Serve until SIGTERM."""
    with Forge(sys.argv[1], PORT, State.locate()) as forge:
        forge.serve_forever()
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    raise SystemExit(main())
