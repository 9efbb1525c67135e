"""A proof that was made easier than it claims is none."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cleanroom import inventory, signing, suite
from cleanroom.claim import unweakened
from cleanroom.claim.record import Record
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.ledger import Event
from cleanroom.run import Options, Run
from cleanroom.site import Site
from tests import forging
from tests.unit import claim, sites

DRIFT = "c1_secrets_split.feature: The canonical host has not drifted"


def record(*edits: forging.Edit) -> Record:
    found = claim.events()
    for edit in edits:
        found = edit(found)
    return Record(Path("records") / claim.RUN, {}, found)


def outcome(scenario: str, **fields: Any) -> forging.Edit:
    def edit(events: list[Event]) -> list[Event]:
        return [{**event, **fields} if (event.get("scenario"), event.get("phase")) == (scenario, "call") else event for event in events]

    return edit


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small suite, committed."""
    for part in ("features", "steps"):
        (tmp_path / part).mkdir()
    (tmp_path / "features/c1.feature").write_text("Feature: x\n  Scenario: y\n    Then z\n")
    (tmp_path / "steps/x.py").write_text("pass\n")
    (tmp_path / "README.md").write_text("x\n")
    for words in (["init", "--quiet"], ["add", "--all"], ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--message=x"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


def test_a_committed_suite_is_one(checkout: Path) -> None:
    unweakened.check_suite(checkout)
    (checkout / "README.md").write_text("what judges nothing may change\n")
    unweakened.check_suite(checkout)


def test_a_feature_file_was_weakened(checkout: Path) -> None:
    (checkout / "features/c1.feature").write_text("Feature: x\n  Scenario: y\n    Then nothing much\n")
    with pytest.raises(CheckFailed, match=r"no commit says so: features/c1\.feature"):
        unweakened.check_suite(checkout)


def test_a_feature_file_was_removed(checkout: Path) -> None:
    (checkout / "features/c1.feature").unlink()
    with pytest.raises(CheckFailed, match=r"features/c1\.feature"):
        unweakened.check_suite(checkout)


def test_a_judge_was_added(checkout: Path) -> None:
    (checkout / "steps/softer.py").write_text("pass\n")
    with pytest.raises(CheckFailed, match=r"steps/softer\.py"):
        unweakened.check_suite(checkout)


def test_without_git_nobody_can_tell(tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    (tmp_path / "features/c1.feature").write_text("Feature: x\n")
    with pytest.raises(HarnessError, match="nobody can tell"):
        unweakened.check_suite(tmp_path)
    with pytest.raises(HarnessError, match="git cannot tell"):
        suite.changes(tmp_path)


def test_a_record_of_these_features_holds() -> None:
    unweakened.check_same_features(record(), claim.KNOWN)


def test_a_record_of_other_features() -> None:
    files = {**claim.KNOWN.files, "c4_cleanroom.feature": "0" * 64}
    with pytest.raises(CheckFailed, match=r"different: c4_cleanroom\.feature"):
        unweakened.check_same_features(record(forging.changed("inventory", files=files)), claim.KNOWN)


def test_a_record_of_fewer_features() -> None:
    fewer = {name: digest for name, digest in claim.KNOWN.files.items() if not name.startswith("c1_")}
    with pytest.raises(CheckFailed, match=r"different: c1_secrets_split\.feature"):
        unweakened.check_same_features(record(forging.changed("inventory", files=fewer)), claim.KNOWN)


@pytest.mark.parametrize(("fields", "told"), [({"dirty": True}, "no commit tells of"), ({"commit": None}, "a suite of no commit")])
def test_a_record_of_a_suite_that_nobody_committed(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(CheckFailed, match=told):
        unweakened.check_same_features(record(forging.changed("suite", **fields)), claim.KNOWN)


def head(checkout: Path) -> str:
    return subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_that_a_record_names_has_its_features(checkout: Path) -> None:
    named = forging.changed("suite", commit=head(checkout))
    files = dict(inventory.read(checkout / "features").files)
    unweakened.check_named_commit(record(named, forging.changed("inventory", files=files)), checkout)
    with pytest.raises(CheckFailed, match="a commit with other feature files"):
        unweakened.check_named_commit(record(named), checkout)
    with pytest.raises(CheckFailed, match="no commit of this suite"):
        unweakened.check_named_commit(record(forging.changed("suite", commit="f" * 40)), checkout)


def test_a_shallow_checkout_cannot_tell(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    shallow = tmp_path_factory.mktemp("shallow")
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{checkout}", str(shallow)], check=True)
    with pytest.raises(HarnessError, match="does not reach back to commit ffffffffffff"):
        unweakened.check_named_commit(record(forging.changed("suite", commit="f" * 40)), shallow)


def test_everything_passed() -> None:
    unweakened.check_all_passed(record(), claim.KNOWN)


def test_c5_may_have_failed_in_the_record() -> None:
    own = [{"at": claim.BEGAN, "t": 0.0, "kind": "scenario-phase", "scenario": f"{claim.OWN}The evidence is of today", "phase": "call"}]
    failed = [{**event, "outcome": "failed", "trouble": "check", "seconds": 0.1} for event in own]
    ended = forging.changed("run-ended", exit_status=1)
    unweakened.check_all_passed(record(lambda events: [*events[:-1], *failed, events[-1]], ended), claim.KNOWN)


def test_an_exit_status_that_no_scenario_explains() -> None:
    with pytest.raises(CheckFailed, match="no scenario says why"):
        unweakened.check_all_passed(record(forging.changed("run-ended", exit_status=1)), claim.KNOWN)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"outcome": "failed", "trouble": "check"}, "failed"),
        ({"outcome": "failed", "trouble": "harness"}, "error"),
        ({"outcome": "skipped"}, "skipped"),
        ({"outcome": "skipped", "expected_to_fail": True}, "expected to fail"),
        ({"expected_to_fail": True}, "expected to fail"),
    ],
)
def test_a_scenario_that_did_not_simply_pass(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(CheckFailed, match=f"{DRIFT}.*{told}"):
        unweakened.check_all_passed(record(outcome(DRIFT, **fields)), claim.KNOWN)


def test_a_scenario_was_dropped_from_the_record() -> None:
    def edit(events: list[Event]) -> list[Event]:
        kept = [event for event in events if event.get("scenario") != DRIFT]
        return [
            {**event, "scenarios": [each for each in event["scenarios"] if each["identity"] != DRIFT]}
            if event["kind"] in {"selected", "inventory"}
            else event
            for event in kept
        ]

    with pytest.raises(CheckFailed, match=f"{DRIFT}: not asked for"):
        unweakened.check_all_passed(record(edit), claim.KNOWN)


def test_a_scenario_that_no_feature_file_has() -> None:
    extra = {"at": claim.BEGAN, "t": 0.0, "kind": "scenario-phase", "scenario": "c9.feature: Pigs fly", "outcome": "passed", "seconds": 0.1}
    phases = [{**extra, "phase": phase} for phase in ("setup", "call", "teardown")]
    with pytest.raises(CheckFailed, match=r"c9\.feature: Pigs fly: no feature file has it"):
        unweakened.check_all_passed(record(lambda events: [*events[:-1], *phases, events[-1]]), claim.KNOWN)


@pytest.mark.parametrize("kind", ["machine-gone", "run-ended"])
def test_a_run_that_left_something_undone(kind: str) -> None:
    with pytest.raises(CheckFailed, match=r"was not seen to be gone|did not end"):
        unweakened.check_all_passed(record(forging.without(lambda event: event["kind"] == kind)), claim.KNOWN)


def test_no_scenarios_are_no_proof() -> None:
    with pytest.raises(HarnessError, match="no scenario that a record could have passed"):
        unweakened.check_all_passed(record(), replace(claim.KNOWN, scenarios=()))


def loaded(folder: Path, edits: dict[str, Any] | None = None) -> Site:
    return Site.load(sites.write(folder, edits))


def test_the_same_terms(tmp_path: Path) -> None:
    site = loaded(tmp_path)
    told = forging.changed("site", settings=site.model_dump(mode="json"))
    unweakened.check_terms(record(told), site)
    (tmp_path / "elsewhere").mkdir()
    unweakened.check_terms(record(told), loaded(tmp_path / "elsewhere", {"evidence": {"document": "REVIEW.md", "max_age": "1h"}}))


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({"certificate.minimum_days": 90}, "certificate.minimum_days was 14, and is 90"),
        ({"endpoint": [{"host": "ci.example", "marker": "dashboard"}]}, "endpoint was"),
        ({"incus.memory": "8GiB"}, "incus.memory was"),
        ({"secrets.file": "other.yaml"}, "secrets.file was secrets/secrets.yaml, and is other.yaml"),
        ({"blank": {"absent": ["/srv/x"]}}, "blank.absent was"),
    ],
)
def test_other_terms(tmp_path: Path, edits: dict[str, Any], told: str) -> None:
    settings = forging.changed("site", settings=loaded(tmp_path).model_dump(mode="json"))
    with pytest.raises(CheckFailed, match=told):
        unweakened.check_terms(record(settings), loaded(tmp_path, edits))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    said: list[str] = []
    run = Run(tmp_path / "reports", Options(), announce=said.append)
    run.record("inventory", files=dict(claim.KNOWN.files), scenarios=[])
    run.record("selected", scenarios=[{"identity": DRIFT, "line": 1}])
    yield run
    run.close()
    assert said == [] or said[0].startswith("of this run: ")


