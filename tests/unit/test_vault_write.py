"""Writing: what was meant is what reads back, or nothing is written."""

from __future__ import annotations

import datetime
from typing import Any

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom import vault
from cleanroom.errors import BadInput
from cleanroom.sops import yaml_scan as sops_yaml_scan
from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.vault import Comment, Form, Rules

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
KEYS = [vault.identity_of(str(IDENTITY))]

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8) | st.binary(max_size=8)
NODES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=8)


def encrypted(tree: dict[Any, Any], form: Form = Form.YAML, **options: Any) -> bytes:
    return vault.encrypt(tree, recipients=[RECIPIENT], form=form, **options)


def opened(tree: dict[Any, Any], form: Form = Form.YAML, **options: Any) -> vault.Opened:
    return vault.open_bytes(encrypted(tree, form, **options), form, identities=KEYS)


@given(st.dictionaries(st.text(max_size=4).filter(lambda key: key != "sops"), NODES, max_size=4))
def test_a_tree_reads_back_or_is_refused_because_of_its_names(tree: dict[str, Any]) -> None:
    try:
        data = encrypted(tree)
    except vault.VaultError as problem:
        assert "would have the name" in str(problem)  # noqa: PT017 - the only refusal that may happen
        return
    assert sops_yaml_scan.scan(data.decode()) is not None, "our own files are read the quick way"
    assert vault.open_bytes(data, Form.YAML, identities=KEYS).recipients == (RECIPIENT,)


def test_every_type_has_its_name_and_bytes() -> None:
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 60000, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    file = opened({"s": "x", "b": b"\xff", "i": -1, "f": 1.50, "t": True, "m": moment, "n": None, "e": "", "l": ["a", {"k": "v"}], "o": {}})
    assert file.types == {
        "s": "str",
        "b": "str",
        "i": "int",
        "f": "float",
        "t": "bool",
        "m": "time",
        "n": "null",
        "e": "str",
        "l/0": "str",
        "l/1/k": "str",
    }
    assert [file.values[name].reveal() for name in "sbiftme"] == [b"x", b"\xff", b"-1", b"1.5", b"True", b"2020-01-02T03:04:05.06+02:00", b""]


def test_documents_follow_each_other() -> None:
    data = encrypted({"a": "1"}, further_documents=[{"a": "2"}, {"b": "3"}])
    file = vault.open_bytes(data, Form.YAML, identities=KEYS)
    assert {name: value.text() for name, value in file.values.items()} == {"a": "1", "[2]/a": "2", "[3]/b": "3"}
    with pytest.raises(Unsupported, match="one document"):
        encrypted({"a": "1"}, Form.JSON, further_documents=[{"a": "2"}])


def test_a_comment_is_encrypted_with_what_it_stands_above() -> None:
    data = encrypted({Comment(" top"): None, "a": {Comment(" inner"): None, "b": "1"}})
    assert b" top" not in data
    assert [comment.text() for comment in vault.open_bytes(data, Form.YAML, identities=KEYS).comments] == [" top", " inner"]
    assert vault.inspect(data, form=Form.YAML).clear_comments == 0


