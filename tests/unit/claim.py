"""A small run that is over, as a ledger has it, and the claim that its owner makes of it: as little as evidence can be judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleanroom import inventory
from cleanroom.ledger import Event
from tests.unit.sites import MINIMAL

ROOT = Path(__file__).parents[2]
RUN = "20261126-084533-ad23c8"
BASE, SECRETS = "a1b2c3d4e5f6" + "a" * 28, "0f1e2d3c4b5a" + "b" * 28
UUID = "ca604297-a87b-43cc-a75b-92614b973a16"
SYSTEM = "/nix/store/1fis71w7nrngm3z574whdpsk08cm4sac-nixos-system-cc-ci-25.11"
NAR = hashlib.sha256(b"nar").hexdigest()
NAR_SRI = "sha256-waPQq2SYIdtU7E3GaMY0ieoXc4yhcn7SY4ojDt5gXj8="
LEAF = hashlib.sha256(b"leaf").hexdigest()
IMAGE = hashlib.sha256(b"image").hexdigest()
KEYID = hashlib.sha256(b"key").hexdigest()
COMMANDS = (
    'ssh root@"$MACHINE" \'umask 077 && cat > /var/lib/sops/key.txt\' < "$BOOTSTRAP_KEY"',
    "GIT_CONFIG_COUNT=1 \\\n  nixos-rebuild switch --flake 'git+https://forge.example/base#small'",
)
KNOWN = inventory.read(ROOT / "features")
OWN = "c5_honest_evidence.feature: "
BEGAN, ENDED = "2026-11-26T08:45:33.248Z", "2026-11-26T08:48:48.148Z"


def settings() -> dict[str, Any]:
    """The site's settings, as far as a record is read for them."""
    return {**MINIMAL, "incus": {**MINIMAL["incus"], "canonical_host": "today"}}


def events(*, keyid: str = KEYID) -> list[Event]:
    """Every scenario but C5's was asked for, and passed."""
    planned: list[dict[str, Any]] = [{"identity": each.identity, "line": each.line, "on_request": each.is_on_request} for each in KNOWN.scenarios]
    ran = [entry for entry in planned if not entry["on_request"] and not entry["identity"].startswith(OWN)]
    told: list[tuple[str, dict[str, Any]]] = [
        ("run-began", {"run": RUN, "role": "adversary", "keep": "never", "reuse": False}),
        ("signing", {"keyid": keyid, "public": "..."}),
        ("suite", {"digest": "d" * 64, "files": 3, "commit": "c" * 40, "dirty": False}),
        ("inventory", {"files": dict(KNOWN.files), "scenarios": planned}),
        ("selected", {"scenarios": ran}),
        ("site", {"name": "small", "site_kind": "lab", "digest": "e" * 64, "settings": settings()}),
        ("revision", {"repository": "base", "url": "https://forge.example/base.git", "commit": BASE}),
        ("revision", {"repository": "secrets", "url": "https://forge.example/secrets.git", "commit": SECRETS}),
        ("certificate", {"fingerprint": LEAF, "not_after": "2027-02-01T00:00:00+00:00"}),
        ("bootstrap-key", {"recipients": ["age1..."], "sha256": "f" * 64}),
        ("before", {"declared_image": IMAGE}),
        ("hypervisor", {"action": "create", "instance": "throwaway"}),
        ("machine", {"name": "throwaway", "uuid": UUID, "created_at": "2026-11-26T08:47:12.883782+00:00", "image": IMAGE, "type": "container"}),
        *(("guide-command", {"number": number, "command": text}) for number, text in enumerate(COMMANDS, start=1)),
        ("toplevel", {"machine": "throwaway", "path": SYSTEM, "sha256": NAR, "closure": {"paths": 1, "sha256": "0" * 64}}),
        *(event for entry in ran for event in _passed(entry["identity"])),
        ("machine-gone", {"name": "throwaway"}),
        ("run-ended", {"run": RUN, "exit_status": 0}),
    ]
    return [{"at": ENDED if kind == "run-ended" else BEGAN, "t": 0.0, "kind": kind, **fields} for kind, fields in told]


def _passed(scenario: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("step-began", "step-passed"):
        yield kind, {"scenario": scenario, "step": "Then it holds", "line": 1}
    for phase in ("setup", "call", "teardown"):
        yield "scenario-phase", {"scenario": scenario, "phase": phase, "outcome": "passed", "seconds": 0.1}


FACTS = {
    "Run": RUN,
    "Verdict": "INCOMPLETE",
    "Class": "LAB",
    "Role": "adversary",
    "Cold": "yes",
    "Began": BEGAN,
    "Ended": ENDED,
    "Site": "small",
    "Base revision": BASE,
    "Secrets revision": SECRETS,
    "Toplevel": SYSTEM,
    "NAR hash": NAR,
    "Machine UUID": UUID,
    "Machine type": "container",
    "Image": IMAGE,
    "Certificate fingerprint": LEAF,
    "Guide commands": "2",
    "Signed by": KEYID,
}


def review(*, limitations: str = "None.", **facts: str) -> str:
    """The claim; `facts` changes some of what it states. Underscores stand for blanks."""
    stated = {**FACTS, **{label.replace("_", " "): value for label, value in facts.items()}}
    rows = "\n".join(f"| {label} | `{value}` |" for label, value in stated.items())
    blocks = "\n\n".join(f"{number}. `docs/install.md:{number}`\n\n```sh\n{command}\n```" for number, command in enumerate(COMMANDS, start=1))
    return f"""# Review

## Clean-room run {RUN}: INCOMPLETE, class LAB

LAB: on the embedded lab, everything but C5 ran and passed.

### Facts

| fact | value |
|---|---|
{rows}

### Byte-identical closure (static)

LAB: the canonical host ran the system that the flake builds: {SYSTEM}, {NAR_SRI}.

### Clean-room rebuild (live)

LAB: a system container that did not exist before was taken through the guide below.

{blocks}

### Limitations

{limitations}
"""
