"""A flake's inputs: what `flake.nix` declares, and what `flake.lock` has made of it.

Knows: that Nix takes an input's lock for its own only while the lock's `original` is what the flake declares - otherwise it locks anew by itself, in
memory, and tells nobody who does not read its warnings - and that Nix wants inputs written out, so that they can be read without an evaluation.
Refuses: an input that is no git repository, and to follow one into the flake of another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from cleanroom import nix_text
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.repository import Repository

#: What of a git reference decides which commit is meant.
_MEANING = ("url", "ref", "rev", "type")


class Locked(NamedTuple):
    """A git input as the lock has it."""

    revision: str
    url: str


def locked(base: Repository, name: str) -> Locked:
    """The revision and place that the lock gives the root's input `name`; raises `CheckFailed` if it locks no git repository under that name."""
    try:
        lock = json.loads(base.read("flake.lock"))
        node = lock["nodes"][_follow(lock, lock["nodes"][lock["root"]]["inputs"][name])]["locked"]
        found = Locked(str(node["rev"]), str(node["url"]))
        trouble = "" if node["type"] == "git" else f"the lock is of type {node['type']}: {found.url}"
    except (BadInput, ValueError, KeyError, TypeError) as problem:
        trouble = problem.problem if isinstance(problem, BadInput) else f"the lock has no such thing: {type(problem).__name__} {problem}"
    if trouble:
        expected = f"base consumes secrets as flake input `{name}`, locked to a revision of a git repository"
        raise CheckFailed(expected, seen=trouble, where=_at(base, "flake.lock"), advice="secrets.consumed_as and secrets.input in the site file")
    return found


def check_declared(base: Repository, name: str) -> None:
    """The lock's entry for the input `name` is one that Nix will use: it was made from what `flake.nix` declares."""
    lock = json.loads(base.read("flake.lock"))
    label = lock["nodes"][lock["root"]]["inputs"][name]
    declared = nix_text.bindings(base.read("flake.nix").decode(errors="surrogateescape"), "inputs")
    while isinstance(label, list):
        follows = nix_text.literal(declared.get(("inputs", name, "follows"), ""))
        if follows != "/".join(label):
            expected = f"flake.nix declares that input `{name}` follows {'/'.join(label)}, as the lock has it"
            raise CheckFailed(expected, seen=follows or "it does not", where=_at(base, "flake.nix"))
        if len(label) > 1:
            raise HarnessError(f"cannot tell what input `{name}` is: it follows one of another flake", where=_at(base, "flake.nix"))
        name, label = label[0], lock["nodes"][lock["root"]]["inputs"][label[0]]
    original = lock["nodes"][label].get("original", {})
    wanted = {key: str(original[key]) for key in _MEANING if key in original}
    seen = _declared(declared, name)
    if seen != wanted:
        expected = f"flake.nix declares input `{name}` as the lock has it: {_told(wanted)}"
        advice = "nix flake lock, and commit it: until then Nix makes a lock of its own at each rebuild"
        raise CheckFailed(expected, seen=_told(seen), where=_at(base, "flake.nix"), advice=advice)


def _follow(lock: Mapping[str, Any], label: str | list[str]) -> str:
    """The node that an input means: a label, or a path of inputs from the root (`follows`)."""
    if isinstance(label, str):
        return label
    node = str(lock["root"])
    for step in label:
        node = _follow(lock, lock["nodes"][node]["inputs"][step])
    return node


def _declared(declared: Mapping[tuple[str, ...], str], name: str) -> dict[str, str]:
    """What `flake.nix` says of an input, in the terms of a lock's `original`; empty if it says nothing that is written out."""
    said = {key: nix_text.literal(declared.get(("inputs", name, key), "")) for key in _MEANING}
    url, _, query = (said["url"] or "").partition("?")
    found = {key: value for key in _MEANING if (value := said[key]) is not None}
    if said["type"] == "git" or url.startswith("git+"):
        found |= {key: value for key, value in parse_qsl(query) if key in _MEANING} | {"url": url.removeprefix("git+"), "type": "git"}
    return found


def _told(reference: Mapping[str, str]) -> str:
    return " ".join(value if key == "url" else f"{key}={value}" for key, value in reference.items()) or "nothing that is written out"


def _at(base: Repository, path: str) -> str:
    return f"{base.url} at {base.commit[:12]}: {path}"
