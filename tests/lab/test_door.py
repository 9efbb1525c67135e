"""The lab's door for a restricted certificate: what our guard refuses, the server would have refused as well; and the local socket still leads in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pylxd.client
import pytest
import requests

from cleanroom.errors import HarnessError, NotOurs, OutOfReach
from cleanroom.hypervisor import Hypervisor
from cleanroom.incus.door import Credential, unix_endpoint
from cleanroom.site import Site
from lab import credential
from lab.daemon import Incus
from lab.names import PROJECT
from lab.state import HERE, State


def forget(*_arguments: object, **_fields: object) -> None:
    """Nobody wants the record."""


@pytest.fixture
def site(state: State) -> Site:
    return Site.load(state.site_file)


@pytest.fixture
def hypervisor(site: Site) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(site.incus, record=forget)
    yield found
    found.client.api.session.close()


@pytest.fixture
def unguarded(site: Site) -> Iterator[Callable[..., requests.Response]]:
    """The very same certificate, in the hands of somebody without a guard."""
    ours = Credential.of(site.incus)
    assert ours is not None
    session = pylxd.client.get_session_for_url(site.incus.endpoint, verify=str(ours.server), cert=(str(ours.certificate), str(ours.key)))
    session.trust_env = False
    with session:
        yield lambda method, path, **options: session.request(method, f"{site.incus.endpoint}{path}", timeout=10, **options)


def test_the_lab_is_entered_over_tls_by_a_certificate_that_is_restricted_to_the_project(site: Site, incus: Incus) -> None:
    ours = Credential.of(site.incus)
    assert ours is not None
    (entry,) = (incus.ask(path) for path in incus.ask("/1.0/certificates"))
    assert (entry["fingerprint"], entry["restricted"], entry["projects"], entry["type"]) == (ours.fingerprint, True, [PROJECT], "client")
    assert site.incus.endpoint.startswith("https://127.0.0.1:")
    assert incus.endpoint == site.incus.endpoint


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/1.0/instances?project=default", None),
        ("GET", "/1.0/projects/default", None),
        ("POST", "/1.0/instances?project=default", {"name": "x", "source": {"type": "none"}}),
        ("PUT", "/1.0/projects/terraform-ci?project=terraform-ci", {"config": {}, "description": "ours now"}),
        ("PATCH", "/1.0?project=terraform-ci", {"config": {"core.https_address": ""}}),
    ],
    ids=["another project's instances", "another project", "make one there", "change ours", "change the server"],
)
def test_what_the_guard_refuses_the_server_would_have_refused(
    hypervisor: Hypervisor, unguarded: Callable[..., requests.Response], method: str, path: str, body: object
) -> None:
    with pytest.raises(NotOurs, match="refused to send"):
        hypervisor.client.api.session.request(method, f"{hypervisor.settings.endpoint}{path}", json=body)
    answer = unguarded(method, path, json=body)
    assert answer.status_code in {403, 404, 500}, answer.text
    assert answer.json()["type"] == "error"


def test_a_network_is_refused_by_our_guard_alone(hypervisor: Hypervisor, incus: Incus) -> None:
    """In a project that is not itself restricted, a restricted certificate may make networks: here the guard is all there is."""
    before = incus.ask("/1.0/networks")
    with pytest.raises(NotOurs, match=r"did not make /1\.0/networks"):
        hypervisor.client.api.networks.post(json={"name": "crnone"})
    assert incus.ask("/1.0/networks") == before


def test_another_project_cannot_be_named_in_a_site_file(site: Site) -> None:
    with pytest.raises(HarnessError, match="hypervisor"):
        Hypervisor.connect(site.incus.model_copy(update={"project": "default"}), record=forget)


def test_a_certificate_that_nobody_told_the_server_of_is_not_trusted(site: Site, tmp_path: Path) -> None:
    credential.write_pair(tmp_path / "stranger.pem", tmp_path / "stranger.key", days=30)
    settings = site.incus.model_copy(update={"client_certificate": tmp_path / "stranger.pem", "client_key": tmp_path / "stranger.key"})
    with pytest.raises(OutOfReach, match="does not trust us"):
        Hypervisor.connect(settings, record=forget)


def test_a_second_up_keeps_the_port_and_tells_the_daemon_nothing_twice(incus: Incus) -> None:
    before = incus.endpoint
    incus.open_to(credential.make(incus.state))
    assert incus.endpoint == before
    assert len(incus.ask("/1.0/certificates")) == 1


def test_the_local_socket_is_still_a_way_in(site: Site, state: State, tmp_path: Path) -> None:
    """A machine is made, watched, judged and deleted over it: a site file may name it."""
    lines = [line for line in site.path.read_text().splitlines() if not line.startswith(("client_certificate", "client_key", "server_certificate"))]
    local = state.folder / "local.toml"
    local.write_text("\n".join(lines).replace(site.incus.endpoint, unix_endpoint(state.socket)))
    try:
        argv = [sys.executable, "-m", "pytest", "-q", "features/c4_cleanroom.feature", "-k", "new or touched", "--site", str(local)]
        done = subprocess.run([*argv, "--reports", str(tmp_path)], cwd=HERE.parent, env=dict(os.environ), text=True, capture_output=True, check=False)
    finally:
        local.unlink()
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
