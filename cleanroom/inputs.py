"""Everything that entered the throwaway, as a closed list: who brought it, which way, what it is, how many bytes, which digest.

Knows: the image, what it was configured with, our key, each command sent and typed, each file delivered, what Nix and Docker fetched - from the
ledger and, at the moment when the guide had ended, from the machine itself.
Refuses: bytes on a channel, a path in the store and a container image that no entry accounts for.

What it cannot see: an SFTP session through Incus (6.0 tells nobody of one), up to 8 KiB a connection of the guide's own (what SSH itself needs
hides them), and what a command of the guide fetches from the network past Nix and Docker. A secret variable's digest is not told: a short one could
be guessed from it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from cleanroom import nix_signature
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.guide import Guide
from cleanroom.installation import Follower, Installation
from cleanroom.ledger import Event, Ledger
from cleanroom.machine import Machine
from cleanroom.repository import Repository

_STORE_SECONDS = 300.0
#: What a connection of SSH needs for itself, at most: measured 3.6 KiB with OpenSSH 9.2.
_OF_SSH = 8 << 10
#: The sources of a flake, each input's too, by their places.
_SOURCES = """
let
  tree = name: node: [ { inherit name; path = node.outPath; hash = node.narHash or ""; revision = node.rev or ""; } ] ++ below name node;
  below = name: node: builtins.concatMap (input: tree "${name}/${input}" node.inputs.${input}) (builtins.attrNames (node.inputs or { }));
