"""Places of a machine: what the site's patterns mean there."""

from __future__ import annotations

import io
import secrets
import tarfile

from cleanroom.leaks import Result, Search, Searcher
from cleanroom.redact import Secret
from cleanroom.sighting.sightings import accepted_places

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
