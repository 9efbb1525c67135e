"""What is told of a site before anybody runs anything: files on this side, names that nobody resolves, looks that do not end."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanroom import site_check
from cleanroom.checkup import local, net
from cleanroom.checkup.points import Finding, good, side_by_side
from cleanroom.cli import main
from cleanroom.errors import HarnessError, OutOfReach
from cleanroom.site import Site
from cleanroom.ssh import KeyPair
from tests.unit import sites
from tests.unit.authority import Authority

IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n"
REMOTE = {"incus.client_certificate": "client.pem", "incus.client_key": "client.key", "incus.server_certificate": "server.pem"}


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name can be resolved."""

    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose files on this side are all good."""
    monkeypatch.setenv("FORGE_TOKEN", "token")
    (tmp_path / "keys").mkdir()
    private(tmp_path / "keys" / "bootstrap.txt", IDENTITY)
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("client.example")
    private(tmp_path / "client.key", pair.key.read_text())
    (tmp_path / "client.pem").write_bytes(pair.certificate.read_bytes())
    (tmp_path / "server.pem").write_bytes(authority.bundle.read_bytes())
    private(tmp_path / "ssh", KeyPair.generate("x").private.decode())
    line = KeyPair.generate("host").public
    return sites.write(tmp_path, {**REMOTE, "canonical": {"address": "192.0.2.1", "host_key": line, "private_key": "ssh"}})


def private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def files_of(path: Path) -> dict[str, Finding]:
    """The findings about files that are no good, by their point."""
    return {finding.point: finding for finding in local.look(Site.load(path)) if finding.state == "wrong"}


def test_files_that_can_be_used_are_good(site_file: Path) -> None:
    findings = list(local.look(Site.load(site_file)))
    assert {finding.point for finding in findings if finding.state == "good"} == {
        "secrets.credential.token",
        "bootstrap.key_file",
        "incus.client_certificate",
        "incus.client_key",
        "incus.server_certificate",
        "canonical.private_key",
        "canonical.host_key",
    }
    assert not files_of(site_file)


def spoil(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    match name:
        case "missing":
            (folder / "client.pem").unlink()
        case "readable":
            (folder / "keys" / "bootstrap.txt").chmod(0o644)
        case "no age key":
            private(folder / "keys" / "bootstrap.txt", "not a key\n")
        case "two age keys":
            private(folder / "keys" / "bootstrap.txt", IDENTITY * 2)
        case "no token":
            monkeypatch.delenv("FORGE_TOKEN")
        case "another's key":
            private(folder / "client.key", Authority(folder / "other").issue("x").key.read_text())
        case "no certificate":
            (folder / "server.pem").write_text("-----BEGIN NONSENSE-----\n")
        case "no ssh key":
            private(folder / "ssh", "x")
        case "no host key":
            text = (folder / "site.toml").read_text()
            (folder / "site.toml").write_text(text.replace("ssh-ed25519 ", "ssh-ed25519 x"))


@pytest.mark.parametrize(
    ("name", "point", "words"),
    [
        ("missing", "incus.client_certificate", "no such file"),
        ("readable", "bootstrap.key_file", "others on this machine can read"),
        ("no age key", "bootstrap.key_file", "age identity"),
        ("two age keys", "bootstrap.key_file", "holds 2 identities"),
        ("no token", "secrets.credential.token", "empty"),
        ("another's key", "incus.client_key", "does not belong"),
        ("no certificate", "incus.server_certificate", "no certificate in PEM"),
        ("no ssh key", "canonical.private_key", "no unencrypted OpenSSH private key"),
        ("no host key", "canonical.host_key", "no public key line"),
    ],
)
def test_each_spoiled_file_is_told_by_its_key_with_what_to_do(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, name: str, point: str, words: str
) -> None:
    spoil(site_file.parent, name, monkeypatch)
    found = files_of(site_file)
    assert set(found) == {point}
    assert words in found[point].seen
    assert found[point].where
    assert "token" not in found[point].seen.replace("secrets.credential.token", "")


def test_a_local_socket_needs_no_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_TOKEN", "token")
    path = sites.write(tmp_path, {"incus.endpoint": "http+unix://%2Fnone"})
    assert set(files_of(path)) == {"bootstrap.key_file"}


def test_all_mistakes_of_a_site_file_are_one_point(tmp_path: Path) -> None:
    checked = site_check.check(sites.write(tmp_path, {"base.branch": "x", "incus.memory": "much"}))
    (finding,) = checked.findings
    assert (finding.state, checked.status) == ("wrong", 1)
    assert "base.branch: no such key" in finding.seen
    assert "incus.memory" in finding.seen


@pytest.mark.usefixtures("nowhere")
def test_without_a_network_the_rest_is_still_told(site_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "check", str(site_file)]) == 2
    told = capsys.readouterr().out
    for point in ("base.url", "secrets.url", "incus.endpoint"):
        assert f"UNKNOWN {point}: cannot resolve" in told
    assert "DNS of drone.ci.example" in told
    assert "good    bootstrap.key_file" in told
    assert "nothing was changed" in told


@pytest.mark.usefixtures("nowhere")
def test_json_says_the_same_to_a_program(site_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site_file.parent / "ssh").unlink()
    assert main(["site", "check", str(site_file), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == 1
    point = next(point for point in told["points"] if point["point"] == "canonical.private_key")
    assert (point["state"], set(point)) == ("wrong", {"point", "state", "seen", "where", "advice"})


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(net, "_RESOLVE_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: [ended.wait(10)][1:])
    with pytest.raises(OutOfReach, match=r"says nothing of forge\.example"):
        net.resolve("forge.example")
    ended.set()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://git.example/us/base", ("git.example", 443)),
        ("https://git.example:3000/us/base", ("git.example", 3000)),
        ("ssh://git@git.example/us/base", ("git.example", 22)),
        ("git@git.example:us/base", ("git.example", 22)),
        ("/srv/git/base", None),
        ("file:///srv/git/base", None),
    ],
)
def test_a_repository_s_host_is_read_from_its_url(url: str, place: tuple[str, int] | None) -> None:
    assert net.place_of(url) == place


def taken(*looks: Any, within: float = 5.0) -> list[Finding]:
    found: list[Finding] = []
    side_by_side([(f"look {number}", look) for number, look in enumerate(looks)], within=within, tell=found.append)
    return found


def test_a_look_that_does_not_end_is_told_and_the_others_are_kept() -> None:
    ended = threading.Event()

    def slow() -> Iterator[Finding]:
        yield good("slow", "begun")
        ended.wait(10)

    found = taken(slow, lambda: iter([good("quick", "done")]), within=0.2)
    ended.set()
    assert {finding.point for finding in found if finding.state == "good"} == {"slow", "quick"}
    assert [finding.point for finding in found if finding.state == "cannot tell"] == ["look 0"]


def test_a_look_that_breaks_is_told_without_its_words() -> None:
    def broken() -> Iterator[Finding]:
        raise ValueError("hunter2")

    def refused() -> Iterator[Finding]:
        yield good("one", "x")
        raise HarnessError("no", where="there", advice="do this")

    one, *rest = sorted(taken(broken, refused), key=lambda finding: finding.point)
    assert (one.state, "hunter2" in str(one)) == ("cannot tell", False)
    assert [(finding.state, finding.where, finding.advice) for finding in rest] == [("wrong", "there", "do this"), ("good", "", "")]


@pytest.mark.parametrize(
    ("states", "status"),
    [(["good"], 0), (["good", "note"], 0), (["good", "cannot tell"], 2), (["wrong", "cannot tell"], 1), (["note"], 2), ([], 2)],
)
def test_the_status_is_the_worst_point_s_and_nothing_seen_is_no_good(states: list[Any], status: int) -> None:
    assert site_check.Checked(tuple(Finding("x", state, "") for state in states)).status == status


CUSTOMER = Path(__file__).parents[2] / "docs" / "sites" / "cc-ci.toml"


@pytest.mark.parametrize("fill", [lambda text: text, lambda text: re.sub(r"(?m)^#! ", "", text)], ids=["as it is", "filled in"])
def test_the_customer_s_site_file_has_no_mistake_neither_as_it_is_nor_filled_in(tmp_path: Path, fill: Callable[[str], str]) -> None:
    path = tmp_path / "cc-ci.toml"
    path.write_text(fill(CUSTOMER.read_text()))
    site = Site.load(path)
    assert (site.kind, site.incus.project, site.incus.type, site.incus.fall_back_to_container) == ("real", "terraform-ci", "virtual-machine", False)


def test_what_comes_only_after_a_first_run_is_a_note(site_file: Path) -> None:
    text = site_file.read_text() + '[evidence]\nrecords = "records"\n'
    site_file.write_text(text)
    states = {finding.point: finding.state for finding in local.look(Site.load(site_file))}
    assert states["evidence.records"] == "note"
    (site_file.parent / "records").mkdir()
    states = {finding.point: finding.state for finding in local.look(Site.load(site_file))}
    assert states["evidence.records"] == "good"
