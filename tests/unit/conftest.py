"""Fixtures of the unit tests: a real sshd, a server that answers like Incus, a run, its ledger, a list in place of a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cleanroom.ledger import Ledger
from cleanroom.redact import Redactor
from cleanroom.run import Options, Run
from tests.unit.incus import Incus, on_socket
from tests.unit.loopback import Sshd
from tests.unit.notes import Notes

# The same examples every time: a check that passes here passes there.
settings.register_profile("unit", derandomize=True, database=None, deadline=None, max_examples=40)
settings.load_profile("unit")


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path, Redactor())
    yield ledger
    ledger.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path / "reports", Options(), announce=lambda _line: None)
    yield run
    run.close()


@pytest.fixture
def incus(tmp_path: Path) -> Iterator[Incus]:
    with on_socket(tmp_path) as server:
        yield server
