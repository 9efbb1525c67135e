from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.errors import HarnessError
from cleanroom.wait import Waiting, wait_until
from lab.processes import Service
from lab.tools import environment, run

SLEEPER = ("sleep", "600")
STUBBORN = ("bash", "-c", "trap '' TERM; echo ready; read -rt 600 <> <(:)")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service("test", tmp_path / "test.pid", tmp_path / "logs/test.log")
    yield service
    service.stop(within=0.1)


def start(service: Service, *argv: str) -> int:
    service.start(argv, env=environment(), cwd=service.file.parent)
    pid = service.pid()
    assert pid is not None
    return pid


def test_a_service_lives_in_a_session_of_its_own_until_it_is_stopped(service: Service) -> None:
    pid = start(service, *SLEEPER)
    assert os.getsid(pid) == pid != os.getsid(0)
    service.stop()
    assert service.pid() is None
    assert not service.file.exists()
    service.stop()


def test_one_that_ignores_the_polite_signal_is_killed(service: Service) -> None:
    start(service, *STUBBORN)
    wait_until(lambda: "ready" in service.last_words() or Waiting(service.last_words()), what="it to be ready", within=10)
    service.stop(within=0.2)
    assert service.pid() is None


def test_another_process_with_the_same_number_is_not_taken_for_ours(service: Service) -> None:
    pid = start(service, *SLEEPER)
    began = service.file.read_text().split()[1]
    service.file.write_text(f"{os.getpid()} {began}\n")
    assert service.pid() is None
    service.stop()
    os.kill(pid, signal.SIGKILL)


def test_a_program_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(HarnessError, match=r"ended with 3: why it failed"):
        run("sh", "-c", "echo why it failed >&2; exit 3")


def test_a_program_that_is_not_there_is_told_by_name() -> None:
    with pytest.raises(HarnessError, match="`no-such-program` is not installed"):
        run("no-such-program")


def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="still ran after"):
        run("sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; wait", within=0.5)
    pid = int((tmp_path / "pid").read_text())
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    assert state in {"", "Z"}


def test_other_peoples_settings_do_not_reach_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "INCUS_REMOTE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/somewhere/else")
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    seen = run("env")
    assert "/somewhere/else" not in seen
    assert "http_proxy=http://proxy.test:3128" in seen
