"""Signals, sent to real nested runs: the first interrupts, none ends a clean-up, and the teardown always happens."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
    import os, signal, time
    from pathlib import Path
    import pytest

    def strike():
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.05)

    @pytest.fixture(scope="session")
    def machine():
        yield
        if "{where}" == "teardown":
            strike()
            strike()
        Path("removed").touch()

    def test_one(machine):
        if "{where}" == "test":
            strike()
            Path("went-on").touch()

    def test_two(machine):
        Path("second").touch()
"""


@pytest.fixture(params=["SIGINT", "SIGTERM", "SIGHUP"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(folder: Path, name: str, where: str) -> int:
    (folder / "test_it.py").write_text(textwrap.dedent(PROGRAM).format(name=name, where=where))
    (folder / "conftest.py").write_text('pytest_plugins = ["fixtures.signals"]\n')
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    program = "import signal, sys, pytest; [signal.signal(n, signal.SIG_DFL) for n in (1, 15)]; signal.signal(2, signal.default_int_handler)"
    argv = [sys.executable, "-c", f"{program}; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))"]
    return subprocess.run(argv, cwd=folder, capture_output=True, check=False, timeout=60).returncode


def test_a_signal_interrupts_and_the_teardown_happens(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, name, "test") == pytest.ExitCode.INTERRUPTED
    assert {path.name for path in tmp_path.iterdir()} >= {"removed"}
    assert not {path.name for path in tmp_path.iterdir()} & {"went-on", "second"}


def test_two_signals_in_the_teardown_do_not_end_it(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, name, "teardown") == pytest.ExitCode.INTERRUPTED
    assert {path.name for path in tmp_path.iterdir()} >= {"second", "removed"}


def test_a_signal_that_was_ignored_stays_ignored(tmp_path: Path) -> None:
    """nohup, and a shell's background jobs."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["fixtures.signals"]\n')
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    (tmp_path / "test_it.py").write_text("import os, signal\n\ndef test_one():\n    os.kill(os.getpid(), signal.SIGHUP)\n")
    program = "import signal, sys, pytest; signal.signal(signal.SIGHUP, signal.SIG_IGN); sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))"
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, timeout=60).returncode == 0
