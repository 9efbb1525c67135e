"""A run's folder on the real lab: no secret in it, judged by a stranger, and drawn by the guardian when the run is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanroom import cli, ledger, verdict, verifier
from cleanroom.ledger import Event
from cleanroom.wait import Waiting, wait_until
from lab.names import SECRETS
from lab.repositories import bare
from lab.state import State
from lab.tools import run
from tests.dead_runs import folder_of, tells, wait_for_the_end

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reports(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a run that handles every secret there is: C3, whole."""
    place = tmp_path_factory.mktemp("reports")
    argv = [sys.executable, "-m", "pytest", "-q", "features/c3_one_secret.feature", "--site", str(state.site_file), "--reports", str(place)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:]
    return place


def test_no_secret_of_the_lab_is_in_any_file_of_a_report(state: State, reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vault = tmp_path / "secrets.yaml"
    vault.write_text(run("git", f"--git-dir={bare(state, SECRETS)}", "show", "HEAD:secrets/secrets.yaml"))
    status = cli.main(["leaks", "--vault", str(vault), "--key", str(state.keys / "bootstrap.txt"), str(reports)])
    told = capsys.readouterr().out
    assert status == 0, told


def test_nor_is_any_other_key_or_token_of_the_lab(state: State, reports: Path) -> None:
    lines = {line.strip() for key in state.keys.iterdir() if key.is_file() for line in key.read_bytes().splitlines()}
    secrets = {line for line in lines if len(line) >= 16 and not line.startswith((b"#", b"-----", b"ssh-")) and b"public" not in line}
    assert len(secrets) > 10
    files = [path for path in reports.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) >= 7
    found = [path.name for path in files for secret in secrets if secret in path.read_bytes()]
    assert found == []


def test_the_folder_is_whole_and_signed_by_the_lab(reports: Path) -> None:
    folder = (reports / "latest").resolve()
    found = verifier.verify(folder, key=folder / "public.pem", require="lab", repo=ROOT)
    (reason,) = [reason for reason in found.wrong if "what commit" not in reason]  # a checkout under work is not what its commit has
    assert "scenarios did not run" in reason
    assert found.evidence_class == "LAB"
    assert json.loads((folder / ledger.NAME).read_bytes().splitlines()[-1])["exit_status"] == 0


MOMENTS: dict[str, Callable[[Event], bool]] = {
    "while the machine is made": lambda event: event["kind"] == "hypervisor",
    "while the guide is followed": lambda event: event["kind"] == "guide-command" and event["number"] == 2,
    "while the machine is deleted": lambda event: event["kind"] == "phase-began" and event["name"] == "clean up",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_has_its_reports_and_can_be_swept(state: State, tmp_path: Path, moment: str) -> None:
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "features/c4_cleanroom.feature",
        "-k",
        "bootstrap",
        "--site",
        str(state.site_file),
        "--reports",
        str(tmp_path),
    ]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as suite:
        folder = folder_of(tmp_path)

        def come() -> bool | Waiting:
            lines = (folder / ledger.NAME).read_bytes().split(b"\n")[:-1]
            return any(MOMENTS[moment](json.loads(line)) for line in lines) or Waiting(f"{len(lines)} events")

        wait_until(come, what=moment, within=120, every=0.02)
        os.kill(suite.pid, signal.SIGKILL)
        suite.wait()
    wait_for_the_end(folder)
    assert tells(folder) == []
    assert verdict.judge(ledger.read(folder / ledger.NAME)).word == "INCOMPLETE"
    assert cli.main(["sweep", "--site", str(state.site_file), "--yes"]) == 0
