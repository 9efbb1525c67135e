"""A piece of wire between the suite and the lab's door: it can go dead, it can be pulled out, and it can be put back.

Knows: bytes, and nothing of what they mean.
Refuses: nothing: it is there to fail.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_ABRUPT = struct.pack("ii", 1, 0)


class Link:
    """Relays connections to `endpoint` (https://HOST:PORT); `endpoint` of the link itself is where the suite is sent."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._beyond = (str(parts.hostname), int(parts.port or 8443))
        self._passes = threading.Event()
        self._passes.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._refuses = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def go_dead(self) -> None:
        """Nothing passes and nobody is told: what a network does whose packets get lost."""
        self._passes.clear()

    def pull_out(self) -> None:
        """Every connection breaks, and new ones do, too."""
        self._refuses = True
        for end in self._ends:
            _break(end)
        self._ends.clear()

    def restore(self) -> None:
        self._refuses = False
        self._passes.set()

    def close(self) -> None:
        self.pull_out()
        self._passes.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        self._passes.wait()
        if self._refuses:
            _break(near)
            return
        with contextlib.suppress(OSError):
            far = socket.create_connection(self._beyond)
            self._ends += [near, far]
            threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
            self._pump(near, far)

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                self._passes.wait()
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _break(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPT)
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def link(endpoint: str) -> Iterator[Link]:
    wire = Link(endpoint)
    try:
        yield wire
    finally:
        wire.close()
