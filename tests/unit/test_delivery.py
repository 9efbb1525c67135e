"""What was delivered, judged from the ledger."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cleanroom import delivery
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.guide import parse
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine

GUIDE = parse("```sh operator\nscp $BOOTSTRAP_KEY root@$MACHINE:/key\n```\n\n```sh\nrebuild\n```\n", file="docs/install.md", within=60)
KEY = b"AGE-SECRET-KEY-1TEST\n"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "bootstrap.txt"
    path.write_bytes(KEY)
    return path


def watched(ledger: Ledger, **delivered: bytes) -> None:
    for path, content in delivered.items():
        digest = hashlib.sha256(content).hexdigest()
        ledger.record("delivered", by="docs/install.md:2", number=1, path=f"/{path}", bytes=len(content), sha256=digest)
    ledger.record("delivery-watched", number=1, by="docs/install.md:2", files=100, delivered=len(delivered))


def check(ledger: Ledger, key_file: Path) -> None:
    delivery.check_only_key(ledger, GUIDE, key_file=key_file, key_path="/key")


def test_the_key_and_nothing_else(ledger: Ledger, key_file: Path) -> None:
    watched(ledger, key=KEY)
    check(ledger, key_file)


def test_a_delivery_that_nobody_watched_cannot_be_judged(ledger: Ledger, key_file: Path) -> None:
    with pytest.raises(HarnessError, match="nobody looked"):
        check(ledger, key_file)


def test_a_second_file_is_red_and_named(ledger: Ledger, key_file: Path) -> None:
    watched(ledger, key=KEY, helper=b"more")
    with pytest.raises(CheckFailed, match=r"/helper \(4 bytes, by docs/install\.md:2\)"):
        check(ledger, key_file)


@pytest.mark.parametrize(("appeared", "problem"), [(["/root/helper"], CheckFailed), (None, HarnessError)])
def test_a_file_that_appeared_before_the_guide_began(ledger: Ledger, appeared: list[str] | None, problem: type[Exception]) -> None:
    machine = cast(Machine, SimpleNamespace(name="throwaway", where="throwaway"))
    ledger.record("files-before", machine="another", files=1, folders={}, appeared=["/x"])
    with pytest.raises(HarnessError, match="nobody looked twice"):
        delivery.check_nothing_appeared(ledger, machine)
    ledger.record("files-before", machine="throwaway", files=1, folders={}, appeared=appeared)
    with pytest.raises(problem, match=r"/root/helper|nobody looked twice"):
        delivery.check_nothing_appeared(ledger, machine)


def test_nothing_appeared(ledger: Ledger) -> None:
    ledger.record("files-before", machine="throwaway", files=1, folders={}, appeared=[])
    delivery.check_nothing_appeared(ledger, cast(Machine, SimpleNamespace(name="throwaway", where="throwaway")))


def test_nothing_at_all_is_red(ledger: Ledger, key_file: Path) -> None:
    watched(ledger)
    with pytest.raises(CheckFailed, match="nothing"):
        check(ledger, key_file)


def test_another_key_in_its_place_is_red(ledger: Ledger, key_file: Path) -> None:
    watched(ledger, key=KEY.replace(b"TEST", b"ELSE"))
    with pytest.raises(CheckFailed, match="byte for byte"):
        check(ledger, key_file)
