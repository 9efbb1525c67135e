"""The signed statement about a run: an in-toto test result in a DSSE envelope, for readers who were not there.

Knows: what the statement names (revisions, system, ledger, every file of the folder) and which bytes are signed; docs/evidence.md is the format.
Refuses: to say anything the ledger does not, and to write an envelope without a signature: what nobody signed is `statement.json`, and says so.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cleanroom import ledger, verdict
from cleanroom.errors import HarnessError
from cleanroom.ledger import Event
from cleanroom.signing import Signer

ENVELOPE = "evidence.dsse.json"
UNSIGNED = "statement.json"
PUBLIC_KEY = "public.pem"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
#: Version of our own part of the predicate.
FORMAT = 1

Descriptor = dict[str, Any]


def write(folder: Path, events: Sequence[Event], signer: Signer | None) -> Path:
    """Write the statement about a run that has ended, whose reports lie in `folder`; signed, and the public half beside it, if there is a key.

    Returns the file. The last act of a run: whatever is changed in the folder afterwards, the statement does not fit any more.
    """
    try:
        if signer is not None:
            (folder / PUBLIC_KEY).write_text(signer.public, encoding="ascii")
        payload = json.dumps(statement(folder, events, signer), indent=1).encode()
        path = folder / (ENVELOPE if signer is not None else UNSIGNED)
        path.write_bytes(payload if signer is None else json.dumps(envelope(payload, signer), indent=1).encode())
    except OSError as problem:
        raise HarnessError(f"cannot write the evidence: {problem.strerror}", where=str(folder)) from None
    return path


def pae(kind: bytes, body: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed, the type among them, each with its length in bytes."""
    return b" ".join((b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(body), body))


def envelope(payload: bytes, signer: Signer) -> dict[str, Any]:
    """The DSSE envelope of exactly these bytes."""
    signature = signer.sign(pae(PAYLOAD_TYPE.encode(), payload))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": signer.keyid, "sig": base64.b64encode(signature).decode()}],
    }


def statement(folder: Path, events: Sequence[Event], signer: Signer | None) -> dict[str, Any]:
    """The in-toto statement. Its result is PASSED or FAILED: to a reader who knows no INCOMPLETE, that is no pass."""
    judged = verdict.judge(events)
    states = {outcome.scenario: outcome.state for outcome in verdict.scenario_outcomes(events)}
    began, ended = _first(events, "run-began"), _first(events, "run-ended")
    lines = (folder / ledger.NAME).read_bytes().rstrip(b"\n").split(b"\n")
    return {
        "_type": STATEMENT_TYPE,
        "subject": [*_subjects(events), {"name": ledger.NAME, "digest": {"sha256": _sha256(folder / ledger.NAME)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": "PASSED" if judged.word == "PASSED" else "FAILED",
            "configuration": [*_configuration(events), *_files(folder)],
            "passedTests": [scenario for scenario, state in states.items() if state == "passed"],
            "failedTests": [scenario for scenario, state in states.items() if state != "passed"],
            "cleanroom": {
                "format": FORMAT,
                "run": began["run"],
                "verdict": judged.word,
                "class": judged.evidence_class,
                "reasons": list(judged.reasons),
                "signing": signer.keyid if signer is not None else "unsigned",
                "began": began["at"],
                "ended": ended["at"],
                "events": len(lines),
                "head": hashlib.sha256(lines[-1]).hexdigest(),
            },
        },
    }


def _subjects(events: Sequence[Event]) -> Iterator[Descriptor]:
    """What was tested: both repositories' commits and the system that the guide ended in, by its NAR hash."""
    for event in events:
        if event["kind"] == "revision":
            yield {"name": event["repository"], "uri": event["url"], "digest": {"gitCommit": event["commit"]}}
    for event in [event for event in events if event["kind"] == "toplevel"][:1]:
        yield {"name": "toplevel", "uri": event["path"], "digest": {"sha256": event["sha256"]}}


def _configuration(events: Sequence[Event]) -> Iterator[Descriptor]:
    """What it was tested with: the suite, each feature file, the site file, the image."""
    for event in events:
        match event["kind"]:
            case "suite":
                about = {"gitCommit": event["commit"] or "none", "dirty": str(event["dirty"]).lower()}
                yield {"name": "suite", "digest": {"sha256": event["digest"]}, "annotations": about}
            case "inventory":
                yield from ({"name": f"features/{file}", "digest": {"sha256": digest}} for file, digest in event["files"].items())
            case "site":
                yield {"name": "site file", "digest": {"sha256": event["digest"]}}
            case "before":
                yield {"name": "image", "digest": {"sha256": event["declared_image"]}}


def _files(folder: Path) -> Iterator[Descriptor]:
    """Every file of the run's folder but the ledger, which is a subject, and the statement itself."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name not in {ledger.NAME, ENVELOPE, UNSIGNED}:
            yield {"name": name, "digest": {"sha256": _sha256(path)}}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _first(events: Sequence[Event], kind: str) -> Mapping[str, Any]:
    found = next((event for event in events if event["kind"] == kind), None)
    if found is None:
        raise HarnessError(f"there is no evidence of a run without {kind}")
    return found
