"""Between the suite and the hypervisor: passes everything on, until one request has been answered and the answer is held back.

Knows: HTTP over the daemon's Unix socket, one thread a direction; a request's first line is at the beginning of what a client writes.
Refuses: to change a byte.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

_CHUNK = 1 << 16


class Relay:
    """Listens at `here`, passes on to `there`. When the answer to the `nth` request that `pattern` matches comes, `hit` is called first."""

    def __init__(self, here: Path, there: Path, *, pattern: str, nth: int, hit: Callable[[], None]) -> None:
        self._there = there
        self._pattern = re.compile(pattern.encode())
        self._left = nth
        self._hit = hit
        self._lock = threading.Lock()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(here))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            try:
                server.connect(str(self._there))
            except OSError:
                return
            meant = threading.Event()
            other_way = threading.Thread(target=self._pump, args=(client, server, lambda data: self._look(data, meant)), daemon=True)
            other_way.start()
            self._pump(server, client, lambda _data: self._strike(meant))
            other_way.join()  # both are shut down by now, so it ends

    def _look(self, data: bytes, meant: threading.Event) -> None:
        """Whether this is the request whose answer is to be held back."""
        if self._pattern.match(data):
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    meant.set()

    def _strike(self, meant: threading.Event) -> None:
        if meant.is_set():
            meant.clear()
            self._hit()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, before: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                before(data)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