def test_the_time_of_writing_can_be_given() -> None:
    at = datetime.datetime(2020, 1, 2, 3, 4, 5, 678, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    assert opened({"a": "1"}, at=at).lastmodified == "2020-01-02T02:04:05Z"


def test_two_files_of_one_tree_share_nothing() -> None:
    one, other = (vault.open_bytes(encrypted({"a": "1", "b": "1"}), Form.YAML, identities=KEYS) for _ in range(2))
    prints = [one.fingerprint("a"), one.fingerprint("b"), other.fingerprint("a"), other.fingerprint("b")]
    assert len(set(prints)) == 4
    assert one.data_key != other.data_key


@pytest.mark.parametrize("form", [Form.YAML, Form.JSON, Form.DOTENV])
def test_every_recipient_gets_a_copy_of_its_own(form: Form) -> None:
    other = pyrage.x25519.Identity.generate()
    data = vault.encrypt({"a": "1"}, recipients=[RECIPIENT, str(other.to_public()), RECIPIENT], form=form)
    for identity in (KEYS[0], vault.identity_of(str(other))):
        assert vault.open_bytes(data, form, identities=[identity]).recipients == (RECIPIENT, str(other.to_public()))


@pytest.mark.parametrize(
    ("tree", "form", "error"),
    [
        ({"a": {1, 2}}, Form.YAML, Malformed),
        ({1: "a"}, Form.YAML, Malformed),
        ({"a": 2**63}, Form.YAML, Malformed),
        ({"a": datetime.datetime(2020, 1, 1)}, Form.YAML, Malformed),  # noqa: DTZ001 - that is the point
        ({"a": "1", Comment("last"): None}, Form.YAML, Malformed),
        ({"a": [Comment("only")]}, Form.YAML, Malformed),
        ({Comment("two\nlines"): None, "a": "1"}, Form.YAML, Malformed),
        ({"a": [Comment("in a list"), "x"]}, Form.YAML, Unsupported),
        ({"a_unencrypted": b"\xff"}, Form.YAML, Unsupported),
        ({"a/b": "1", "a": {"b": "2"}}, Form.YAML, Malformed),
        ({"sops": "1"}, Form.YAML, vault.VaultError),
        ({"a_unencrypted": float("nan")}, Form.JSON, Unsupported),
        ({Comment("none"): None, "a": "1"}, Form.JSON, Unsupported),
        ({"a_unencrypted": 1}, Form.DOTENV, Unsupported),
        ({"a": {"b": "1"}}, Form.DOTENV, Unsupported),
        ({"a=b": "1"}, Form.DOTENV, vault.VaultError),
        ({"a\nb": "1"}, Form.DOTENV, vault.VaultError),
        ({"#a": "1"}, Form.DOTENV, Unsupported),
        ({"sops_a": "1"}, Form.DOTENV, Unsupported),
        ({"a_unencrypted": "\\n"}, Form.DOTENV, vault.VaultError),
        ({"a": "1"}, Form.INI, Unsupported),
        ({"s": {"a_unencrypted": 1}}, Form.INI, Unsupported),
        ({"s": {"-": "1"}}, Form.INI, vault.VaultError),
        ({"s": {"a_unencrypted": "x\\"}}, Form.INI, vault.VaultError),
        ({"s": {"a_unencrypted": '"""'}}, Form.INI, vault.VaultError),
        ({"a": "1", "b": "2"}, Form.BINARY, vault.VaultError),
    ],
)
def test_what_a_form_cannot_carry_is_refused(tree: dict[Any, Any], form: Form, error: type[Exception]) -> None:
    with pytest.raises(error):
        encrypted(tree, form)


def test_recipients_are_needed_and_must_be_such() -> None:
    with pytest.raises(BadInput, match="at least one recipient"):
        vault.encrypt({"a": "1"}, recipients=[])
    with pytest.raises(BadInput, match="no X25519 or SSH recipient"):
        vault.encrypt({"a": "1"}, recipients=["age1nobody"])


def test_a_comment_rule_must_not_catch_its_own_ciphertext() -> None:
    rules = Rules(unencrypted_comment_regex="ENC")
    with pytest.raises(Unsupported, match="by chance"):
        encrypted({Comment("secret"): None, "a": "1"}, rules=rules)


@pytest.mark.parametrize(
    ("rules", "clear"),
    [
        (Rules(), ["x_unencrypted"]),
        (Rules(encrypted_suffix="_s"), ["plain", "x_unencrypted"]),
        (Rules(encrypted_regex="^g"), ["plain", "x_unencrypted"]),
        (Rules(unencrypted_regex="^p"), ["plain"]),
        (Rules(encrypted_comment_regex="seal"), ["plain", "x_unencrypted"]),
        (Rules(unencrypted_comment_regex="open"), ["plain"]),
    ],
)
def test_a_rule_reaches_down(rules: Rules, clear: list[str]) -> None:
    tree = {Comment("open"): None, "plain": "1", Comment("seal"): None, "g_s": {"inner": ["a"]}, "x_unencrypted": "2"}
    file = opened(tree, rules=rules)
    assert list(file.clear) == clear
    assert file.rules == rules


def test_an_unreadable_file_is_bad_input(tmp_path: Any) -> None:
    with pytest.raises(BadInput, match="cannot read the sops file"):
        vault.read(tmp_path / "absent.yaml", identities=KEYS)
    with pytest.raises(BadInput, match="cannot read the sops file"):
        vault.inspect(tmp_path)
