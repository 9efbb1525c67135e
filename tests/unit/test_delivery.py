"""What was delivered, judged from the ledger."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cleanroom import delivery
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.guide import parse
from cleanroom.ledger import Ledger

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


def test_nothing_at_all_is_red(ledger: Ledger, key_file: Path) -> None:
    watched(ledger)
    with pytest.raises(CheckFailed, match="nothing"):
        check(ledger, key_file)


def test_another_key_in_its_place_is_red(ledger: Ledger, key_file: Path) -> None:
    watched(ledger, key=KEY.replace(b"TEST", b"ELSE"))
    with pytest.raises(CheckFailed, match="byte for byte"):
        check(ledger, key_file)
