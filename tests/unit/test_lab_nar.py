"""The NAR hash against what Nix 2.26 itself said of the same trees (`nix hash path`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleanroom.errors import HarnessError
from lab.nar import nar_hash


def test_a_tree_has_the_hash_that_nix_gives_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_text("hello\n")
    (tmp_path / "run").write_text("#!/bin/sh\n")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "sub/empty").touch()
    assert nar_hash(tmp_path) == "sha256-1VG1h6aiKpA5l0osXBJUOZ81ihVkapgdpmsg0IuG7+c="


def test_a_single_file_has_the_hash_that_nix_gives_it(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("hello\n")
    assert nar_hash(tmp_path / "one") == "sha256-HDfQGvQL4ugGkd48w99EN3ppmvuxfGjwgJZLL9Bx/BM="


def test_gits_own_folder_is_no_part_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("hello\n")
    before = nar_hash(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    assert nar_hash(tmp_path) == before


def test_what_is_neither_file_folder_nor_link_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HarnessError, match="neither file, folder nor link"):
        nar_hash(tmp_path)
