"""A signed record is believed exactly as far as its signature reaches."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from cleanroom import evidence, ledger, signing
from cleanroom.claim import recorded
from cleanroom.claim.record import Record, open_record
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.signing import Signer
from tests import forging
from tests.unit import claim


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return signing.make(tmp_path / "key.pem")


@pytest.fixture
def trusted(tmp_path: Path, signer: Signer) -> Path:
    path = tmp_path / "trusted.pem"
    path.write_text(signer.public)
    return path


@pytest.fixture
def folder(tmp_path: Path, signer: Signer) -> Path:
    forging.seal(tmp_path / claim.RUN, claim.events(), signer)
    return tmp_path / claim.RUN


def test_what_was_signed_is_read(folder: Path, trusted: Path) -> None:
    record = open_record(folder, trusted)
    assert record.run == claim.RUN
    assert record.outcomes["c1_secrets_split.feature: The canonical host has not drifted"] == "passed"
    assert recorded.commands(record.events) == claim.COMMANDS
    drawn = {fact.label.casefold(): fact.draw(record.events) for fact in recorded.FACTS}
    assert drawn == {label.casefold(): value for label, value in claim.FACTS.items()}


def test_a_strangers_signature_counts_for_nothing(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text(signing.make(tmp_path / "other-key.pem").public)
    with pytest.raises(CheckFailed, match="signed by the key that the site trusts"):
        open_record(folder, other)


def test_without_a_signature_there_is_no_record(folder: Path, trusted: Path) -> None:
    forging.reseal(folder, lambda events: events, None)
    with pytest.raises(CheckFailed, match="the record is signed"):
        open_record(folder, trusted)


def test_a_record_that_is_not_kept(tmp_path: Path, trusted: Path) -> None:
    with pytest.raises(CheckFailed, match="is kept"):
        open_record(tmp_path / "nowhere", trusted)


def test_a_ledger_that_was_changed_afterwards(folder: Path, trusted: Path) -> None:
    path = folder / ledger.NAME
    path.write_bytes(path.read_bytes().replace(b'"adversary"', b'"adversery"'))
    with pytest.raises(CheckFailed, match="is the one that was signed"):
        open_record(folder, trusted)


def test_a_chain_that_was_broken_before_it_was_signed(folder: Path, trusted: Path, signer: Signer) -> None:
    path = folder / ledger.NAME
    path.write_bytes(path.read_bytes().replace(b'"adversary"', b'"adversery"'))
    events = [json.loads(line) for line in path.read_bytes().splitlines()]
    evidence.write(folder, events, signer)
    with pytest.raises(CheckFailed, match="ledger is whole"):
        open_record(folder, trusted)


def test_a_payload_that_was_changed_afterwards(folder: Path, trusted: Path) -> None:
    path = folder / evidence.ENVELOPE
    envelope = json.loads(path.read_text())
    payload = base64.b64decode(envelope["payload"]).replace(b"INCOMPLETE", b"PASSED")
    path.write_text(json.dumps({**envelope, "payload": base64.b64encode(payload).decode()}))
    with pytest.raises(CheckFailed, match="signed by the key that the site trusts"):
        open_record(folder, trusted)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"payload": 1}', '{"payload": "!", "payloadType": "x", "signatures": []}'])
def test_an_envelope_that_is_none(folder: Path, trusted: Path, text: str) -> None:
    (folder / evidence.ENVELOPE).write_text(text)
    with pytest.raises(CheckFailed, match=r"signature can be read|signed by the key"):
        open_record(folder, trusted)


def test_a_statement_that_tells_another_story_than_the_ledger(folder: Path, trusted: Path, signer: Signer) -> None:
    statement = evidence.statement(folder, ledger.read(folder / ledger.NAME), signer)
    statement["predicate"]["cleanroom"]["verdict"] = "PASSED"
    (folder / evidence.ENVELOPE).write_text(json.dumps(evidence.envelope(json.dumps(statement).encode(), signer)))
    with pytest.raises(CheckFailed, match="what the ledger says: INCOMPLETE"):
        open_record(folder, trusted)


def test_the_record_of_another_run_under_this_ones_name(folder: Path, trusted: Path) -> None:
    other = folder.rename(folder.with_name("20261127-084533-ad23c8"))
    with pytest.raises(CheckFailed, match="this is the record of run 20261127-084533-ad23c8"):
        open_record(other, trusted)


def test_a_statement_of_another_kind(folder: Path, trusted: Path, signer: Signer) -> None:
    statement = {**evidence.statement(folder, ledger.read(folder / ledger.NAME), signer), "predicateType": "https://slsa.dev/provenance/v1"}
    (folder / evidence.ENVELOPE).write_text(json.dumps(evidence.envelope(json.dumps(statement).encode(), signer)))
    with pytest.raises(CheckFailed, match="a run's statement"):
        open_record(folder, trusted)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_trusted_key_that_is_none(folder: Path, trusted: Path, content: bytes) -> None:
    trusted.write_bytes(content)
    with pytest.raises(BadInput, match="no public key"):
        open_record(folder, trusted)


def test_a_trusted_key_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read the key that the site trusts"):
        open_record(folder, tmp_path / "nowhere.pem")


def test_a_scenario_that_did_not_pass_proves_nothing(folder: Path, trusted: Path) -> None:
    record = open_record(folder, trusted)
    with pytest.raises(CheckFailed, match="was not asked for"):
        record.demand(["c9.feature: Pigs fly"], "that pigs fly")
    with pytest.raises(HarnessError, match="nobody knows"):
        record.demand([], "nothing")


def test_an_event_that_is_missing_is_told(folder: Path, trusted: Path, signer: Signer) -> None:
    forging.reseal(folder, forging.without(lambda event: event["kind"] == "suite"), signer)
    with pytest.raises(CheckFailed, match="tells of `suite`"):
        open_record(folder, trusted).first("suite")


def test_a_signed_event_that_lacks_what_it_tells_is_no_crash_of_ours(folder: Path, trusted: Path, signer: Signer) -> None:
    statement = evidence.statement(folder, ledger.read(folder / ledger.NAME), signer)
    forging.chain(folder / ledger.NAME, [{key: each for key, each in event.items() if key != "role"} for event in ledger.read(folder / ledger.NAME)])
    statement["subject"][-1]["digest"]["sha256"] = hashlib.sha256((folder / ledger.NAME).read_bytes()).hexdigest()
    (folder / evidence.ENVELOPE).write_text(json.dumps(evidence.envelope(json.dumps(statement).encode(), signer)))
    with pytest.raises(CheckFailed, match="lacks or garbles something \\(KeyError: 'role'\\)"):
        open_record(folder, trusted)


@pytest.mark.parametrize(
    ("label", "written", "equal"),
    [
        ("base revision", claim.BASE, True),
        ("base revision", claim.BASE[:12], True),
        ("base revision", claim.BASE[:12] + "…", True),
        ("base revision", claim.BASE[:16] + "...", True),
        ("base revision", claim.BASE[:11], False),
        ("base revision", claim.BASE[:11] + "0", False),
        ("base revision", claim.BASE + "0", False),
        ("base revision", "", False),
        ("NAR hash", claim.NAR_SRI[:30], False),
        ("NAR hash", claim.NAR_SRI, True),
        ("NAR hash", claim.NAR[:32], False),
        ("toplevel", claim.SYSTEM + "-2", False),
        ("toplevel", claim.SYSTEM[:-1], False),
        ("machine UUID", claim.UUID.upper(), False),
        ("machine UUID", claim.UUID[:18], False),
        ("began", "2026-11-26T08:45:33Z", True),
        ("began", "2026-11-26 08:45:33 UTC", True),
        ("began", "2026-11-26T08:45:33.248Z", True),
        ("began", "2026-11-26T08:45:34Z", False),
        ("began", "2026-11-26 08:45", False),
        ("role", "Adversary", False),
    ],
)
def test_how_a_fact_may_be_written_down(label: str, written: str, *, equal: bool) -> None:
    fact = next(fact for fact in recorded.FACTS if fact.label == label)
    assert fact.equals(written, fact.draw(claim.events())) is equal


@pytest.mark.parametrize("kind", ["run-began", "site", "revision", "toplevel", "machine", "certificate", "signing", "run-ended"])
def test_a_fact_that_the_record_lacks_is_no_fact(kind: str) -> None:
    events = [event for event in claim.events() if event["kind"] != kind]
    with pytest.raises(HarnessError, match=f"no `{kind}"):
        [fact.draw(events) for fact in recorded.FACTS]


def test_two_answers_are_none() -> None:
    events = claim.events()
    events += [{**event, "fingerprint": "0" * 64} for event in events if event["kind"] == "certificate"]
    with pytest.raises(HarnessError, match="several `certificate`"):
        [fact.draw(events) for fact in recorded.FACTS]


def test_a_second_machine_is_not_the_one_that_the_claim_is_about() -> None:
    events = claim.events()
    events += [{**event, "name": "throwaway-2", "uuid": "other"} for event in events if event["kind"] == "machine"]
    assert recorded.machine(events)["uuid"] == claim.UUID


def test_a_record_without_what_judges_it() -> None:
    events = recorded.but_for_own(claim.events())
    assert Record(Path(), {}, events).planned
    assert not [name for name in Record(Path(), {}, events).planned if name.startswith(recorded.OWN)]
