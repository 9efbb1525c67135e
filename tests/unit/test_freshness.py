"""Evidence is of today, of here, and of what the repositories hold now."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cleanroom.claim import freshness
from cleanroom.claim.record import Record
from cleanroom.errors import CheckFailed
from cleanroom.ledger import Event
from cleanroom.repository import Repository, fetch
from cleanroom.site import Site
from cleanroom.tables.git import Forge
from tests import forging
from tests.unit import claim, sites

BEGAN = datetime.datetime.fromisoformat(claim.BEGAN)
DAY = 86400.0


def record(*edits: forging.Edit, events: list[Event] | None = None) -> Record:
    found = events or claim.events()
    for edit in edits:
        found = edit(found)
    return Record(Path("records") / claim.RUN, {}, found)


@pytest.mark.parametrize("hours", [0, 1, 23.99])
def test_young_evidence(hours: float) -> None:
    freshness.check_age(record(), max_age=DAY, now=BEGAN + datetime.timedelta(hours=hours))


@pytest.mark.parametrize(("hours", "told"), [(24, "24.0 hours ago"), (48.5, "48.5 hours ago"), (-1, "of the past")])
def test_evidence_of_another_day(hours: float, told: str) -> None:
    with pytest.raises(CheckFailed, match=told):
        freshness.check_age(record(), max_age=DAY, now=BEGAN + datetime.timedelta(hours=hours))


def test_a_site_may_ask_for_less(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="younger than 60 m"):
        freshness.check_age(record(), max_age=3600, now=BEGAN + datetime.timedelta(hours=2))
    assert Site.load(sites.write(tmp_path)).evidence.max_age == DAY


def test_a_cold_run_is_cold() -> None:
    freshness.check_cold(record())


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"role": "builder"}, "role builder"), ({"keep": "on-failure"}, "keep on-failure"), ({"reuse": True}, "reuse yes")],
)
def test_a_builders_run_is_not(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(CheckFailed, match=told):
        freshness.check_cold(record(forging.changed("run-began", **fields)))


def test_a_run_that_recalled_another_is_not_cold() -> None:
    with pytest.raises(CheckFailed, match="recalled from an earlier run"):
        freshness.check_cold(record(forging.changed("guide-command", recalled_from="20261125-084533-ad23c8")))


def test_a_machine_that_was_there_before_is_not_cold() -> None:
    with pytest.raises(CheckFailed, match="made after its run began"):
        freshness.check_cold(record(forging.changed("machine", created_at="2026-11-26T08:40:00+00:00")))


def test_another_sites_evidence(tmp_path: Path) -> None:
    site = Site.load(sites.write(tmp_path))
    freshness.check_site(record(), site)
    for fields in ({"name": "other"}, {"site_kind": "real"}):
        with pytest.raises(CheckFailed, match="the evidence is of small"):
            freshness.check_site(record(forging.changed("site", **fields)), site)


class Forges:
    """Two repositories with a history, and what was proven of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.proven = {name: self.commit(name, {"flake.nix": "1", "REVIEW.md": "old"}) for name in ("base", "secrets")}

    def git(self, name: str, *words: str) -> str:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        return subprocess.run(["git", "-C", str(self.folder / name), *identity, *words], check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, name: str, files: dict[str, str]) -> str:
        if not (self.folder / name).exists():
            (self.folder / name).mkdir()
            self.git(name, "init", "--quiet", "--initial-branch=main")
        for path, text in files.items():
            (self.folder / name / path).write_text(text)
        self.git(name, "add", "--all")
        self.git(name, "commit", "--quiet", "--allow-empty", "--message=x")
        return self.git(name, "rev-parse", "HEAD")

    def fetched(self, name: str, revision: str = "HEAD") -> Repository:
        count = len(list(self.folder.iterdir()))
        return fetch(str(self.folder / name), revision, self.folder / f"{name}-{count}.git", forge=Forge())

    def record(self) -> Record:
        def edit(events: list[Event]) -> list[Event]:
            return [{**event, "commit": self.proven[event["repository"]]} if event["kind"] == "revision" else event for event in events]

        return record(edit)


@pytest.fixture
def forges(tmp_path: Path) -> Forges:
    return Forges(tmp_path)


def judge(forges: Forges, site: Site) -> None:
    freshness.check_heads(forges.record(), forges.fetched("base", site.base.revision), forges.fetched("secrets"), site)


def test_the_heads_were_proven(forges: Forges, tmp_path: Path) -> None:
    judge(forges, Site.load(sites.write(tmp_path)))


@pytest.mark.parametrize("name", ["base", "secrets"])
def test_a_repository_has_moved_on(forges: Forges, tmp_path: Path, name: str) -> None:
    forges.commit(name, {"flake.nix": "2"})
    with pytest.raises(CheckFailed, match=rf"the head of {name}.*(?s:.*)flake.nix has changed since"):
        judge(forges, Site.load(sites.write(tmp_path)))


def test_the_evidence_itself_may_have_been_committed_since(forges: Forges, tmp_path: Path) -> None:
    forges.commit("base", {"REVIEW.md": "new"})
    judge(forges, Site.load(sites.write(tmp_path, {"evidence": {"document": "REVIEW.md"}})))
    with pytest.raises(CheckFailed, match=r"REVIEW\.md has changed since"):
        judge(forges, Site.load(sites.write(tmp_path)))
    forges.commit("base", {"flake.nix": "2"})
    with pytest.raises(CheckFailed, match=r"flake\.nix has changed since"):
        judge(forges, Site.load(sites.write(tmp_path, {"evidence": {"document": "REVIEW.md"}})))


def test_the_block_that_says_done_may_have_been_committed_too(forges: Forges, tmp_path: Path) -> None:
    forges.commit("base", {"REVIEW.md": "new", "STATUS.md": "## DONE"})
    with pytest.raises(CheckFailed, match=r"STATUS\.md has changed since"):
        judge(forges, Site.load(sites.write(tmp_path, {"evidence": {"document": "REVIEW.md"}})))
    judge(forges, Site.load(sites.write(tmp_path, {"evidence": {"document": "REVIEW.md", "status": "STATUS.md"}})))


def test_what_a_run_goes_by_is_no_evidence_of_it(forges: Forges, tmp_path: Path) -> None:
    forges.commit("base", {"DECISIONS.md": "otherwise"})
    with pytest.raises(CheckFailed, match=r"DECISIONS\.md has changed since"):
        judge(forges, Site.load(sites.write(tmp_path, {"evidence": {"document": "DECISIONS.md"}})))


def test_a_pinned_revision_is_no_head(forges: Forges, tmp_path: Path) -> None:
    forges.commit("base", {"flake.nix": "2"})
    with pytest.raises(CheckFailed, match=r"flake\.nix has changed since"):
        judge(forges, Site.load(sites.write(tmp_path, {"base.revision": forges.proven["base"]})))


def test_a_branch_has_a_head_of_its_own(forges: Forges, tmp_path: Path) -> None:
    forges.git("base", "branch", "tested")
    forges.commit("base", {"flake.nix": "2"})
    judge(forges, Site.load(sites.write(tmp_path, {"base.revision": "tested"})))


def test_a_commit_that_was_rewritten_proves_nothing(forges: Forges, tmp_path: Path) -> None:
    forges.proven["base"] = "f" * 40
    with pytest.raises(CheckFailed, match="does not come before it"):
        judge(forges, Site.load(sites.write(tmp_path, {"evidence": {"document": "REVIEW.md"}})))
