"""The canonical host: the cc-ci that runs today, looked at over SSH.

Knows: how to reach it with the pinned host key, and what zero drift means: the flake's system runs, whole and unaltered.
Refuses: to run anything on it but probes, and to trust its Nix database without reading the store that it describes.
"""

from __future__ import annotations

from collections.abc import Callable

from cleanroom import activation, closure
from cleanroom.errors import BadInput, CheckFailed
from cleanroom.ledger import Event
from cleanroom.machine import Machine
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.ssh import KeyPair, Ssh

_VERIFY_SECONDS = 900.0


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
    """`host` runs the system that the flake gives, its closure is the one that `built` has built, and its store holds what its database says."""
    expected, running = activation.toplevel(built, base, attribute), host.current_system()
    if running != expected:
        advice = "somebody changed it by hand, or it was not rebuilt since: nixos-rebuild switch"
        raise CheckFailed(f"the canonical host runs {expected}", seen=running, where=host.where, advice=advice)
    closure.check_equal(closure.of(built, expected), closure.of(host, running), where=host.where)
    verified = host.probe("nix", "store", "verify", "--recursive", "--no-trust", running, ok=(0, 1), within=_VERIFY_SECONDS)
    if not verified.ok:
        told = [line for line in verified.stderr.decode(errors="replace").splitlines() if not line.startswith("checking ")]
        seen, advice = told[0] if told else verified.complaint, "nix store repair; and who changed it?"
        raise CheckFailed("every store path holds what the database says", seen=seen, where=host.where, advice=advice)