in
tree "base" (builtins.getFlake "%s")
"""


@dataclass(frozen=True)
class Input:
    """One entry. `bytes` and `sha256` are None where they cannot be known or must not be told; `what` says so."""

    by: str
    way: str
    what: str
    bytes: int | None
    sha256: str | None


def follow(follower: Follower, guide: Guide, base: Repository) -> Installation:
    """Follow the guide, and take stock of what came into the store and to Docker meanwhile: later there are trials."""
    before = _store(follower.machine)
    installation = follower.follow(guide)
    if installation.is_complete:
        try:
            follower.record("stock", machine=follower.machine.name, **_stock(follower.machine, base, before))
        except (HarnessError, ValueError, KeyError, TypeError) as problem:  # told by the scenario that asks for the list; others can be judged
            follower.record("stock", machine=follower.machine.name, trouble=f"{type(problem).__name__}: {problem}")
    return installation


def _store(machine: Machine) -> frozenset[str]:
    return frozenset(machine.probe("find", "/nix/store", "-mindepth", "1", "-maxdepth", "1", ok=(0, 1)).text.splitlines())


def _stock(machine: Machine, base: Repository, before: frozenset[str]) -> dict[str, object]:
    told = json.loads(machine.probe("nix", "path-info", "--all", "--json", within=_STORE_SECONDS).stdout)
    paths = {each["path"]: each for each in told} if isinstance(told, list) else told
    new = {path: facts for path, facts in paths.items() if facts and path not in before}
    sources = json.loads(
        machine.probe("nix", "eval", "--json", "--expr", _SOURCES % f"git+{base.url}?rev={base.commit}", within=_STORE_SECONDS).stdout
    )
    system = machine.current_system()
    derivation = machine.probe("nix", "path-info", "--derivation", system, within=_STORE_SECONDS).text
    made = set(machine.probe("nix-store", "--query", "--requisites", "--include-outputs", derivation, within=_STORE_SECONDS).text.split())
    beside = {path for path, facts in new.items() if path not in made and (facts.get("ultimate") or path.endswith(".drv"))}
    known = made | beside | {source["path"] for source in sources}
    keys = machine.probe("nix", "config", "show", "trusted-public-keys").text.split()
    fetched: dict[str, list[str]] = {}
    for path, facts in sorted(new.items()):
        for signer in nix_signature.signers(path, facts, keys):
            fetched.setdefault(signer, []).append(path)
    return {
        "paths": len(new),
        "for_the_system": len([path for path in new if path in made]),
        "built_beside": sorted(beside),
        "sources": [{**source, "bytes": (paths.get(source["path"]) or {}).get("narSize")} for source in sources],
        "caches": {key: _group({path: new[path] for path in each}) for key, each in fetched.items()},
        "unaccounted": sorted(path for path in new if path not in known and not any(path in each for each in fetched.values())),
        "images": _pulled(machine),
    }


def _group(paths: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    lines = "".join(f"{path} {facts.get('narHash')}\n" for path, facts in sorted(paths.items()))
    return {"count": len(paths), "bytes": sum(int(str(f.get("narSize") or 0)) for f in paths.values()), "sha256": _digest(lines.encode())}


def _pulled(machine: Machine) -> list[dict[str, str]]:
    """Container images that came from a registry: those with a digest of one."""
    if machine.swarm_state() == "no docker":
        return []
    rows = machine.probe("docker", "image", "ls", "--all", "--digests", "--no-trunc", "--format", "{{json .}}").text.splitlines()
    images = [json.loads(row) for row in rows if row.strip()]
    return [{"name": f"{i['Repository']}:{i['Tag']}", "digest": i["Digest"]} for i in images if i.get("Digest") not in {None, "", "<none>"}]


def listing(ledger: Ledger, machine: Machine, guide: Guide) -> tuple[Input, ...]:
    """Every entry, from the ledger alone; each is recorded there as an `input`. Raises `HarnessError` if a part of the record is missing."""
    parts = (_of_the_hypervisor, _of_the_suite, _of_the_guide, _of_nix_and_docker)
    found = tuple(entry for part in parts for entry in part(ledger, machine, guide))
    for entry in found:
        ledger.record("input", machine=machine.name, **asdict(entry))
    return found


def _of_the_hypervisor(ledger: Ledger, machine: Machine, _guide: Guide) -> Iterator[Input]:
    made = _one(ledger, "machine", machine, key="name")
    yield Input("the hypervisor", "image", "the image that it was made from", made.get("image_bytes"), made["image"])
    created = next((e for e in ledger.of("hypervisor") if e["instance"] == machine.name and e["action"] == "create"), None)
    if created is not None:
        yield Input("the suite", "configuration", ", ".join(created["keys"]), created["bytes"], created["sha256"])
    for event in ledger.of("hypervisor"):
        if event["instance"] == machine.name and event["action"] == "push":
            yield Input("the suite", "files API", event["path"], event["bytes"], event["sha256"])


def _of_the_suite(ledger: Ledger, machine: Machine, _guide: Guide) -> Iterator[Input]:
    """What our own channels carried, by purpose."""
    by_purpose: dict[str, list[Event]] = {}
    for event in _commands(ledger, machine):
        by_purpose.setdefault(event["purpose"], []).append(event)
    for purpose, events in by_purpose.items():
        lines = "".join(json.dumps(event["argv"]) + "\n" for event in events)
        what = f"{len(events)} commands ({purpose}), with what they read"
        yield Input("the suite", "SSH", what, sum(event.get("sent", 0) for event in events), _digest(lines.encode()))


def _of_the_guide(ledger: Ledger, machine: Machine, guide: Guide) -> Iterator[Input]:
    for event in ledger.of("guide-command"):
        text = event["command"].encode()
        yield Input(event["where"], f"typed at the {event['place']}'s side", f"command {event['number']}", len(text), _digest(text))
    for name, length in (_one(ledger, "guide-variables", machine)["secrets"]).items():
        yield Input(guide.file, "variable of the guide's shell", f"secret variable {name}, of which no digest is told", length, None)
    for event in ledger.of("delivered"):
        yield Input(event["by"], "file", event["path"], event["bytes"], event["sha256"])
    for event in _relayed(ledger):
        yield Input(event["where"], "SSH of the guide's own", f"connection from port {event['port']}, enciphered", event["bytes"], None)


def _of_nix_and_docker(ledger: Ledger, machine: Machine, guide: Guide) -> Iterator[Input]:
    stock = _one(ledger, "stock", machine)
    for source in stock["sources"]:
        what = f"source {source['name']} at {source['revision'] or 'no revision'}, the digest that of its NAR: {source['path']}"
        yield Input(guide.file, "fetched by Nix", what, source["bytes"], _hex(source["hash"]))
    for key, group in stock["caches"].items():
        yield Input(guide.file, "binary cache", f"{group['count']} store paths signed by {key}", group["bytes"], group["sha256"])
    for image in stock["images"]:
        yield Input(guide.file, "registry", image["name"], None, image["digest"].removeprefix("sha256:"))


def check_told(entries: Sequence[Input]) -> None:
    """Each entry says by whom, which way and what; bytes and digest are missing only where `what` says why or nobody can know."""
    if not entries:
        raise HarnessError("the list of inputs is empty: an image at least went in")
    for entry in entries:
        may_lack_digest = "no digest" in entry.what or "enciphered" in entry.what
        if not (entry.by and entry.way and entry.what) or (entry.sha256 is None and not may_lack_digest):
            raise HarnessError(f"an input is not told in full: {entry}")


def check_channels(ledger: Ledger, machine: Machine) -> None:
    """Our channels carried no byte that no entry accounts for, nor did the guide's own connections, but for what SSH needs itself."""
    listed = sum(event.get("sent", 0) for event in _commands(ledger, machine))
    carried = machine.ssh.sent
    if carried > listed:
        raise HarnessError(f"our channels carried {carried - listed} bytes that no command accounts for", where=machine.where)
    files: Counter[int] = Counter()
    for event in ledger.of("delivered"):
        files[event["number"]] += event["bytes"]
    texts = {event["number"]: len(event["command"].encode()) for event in ledger.of("guide-command")}
    connections: dict[int, list[Event]] = {}
    for event in _relayed(ledger):
        connections.setdefault(event["number"], []).append(event)
    for number, events in connections.items():
        most = files[number] * 11 // 10 + texts.get(number, 0) + _OF_SSH * len(events)
        carried = sum(event["bytes"] for event in events)
        if carried > most:
            seen = f"{carried} bytes went to the machine, {files[number]} arrived in files"
            raise CheckFailed("what the operator sends arrives in files, every byte of it", seen=seen, where=events[0]["where"])