def told(run: Run, scenario: str, **fields: Any) -> None:
    for phase in ("setup", "call", "teardown"):
        run.record("scenario-phase", **{"scenario": scenario, "phase": phase, "outcome": "passed", "seconds": 0.1, **fields})


def test_this_run_is_judged_as_far_as_it_went(run: Run) -> None:
    told(run, DRIFT)
    unweakened.check_this_run(run, claim.KNOWN)
    event = run.ledger.events[-1]
    assert (event["kind"], event["asked_for"], event["finished"]) == ("judged-so-far", 1, 1)
    assert DRIFT not in event["left_out"]
    assert not [name for name in event["left_out"] if "Two strangers" in name]


def test_a_scenario_that_failed_in_this_run_is_not_a_weaker_one(run: Run) -> None:
    told(run, DRIFT, outcome="failed", trouble="check")
    unweakened.check_this_run(run, claim.KNOWN)


@pytest.mark.parametrize(("fields", "word"), [({"outcome": "skipped"}, "skipped"), ({"expected_to_fail": True}, "expected to fail")])
def test_a_scenario_of_this_run_was_softened(run: Run, fields: dict[str, Any], word: str) -> None:
    told(run, DRIFT, **fields)
    with pytest.raises(CheckFailed, match=f"{DRIFT}: {word}"):
        unweakened.check_this_run(run, claim.KNOWN)


