"""What the small HTTP services share: secrets from files, answers in one line, an end on SIGTERM."""

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def secret(name):
    return Path("/run/secrets", name).read_bytes().strip()


class Handler(BaseHTTPRequestHandler):
    """Routes are methods named by verb and path: `get_healthz`, `post_hook`; the root is `get_`."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, text, **headers):
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _route(self, verb):
        name = self.path.partition("?")[0].strip("/").replace("/", "_")
        route = getattr(self, f"{verb}_{name}", None)
        if route is None:
            self.answer(404, "no such page\n")
        else:
            route()

    def do_GET(self):
        self._route("get")

    def do_POST(self):
        self._route("post")

    def get_healthz(self):
        self.answer(200, "ok\n")

    def log_message(self, format, *arguments):
        print(self.command, self.path, *arguments[1:2], flush=True)


def serve(handler):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", 8080), handler).serve_forever()
