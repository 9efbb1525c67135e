"""The signed record of an earlier run, as evidence refers to it: opened once, believed only as far as its signature reaches.

Knows: the folder of a run (ledger, DSSE envelope, in-toto statement), whose signature counts, and what the record says of each scenario.
Refuses: a record that is not there, that nobody signed, that somebody else signed, or whose ledger is not the one that was signed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cleanroom import ledger, verdict
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.evidence import ENVELOPE, PAYLOAD_TYPE, PREDICATE_TYPE, pae
from cleanroom.ledger import Event

_ADVICE = "run the suite, and let the document tell of that run"


@dataclass(frozen=True)
class Record:
    """A run's record whose signature, ledger and statement agree: the statement that was signed, and every event of the run."""

    folder: Path
    statement: Mapping[str, Any]
    events: Sequence[Event]

    @cached_property
    def outcomes(self) -> Mapping[str, str]:
        """The state of every scenario that was asked for, by identity."""
        return {outcome.scenario: outcome.state for outcome in verdict.scenario_outcomes(self.events)}

    @cached_property
    def planned(self) -> Mapping[str, bool]:
        """Every scenario of the run's feature files by identity, and whether it runs only on request."""
        return {entry["identity"]: bool(entry["on_request"]) for entry in self.first("inventory")["scenarios"]}

    @property
    def run(self) -> str:
        return str(self.first("run-began")["run"])

    def first(self, kind: str) -> Event:
        """The first event of a kind; raises `CheckFailed` if there is none: such a record is not whole."""
        for event in self.events:
            if event["kind"] == kind:
                return event
        raise CheckFailed(f"the record tells of `{kind}`", seen="nothing", where=str(self.folder), advice=_ADVICE)

    def demand(self, scenarios: Sequence[str], what: str) -> None:
        """Each of these scenarios passed; raises `CheckFailed` with the first that did not. `what` says what they prove together."""
        if not scenarios:
            raise HarnessError(f"nobody knows which scenarios prove {what}")
        for scenario in scenarios:
            state = self.outcomes.get(scenario, "was not asked for")
            if state != "passed":
                raise CheckFailed(f"in the record, `{scenario}` passed: it is part of what proves {what}", seen=state, where=str(self.folder))


def open_record(folder: Path, trusted_key: Path) -> Record:
    """The record in a run's folder, if the trusted key signed it and its ledger is the one that was signed; else raises `CheckFailed`."""
    key = _public(trusted_key)
    if not (folder / ledger.NAME).is_file():
        raise CheckFailed("the record that the document names is kept", seen=f"there is no {ledger.NAME}", where=str(folder), advice=_ADVICE)
    statement = _statement(folder, key)
    signed = {str(subject.get("name")): subject.get("digest", {}) for subject in statement["subject"]}
    digest = hashlib.sha256((folder / ledger.NAME).read_bytes()).hexdigest()
    if signed.get(ledger.NAME, {}).get("sha256") != digest:
        raise CheckFailed("the record's ledger is the one that was signed", seen=f"a ledger with SHA-256 {digest}", where=str(folder / ledger.NAME))
    try:
        events = ledger.read(folder / ledger.NAME)
    except HarnessError as problem:
        raise CheckFailed("the record's ledger is whole", seen=problem.problem, where=problem.where) from None
    record = Record(folder, statement, events)
    _check_same_story(record, signed)
    return record


def _statement(folder: Path, key: Ed25519PublicKey) -> Mapping[str, Any]:
    """What was signed, once the trusted key is seen to have signed it: nothing is read before that."""
    path = folder / ENVELOPE
    if not path.is_file():
        raise CheckFailed("the record is signed", seen=f"there is no {ENVELOPE}", where=str(folder), advice="--signing-key, or evidence.signing_key")
    try:
        envelope = json.loads(path.read_bytes())
        body = base64.b64decode(envelope["payload"], validate=True)
        kind = str(envelope["payloadType"])
        signatures = [base64.b64decode(signature["sig"], validate=True) for signature in envelope["signatures"]]
    except (ValueError, KeyError, TypeError) as problem:
        raise CheckFailed("the record's signature can be read", seen=f"{type(problem).__name__}: {problem}", where=str(path)) from None
    if not any(_signed(key, signature, pae(kind.encode(), body)) for signature in signatures):
        raise CheckFailed("the record is signed by the key that the site trusts", seen="no signature of that key", where=str(path))
    try:
        statement = json.loads(body)
        fits = kind == PAYLOAD_TYPE and statement["predicateType"] == PREDICATE_TYPE and isinstance(statement["subject"], list)
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise CheckFailed("what was signed is a run's statement", seen=f"a payload of type {kind}", where=str(path))
    return dict(statement)


def _signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _check_same_story(record: Record, signed: Mapping[str, Mapping[str, str]]) -> None:
    """Statement and ledger say the same of run, revisions and verdict."""
    predicate = record.statement.get("predicate", {})
    stated = {
        "run": predicate.get("cleanroom", {}).get("run"),
        "verdict": predicate.get("cleanroom", {}).get("verdict"),
        **{name: signed.get(name, {}).get("gitCommit") for name in ("base", "secrets")},
    }
    if record.run != record.folder.name:
        raise CheckFailed(f"this is the record of run {record.folder.name}", seen=f"run {record.run}", where=str(record.folder))
    try:
        commits = {event["repository"]: event["commit"] for event in record.events if event["kind"] == "revision"}
        told = {"run": record.run, "verdict": verdict.judge(record.events).word, **{name: commits.get(name) for name in ("base", "secrets")}}
    except (LookupError, TypeError, ValueError, AttributeError) as problem:
        # Whoever holds the key can sign what no run of ours ever wrote.
        seen = f"an event that lacks or garbles something ({type(problem).__name__}: {problem})"
        raise CheckFailed("the record's ledger tells what a run's ledger tells", seen=seen, where=str(record.folder / ledger.NAME)) from None
    for name, value in told.items():
        if stated[name] != value:
            expected = f"the signed statement says of {name} what the ledger says: {value}"
            raise CheckFailed(expected, seen=str(stated[name]), where=str(record.folder / ENVELOPE))


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as problem:
        raise BadInput(f"cannot read the key that the site trusts: {problem.strerror}", where=str(path), advice="evidence.trusted_key") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput("the key that the site trusts is no public key in PEM", where=str(path), advice="evidence.trusted_key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput("the key that the site trusts is not of the kind Ed25519", where=str(path), advice="evidence.trusted_key")
    return key
