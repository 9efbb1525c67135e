"""`cleanroom vault check`: everything about a file but its values."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom import vault
from cleanroom.cli import main

VECTORS = Path(__file__).parents[1] / "vectors" / "sops"
KEY = str(VECTORS / "keys" / "one.age")


def test_a_good_file_is_described_without_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vault", "check", str(VECTORS / "encrypted_regex.yaml"), "--key", KEY]) == 0
    shown = capsys.readouterr().out
    file = vault.read(VECTORS / "encrypted_regex.yaml", identities=vault.load_identities(Path(KEY)))
    assert [line.split()[:2] for line in shown.splitlines()[:8]] == [[name, kind] for name, kind in file.types.items()]
    assert all(file.fingerprint(name) in shown for name in file.values)
    assert "hunter2" not in shown
    assert "5432" not in shown
    assert "8 values, 3 of them in clear by the rule encrypted_regex = ^(data|stringData)$" in shown
    assert f"recipient {file.recipients[0]}\nMAC verifies; written {file.lastmodified} by sops 3.13.2\n" in shown


@pytest.mark.parametrize(
    ("name", "key", "status", "reason"),
    [
        ("comment_in_list.yaml", "one.age", 1, "mac-mismatch"),
        ("groups.yaml", "one.age", 2, "unsupported"),
        ("values.yaml", "two.age", 2, "wrong-key"),
        ("expected.json", "one.age", 2, "not-sops"),
    ],
)
def test_the_status_tells_forged_from_cannot_tell(name: str, key: str, status: int, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vault", "check", str(VECTORS / name), "--key", str(VECTORS / "keys" / key)]) == status
    shown = capsys.readouterr()
    assert f"reason:   {reason}\n" in shown.err
    assert not shown.out


def test_a_forged_file_is_no_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forged = tmp_path / "values.yaml"
    forged.write_text((VECTORS / "values.yaml").read_text(encoding="utf-8").replace('word: "off"', 'word: "on"'), encoding="utf-8")
    assert main(["vault", "check", str(forged), "--key", KEY]) == 1
    assert "mac-mismatch" in capsys.readouterr().err


def test_a_missing_key_file_cannot_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vault", "check", str(VECTORS / "values.yaml"), "--key", str(tmp_path / "absent")]) == 2
    assert "cannot read the key file" in capsys.readouterr().err
