"""`.sops.yaml`: the first rule that covers a path decides, in every spelling that sops takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom import vault
from cleanroom.errors import BadInput
from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.vault import Rules

RULES = rb"""
keys:
  - &operator age1operator
  - &host age1host
creation_rules:
  - path_regex: ^secrets/host\.yaml$
    key_groups:
      - merge:
          - age: [*host]
        age: ['age1operator, age1spare', *host]
  - path_regex: secrets/[^/]+\.yaml$
    age: >-
      age1operator,
      age1host,
    encrypted_regex: ^data$
  - path_regex: split
    key_groups: [{age: [*host]}, {age: [*operator]}]
  - path_regex: ^gnupg
    age: *host
    pgp: ABCDEF
  - path_regex: \.env$
    age: [*operator]
    mac_only_encrypted: true
"""


@pytest.mark.parametrize(
    ("path", "recipients"),
    [
        ("secrets/host.yaml", ("age1host", "age1operator", "age1spare")),
        ("secrets/other.yaml", ("age1operator", "age1host")),
        ("deep/secrets/other.yaml", ("age1operator", "age1host")),
        ("some.env", ("age1operator",)),
    ],
)
def test_the_first_rule_that_covers_a_path_gives_its_recipients(path: str, recipients: tuple[str, ...]) -> None:
    assert vault.recipients_for(RULES, path) == recipients


def test_a_rule_carries_what_it_encrypts() -> None:
    assert vault.rule_for(RULES, "secrets/a.yaml").rules == Rules(encrypted_regex="^data$")
    assert vault.rule_for(RULES, "a.env").rules == Rules(mac_only_encrypted=True)
    assert vault.rule_for(RULES, "secrets/host.yaml").rules == Rules()


@pytest.mark.parametrize(("path", "match"), [("split/a", "2 key groups"), ("gnupg.yaml", "asks for pgp")])
def test_a_rule_beyond_us_is_said_so(path: str, match: str) -> None:
    with pytest.raises(Unsupported, match=match):
        vault.rule_for(RULES, path)


def test_a_path_without_a_rule_is_an_error_as_it_is_to_sops() -> None:
    with pytest.raises(BadInput, match="no creation rule covers other/a"):
        vault.recipients_for(RULES, "other/a")


def test_a_rule_without_a_path_covers_everything() -> None:
    assert vault.recipients_for(b"creation_rules: [{age: age1only}]", "any/thing") == ("age1only",)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"", "no creation_rules"),
        (b"stores: {}\n", "no creation_rules"),
        (b"creation_rules: []\n", "no creation_rules"),
        (b"creation_rules: [a]\n", "not a mapping"),
        (b"creation_rules: [{age: 1}]\n", "not text"),
        (b"creation_rules: [{age: [1]}]\n", "not text"),
        (b"creation_rules: [{path_regex: [a]}]\n", "not text"),
        (b"creation_rules: [{key_groups: a}]\n", "lists"),
        (b"creation_rules: [{key_groups: [a]}]\n", "not a mapping"),
        (b"base: &b {age: x}\ncreation_rules: [{<<: *b}]\n", "<<"),
        (b"creation_rules: [{encrypted_suffix: a, encrypted_regex: b}]\n", "exactly one"),
        (b"creation_rules: [{path_regex: '(?=a)'}]\n", "taken over from Go"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(text: bytes, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        vault.recipients_for(text, "a.yaml")


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / ".sops.yaml"
    with pytest.raises(BadInput, match="cannot read the sops rules"):
        vault.creation_rules(path)
    path.write_bytes(RULES)
    assert [rule.path_regex for rule in vault.creation_rules(path)][-1] == r"\.env$"


def test_two_rules_in_one_are_refused() -> None:
    with pytest.raises(Malformed, match="encrypted_suffix, unencrypted_suffix"):
        Rules(encrypted_suffix="a", unencrypted_suffix="b")
    with pytest.raises(Malformed, match="here are colour"):
        Rules(colour="blue")