def check_store(ledger: Ledger, machine: Machine) -> None:
    """Each store path that is not the image's is a source of the flake, from a cache that signed it, or was evaluated or built on the machine."""
    stock = _one(ledger, "stock", machine)
    if not stock["paths"]:
        raise HarnessError("the store has nothing that the image had not: nothing was built", where=machine.where)
    if stock["unaccounted"]:
        seen = ", ".join(stock["unaccounted"][:3])
        raise CheckFailed("every path in the store comes from git, from a cache, or was built there", seen=seen, where=machine.where)


def _commands(ledger: Ledger, machine: Machine) -> Iterator[Event]:
    return (event for event in ledger.of("command") if event["machine"] == machine.name)


def _relayed(ledger: Ledger) -> Iterator[Event]:
    return (event for event in ledger.of("relayed") if event["of"] == "guide")


def _one(ledger: Ledger, kind: str, machine: Machine, *, key: str = "machine") -> Event:
    found = next((event for event in ledger.of(kind) if event[key] == machine.name), None)
    if found is None or "trouble" in found:
        why = f"the ledger has no `{kind}` of it" if found is None else found["trouble"]
        raise HarnessError(f"cannot list what entered {machine.name}: {why}", where=machine.where)
    return found


def _hex(hashed: str) -> str:
    """A hash as Nix writes it, `sha256-BASE64`, in hex."""
    return base64.b64decode(hashed.removeprefix("sha256-")).hex()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
