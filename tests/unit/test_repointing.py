"""What a rehearsal of another domain starts from."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom import repointing


@pytest.mark.parametrize(("domain", "top"), [("ci.example.org", "org"), ("ci.cleanroom.test", "test")])
def test_a_new_domain_is_one_that_nobody_has_heard_of(domain: str, top: str) -> None:
    one, other = repointing.another(domain), repointing.another(domain)
    assert one != other
    assert one.split(".")[::2] == ["ci", top]


def test_inert_text_is_left_out_of_a_copy_and_nothing_else(tmp_path: Path) -> None:
    for path in (".sops.yaml", ".gitignore", "README.md", "secrets/LICENSE", "secrets/secrets.yaml", "README/secrets.yaml"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("x")
    repointing._without_inert_text(tmp_path)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".sops.yaml", "README/secrets.yaml", "secrets/secrets.yaml"]
