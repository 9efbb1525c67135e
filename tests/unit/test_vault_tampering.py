"""Every way in which a sops file can be wrong has its own reason, and none lets a value out."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom import vault
from cleanroom.errors import BadInput
from cleanroom.sops import errors as sops_errors
from cleanroom.vault import Form, Rules

VECTORS = Path(__file__).parents[1] / "vectors" / "sops"
IDENTITY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
KEYS = [vault.identity_of(str(IDENTITY))]
SECRET = "correct-horse-battery"
TREE = {
    "first": SECRET,
    "second": SECRET + "-2",
    "list": [SECRET + "-3", SECRET + "-4"],
    "map": {"inner": SECRET + "-5", "number": 12},
    "shown_unencrypted": "seen",
}
FILE = vault.encrypt(TREE, recipients=[str(IDENTITY.to_public()), str(OTHER.to_public())]).decode()
CIPHERTEXT = re.compile(r"data:[A-Za-z0-9+/]")


def sealed(key: str, text: str = FILE) -> str:
    """The encrypted value that stands behind `key`."""
    found = re.search(rf"^ *{key} (ENC\[.*\])$", text, re.MULTILINE)
    assert found is not None
    return found[1]


def swapped(one: str, other: str) -> str:
    return FILE.replace(one, "@").replace(other, one).replace("@", other)


def flipped(field: str, value: str) -> str:
    """`value` with the first character of one of its fields changed."""
    return re.sub(rf"{field}:(.)", lambda match: f"{field}:{'B' if match[1] == 'A' else 'A'}", value)


def in_file(key: str, change: Callable[[str], str]) -> str:
    return FILE.replace(sealed(key), change(sealed(key)))


def copies_changed(change: Callable[[bytes], bytes]) -> str:
    """The file with the first copy of its data key, as raw age bytes, changed."""
    armour = re.search(r"-----BEGIN AGE[^|]*?-----END AGE ENCRYPTED FILE-----", FILE)
    assert armour is not None
    indent = re.search(r"^( *)-----BEGIN", FILE, re.MULTILINE)
    assert indent is not None
    raw = base64.b64decode("".join(armour[0].split("\n")[1:-1]).replace(" ", ""))
    text = base64.encodebytes(change(raw)).decode().replace("\n", "")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    fresh = "\n".join(["-----BEGIN AGE ENCRYPTED FILE-----", *(indent[1] + line for line in lines), indent[1] + "-----END AGE ENCRYPTED FILE-----"])
    return FILE.replace(armour[0], fresh)


def for_two(_raw: bytes) -> bytes:
    return bytes(pyrage.encrypt(b"x" * 32, [IDENTITY.to_public(), OTHER.to_public()]))


def another_copy(indent: int) -> str:
    """A copy of a data key for somebody else, as a block of text so far to the right."""
    armour = pyrage.encrypt(b"x" * 32, [pyrage.x25519.Identity.generate().to_public()], armored=True).decode()
    return "".join(f"{' ' * indent}{line}\n" for line in armour.splitlines())


def in_metadata(field: str, indent: int) -> str:
    return FILE.replace("    lastmodified:", f"{field}{another_copy(indent)}    lastmodified:", 1)


FIRST, SECOND, INNER = sealed("first:"), sealed("second:"), sealed("inner:")
ITEMS = re.findall(r"- (ENC.*)", FILE)
MODIFIED = re.search(r'lastmodified: ("?[0-9TZ:-]+"?)', FILE)
assert MODIFIED is not None

WRONG = {
    "data of a value": (in_file("first:", lambda value: flipped("data", value)), "value-tampered"),
    "vector of a value": (in_file("first:", lambda value: flipped("iv", value)), "value-tampered"),
    "tag of a value": (in_file("inner:", lambda value: flipped("tag", value)), "value-tampered"),
    "two values swapped": (swapped(FIRST, SECOND), "value-moved"),
    "a value copied over another": (FILE.replace(SECOND, FIRST), "value-moved"),
    "a key renamed": (FILE.replace("second:", "third:"), "value-tampered"),
    "two list items swapped": (swapped(*ITEMS), "mac-mismatch"),
    "a value removed": (FILE.replace(f"second: {SECOND}\n", ""), "mac-mismatch"),
    "a value emptied": (FILE.replace(SECOND, '""'), "mac-mismatch"),
    "a clear value changed": (FILE.replace("_unencrypted: seen", "_unencrypted: other"), "mac-mismatch"),
    "a clear value added": (FILE.replace("first:", "extra_unencrypted: x\nfirst:"), "mac-mismatch"),
    "the MAC's data": (in_file("mac:", lambda value: flipped("data", value)), "mac-damaged"),
    "the MAC replaced by a value": (FILE.replace(sealed("mac:"), FIRST), "mac-damaged"),
    "the time of writing": (FILE.replace(MODIFIED[0], 'lastmodified: "2001-01-01T00:00:00Z"'), "mac-damaged"),
    "no MAC": (re.sub(r"\n *mac: .*", "", FILE), "mac-missing"),
    "an empty MAC": (FILE.replace(sealed("mac:"), '""'), "mac-missing"),
    "a value in clear": (FILE.replace(FIRST, "in the open"), "value-in-clear"),
    "a number in clear": (FILE.replace(sealed("number:"), "12"), "value-in-clear"),
    "a value of an encrypted map in clear": (FILE.replace("first:", "extra: x\nfirst:"), "value-in-clear"),
    "text behind a value": (FILE.replace(FIRST, FIRST + " in the open"), "malformed"),
    "a bracket behind a value": (FILE.replace(FIRST, FIRST + "in the open]"), "malformed"),
    "a value without its end": (FILE.replace(FIRST, FIRST[:40]), "truncated"),
    "no base64": (in_file("first:", lambda value: value.replace("iv:", "iv:.")), "malformed"),
    "a short tag": (in_file("first:", lambda value: re.sub("tag:[^,]*", "tag:AAAA", value)), "malformed"),
    "a short vector": (in_file("first:", lambda value: re.sub("iv:[^,]*", "iv:AAAA", value)), "malformed"),
    "a key twice": (FILE.replace("second:", "first:"), "malformed"),
    "a key that is a number": (FILE.replace("second:", "8080:"), "malformed"),
    "bytes that are no text": (FILE.replace("seen", "\ud800"), "malformed"),
    "a document that is a list": ("- a\n- b\n", "malformed"),
    "no YAML": (FILE.replace("map:", "map: ]"), "malformed"),
    "a date that is none": (FILE.replace(MODIFIED[0], "lastmodified: yesterday"), "malformed"),
    "two rules": (FILE.replace("unencrypted_suffix:", "encrypted_suffix: x\n    unencrypted_suffix:"), "malformed"),
    "another reader in a copy of the data key": (copies_changed(for_two), "malformed"),
    "a key group beside the recipients": (in_metadata("    key_groups:\n        - age:\n            - enc: |\n", 20), "malformed"),
    "a copy in a field that sops does not know": (in_metadata("    spare: |\n", 8), "malformed"),
    "a copy in a comment": ("".join(f"# {line}\n" for line in another_copy(0).splitlines()) + FILE, "malformed"),
    "a second document with recipients of its own": (f"{FILE}---\nsops:\n    age:\n        - enc: |\n{another_copy(16)}", "malformed"),
    "a copy of the data key": (copies_changed(lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])), "key-damaged"),
    "a copy's header": (copies_changed(lambda raw: raw.replace(b"\n---", b"\n-> other stanza\n---")), "malformed"),
    "a copy without its end": (FILE.replace("-----END AGE ENCRYPTED FILE-----", "", 1), "truncated"),
    "nothing of sops": ("a: 1\n", "not-sops"),
    "an empty file": ("", "not-sops"),
    "no metadata": (FILE[: FILE.index("sops:")], "truncated"),
    "no version": (re.sub(r"\n *version: .*", "", FILE), "truncated"),
    "no recipients": (re.sub(r"age:\n(?s:.*?)\n    lastmodified", "lastmodified", FILE), "truncated"),
    "only another kind of key": (re.sub(r"age:\n(?s:.*?)\n    lastmodified", "pgp:\n        - fp: AA\n    lastmodified", FILE), "unsupported"),
    "an expression of another engine": (FILE.replace("unencrypted_suffix: _unencrypted", "encrypted_regex: (?=a)"), "unsupported"),
    "an unknown type": (in_file("first:", lambda value: value.replace("type:str", "type:blob")), "unsupported"),
    "a number that is none": (in_file("first:", lambda value: value.replace("type:str", "type:int")), "malformed"),
}


def reason_of(text: str) -> str:
    """The reason with which a file is refused; no value may stand in the text."""
    with pytest.raises(vault.VaultError) as caught:
        vault.open_bytes(text.encode("utf-8", "surrogatepass"), Form.YAML, name="file", identities=KEYS)
    assert SECRET not in str(caught.value), "a value got into an error"
    assert not CIPHERTEXT.search(str(caught.value))
    return caught.value.reason


def test_the_file_is_good() -> None:
    opened = vault.open_bytes(FILE.encode(), Form.YAML, identities=KEYS)
    assert opened.values["first"].text() == SECRET
    assert opened.types == {
        **dict.fromkeys(("first", "second", "list/0", "list/1", "map/inner", "shown_unencrypted"), "str"),
        "map/number": "int",
    }


@pytest.mark.parametrize("change", WRONG)
def test_a_change_has_its_reason(change: str) -> None:
    text, reason = WRONG[change]
    assert text != FILE
    assert reason_of(text) == reason


def test_every_reason_is_stable_and_different() -> None:
    classes = [kind for kind in vars(sops_errors).values() if isinstance(kind, type) and issubclass(kind, vault.VaultError)]
    reasons = {kind.reason for kind in classes}
    assert len(reasons) == len(classes)
    assert {reason for _text, reason in WRONG.values()} | {"wrong-key", "vault"} == reasons


def test_a_foreign_key_is_told_apart_from_a_damaged_file() -> None:
    with pytest.raises(sops_errors.WrongKey) as caught:
        vault.open_bytes(FILE.encode(), Form.YAML, identities=[vault.identity_of(str(pyrage.x25519.Identity.generate()))])
    assert str(IDENTITY.to_public()) in str(caught.value)
    with pytest.raises(sops_errors.WrongKey):
        vault.open_bytes(FILE.encode(), Form.YAML, identities=[])


@pytest.mark.parametrize("name", ["values.yaml", "values.json", "values.env", "values.ini", "image.bin"])
def test_a_file_cut_anywhere_is_refused_or_whole(name: str) -> None:
    data = (VECTORS / name).read_bytes()
    identities = vault.load_identities(VECTORS / "keys" / "one.age")
    whole = vault.open_bytes(data, Form.of(name), identities=identities).values
    for length in range(0, len(data), 7):
        try:
            values = vault.open_bytes(data[:length], Form.of(name), identities=identities).values
        except vault.VaultError:
            continue
        assert values == whole, f"cut after {length} bytes, it opens as something else"


@given(position=st.integers(0, 10**9), mask=st.integers(1, 255), name=st.sampled_from(["values.yaml", "values.json", "values.env", "values.ini"]))
def test_a_changed_byte_is_refused_or_harmless(position: int, mask: int, name: str) -> None:
    data = bytearray((VECTORS / name).read_bytes())
    data[position % len(data)] ^= mask
    identities = vault.load_identities(VECTORS / "keys" / "one.age")
    whole = vault.read(VECTORS / name, identities=identities)
    try:
        opened = vault.open_bytes(bytes(data), Form.of(name), identities=identities)
    except vault.VaultError:
        return
    # The MAC covers values, not the names of clear ones, nor comments: the same bytes must come out in the same order.
    assert [value.reveal() for value in opened.values.values()] == [value.reveal() for value in whole.values.values()]


def test_with_a_mac_over_encrypted_values_only_a_clear_one_may_change_and_no_other() -> None:
    rules = Rules(unencrypted_suffix="_unencrypted", mac_only_encrypted=True)
    text = vault.encrypt(TREE, recipients=[str(IDENTITY.to_public())], rules=rules).decode()
    changed = text.replace("seen", "anything")
    assert vault.open_bytes(changed.encode(), Form.YAML, identities=KEYS).values["shown_unencrypted"].text() == "anything"
    assert reason_of(swapped_items(text)) == "mac-mismatch"
    assert reason_of(text.replace("mac_only_encrypted: true", "mac_only_encrypted: false")) == "mac-mismatch"


def swapped_items(text: str) -> str:
    one, other = re.findall(r"- (ENC.*)", text)
    return text.replace(one, "@").replace(other, one).replace("@", other)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "found none"), (b"# only a comment\n", "found none"), (b"AGE-SECRET-KEY-1NOTONE\n", "not an age identity"), (b"\xff\xfe", "not text")],
)
def test_a_bad_key_file_is_bad_input_and_is_not_quoted(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=reason) as caught:
        vault.load_identities(path)
    assert "NOTONE" not in str(caught.value)


def test_a_truncated_key_is_bad_input(tmp_path: Path) -> None:
    for name in ("one.age", "ssh_ed25519"):
        path = tmp_path / name
        path.write_text((VECTORS / "keys" / name).read_text(encoding="utf-8")[:-20], encoding="utf-8")
        with pytest.raises(BadInput):
            vault.load_identities(path)
    with pytest.raises(BadInput, match="No such file"):
        vault.load_identities(tmp_path / "absent")


@pytest.mark.parametrize("text", ["AGE-PLUGIN-YUBIKEY-1ABC", "AGE-SECRET-KEY-PQ-1ABC"])
def test_identities_of_other_kinds_are_named(text: str) -> None:
    with pytest.raises(sops_errors.Unsupported, match="this is a"):
        vault.identity_of(text)


def test_nothing_shows_a_key() -> None:
    assert repr(KEYS[0]) == f"Identity({IDENTITY.to_public()})"
    opened = vault.open_bytes(FILE.encode(), Form.YAML, identities=KEYS)
    assert SECRET not in repr(opened)
    assert opened.data_key.reveal().hex() not in repr(opened)
