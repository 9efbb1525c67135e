"""One encrypted value: the text that sops would write, what reads back from it, and every way in which it can be none."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from cleanroom.sops.cipher import Cipher, is_sealed, looks_sealed
from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.sops.tree import Comment, Leaf, Timestamp

AAD = b"a:b:"
CIPHER = Cipher(bytes(range(32)))
SEALED = CIPHER.seal("a value", AAD)


def opened(text: str, aad: bytes = AAD) -> tuple[str, bytes]:
    return CIPHER.open(text, aad, where="here")


def as_type(plain: str, kind: str) -> str:
    """`plain` sealed as if it were of another type, which nothing but its reader can notice."""
    return CIPHER.seal(plain, AAD).replace("type:str]", f"type:{kind}]")


def changed(field: str, value: str) -> str:
    return re.sub(rf"{field}:[^,\]]*", f"{field}:{value}", SEALED)


def test_a_value_has_the_form_that_sops_gives_it() -> None:
    match = re.fullmatch(r"ENC\[AES256_GCM,data:([A-Za-z0-9+/=]*),iv:([A-Za-z0-9+/=]*),tag:([A-Za-z0-9+/=]*),type:str\]", SEALED)
    assert match is not None
    assert [len(base64.b64decode(field)) for field in match.groups()] == [len("a value"), 32, 16]


@pytest.mark.parametrize(
    ("value", "kind", "plain"),
    [
        ("text", "str", b"text"),
        (b"\xff\x00", "str", b"\xff\x00"),
        (12, "int", b"12"),
        (-1.5, "float", b"-1.5"),
        (True, "bool", b"True"),
        (False, "bool", b"False"),
        (Timestamp("2020-01-02T03:04:05Z"), "time", b"2020-01-02T03:04:05Z"),
        (Comment(" words"), "comment", b" words"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | bytes) else "",
)
def test_each_type_comes_back_as_itself(value: Leaf | Comment, kind: str, plain: bytes) -> None:
    assert opened(CIPHER.seal(value, AAD)) == (kind, plain)


@pytest.mark.parametrize("value", ["", b"", None])
def test_what_is_empty_stays_empty(value: Leaf) -> None:
    assert CIPHER.seal(value, AAD) == ""


@pytest.mark.parametrize(
    ("kind", "plain", "canonical"),
    [
        ("bytes", "x", b"x"),
        ("int", "+007", b"7"),
        ("int", str(2**63 - 1), b"9223372036854775807"),
        ("int", str(-(2**63)), b"-9223372036854775808"),
        ("float", "1e3", b"1000"),
        ("float", "-Inf", b"-Inf"),
        ("bool", "t", b"True"),
        ("bool", "0", b"False"),
        ("time", "2020-1-2", b"2020-01-02T00:00:00Z"),
    ],
)
def test_what_sops_would_have_parsed_is_hashed_as_sops_would_write_it(kind: str, plain: str, canonical: bytes) -> None:
    assert opened(as_type(plain, kind)) == (kind, canonical)


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        *(("int", "x"), ("int", "1.0"), ("int", str(2**63)), ("int", str(-(2**63) - 1))),
        *(("float", "x"), ("float", "1_0"), ("bool", "yes"), ("bool", "x"), ("time", "yesterday")),
    ],
)
def test_what_does_not_read_as_its_type_is_refused(kind: str, plain: str) -> None:
    with pytest.raises(Malformed, match=f"decrypts as {kind} does not read as one"):
        opened(as_type(plain, kind))


def test_a_type_that_sops_does_not_know_is_refused() -> None:
    with pytest.raises(Unsupported, match=r"of a type that sops 3\.13 does not know"):
        opened(as_type("x", "blob"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a value", "does not have the form"),
        (SEALED + "x", "does not have the form"),
        (SEALED[:-1], "does not have the form"),
        (changed("data", "AAA"), "not base64"),
        (changed("iv", "AAA"), "not base64"),
        (changed("tag", "AAA"), "not base64"),
        (changed("tag", "AAAA"), "a tag of 3 bytes instead of 16"),
        (changed("tag", base64.b64encode(bytes(17)).decode()), "a tag of 17 bytes instead of 16"),
        (changed("iv", "AAAA"), "an initialisation vector of 3 bytes"),
    ],
    ids=["clear text", "more behind it", "no end", "data", "vector", "tag", "short tag", "long tag", "short vector"],
)
def test_what_is_no_encrypted_value_is_refused_for_its_reason(text: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        opened(text)


def test_a_value_opens_in_its_own_place_under_its_own_key_only() -> None:
    with pytest.raises(InvalidTag):
        opened(SEALED, b"a:c:")
    with pytest.raises(InvalidTag):
        Cipher(bytes(32)).open(SEALED, AAD, where="here")


@pytest.mark.parametrize(
    ("value", "sealed", "looks"),
    [
        *((SEALED, True, True), (SEALED + "x", False, True), (SEALED[:40], False, True), ("ENC[", False, True)),
        *(("a value", False, False), ("", False, False), (" " + SEALED, False, False), (12, False, False), (None, False, False)),
    ],
    # Said, for each process of xdist would make another id of a value that is sealed anew.
    ids=["sealed", "more behind it", "cut", "its beginning", "a value", "nothing", "a blank before it", "a number", "none"],
)
def test_an_encrypted_value_is_known_by_its_form(value: Any, sealed: bool, looks: bool) -> None:  # noqa: FBT001 - columns of a table
    assert (is_sealed(value), looks_sealed(value)) == (sealed, looks)
