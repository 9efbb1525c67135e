"""The operator's only way out: an OpenSSH ProxyCommand that reaches one address and says from which port.

Knows: how to join its standard streams to a TCP connection, and to append `PORT` of each connection to a log, so that C4.10 can account for
it, and to keep in a file beside that, `LOG.PID`, how many bytes went to the machine: `PORT BYTES`.
Refuses: every address but the throwaway's. Runs as a program of its own, on the standard library alone: it is started for each `ssh` of a guide.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys

_CHUNK = 1 << 16


def relay(host: str, port: int, allowed: str, log: str) -> int:
    """Copy both directions until both have ended; returns the exit status."""
    if host != allowed:
        sys.stderr.write(f"cleanroom: the guide may reach {allowed}, not {host}\n")
        return 1
    try:
        link = socket.create_connection((host, port), timeout=10)
    except OSError as problem:
        sys.stderr.write(f"cleanroom: cannot connect to {host} port {port}: {problem.strerror or problem}\n")
        return 1
    link.settimeout(None)
    port = link.getsockname()[1]
    with open(log, "a", encoding="ascii") as ports:  # noqa: PTH123 - pathlib would double the start-up time
        ports.write(f"{port}\n")
    sent = 0
    tally = os.open(f"{log}.{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
    with selectors.DefaultSelector() as waiting:
        waiting.register(0, selectors.EVENT_READ, "out")
        waiting.register(link, selectors.EVENT_READ, "in")
        while True:
            for key, _ in waiting.select():
                if key.data == "in":
                    data = link.recv(_CHUNK)
                    if not data:
                        return 0
                    _write_all(data)
                else:
                    data = os.read(0, _CHUNK)
                    sent += len(data)
                    os.pwrite(tally, f"{port} {sent}\n".encode(), 0)  # before they go: ssh ends us without a word
                    if data:
                        link.sendall(data)
                    else:
                        link.shutdown(socket.SHUT_WR)
                        waiting.unregister(0)


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    raise SystemExit(relay(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
