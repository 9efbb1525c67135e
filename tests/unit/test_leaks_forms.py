"""What is searched for: enough to find a value in any guise, and nothing that could be found by chance."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import string
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.leak import forms as leak_forms
from cleanroom.leak import parts as leak_parts
from cleanroom.leak.parts import Part
from tests.unit import leak_corpus

TOKENS = st.text(string.ascii_letters + string.digits + "+/_-!%", min_size=8, max_size=90).map(str.encode).filter(leak_parts.is_telling)
TELLING_BYTES = st.binary(min_size=8, max_size=400).filter(leak_parts.is_telling)


def finds(value: bytes, text: bytes) -> bool:
    return any(literal in text for literal in leak_forms.literals(Part("", value)))


@given(TELLING_BYTES, st.binary(max_size=50), st.binary(max_size=50))
def test_base64_at_any_place_among_any_bytes(value: bytes, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert finds(value, encode(before + value + after))


@given(st.one_of(TOKENS, TELLING_BYTES), st.binary(max_size=99), st.integers(48, 100), st.sampled_from(["\n", "\r\n", "\\n"]), st.booleans())
def test_folded_lines_at_any_column(value: bytes, before: bytes, columns: int, end: str, in_hex: bool) -> None:  # noqa: FBT001 - hypothesis draws it
    encoded = (before + value).hex() if in_hex else base64.b64encode(before + value).decode()
    assert finds(value, end.join(encoded[index : index + columns] for index in range(0, len(encoded), columns)).encode())


#: Values that tell in each of their eights: of one that is all zeros but for its end, half a window may be too little to be searched for.
DENSE_BYTES = st.lists(st.binary(min_size=8, max_size=8).filter(leak_parts.is_telling), min_size=3, max_size=50).map(b"".join)


@given(DENSE_BYTES, st.binary(max_size=99), st.integers(48, 100))
def test_folded_lines_may_be_indented(value: bytes, before: bytes, columns: int) -> None:
    encoded = base64.b64encode(before + value).decode()
    assert finds(value, "\n        ".join(encoded[index : index + columns] for index in range(0, len(encoded), columns)).encode())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n"])
@pytest.mark.parametrize("encode", [bytes.hex, lambda value: base64.b64encode(value).decode()], ids=["hex", "base64"])
def test_a_short_value_is_found_wherever_one_line_end_lies_within_it(encode: Callable[[bytes], str], end: str) -> None:
    value = b"Q7v!x2Kd9p"
    encoded = encode(value)
    for place in range(1, len(encoded)):
        assert finds(value, f"{encoded[:place]}{end}{encoded[place:]}".encode()), place


@pytest.mark.parametrize("before", [b"", b"x", b"xy"], ids=["first", "second", "third"])
def test_of_twenty_bytes_either_half_is_enough_at_each_alignment(before: bytes) -> None:
    """Half of what base64 makes of them holds nine whole bytes, which chance does not make: whatever was put between the halves, one is found."""
    value = hashlib.shake_256(b"twenty").digest(20)
    encoded = base64.b64encode(before + value + b"rest").decode()
    for place in range(1, len(encoded)):
        assert finds(value, f"{encoded[:place]}\n        {encoded[place:]}".encode()), place


def test_half_a_value_that_reads_like_words_is_not_searched_for_alone() -> None:
    words = b"recipe maintainers"
    value = hashlib.shake_256(b"half").digest(len(words)) + words
    assert finds(value, base64.b64encode(value))
    assert not any(finds(value, base64.b64encode(b"for"[:number] + words + b", who keep it")) for number in range(3))


@given(st.one_of(TOKENS, TELLING_BYTES))
def test_no_literal_is_short_or_endless(value: bytes) -> None:
    for literal in leak_forms.literals(Part("", value)):
        assert leak_parts.SHORTEST <= len(literal) <= leak_forms.LONGEST


QUOTED = "q'u\"o/t&e<d>%i$é\n7Q x+\\"
ESCAPES: dict[str, Callable[[str], str]] = {
    "JSON": json.dumps,
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON by PHP": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON by Go": lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    "HTML": html.escape,
    "HTML between tags": lambda text: html.escape(text, quote=False),
    "HTML by Go": lambda text: html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "an attribute": lambda text: html.escape(text).replace("\n", "&#10;"),
    "a shell's word": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "YAML's single quotes": lambda text: "'" + text.replace("'", "''") + "'",
    "a unit file": lambda text: text.replace("%", "%%"),
    "a compose file": lambda text: text.replace("$", "$$"),
    "a URL": lambda text: urllib.parse.quote(text, safe=""),
    "a URL's path": urllib.parse.quote,
    "a form": urllib.parse.quote_plus,
    "a URL in lower case": lambda text: re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), urllib.parse.quote(text, safe="")),
}


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_value_is_found_as_other_programs_escape_it(escape: str) -> None:
    assert finds(QUOTED.encode(), f"<{ESCAPES[escape](QUOTED)}>".encode())


@pytest.mark.parametrize("encode", [bytes, base64.b64encode, lambda value: value.hex().encode()], ids=["raw", "base64", "hex"])
def test_what_shares_its_head_and_its_tail_with_a_value_is_not_taken_for_it(encode: Callable[[bytes], bytes]) -> None:
    head, middle, another, tail = (hashlib.shake_256(name).digest(99) for name in (b"head", b"middle", b"another", b"tail"))
    assert finds(head + middle + tail, encode(head + middle + tail))
    assert not finds(head + middle + tail, encode(head + another + tail))


@pytest.mark.parametrize(("size", "tells"), [(13, False), (18, True)])
def test_half_of_the_hex_digits_are_enough_where_they_stand_for_eight_bytes(size: int, tells: bool) -> None:  # noqa: FBT001 - a column of a table
    digits = hashlib.shake_256(b"hex").hexdigest(size).encode()
    for half in (digits[:size], digits[size:]):
        assert finds(bytes.fromhex(digits.decode()), half) is tells


def test_a_long_value_is_found_by_its_middle() -> None:
    value = hashlib.shake_256(b"long").digest(5000)
    assert max(map(len, leak_forms.literals(Part("", value)))) == 256
    for literal, form in leak_forms.literals(Part("", value)).items():
        assert len(literal) <= leak_forms.LONGEST
        assert form != "raw" or literal in value[2000:3000]


def test_each_form_has_its_name() -> None:
    forms = leak_forms.literals(Part("", b"p&s<s>'w\"o/r+d%=?$\\ 7Q~~~>>>?>~?"))
    assert set(forms.values()) == {
        "raw",
        *(f"base64 (alignment {number})" for number in range(3)),
        *(f"base64url (alignment {number})" for number in range(3)),
        "base64 twice",
        "hex",
        "URL",
        "JSON",
        "HTML",
        "shell quotes",
        "doubled quotes",
        "doubled percent signs",
        "doubled dollar signs",
        "UTF-16LE",
        "UTF-16BE",
    }


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hunter2", "too short: 7 bytes"),
        (b"true", "too short"),
        (b"recipe-maintainers", "reads like a word"),
        (b"https://example.org", "reads like a word"),
        (b"1234567890", "or a number"),
        (b"2026-01-31 12:00", "or a number"),
        (b"aaaaaaaaaaaaaaaaaaaaaaaa1", "about 0 bits"),
        (b"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n", "public by nature"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5ab root@host", "public by nature"),
        (b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n", "public by nature"),
    ],
)
def test_what_cannot_be_told_from_chance_is_not_searched_for(value: bytes, reason: str) -> None:
    assert leak_parts.parts(value) == []
    assert reason in leak_parts.why_not(value)


@pytest.mark.parametrize(
    "value", [b"aB3$xY9z", b"k3j9x2m1", b"6f1c09ab44", b"correct horse battery staple", b"12345678901234", b"\x00\x01\x02\x03\x04\xff\xfe\xfd"]
)
def test_what_can_be_told_from_chance_is_searched_for(value: bytes) -> None:
    assert [part.value for part in leak_parts.parts(value)] == [value]


def test_of_several_lines_the_secret_ones_are_searched_for() -> None:
    text = (
        b"# made by hand, 2026-01-01T10:20:30Z and 9f8e7d6c5b4a\nUSER=bot\nTOKEN='Zk39dkDKE92kdkLLs7'\nURL=https://u:Zk39dkDKE@ci1.example.org/a7\n"
    )
    assert [(part.what, part.value) for part in leak_parts.parts(text)] == [
        ("line 3 of 4", b"Zk39dkDKE92kdkLLs7"),
        ("line 4 of 4", b"URL=https://u:Zk39dkDKE@ci1.example.org/a7"),
    ]


def test_of_several_lines_without_a_telling_one_the_whole_is_searched_for() -> None:
    text = b"first some words\nthen some more\nand an end\n"
    assert [part.what for part in leak_parts.parts(text)] == ["", "its lines ended by CR LF", "its lines joined"]


def test_a_part_does_not_show_itself() -> None:
    for value in leak_corpus.values().values():
        for part in leak_parts.parts(value):
            assert part.value.decode(errors="replace") not in f"{part!r} {part}"
