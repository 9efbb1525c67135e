"""Faults of the hypervisor and of the way to it, in the middle of a real run: it recovers or ends without a green, says why, and leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cleanroom import verdict
from cleanroom.wait import Waiting, wait_until
from lab import credential, hosts
from lab.daemon import Incus
from lab.names import CANONICAL_HOST, NEIGHBOUR, PROJECT
from lab.state import HERE, State
from tests.lab.link import Link, link

CUT_SECONDS = 20.0
NEW = "The machine is new"
CUSTODY = "Nobody else touched it"


@dataclass
class Suite:
    """A run of the suite in a process of its own, and what its ledger says so far."""

    process: subprocess.Popen[str]
    reports: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        ledger = self.reports / "latest" / "ledger.ndjson"
        return [json.loads(line) for line in ledger.read_bytes().split(b"\n")[:-1]] if ledger.exists() else []

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]

    def until(self, kind: str, **having: object) -> None:
        """Wait for the first event of a kind."""

        def told() -> bool | Waiting:
            if self.process.poll() is not None:
                raise AssertionError(f"the run ended before {kind}")
            return any(having.items() <= event.items() for event in self.of(kind)) or Waiting(f"{len(self.events)} events")

        wait_until(told, what=kind, within=120, every=0.05)

    def ended(self) -> tuple[int, str]:
        """Exit status and everything it printed."""
        output, _ = self.process.communicate(timeout=240)
        return self.process.returncode, output

    def outcome(self, title: str) -> tuple[str, str]:
        """What became of a scenario, and what is told of it if it is not green."""
        found = next(outcome for outcome in verdict.scenario_outcomes(self.events) if title in outcome.scenario)
        return found.state, json.dumps(found.trouble, ensure_ascii=False)


@contextmanager
def suite(site: Path, words: str, reports: Path) -> Iterator[Suite]:
    argv = [sys.executable, "-m", "pytest", "-q", "features/c4_cleanroom.feature", "-k", words, "--site", str(site), "--reports", str(reports)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=HERE.parent, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=dict(os.environ)) as process:
        try:
            yield Suite(process, reports)
        finally:
            process.terminate()


@pytest.fixture
def site(state: State) -> Iterator[Path]:
    """A copy of the lab's site file, free to be changed."""
    path = state.folder / "faulty.toml"
    path.write_text(state.site_file.read_text())
    yield path
    path.unlink()


@pytest.fixture
def wire(incus: Incus, site: Path) -> Iterator[Link]:
    with link(incus.endpoint) as wire:
        site.write_text(site.read_text().replace(incus.endpoint, wire.endpoint))
        yield wire


@pytest.fixture(autouse=True)
def _nothing_is_left(incus: Incus) -> Iterator[None]:
    """Whatever the fault: afterwards there are the lab's own machines, images, profiles and pools, and nothing else."""

    def estate() -> dict[str, object]:
        found = {path: sorted(incus.ask(f"/1.0/{path}?project={PROJECT}") or ()) for path in ("instances", "images", "profiles", "storage-pools")}
        # The list of networks also tells of every interface of this machine.
        managed = [network["name"] for network in incus.ask(f"/1.0/networks?project={PROJECT}&recursion=1") if network["managed"]]
        return {**found, "networks": managed}

    before = estate()
    yield
    assert set(hosts.instances(incus)) == {CANONICAL_HOST, NEIGHBOUR}
    assert estate() == before


def test_a_daemon_that_restarts_in_the_middle_costs_the_proof_of_custody_and_nothing_else(site: Path, incus: Incus, tmp_path: Path) -> None:
    with suite(site, "new or touched", tmp_path) as run:
        run.until("guide-command", number=1)
        incus.service.stop()
        incus.start()
        status, output = run.ended()
        assert status == 1
        assert run.outcome(NEW)[0] == "passed"
        state, told = run.outcome(CUSTODY)
        assert state == "error", "nobody can tell who touched it: that is our trouble, not the site's"
        assert "were not heard for a while" in told
        assert run.of("lifecycle-gap")
        assert run.of("machine-gone")
        assert "verdict: INCOMPLETE" in output


