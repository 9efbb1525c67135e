"""Whether a host can be reached at all, told in bounded time.

Knows: that a resolver may hang for longer than anybody waits, and that it cannot be asked to hurry.
Refuses: to ask more of a host than that it takes a connection.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from cleanroom.checkup.points import Finding, good, note
from cleanroom.errors import OutOfReach

_RESOLVE_SECONDS = 4.0
_CONNECT_SECONDS = 4.0
_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418, "git+ssh": 22}


def resolve(host: str) -> list[str]:
    """Addresses of a name; raises `OutOfReach` if there are none, or the resolver does not say so in time."""
    answer: list[list[str] | OSError] = []

    def ask() -> None:
        try:
            answer.append(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)}))
        except OSError as problem:
            answer.append(problem)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_RESOLVE_SECONDS)
    match answer:
        case []:
            raise OutOfReach(f"the resolver says nothing of {host} within {_RESOLVE_SECONDS:.0f} s", where=host, advice="is there a network?")
        case [OSError() as problem]:
            raise OutOfReach(f"cannot resolve {host}: {problem.strerror}", where=host, advice="is there a network? is the name right?")
        case [list() as addresses, *_]:
            return addresses
        case _:
            raise AssertionError(answer)


def reach(host: str, port: int) -> str:
    """Connect once and hang up; the address that took it. Raises `OutOfReach`."""
    address = resolve(host)[0]
    try:
        socket.create_connection((address, port), timeout=_CONNECT_SECONDS).close()
    except OSError as problem:
        said = problem.strerror or f"no answer within {_CONNECT_SECONDS:.0f} s"
        advice = "is it up, and is this machine on its network?"
        raise OutOfReach(f"cannot connect to {address} port {port}: {said}", where=f"{host}:{port}", advice=advice) from None
    return address


def place_of(url: str) -> tuple[str, int] | None:
    """Host and port behind a repository's URL; None for one on this machine. `git@host:path` is SSH's short form."""
    if "://" not in url:
        host, colon, _ = url.partition(":")
        return (host.rpartition("@")[2], 22) if colon else None
    parts = urlsplit(url)
    return (parts.hostname, parts.port or _PORTS.get(parts.scheme, 443)) if parts.hostname else None


def names(hosts: Sequence[str]) -> Iterator[Finding]:
    """What DNS says of the public names: only told, for the suite goes by the machine's own address."""
    found: dict[str, Finding] = {}

    def ask(host: str) -> None:
        try:
            found[host] = note(f"DNS of {host}", ", ".join(resolve(host)))
        except OutOfReach as problem:
            found[host] = note(f"DNS of {host}", problem.problem, advice="the suite does not need it; visitors do")

    threads = [threading.Thread(target=ask, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_RESOLVE_SECONDS + 1)
    yield from (found[host] for host in hosts if host in found)


def reached(point: str, host: str, port: int, *, at: str | None = None) -> Finding:
    """A finding of `reach`; raises like it. `at` is an address that the site file gives in DNS' place."""
    return good(point, f"{host} takes connections at {reach(at or host, port)} port {port}")
