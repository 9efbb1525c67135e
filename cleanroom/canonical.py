"""The canonical host: the cc-ci that runs today, looked at over SSH.

Knows: how to reach it with the pinned host key, and what zero drift means: the flake's system runs, whole and unaltered, and /etc is its own.
Refuses: to run anything on it but probes, and to trust its Nix database without reading the store that it describes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cleanroom import activation, closure, declared
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.ledger import Event
from cleanroom.machine import Machine
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.ssh import KeyPair, Ssh

#: Paths of one look: an argument list over SSH is one word, of at most 128 KiB.
_AT_ONCE = 250
#: What NixOS keeps beside a file that it copies into /etc: its mode and whose it is.
_BESIDE_COPIES = (".mode", ".uid", ".gid")


def connect(site: Site, record: Callable[..., Event]) -> Machine:
    """The canonical host as the site file says it is reached; raises `BadInput` if it does not say."""
    settings = site.canonical
    if settings is None:
        raise BadInput("the site file does not say how to look at the canonical host", where=str(site.path), advice="[canonical]")
    try:
        key = KeyPair.load(settings.private_key.read_bytes(), str(settings.private_key))
    except OSError as problem:
        raise BadInput(f"cannot read canonical.private_key: {problem.strerror}", where=str(settings.private_key)) from None
    ssh = Ssh(settings.address, user=settings.user, key=key, host_key=settings.host_key, record=record)
    return Machine(site.incus.canonical_host or "canonical host", ssh, record)


def check_no_drift(host: Machine, built: Machine, base: Repository, attribute: str) -> None:
    """`host` runs the system that the flake gives, with the closure that `built` has built, in a store and an /etc that are as they should be."""
    expected, running = activation.toplevel(built, base, attribute), host.current_system()
    if running != expected:
        advice = "somebody changed it by hand, or it was not rebuilt since: nixos-rebuild switch"
        raise CheckFailed(f"the canonical host runs {expected}", seen=running, where=host.where, advice=advice)
    closure.check_equal(closure.of(built, expected), closure.of(host, running), where=host.where)
    closure.check_unaltered(host, running)
    check_etc(host, running)


def check_etc(host: Machine, system: str, *, etc: str = "/etc") -> None:
    """Each file that the system has for /etc is there, as it is in the system: the same file, or (what NixOS copies for its mode) the same bytes.

    One link, /run/current-system, is soon turned by hand; what runs reads its configuration in /etc.
    """
    listed = host.probe("find", f"{system}/etc/", "-not", "-type", "d", "-printf", "%P\\n").text.splitlines()
    names = [name for name in listed if not name.endswith(_BESIDE_COPIES)]
    if not names:
        raise HarnessError("the system has nothing for /etc, so nothing was compared", where=host.where)
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        here, wanted = _files(host, etc, some), _files(host, f"{system}/etc", some)
        others = [name for name in some if name in wanted and here.get(name) != wanted[name]]
        paths = [f"{folder}/{name}" for folder in (etc, f"{system}/etc") for name in others]
        bytes_of = declared.digests(host, paths) if paths else {}
        for name in others:
            seen = bytes_of.get(f"{etc}/{name}")
            if seen is None or seen != bytes_of.get(f"{system}/etc/{name}"):
                told = f"it is {host.probe('readlink', '-f', '--', f'{etc}/{name}', ok=(0, 1)).text or 'not there'}"
                raise CheckFailed(f"{etc}/{name} is the system's", seen=told, where=host.where, advice="nixos-rebuild switch; and who changed it?")


def _files(host: Machine, folder: str, names: Sequence[str]) -> dict[str, str]:
    """Device and inode behind each name in a folder; names that lead nowhere are left out."""
    prefix = f"{folder}/"
    lines = host.probe("stat", "--dereference", "--format=%d:%i %n", "--", *(prefix + name for name in names), ok=(0, 1)).text.splitlines()
    return {name.removeprefix(prefix): identity for identity, _, name in (line.partition(" ") for line in lines)}