def test_the_feature_files_were_changed_meanwhile(run: Run) -> None:
    with pytest.raises(CheckFailed, match="changed while it ran"):
        unweakened.check_this_run(run, replace(claim.KNOWN, files={**claim.KNOWN.files, "c4_cleanroom.feature": "0" * 64}))


def test_the_suites_own_features_are_found() -> None:
    assert unweakened.features() == inventory.read(claim.ROOT / "features")


def test_the_verifier_has_its_say(checkout: Path, tmp_path: Path) -> None:
    """What it says of a record in which everything is right is seen on the lab; here, that it is heard."""
    signer = signing.make(tmp_path / "key.pem")
    (tmp_path / "trusted.pem").write_text(signer.public)
    forging.seal(tmp_path / claim.RUN, forging.changed("suite", commit=head(checkout))(claim.events(keyid=signer.keyid)), signer)
    (tmp_path / claim.RUN / "junit.xml").write_text("<testsuites/>")
    found = Record(tmp_path / claim.RUN, {}, claim.events())
    with pytest.raises(CheckFailed, match=r"(?s)the record verifies.*junit\.xml"):
        unweakened.check_verified(found, tmp_path / "trusted.pem", checkout)
    with pytest.raises(HarnessError, match="the verifier cannot tell"):
        unweakened.check_verified(found, tmp_path / "nowhere.pem", checkout)
