"""Places to search: what the site's patterns mean on a machine, and what nobody can see of a repository."""

from __future__ import annotations

import io
import secrets
import subprocess
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cleanroom import repository
from cleanroom.leaks import Result, Search, Searcher
from cleanroom.redact import Secret
from cleanroom.run import Run
from cleanroom.sighting.needles import Needles
from cleanroom.sighting.sightings import GitPlaces, accepted_places
from cleanroom.tables.git import Forge, Leaks
from tests.unit.notes import Notes

SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c" + bytes(600)


def searched(gaps: dict[str, str]) -> Result:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo("./var/lib/x/disk.img")
        member.size = len(SEVEN_ZIP)
        archive.addfile(member, io.BytesIO(SEVEN_ZIP))
    search = Search(Searcher({"value": Secret(secrets.token_urlsafe(24), name="value")}), accepted=accepted_places(gaps))
    buffer.seek(0)
    search.archive("files", io.BufferedReader(buffer), [("/var/lib/x/disk.img", len(SEVEN_ZIP))])
    return search.result


def test_what_cannot_be_opened_is_a_gap() -> None:
    assert any("7z" in problem for problem in searched({}).problems)
    assert searched({"/var/lib/y/*.img": "another"}).problems


def test_a_gap_that_the_site_accepts_by_its_path_is_none() -> None:
    result = searched({"/var/lib/x/*.img": "an encrypted volume"})
    assert result.problems == ()
    assert [gap.accepted for gap in result.coverage[0].gaps] == ["an encrypted volume"]


def made(folder: Path) -> Path:
    """A repository with one commit."""
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    someone = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", "-C", folder, *someone, "commit", "--quiet", "--allow-empty", "--message", folder.name], check=True)
    return folder


@pytest.mark.parametrize(
    ("copies", "unseen"), [(["base", "vault"], []), (["base"], ["secrets"]), ([], ["base", "secrets"]), (["other"], ["base", "secrets"])]
)
def test_objects_that_nobody_can_see_are_told_as_not_checked(tmp_path: Path, notes: Notes, copies: list[str], unseen: list[str]) -> None:
    """A forge gives no object that no ref leads to; a copy of another repository does not make up for that."""
    for name in ("base", "vault", "other"):
        made(tmp_path / name)
    base, vault = (repository.fetch(str(tmp_path / name), "HEAD", tmp_path / f"{name}.git", forge=Forge()) for name in ("base", "vault"))
    run = cast(Run, SimpleNamespace(record=notes.record, say=lambda _line: None))
    needles = cast(Needles, SimpleNamespace(searcher=Searcher({"value": Secret(secrets.token_urlsafe(24), name="value")})))
    settings = Leaks(repositories=tuple(tmp_path / name / ".git" for name in copies))
    result = GitPlaces(run, needles, settings, base=base, secrets=vault, scratch=tmp_path).histories
    assert result.problems == ()
    assert [event["secret"] for event in notes.of("not-checked")] == [f"objects of {name} that no ref leads to" for name in unseen]
