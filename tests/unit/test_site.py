"""The site file: what is taken, and one clear line for each mistake."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from cleanroom.errors import BadInput
from cleanroom.site import Site
from cleanroom.tables.base import SecretSource
from tests.unit.sites import MINIMAL, Gone, keys, parts, write


def mistakes(folder: Path, edits: dict[str, Any]) -> list[str]:
    """The mistakes that loading names, one a line."""
    path = write(folder, edits)
    with pytest.raises(BadInput) as caught:
        Site.load(path)
    assert caught.value.where == str(path)
    first, *lines = caught.value.problem.splitlines()
    assert first == "the site file has mistakes:"
    return [line.strip() for line in lines]


def test_a_minimal_site_is_taken_and_the_rest_has_defaults(tmp_path: Path) -> None:
    path = write(tmp_path)
    site = Site.load(path)
    assert (site.domain, site.incus.memory, site.guide.within, site.access.method) == ("ci.example", 4 * 2**30, 1800.0, "incus-push")
    assert site.path == path
    assert site.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_quantities_are_read_as_people_write_them(tmp_path: Path) -> None:
    site = Site.load(write(tmp_path, {"incus.memory": "512MiB", "incus.boot_within": "5m", "oneshot.0.within": "90s"}))
    assert (site.incus.memory, site.incus.boot_within, site.oneshot[0].within) == (512 * 2**20, 300.0, 90.0)


SIZE = "expected a size such as 4GiB or 512MiB"
DURATION = "expected a duration such as 90s, 30m or 24h"

MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("unknown table", {"clock": {}}, "clock: no such key"),
    ("unknown key", {"base.branch": "main"}, "base.branch: no such key"),
    ("unknown key two tables down", {"secrets.credential.password": "x"}, "secrets.credential.password: no such key"),
    ("unknown key three tables down", {"secrets.credential.token.value": "x"}, "secrets.credential.token.value: no such key"),
    ("unknown key in a list", {"endpoint.1.color": "red"}, "endpoint.2.color: no such key"),
    ("missing key", {"domain": Gone}, "domain: missing"),
    ("missing table", {"bootstrap": Gone}, "bootstrap: missing"),
    ("missing key in a table", {"incus.project": Gone}, "incus.project: missing"),
    ("missing key in a list", {"endpoint.0.marker": Gone}, "endpoint.1.marker: missing"),
    ("text for a number", {"endpoint.0.status": "200"}, "endpoint.1.status: input should be a valid integer"),
    ("number for text", {"domain": 7}, "domain: input should be a valid string"),
    ("text for a truth", {"incus.fall_back_to_container": "yes"}, "incus.fall_back_to_container: input should be a valid boolean"),
    ("text for a table", {"base": "https://forge.example"}, "base: input should be a valid dictionary or instance of Base"),
    ("text for a list", {"incus.neighbours": "other"}, "incus.neighbours: input should be a valid tuple"),
    ("a word that is none of the known", {"kind": "prod"}, "kind: input should be 'lab' or 'real'"),
    ("another version", {"schema_version": 2}, "schema_version: input should be 1"),
    ("a size without a unit", {"incus.memory": "4"}, f"incus.memory: {SIZE}"),
    ("a size as a number", {"incus.memory": 4294967296}, f"incus.memory: {SIZE}"),
    ("a size in a unit nobody knows", {"incus.memory_guideline": "12G"}, f"incus.memory_guideline: {SIZE}"),
    ("a duration without a unit", {"guide.within": "30"}, f"guide.within: {DURATION}"),
    ("a duration as a number", {"endpoint.0.within": 60}, f"endpoint.1.within: {DURATION}"),
    ("both file and env", {"secrets.credential.token.file": "token"}, "secrets.credential.token: expected exactly one of file and env"),
    ("neither file nor env", {"secrets.credential.token": {}}, "secrets.credential.token: expected exactly one of file and env"),
    ("both token and deploy key", {"secrets.credential.deploy_key": "key"}, "secrets.credential: expected exactly one of token and deploy_key"),
    ("no credential", {"secrets.credential": {}}, "secrets.credential: expected exactly one of token and deploy_key"),
    (
        "an image's access without its key",
        {"access.method": "image"},
        "access: method image needs private_key: the half that the image does not hold",
    ),
    ("a visitor who is not root", {"access.user": "admin"}, "access.user: input should be 'root'"),
    ("an endpoint outside the domain", {"endpoint.0.host": "ci.example.org"}, "(whole file): host ci.example.org is outside the domain ci.example"),
    (
        "an endpoint that only ends like it",
        {"endpoint.0.host": "evilci.example"},
        "(whole file): host evilci.example is outside the domain ci.example",
    ),
    ("a webhook outside the domain", {"webhook.host": "hook.test"}, "(whole file): host hook.test is outside the domain ci.example"),
    (
        "a throwaway named like a neighbour",
        {"incus.neighbours": ["a", "throwaway"]},
        "(whole file): incus.throwaway has the name of a machine that must not be touched",
    ),
    (
        "a throwaway named like the canonical host",
        {"incus.canonical_host": "throwaway"},
        "(whole file): incus.throwaway has the name of a machine that must not be touched",
    ),
    *(
        (f"no {key}", {key: []}, f"(whole file): expected at least one [[{key}]]: a site without one would pass by being empty")
        for key in ("endpoint", "oneshot", "service")
    ),
]


@pytest.mark.parametrize(("edits", "line"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_each_mistake_is_one_clear_line(tmp_path: Path, edits: dict[str, Any], line: str) -> None:
    assert mistakes(tmp_path, edits) == [line]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = mistakes(tmp_path, {"name": Gone, "base.branch": "x", "incus.memory": "big", "endpoint.0.status": "x"})
    assert [line.split(": ")[0] for line in told] == ["name", "base.branch", "endpoint.1.status", "incus.memory"]


@pytest.mark.parametrize("path", ["marker", "host"])
def test_an_endpoint_cannot_pass_by_saying_nothing(tmp_path: Path, path: str) -> None:
    assert len(mistakes(tmp_path, {f"endpoint.0.{path}": ""})) == 1


@pytest.mark.parametrize("name", ["A-B", "1X", "", "A B", "A=B"])
@pytest.mark.parametrize("table", ["variables", "secrets"])
def test_a_guide_s_variable_has_a_name_that_a_shell_takes(tmp_path: Path, table: str, name: str) -> None:
    assert len(mistakes(tmp_path, {f"guide.{table}": {name: "x" if table == "variables" else {"env": "X"}}})) >= 1


SECRET = "hunter2-is-no-name-of-a-file"


@pytest.mark.parametrize(
    "edits",
    [
        {"secrets.credential.token": SECRET},
        {"secrets.credential.token.value": SECRET},
        {"guide.secrets": {"TOKEN": SECRET}},
        {"secrets.credential.token.env": [SECRET]},
    ],
    ids=["in place of its source", "under a key of its own", "of the guide", "in a list"],
)
def test_a_secret_that_was_told_is_refused_and_not_repeated(tmp_path: Path, edits: dict[str, Any]) -> None:
    told = "\n".join(mistakes(tmp_path, edits))
    assert told
    assert SECRET not in told


def test_an_unreadable_site_file_is_told_with_the_way_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file") as caught:
        Site.load(tmp_path / "none.toml")
    assert caught.value.where == str(tmp_path / "none.toml")
    assert "--site" in caught.value.advice
    with pytest.raises(BadInput, match="directory"):
        Site.load(tmp_path)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"a = 1\na = 2", b"{}"], ids=["cut short", "no UTF-8", "twice", "JSON"])
def test_what_is_no_toml_is_told_as_that(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="no TOML") as caught:
        Site.load(path)
    assert caught.value.where == str(path)


PATHS = [
    "bootstrap.key_file",
    "forge.trust",
    "certificate.trust",
    "incus.client_certificate",
    "incus.client_key",
    "incus.server_certificate",
    "access.private_key",
    "evidence.signing_key",
    "evidence.document_file",
    "evidence.records",
    "evidence.trusted_key",
    "documents.plan_file",
]


def at(site: BaseModel, path: str) -> Any:
    value: Any = site
    for key in path.split("."):
        value = value[key] if isinstance(value, dict) else getattr(value, key)
    return value


@pytest.mark.parametrize("path", PATHS)
def test_a_path_on_this_side_stands_relative_to_the_site_file(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/somebody")
    for given, anchored in (
        ("keys/x", tmp_path / "keys/x"),
        ("../x", tmp_path / "../x"),
        ("/abs/x", Path("/abs/x")),
        ("~/x", Path("/home/somebody/x")),
    ):
        assert at(Site.load(write(tmp_path, {path: given})), path) == anchored


def test_every_path_on_this_side_is_anchored(tmp_path: Path) -> None:
    """No model has a `Path` that the list above forgot."""
    nested = {"secrets.credential.deploy_key", "secrets.credential.token.file", "guide.secrets.*.file", "canonical.private_key", "leaks.repositories"}
    nested |= {"evidence.local_documents"}
    assert {path for path, kind in keys(Site) if Path in parts(kind)} == {*PATHS, *nested}
    edits: dict[str, Any] = {
        "secrets.credential": {"token": {"file": "token"}},
        "guide.secrets": {"TOKEN": {"file": "guide-token"}},
        "canonical": {"address": "a", "host_key": "k", "private_key": "canonical-key"},
        "leaks.repositories": ["one.git", "/two.git"],
        "evidence.local_documents": ["STATUS.md", "/wiki.md"],
    }
    site = Site.load(write(tmp_path, edits))
    assert at(site, "secrets.credential.token.file") == tmp_path / "token"
    assert at(site, "guide.secrets.TOKEN.file") == tmp_path / "guide-token"
    assert at(site, "canonical.private_key") == tmp_path / "canonical-key"
    assert at(site, "leaks.repositories") == (tmp_path / "one.git", Path("/two.git"))
    assert at(site, "evidence.local_documents") == (tmp_path / "STATUS.md", Path("/wiki.md"))
    site = Site.load(write(tmp_path, {"secrets.credential": {"deploy_key": "deploy"}}))
    assert at(site, "secrets.credential.deploy_key") == tmp_path / "deploy"


def test_what_only_looks_like_a_path_here_is_left_alone(tmp_path: Path) -> None:
    site = Site.load(write(tmp_path, {"secrets.file": "secrets/all.yaml", "guide.variables": {"trust": "x", "file": "y"}}))
    assert site.secrets.file == "secrets/all.yaml"
    assert site.guide.variables == {"trust": "x", "file": "y"}
    assert site.bootstrap.machine_path == MINIMAL["bootstrap"]["machine_path"]


def test_a_secret_is_read_from_its_file_when_it_is_needed(tmp_path: Path) -> None:
    source = SecretSource(file=tmp_path / "token")
    with pytest.raises(BadInput, match="cannot read the token"):
        source.load("token")
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(BadInput, match="the token is empty"):
        source.load("token")
    (tmp_path / "token").write_text("s3cr3t\n")
    assert source.load("token").text() == "s3cr3t"


def test_a_secret_is_read_from_its_variable_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SecretSource(env="SUITE_TEST_TOKEN")
    monkeypatch.delenv("SUITE_TEST_TOKEN", raising=False)
    with pytest.raises(BadInput) as caught:
        source.load("token")
    assert caught.value.where == "environment variable SUITE_TEST_TOKEN"
    monkeypatch.setenv("SUITE_TEST_TOKEN", "s3cr3t ")
    assert source.load("token").text() == "s3cr3t"


def test_every_site_that_we_ship_can_be_loaded() -> None:
    paths = sorted((Path(__file__).parents[2] / "docs" / "sites").glob("*.toml"))
    assert [path.stem for path in paths if Site.load(path).schema_version == 1] == [path.stem for path in paths]
    assert "cc-ci" in [path.stem for path in paths]
