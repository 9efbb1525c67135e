"""What anyone can see of a sops file without a key, and by which name an error calls it."""

from __future__ import annotations

import re
from pathlib import Path

import pyrage
import pytest

from cleanroom import vault
from cleanroom.sops.errors import NotSops
from cleanroom.vault import Comment, Form

RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())
FILE = vault.encrypt({Comment("note"): None, "a": "1", "m": {"b": "2"}, "e": "", "n": None, "c_unencrypted": "3"}, recipients=[RECIPIENT]).decode()
VALUE = re.search(r"(?m)^a: (.*)$", FILE)
assert VALUE is not None


def seen(text: str) -> vault.Sealed:
    return vault.inspect(text.encode(), form=Form.YAML)


def test_the_names_of_all_leaves_are_shared_out() -> None:
    sealed = seen(FILE)
    assert (sealed.encrypted, sealed.clear, sealed.empty, sealed.clear_comments) == (("a", "m/b"), ("c_unencrypted",), ("e", "n"), 0)
    assert sealed.names == ("a", "m/b", "c_unencrypted", "e", "n")
    assert (sealed.recipients, sealed.foreign, sealed.groups) == ((RECIPIENT,), (), 1)


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        (FILE.replace(VALUE[1], "in the open"), ("a", "c_unencrypted")),
        (FILE.replace(VALUE[1], VALUE[1] + " more"), ("a", "c_unencrypted")),
        (
            FILE.replace("c_unencrypted: 3", f"c_unencrypted: {VALUE[1]}").replace('c_unencrypted: "3"', f"c_unencrypted: {VALUE[1]}"),
            ("c_unencrypted",),
        ),
    ],
    ids=["against the rule", "more behind it", "encrypted against the rule"],
)
def test_what_is_not_encrypted_as_the_rule_wants_stands_in_clear(text: str, clear: tuple[str, ...]) -> None:
    assert text != FILE
    assert seen(text).clear == clear


def test_a_comment_in_clear_is_counted() -> None:
    assert seen(f"# in the open\n{FILE}").clear_comments == 1
    assert seen(f"# one\n# another\n{FILE}").clear_comments == 2


@pytest.mark.parametrize(("name", "called"), [("", "file"), ("b.yaml", "b.yaml")])
def test_an_error_calls_bytes_by_the_name_that_they_were_given(name: str, called: str) -> None:
    with pytest.raises(NotSops) as caught:
        vault.inspect(b"a: 1\n", form=Form.YAML, name=name)
    assert caught.value.where == called


def test_an_error_calls_a_file_by_its_path_or_by_the_name_that_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\n")
    for name in ("", "base: a.yaml"):
        with pytest.raises(NotSops) as caught:
            vault.inspect(path, name=name)
        assert caught.value.where == (name or str(path))


def test_the_form_is_that_of_the_name_unless_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "values.txt"
    path.write_text(FILE)
    assert vault.inspect(path, form=Form.YAML) == vault.inspect(FILE.encode(), name="values.yaml") == seen(FILE)
    with pytest.raises(vault.VaultError):
        vault.inspect(path)
