"""Nix closures: which store paths a system consists of, and each one's NAR hash and references.

Knows: every JSON shape of `nix path-info --json` from Nix 2.8 to 2.35 (list; object by path; versioned object with base names).
Refuses: a closure with an invalid path, without a hash, or empty - and to compare what it could not read.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.machine import Machine

_CLOSURE_SECONDS = 300.0
_VERIFY_SECONDS = 900.0


@dataclass(frozen=True)
class StorePath:
    """One path of a closure: NAR hash (SRI) and size in bytes, references as full store paths."""

    path: str
    nar_hash: str
    nar_size: int
    references: frozenset[str]


Closure = Mapping[str, StorePath]


def parse(text: str, *, where: str) -> Closure:
    """The closure that `nix path-info --json -r` printed; raises `HarnessError` if it is not whole."""
    try:
        data = json.loads(text)
        closure = {path.path: path for path in _paths(data, where)}
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise HarnessError(f"cannot read what Nix tells of a closure: {type(problem).__name__} {problem}", where=where) from None
    if not closure:
        raise HarnessError("the closure is empty", where=where)
    missing = sorted(reference for path in closure.values() for reference in path.references if reference not in closure)
    if missing:
        raise HarnessError(f"the closure is not closed: {missing[0]} is referred to, not listed", where=where)
    return closure


def of(machine: Machine, system: str) -> Closure:
    """The closure of `system` as the machine's Nix database has it."""
    return parse(machine.probe("nix", "path-info", "--json", "--recursive", system, within=_CLOSURE_SECONDS).text, where=machine.where)


def record_system(machine: Machine, record: Callable[..., object]) -> None:
    """Record the system that runs, as evidence names it: its path, its NAR hash in hex, and its closure's digest.

    The digest is the SHA-256 of the closure's lines `PATH NARHASH`, sorted by path.
    """
    system = machine.current_system()
    paths = of(machine, system)
    lines = "".join(f"{path} {paths[path].nar_hash}\n" for path in sorted(paths))
    nar_hash = paths[system].nar_hash
    closure = {"paths": len(paths), "sha256": hashlib.sha256(lines.encode()).hexdigest()}
    hexadecimal = base64.b64decode(nar_hash.removeprefix("sha256-")).hex()
    record("toplevel", machine=machine.name, path=system, nar_hash=nar_hash, sha256=hexadecimal, closure=closure)


def check_equal(expected: Closure, seen: Closure, *, where: str) -> None:
    """Raise `CheckFailed` naming the first path by which two closures differ."""
    for path in sorted(expected.keys() | seen.keys()):
        one, other = expected.get(path), seen.get(path)
        if one != other:
            raise CheckFailed(f"{path}: {_describe(one, other)}", seen=_describe(other, one), where=where)


def check_unaltered(machine: Machine, system: str) -> None:
    """The store holds what the machine's Nix database says of a system's closure: a path's name tells what was built, not what lies there."""
    verified = machine.probe("nix", "store", "verify", "--recursive", "--no-trust", system, ok=(0, 1), within=_VERIFY_SECONDS)
    if not verified.ok:
        told = [line for line in verified.stderr.decode(errors="replace").splitlines() if not line.startswith("checking ")]
        seen, advice = told[0] if told else verified.complaint, "nix store repair; and who changed it?"
        raise CheckFailed("every store path holds what the database says", seen=seen, where=machine.where, advice=advice)


def check_same_system(one: Machine, other: Machine) -> None:
    """Two machines run the same system: same path, same closure, hash for hash, and what lies there is it."""
    systems = one.current_system(), other.current_system()
    if systems[0] != systems[1]:
        raise CheckFailed(f"{other.where} runs {systems[0]}", seen=systems[1], where=other.where)
    check_equal(of(one, systems[0]), of(other, systems[1]), where=other.where)
    for machine in (one, other):
        check_unaltered(machine, systems[0])


def _describe(path: StorePath | None, other: StorePath | None) -> str:
    """One side of a difference; a reference that only this side has is named."""
    if path is None:
        return "not in the closure"
    own = sorted(path.references - (other.references if other else frozenset()))
    return f"NAR hash {path.nar_hash}, {path.nar_size} bytes, {len(path.references)} references" + (f", {own[0]} among them" if own and other else "")


def _paths(data: Any, where: str) -> Iterator[StorePath]:  # noqa: ANN401 - JSON data
    if isinstance(data, list):
        rows = [(str(item["path"]), item if item.get("valid", True) else None) for item in data]
        prefix = ""
    elif isinstance(data.get("info"), dict) and "storeDir" in data:
        rows, prefix = list(data["info"].items()), f"{data['storeDir']}/"
    else:
        rows, prefix = list(data.items()), ""
    for name, info in rows:
        if info is None:
            raise HarnessError(f"{name} is no valid store path", where=where)
        references = frozenset(reference if reference.startswith("/") else prefix + reference for reference in info["references"])
        full = name if name.startswith("/") else prefix + name
        yield StorePath(full, _sri(info["narHash"]), int(info["narSize"]), references)


def _sri(value: str) -> str:
    if not value.startswith("sha256-"):
        raise ValueError(f"a NAR hash that is not in SRI form: {value[:20]}")
    return value