def test_a_network_that_loses_everything_for_20_seconds_is_waited_for(site: Path, wire: Link, tmp_path: Path) -> None:
    """Nothing breaks, so nothing is missed: the events that were held up come late, and all of them."""
    with suite(site, "new", tmp_path) as run:
        run.until("hypervisor", action="create")
        wire.go_dead()
        time.sleep(CUT_SECONDS)
        wire.restore()
        status, output = run.ended()
        assert status == 0, output
        assert run.outcome(NEW)[0] == "passed"
        assert not run.of("lifecycle-gap")
        assert run.of("machine-gone")


def test_a_network_that_breaks_for_20_seconds_is_told_of_and_asked_again(site: Path, wire: Link, tmp_path: Path) -> None:
    with suite(site, "new", tmp_path) as run:
        run.until("blank")
        wire.pull_out()
        time.sleep(CUT_SECONDS)
        wire.restore()
        status, output = run.ended()
        assert status == 0, output
        assert run.of("lifecycle-gap")
        assert run.of("hypervisor-silent")
        assert run.of("hypervisor-answers")
        assert "the hypervisor does not answer" in output
        assert "the hypervisor answers again after" in output
        assert run.of("machine-gone")


def test_a_creation_whose_answer_is_lost_is_cleaned_up_when_the_network_is_back(site: Path, wire: Link, tmp_path: Path) -> None:
    with suite(site, "new", tmp_path) as run:
        run.until("hypervisor", action="create")
        wire.pull_out()
        time.sleep(5)
        wire.restore()
        status, output = run.ended()
        state, told = run.outcome(NEW)
        assert (status, state) in {(0, "passed"), (1, "error")}, output
        assert state == "passed" or "does not answer" in told
        assert run.of("machine-gone")


@pytest.mark.parametrize(("days", "words"), [(-1, "the client certificate expired on"), (0.01, "expires before a run could clean up")])
def test_a_certificate_that_expires_ends_a_run_before_anything_is_made(site: Path, tmp_path: Path, days: float, words: str) -> None:
    pair = (tmp_path / "client.pem", tmp_path / "client.key")
    credential.write_pair(*pair, days=days)
    text = site.read_text()
    for key, path in (("certificates/incus-client.pem", pair[0]), ("keys/incus-client-key.pem", pair[1])):
        text = text.replace(key, str(path))
    site.write_text(text)
    with suite(site, "new", tmp_path) as run:
        status, output = run.ended()
        assert status == 1
        assert run.outcome(NEW)[0] == "error"
        assert words in output
        assert not run.of("hypervisor")


@pytest.fixture
def full_pool(incus: Incus, site: Path) -> Iterator[None]:
    """A pool that the image does not fit into, and a profile that puts the throwaway there."""
    name = "cleanroom-small"
    incus("storage", "create", name, "btrfs", "size=256MiB")
    incus("profile", "create", name)
    devices = {
        "root": {"type": "disk", "path": "/", "pool": name},
        "eth0": {"type": "nic", "name": "eth0", "network": incus.state.bridge},
    }
    incus("profile", "edit", name, stdin=json.dumps({"devices": devices}).encode())
    site.write_text(site.read_text().replace('memory = "4GiB"', f'memory = "4GiB"\nprofiles = ["{name}"]'))
    yield
    incus("profile", "delete", name)
    incus("storage", "delete", name)


@pytest.mark.usefixtures("full_pool")
def test_a_full_storage_pool_ends_a_run_in_the_hypervisor_s_own_words(site: Path, tmp_path: Path) -> None:
    with suite(site, "new", tmp_path) as run:
        status, output = run.ended()
        state, told = run.outcome(NEW)
        assert (status, state) == (1, "error"), output
        assert "Incus could not do it" in told
        assert "space" in told
        assert run.of("machine-gone")
