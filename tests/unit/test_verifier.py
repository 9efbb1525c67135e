"""The judge who was not there: what it believes, what it prints, and that it is alone."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cleanroom import cli, inventory, ledger, verdict, verifier
from tests.forgeries import forger, genuine
from tests.forgeries.genuine import Genuine

ROOT = Path(__file__).parents[2]
LONGEST_VERIFIER = 550
SOURCE = ROOT / "cleanroom" / "verifier.py"


def test_it_imports_nothing_but_the_standard_library_and_cryptography() -> None:
    tree = ast.parse(SOURCE.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "cryptography"}
    assert not re.search(r"\bimport_module\b|__import__|\bexec\(|\beval\(", SOURCE.read_text())


def test_it_can_be_read_in_one_sitting() -> None:
    assert len(SOURCE.read_text().splitlines()) <= LONGEST_VERIFIER


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Genuine:
    return genuine.make(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Genuine:
    return genuine.make(tmp_path_factory.mktemp("real"), kind="real", virtual=True)


def test_a_genuine_run_holds(lab: Genuine, real: Genuine) -> None:
    for run, require in ((lab, "lab"), (lab, "dev"), (real, "acceptance"), (real, "lab"), (real, "dev")):
        found = verifier.verify(run.folder, key=run.public, require=require, repo=run.repository)
        assert (found.wrong, found.unknown, found.notes, found.status) == ([], [], [], 0)
        assert found.verdict == "PASSED"


def test_both_judges_agree(lab: Genuine, real: Genuine) -> None:
    for run in (lab, real):
        judged = verdict.judge(ledger.read(run.folder / ledger.NAME))
        found = verifier.verify(run.folder, require="dev", repo=run.repository)
        assert (found.verdict, found.evidence_class) == (judged.word, judged.evidence_class)


def test_without_a_key_nobody_can_say_who_signed(real: Genuine) -> None:
    found = verifier.verify(real.folder, repo=real.repository)
    assert (found.status, found.unknown) == (2, ["nobody can say who signed: --key names the public key that you trust"])
    found = verifier.verify(real.folder, require="lab", repo=real.repository)
    assert (found.status, found.notes) == (0, ["nobody can say who signed: --key names the public key that you trust"])


def test_a_key_that_is_none_is_the_judges_own_trouble(lab: Genuine) -> None:
    for key in (lab.key, lab.folder / "no-such-key.pem"):
        found = verifier.verify(lab.folder, key=key, require="lab", repo=lab.repository)
        assert (found.status, found.wrong, found.unknown) == (2, [], [f"{key} is no Ed25519 public key"])


def test_a_lower_class_never_passes_for_a_higher(lab: Genuine) -> None:
    found = verifier.verify(lab.folder, key=lab.public, repo=lab.repository)
    assert (found.status, found.wrong) == (1, ["its class is LAB, and ACCEPTANCE is required"])


def test_an_unsigned_run_is_vouched_for_by_nobody(tmp_path: Path) -> None:
    unsigned = genuine.make(tmp_path, signed=False)
    found = verifier.verify(unsigned.folder, require="dev", repo=unsigned.repository)
    assert (found.status, found.wrong, found.unknown) == (2, [], ["unsigned: nobody vouches for this run"])


def test_old_evidence_does_not_hold_and_a_patient_reader_may_say_otherwise(lab: Genuine, tmp_path: Path) -> None:
    old = forger.aged(lab.copy(tmp_path / "old"), days=3)
    assert any("too old" in reason for reason in verifier.verify(old.folder, require="lab", repo=old.repository).wrong)
    assert verifier.verify(old.folder, require="lab", repo=old.repository, max_age=4 * 86400).status == 0


def test_a_failed_run_does_not_hold_and_says_why(tmp_path: Path) -> None:
    failed = genuine.make(tmp_path, failing=True)
    found = verifier.verify(failed.folder, require="lab", repo=failed.repository)
    assert found.verdict == "FAILED"
    assert found.wrong == ["failed: deeper/c4_cleanroom.feature: Nothing but the guide changed the machine"]


def test_a_commit_that_is_not_there_is_no_proof(lab: Genuine, tmp_path: Path) -> None:
    other = genuine.checkout(tmp_path / "other")
    genuine.git(other, "commit", "--quiet", "--amend", "--message=Another")
    # Made in the same second, what was amended is the very commit of the run, and git still has it.
    genuine.git(other, "reflog", "expire", "--expire=now", "--all")
    genuine.git(other, "gc", "--quiet", "--prune=now")
    found = verifier.verify(lab.folder, key=lab.public, require="lab", repo=other)
    assert found.status == 2
    assert "the scenarios were not compared with the feature files" in found.unknown[0]


def test_its_list_of_scenarios_is_that_of_the_official_parser(tmp_path: Path) -> None:
    folders = [ROOT / "features", genuine.checkout(tmp_path / "suite") / "features"]
    for folder in folders:
        known = inventory.read(folder)
        mine = {name: asked for file in sorted(known.files) for name, asked in verifier._scenarios(file, (folder / file).read_text())}
        assert mine == {each.identity: each.is_on_request for each in known.scenarios}


def test_it_runs_alone(lab: Genuine, tmp_path: Path) -> None:
    """In a folder of its own, without the suite on any path, by the interpreter alone."""
    shutil.copy(SOURCE, tmp_path / "verifier.py")
    argv = [
        sys.executable,
        "-I",
        str(tmp_path / "verifier.py"),
        str(lab.folder),
        "--require",
        "lab",
        "--key",
        str(lab.public),
        "--repo",
        str(lab.repository),
    ]
    done = subprocess.run(argv, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "it holds: PASSED, class LAB\n", "")
    done = subprocess.run([sys.executable, str(SOURCE), str(lab.folder), "--repo", str(lab.repository)], capture_output=True, text=True, check=False)
    assert done.returncode == 1


def test_git_s_own_variables_lead_nowhere_else(lab: Genuine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    found = verifier.verify(lab.folder, key=lab.public, require="lab", repo=lab.repository)
    assert (found.wrong, found.unknown, found.notes) == ([], [], [])


def test_the_suites_own_program_has_the_same_door(lab: Genuine, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(lab.folder), "--require", "lab", "--repo", str(lab.repository)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "it holds: PASSED, class LAB",
        "note: nobody can say who signed: --key names the public key that you trust",
    ]
    assert cli.main(["verify", str(lab.folder / "nowhere")]) == 2


def test_a_hostile_text_does_not_reach_the_terminal(lab: Genuine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = lab.copy(tmp_path / "hostile")
    (hostile.folder / "\x1b[2Jx").write_text("a file whose name clears the screen")
    assert cli.main(["verify", str(hostile.folder), "--require", "lab", "--repo", str(hostile.repository)]) == 1
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "[2Jx is not in the signed statement" in told


def test_judging_takes_a_fraction_of_two_seconds(lab: Genuine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A ledger of a hundred times the size too: more than any real site's run."""
    large = forger.longer(lab.copy(tmp_path / "large"), times=5000)
    events = len((large.folder / ledger.NAME).read_bytes().splitlines())
    began = time.process_time()
    assert verifier.verify(large.folder, require="lab", repo=large.repository).status == 0
    seconds = time.process_time() - began
    with capsys.disabled():
        sys.stdout.write(f" [{events} events judged in {seconds:.2f} s of processor time] ")
    assert seconds < 2
