"""The reader on files of the real sops: every value, type and rule, whoever holds the key, whichever parser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleanroom import vault
from cleanroom.sops import yaml as sops_yaml
from cleanroom.sops import yaml_scan as sops_yaml_scan
from cleanroom.sops.errors import MacMismatch, Unsupported, WrongKey
from cleanroom.sops.tree import Branch, Comment, spots
from cleanroom.vault import Form

VECTORS = Path(__file__).parents[1] / "vectors" / "sops"
EXPECTED: dict[str, dict[str, list[str | None]]] = json.loads((VECTORS / "expected.json").read_text(encoding="utf-8"))
UNUSUAL = {"groups.yaml", "comment_in_list.yaml"}
KEYS = {"ssh.yaml": "ssh_ed25519"}
YAML_FILES = sorted(path.name for path in VECTORS.glob("*.yaml") if path.name not in {".sops.yaml", "rules.template.yaml"})


def opened(name: str, key: str = "") -> vault.Opened:
    return vault.read(VECTORS / name, identities=vault.load_identities(VECTORS / "keys" / (key or KEYS.get(name, "one.age"))))


def shown(value: bytes) -> str:
    """A vector's value as expected.json has it; these values are public."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"hex:{value.hex()}"


def test_every_vector_is_judged() -> None:
    assert {path.name for path in (VECTORS / "plain").iterdir()} == set(EXPECTED) | UNUSUAL


@pytest.mark.parametrize("name", EXPECTED)
def test_a_vector_reads_as_sops_meant_it(name: str) -> None:
    file = opened(name)
    seen: dict[str, list[str | None]] = {leaf: [kind, None] for leaf, kind in file.types.items()}
    for leaf, value in file.values.items():
        seen[leaf][1] = shown(value.reveal())
    for leaf in file.clear:
        seen[leaf].append("clear")
    assert seen == EXPECTED[name]
    assert list(seen) == list(EXPECTED[name]), "the order of hashing is the order of the file"


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_seen_without_a_key_agrees_with_what_the_key_opens(name: str) -> None:
    sealed, file = vault.inspect(VECTORS / name), opened(name)
    assert set(sealed.names) == set(file.types)
    assert set(sealed.clear) == {leaf for leaf in file.clear if file.values[leaf].reveal()}
    assert set(sealed.empty) == set(file.types) - {leaf for leaf, value in file.values.items() if value.reveal()}
    assert (sealed.recipients, sealed.rules, sealed.lastmodified, sealed.version) == (file.recipients, file.rules, file.lastmodified, file.version)


@pytest.mark.parametrize(
    ("name", "key"), [("recipients.yaml", "one.age"), ("recipients.yaml", "two.age"), ("ssh.yaml", "ssh_ed25519"), ("ssh.yaml", "ssh_rsa")]
)
def test_each_recipient_opens(name: str, key: str) -> None:
    assert opened(name, key).values["password"].text() == "hunter2"


@pytest.mark.parametrize(
    ("name", "key"), [("recipients.yaml", "ssh_ed25519"), ("ssh.yaml", "one.age"), ("values.yaml", "two.age"), ("values.ini", "two.age")]
)
def test_nobody_else_does(name: str, key: str) -> None:
    with pytest.raises(WrongKey):
        opened(name, key)


def test_key_groups_are_refused_and_still_seen() -> None:
    with pytest.raises(Unsupported, match="2 key groups, 2 of which are needed"):
        opened("groups.yaml")
    assert vault.inspect(VECTORS / "groups.yaml").groups == 2


def test_comments_in_a_list_are_no_better_verified_by_us_than_by_sops() -> None:
    with pytest.raises(MacMismatch, match="comments inside a list"):
        opened("comment_in_list.yaml")


def test_comments_are_decrypted() -> None:
    texts = [comment.text() for comment in opened("values.yaml").comments]
    assert texts == [" Every type that sops knows.", " above a key", " at the end of a line"]
    assert [comment.text() for comment in opened("values.ini").comments] == ["about the section", "about the key"]
    assert [comment.text() for comment in opened("values.env").comments] == [" a comment"]
    assert vault.inspect(VECTORS / "values.yaml").clear_comments == 0
    assert vault.inspect(VECTORS / "encrypted_comment_regex.yaml").clear_comments == 4


@pytest.mark.parametrize("name", YAML_FILES)
def test_both_yaml_readers_agree(name: str) -> None:
    text = (VECTORS / name).read_text(encoding="utf-8")
    quick, full = sops_yaml_scan.scan(text), sops_yaml.parse(text, where=name)
    assert quick is not None or name == "values.yaml", "sops' own files are read the quick way"
    if quick is not None:
        assert [without_comments(document) for document in quick[0]] == [without_comments(document) for document in full[0]]
        assert comments_of(quick[0]) == comments_of(full[0])


def without_comments(node: object) -> object:
    if isinstance(node, Branch):
        return [(key, without_comments(value)) for key, value in node if not isinstance(key, Comment)]
    return [without_comments(item) for item in node if not isinstance(item, Comment)] if isinstance(node, list) else (type(node), node)


def comments_of(documents: list[Branch]) -> list[str]:
    return sorted(spot.value.text for spot in spots(documents) if spot.is_comment)


@pytest.mark.parametrize("name", ["values.yaml", "documents.yaml", "encrypted_regex.yaml", "mac_only_encrypted.yaml"])
def test_a_file_reads_the_same_through_the_full_parser(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = opened(name)
    monkeypatch.setattr(sops_yaml, "scan", lambda _text: None)
    assert opened(name).values == usual.values
    assert sorted(comment.text() for comment in opened(name).comments) == sorted(comment.text() for comment in usual.comments)


def test_a_rule_that_reads_comments_needs_them_in_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sops_yaml, "scan", lambda _text: None)
    with pytest.raises(Unsupported, match="reads comments"):
        opened("encrypted_comment_regex.yaml")


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_rules_beside_the_vectors_give_them_their_recipients(name: str) -> None:
    rule = vault.rule_for(VECTORS / ".sops.yaml", name)
    sealed = vault.inspect(VECTORS / name)
    assert set(rule.recipients) == set(sealed.recipients)
    # sops leaves rules aside for binary files, which have one value.
    assert rule.rules == sealed.rules or Form.of(name) is Form.BINARY
