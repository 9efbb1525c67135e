"""Which documents there are: all of base's text, and what the owner keeps beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cleanroom.claim import site_documents
from cleanroom.errors import BadInput, CheckFailed
from cleanroom.repository import Repository, fetch
from cleanroom.site import Site
from cleanroom.tables.git import Forge
from tests.unit import sites

FILES = {
    "README.md": b"# x\n",
    "docs/guide.md": b"# guide\n",
    "modules/host.nix": b"{ }\n",
    "LICENSE": b"free\n",
    "notes.txt": "wide".encode("utf-16"),
    "logo.png": b"\x89PNG\0\0",
    "broken.md": b"caf\xe9\0\n",
}


def committed(folder: Path, name: str, files: dict[str, bytes]) -> Repository:
    tree = folder / name
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    (tree / "link.md").symlink_to("README.md")
    for words in (["init", "--quiet"], ["add", "--all"], ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--message=x"]):
        subprocess.run(["git", "-C", str(tree), *words], check=True)
    return fetch(str(tree), "HEAD", folder / f"{name}.git", forge=Forge())


@pytest.fixture
def base(tmp_path: Path) -> Repository:
    return committed(tmp_path, "base", FILES)


@pytest.fixture
def secrets(tmp_path: Path) -> Repository:
    return committed(tmp_path, "secrets", {"README.md": b"sealed", "secrets.yaml": b"x: y\n"})


def site(folder: Path, **evidence: Any) -> Site:
    return Site.load(sites.write(folder, {"evidence": evidence} if evidence else {}))


def test_every_text_is_read_whatever_its_name(base: Repository, secrets: Repository, tmp_path: Path) -> None:
    found = site_documents.everything(site(tmp_path), base, secrets)
    assert sorted(found) == sorted({*FILES, "secrets:README.md", "secrets:secrets.yaml"} - {"logo.png"})
    assert found["modules/host.nix"] == b"{ }\n"
    assert sorted(site_documents.prose(found)) == ["README.md", "broken.md", "docs/guide.md", "secrets:README.md"]


def test_the_owners_own_are_read_too(base: Repository, secrets: Repository, tmp_path: Path) -> None:
    (tmp_path / "REVIEW.md").write_text("claim")
    (tmp_path / "STATUS.md").write_text("done")
    found = site_documents.everything(site(tmp_path, document_file="REVIEW.md", local_documents=["STATUS.md"]), base, secrets)
    assert found[str(tmp_path / "REVIEW.md")] == b"claim"
    assert found[str(tmp_path / "STATUS.md")] == b"done"


def test_one_that_is_missing_is_told(base: Repository, secrets: Repository, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match=r"STATUS\.md"):
        site_documents.everything(site(tmp_path, local_documents=["STATUS.md"]), base, secrets)


def test_where_the_claim_lies(base: Repository, tmp_path: Path) -> None:
    (tmp_path / "REVIEW.md").write_text("claim")
    assert site_documents.claim(site(tmp_path, document_file="REVIEW.md"), base) == ("REVIEW.md", b"claim")
    assert site_documents.claim(site(tmp_path, document="docs/guide.md"), base) == ("docs/guide.md", b"# guide\n")


def test_a_claim_that_is_not_there_is_the_sites_fault(base: Repository, tmp_path: Path) -> None:
    for where in ({"document": "REVIEW.md"}, {"document_file": "REVIEW.md"}):
        with pytest.raises(CheckFailed, match="REVIEW"):
            site_documents.claim(site(tmp_path, **where), base)


def test_a_site_that_does_not_say_cannot_be_judged(base: Repository, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not say where the evidence document lies"):
        site_documents.claim(site(tmp_path), base)
    with pytest.raises(BadInput, match="where signed records lie"):
        site_documents.record_folder(site(tmp_path, records="reports"), "run")
    records = site(tmp_path, records="reports", trusted_key="key.pem")
    assert site_documents.record_folder(records, "run") == (tmp_path / "reports/run", tmp_path / "key.pem")


def test_the_document_lies_in_one_place(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one of document and document_file"):
        site(tmp_path, document="REVIEW.md", document_file="REVIEW.md")


@pytest.mark.parametrize("age", ["25h", "2d", "0s"])
def test_no_site_may_allow_old_evidence(tmp_path: Path, age: str) -> None:
    with pytest.raises(BadInput, match="evidence may be"):
        site(tmp_path, max_age=age)
