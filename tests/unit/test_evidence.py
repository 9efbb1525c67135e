"""The signed statement, opened by an implementation that is not ours."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import SSlibKey

from cleanroom import evidence, ledger, report, signing
from cleanroom.errors import HarnessError
from cleanroom.run import Options, Run
from cleanroom.signing import Signer
from tests.forgeries import genuine

ROWS = [f"c1_split.feature: Each name answers [{row}]" for row in ("drone | 200", "a|b | 2 \\ 0")]
LAST = "deeper/c4_cleanroom.feature: Nothing but the guide changed the machine"
ALL = ["c1_split.feature: Secrets hold secrets", *ROWS, LAST]
COMMITS = {"base": "b" * 40, "secrets": "5" * 40}


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return signing.make(tmp_path / "key.pem")


def ended(tmp_path: Path, signer: Signer | None, *, failing: bool = False) -> Run:
    """A small run, its reports drawn and its evidence written."""
    run = Run(tmp_path / "reports", Options(), announce=lambda _line: None)
    if signer is not None:
        run.sign_with(signer)
    genuine.tell(run, genuine.checkout(tmp_path / "suite"), kind="lab", virtual=False)
    if failing:
        run.record("scenario-phase", scenario=LAST, phase="call", outcome="failed", trouble="check", seconds=0.1)
    run.close(exit_status=int(failing))
    report.write(run.folder, run.ledger.events)
    evidence.write(run.folder, run.ledger.events, signer)
    return run


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Signer]:
    """A run whose evidence may be written again, and its key."""
    place = tmp_path_factory.mktemp("done")
    signer = signing.make(place / "key.pem")
    return ended(place, signer), signer


def opened(run: Run) -> dict[str, Any]:
    envelope = json.loads((run.folder / evidence.ENVELOPE).read_text())
    return dict(json.loads(base64.b64decode(envelope["payload"])))


def test_an_independent_implementation_opens_it(tmp_path: Path, signer: Signer) -> None:
    run = ended(tmp_path, signer)
    raw = json.loads((run.folder / evidence.ENVELOPE).read_text())
    public = SSlibKey(signer.keyid, "ed25519", "ed25519", {"public": (run.folder / "public.pem").read_text()})
    key = SSlibKey.from_crypto(signer._key.public_key(), keyid=signer.keyid)
    assert public.keyval["public"] == signer.public
    # It takes what it is given apart: give it copies.
    envelope = Envelope.from_dict(copy.deepcopy(raw))
    assert list(envelope.verify([key], 1)) == [signer.keyid]
    assert envelope.pae() == evidence.pae(raw["payloadType"].encode(), base64.b64decode(raw["payload"]))
    tampered = copy.deepcopy(raw)
    tampered["payload"] = base64.b64encode(base64.b64decode(raw["payload"]).replace(b"PASSED", b"passed", 1)).decode()
    with pytest.raises(VerificationError):
        Envelope.from_dict(tampered).verify([key], 1)


def test_the_statement_is_an_in_toto_test_result(tmp_path: Path, signer: Signer) -> None:
    run = ended(tmp_path, signer)
    told = opened(run)
    assert (told["_type"], told["predicateType"]) == ("https://in-toto.io/Statement/v1", "https://in-toto.io/attestation/test-result/v0.1")
    text = (run.folder / ledger.NAME).read_bytes()
    assert told["subject"] == [
        *({"name": name, "uri": f"https://git.example.org/{name}", "digest": {"gitCommit": commit}} for name, commit in COMMITS.items()),
        {"name": "toplevel", "uri": genuine.SYSTEM, "digest": {"sha256": "a" * 64}},
        {"name": "ledger.ndjson", "digest": {"sha256": hashlib.sha256(text).hexdigest()}},
    ]
    predicate = told["predicate"]
    assert (predicate["result"], predicate["passedTests"], predicate["failedTests"]) == ("PASSED", ALL, [])
    own = predicate["cleanroom"]
    assert (own["run"], own["verdict"], own["class"], own["signing"]) == (run.id, "PASSED", "LAB", signer.keyid)
    assert own["format"] == 1
    assert (own["events"], own["head"]) == (len(run.ledger.events), run.ledger.head)


def test_every_file_of_the_folder_is_named_with_its_digest(tmp_path: Path, signer: Signer) -> None:
    run = ended(tmp_path, signer)
    named = {each["name"]: each["digest"]["sha256"] for each in opened(run)["predicate"]["configuration"]}
    files = {path.relative_to(run.folder).as_posix(): path for path in run.folder.rglob("*") if path.is_file()}
    files = {name: path for name, path in files.items() if name not in {evidence.ENVELOPE, ledger.NAME}}
    assert {"junit.xml", "report.html", "transcript.txt", "public.pem", f"journal/{genuine.MACHINE}.log"} <= files.keys()
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}.items() <= named.items()
    assert named.keys() - files.keys() == {"suite", "features/c1_split.feature", "features/deeper/c4_cleanroom.feature", "site file", "image"}


def test_a_run_that_did_not_pass_says_failed_to_who_knows_no_other_word(tmp_path: Path, signer: Signer) -> None:
    predicate = opened(ended(tmp_path, signer, failing=True))["predicate"]
    assert (predicate["result"], predicate["failedTests"], predicate["cleanroom"]["verdict"]) == ("FAILED", [LAST], "FAILED")


def test_what_nobody_signed_does_not_look_signed(tmp_path: Path) -> None:
    run = ended(tmp_path, None)
    assert not (run.folder / evidence.ENVELOPE).exists()
    assert not (run.folder / evidence.PUBLIC_KEY).exists()
    assert json.loads((run.folder / evidence.UNSIGNED).read_text())["predicate"]["cleanroom"]["signing"] == "unsigned"


def test_who_writes_the_statement_is_told_where_it_lies(done: tuple[Run, Signer]) -> None:
    run, signer = done
    assert evidence.write(run.folder, run.ledger.events, signer) == run.folder / "evidence.dsse.json"
    assert evidence.write(run.folder, run.ledger.events, None) == run.folder / "statement.json"


def test_where_nothing_can_be_written_there_is_no_evidence(done: tuple[Run, Signer]) -> None:
    run, signer = done
    with pytest.raises(HarnessError, match="cannot write the evidence: No such file"):
        evidence.write(run.folder / "nowhere", run.ledger.events, signer)


@pytest.mark.parametrize("kind", ["run-began", "run-ended"])
def test_a_run_without_its_beginning_or_its_end_is_no_evidence(done: tuple[Run, Signer], kind: str) -> None:
    run, signer = done
    with pytest.raises(HarnessError, match=f"no evidence of a run without {kind}"):
        evidence.statement(run.folder, [event for event in run.ledger.events if event["kind"] != kind], signer)


def test_of_two_systems_the_first_is_what_was_tested(done: tuple[Run, Signer]) -> None:
    """The second is the twin's, of a run in which two strangers must agree."""
    run, signer = done
    events = [*run.ledger.events]
    first = next(number for number, event in enumerate(events) if event["kind"] == "toplevel")
    events.insert(first + 1, {**events[first], "sha256": "b" * 64})
    subjects = evidence.statement(run.folder, events, signer)["subject"]
    assert [each["digest"]["sha256"] for each in subjects if each["name"] == "toplevel"] == ["a" * 64]


def test_the_private_half_reaches_no_file(tmp_path: Path, signer: Signer) -> None:
    run = ended(tmp_path, signer)
    body = (tmp_path / "key.pem").read_text().splitlines()[1].encode()
    assert all(body not in path.read_bytes() for path in run.folder.rglob("*") if path.is_file())


def test_no_run_is_signed_twice(tmp_path: Path, signer: Signer) -> None:
    run = Run(tmp_path / "reports", Options(), announce=lambda _line: None)
    run.sign_with(signer)
    with pytest.raises(HarnessError, match="signed with one key"):
        run.sign_with(signer)
    run.close(exit_status=0)


def test_the_length_of_a_type_is_counted_in_bytes() -> None:
    assert evidence.pae("é".encode(), b"") == "DSSEv1 2 é 0 ".encode()
