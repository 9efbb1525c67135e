"""`cleanroom site check` against the lab, spoiled point by point, and for the customer's site on a machine without a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanroom import site_check
from cleanroom.checkup.points import Finding
from lab import credential
from lab.daemon import Incus
from lab.names import NEIGHBOUR, PROJECT, THROWAWAY
from lab.state import HERE, State

CUSTOMER = HERE.parent / "docs" / "sites" / "cc-ci.toml"
SECONDS = 15.0


def findings(site: Path) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in site_check.check(site).findings:
        found.setdefault(finding.state, []).append(finding)
    return found


def test_the_lab_is_good(state: State) -> None:
    found = findings(state.site_file)
    assert set(found) == {"good", "note"}, found
    assert {"incus.throwaway", "canonical.address", "secrets.file", "base.guide"} <= {finding.point for finding in found["good"]}


Edit = Callable[[str, Path], str]


def set_key(key: str, value: str) -> Edit:
    """The last line that sets a key says something else."""
    return lambda text, _folder: re.sub(rf"(?m)^{key} = .*$(?![\s\S]*^{key} = )", f'{key} = "{value}"', text)


def another_client(text: str, folder: Path) -> str:
    credential.write_pair(folder / "client.pem", folder / "client.key", days=30)
    return set_key("client_key", str(folder / "client.key"))(set_key("client_certificate", str(folder / "client.pem"))(text, folder), folder)


def another_server(text: str, folder: Path) -> str:
    credential.write_pair(folder / "server.pem", folder / "server.key", days=30)
    return set_key("server_certificate", str(folder / "server.pem"))(text, folder)


def another_authority(text: str, folder: Path) -> str:
    credential.write_pair(folder / "ca.pem", folder / "ca.key", days=30)
    return text.replace('[forge]\ntrust = "certificates/root.pem"', f'[forge]\ntrust = "{folder / "ca.pem"}"')


def another_token(text: str, folder: Path) -> str:
    (folder / "token").write_text("wrong")
    (folder / "token").chmod(0o600)
    return text.replace("keys/forge-token", str(folder / "token"))


@pytest.mark.parametrize(
    ("edit", "point", "words"),
    [
        (another_client, "incus.endpoint", "does not trust our certificate"),
        (another_server, "incus.server_certificate", "another certificate than the pinned one"),
        (another_authority, "base.url", "certificate"),
        (another_token, "secrets.credential", "Authentication failed|refused|40[13]"),
        (set_key("image", "nothing"), "incus.image", "there is no image nothing"),
        (set_key("image_fingerprint", "0" * 64), "incus.image", "declared is 000000000000"),
        (set_key("memory_guideline", "11GiB"), "incus.memory", "within the guideline of 11.0 GiB"),
        (set_key("canonical_host", "nobody"), "incus.canonical_host", "no instance nobody"),
        (set_key("throwaway", "cc-ci-namesake"), "incus.throwaway", "does not carry our mark"),
        (set_key("host_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="), "canonical.address", "another host key|host key"),
        (lambda text, _: text.replace('key = "certificate/privkey"', 'key = "certificate/none"'), "certificate.key", "no value called"),
        (lambda text, _: text.replace("[guide]", '[guide]\nrebuild = "make world"'), "base.guide", "no command of the guide contains"),
        (
            lambda text, _: text.replace("fall_back_to_container = true", "fall_back_to_container = false"),
            "incus.type",
            "cannot make virtual machines",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_thing_that_is_wrong_is_told_at_its_point(state: State, incus: Incus, tmp_path: Path, edit: Edit, point: str, words: str) -> None:
    before = state.site_file.read_text()
    text = edit(before, tmp_path)
    assert text != before
    site = state.folder / "spoiled.toml"
    site.write_text(text)
    incus("init", "--empty", "cc-ci-namesake", "--project", PROJECT)
    try:
        found = findings(site)
    finally:
        site.unlink()
        incus("delete", "cc-ci-namesake", "--project", PROJECT)
    wrong = [finding for finding in found["wrong"] if finding.point == point]
    assert wrong, found
    assert any(re.search(words, finding.seen) for finding in wrong), wrong
    assert "bootstrap.key_file" in {finding.point for finding in found["good"]}, "the other looks went on"


def test_it_changes_nothing(state: State, incus: Incus) -> None:
    def estate() -> list[list[dict[str, Any]]]:
        lists = [incus.ask(f"/1.0/{path}?project={PROJECT}&recursion=1") for path in ("instances", "images", "profiles", "networks")]
        # The machine's other links are listed as well (another lab's bridge, say), and what uses a network in no order.
        own = [[each for each in found if each.get("managed", True)] for found in lists]
        return [[{**each, "used_by": sorted(each.get("used_by") or ())} for each in found] for found in own]

    before = estate()
    site_check.check(state.site_file)
    assert estate() == before
    assert NEIGHBOUR in json.dumps(before)
    assert THROWAWAY not in json.dumps(before)


#: In a network of its own: with nothing in it, or with a way out at whose end everything is swallowed, what a resolver would answer too.
SILENCE = (
    "ip link add hole type bridge && ip address add 192.0.2.2/24 dev hole && ip link set lo up && ip link set hole up"
    " && ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev hole && ip route add default via 192.0.2.1"
)


@pytest.mark.parametrize("prepare", ["true", SILENCE], ids=["no network", "everything is swallowed"])
def test_the_customer_s_site_without_a_network_is_told_within_15_seconds(prepare: str, tmp_path: Path) -> None:
    began = time.monotonic()
    script = f'{prepare} && exec "$0" -m cleanroom.cli site check "$1"'
    argv = ["unshare", "--net", "sh", "-c", script, sys.executable, str(CUSTOMER)]
    done = subprocess.run(argv, cwd=HERE.parent, env={**os.environ, "TMPDIR": str(tmp_path)}, text=True, capture_output=True, check=False, timeout=60)
    seconds = time.monotonic() - began
    assert seconds < SECONDS, done.stdout
    assert done.returncode == 1, done.stdout + done.stderr
    for point in ("bootstrap.key_file", "incus.client_certificate", "secrets.credential.token"):
        assert f"WRONG   {point}: " in done.stdout
    for point in ("base.url", "secrets.url", "incus.endpoint"):
        assert f"UNKNOWN {point}: " in done.stdout
    assert done.stdout.count("next:") >= done.stdout.count("WRONG")
    assert list(tmp_path.iterdir()) == []
