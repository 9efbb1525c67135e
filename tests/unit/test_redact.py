"""The writer that no secret passes. Failures here name the form that got through, never the value."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.redact import SHORTEST, Redactor, Secret

VALUE = 'pa ss/"wörd"+\\x'


def redactor(*values: bytes | str) -> Redactor:
    made = Redactor()
    for value in values:
        made.add(Secret(value, name="s"))
    return made


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(VALUE, name="password")
    shown = f"{secret} {secret!r} {[secret]} { ({'k': secret}) }"
    assert VALUE not in shown
    assert "password" in shown
    assert (secret.text(), secret.reveal(), len(secret)) == (VALUE, VALUE.encode(), len(VALUE.encode()))


def test_secrets_are_equal_by_value_alone() -> None:
    assert Secret("abcdef", name="a") == Secret(b"abcdef", name="b")
    assert len({Secret("abcdef", name="a"), Secret("abcdef", name="b")}) == 1
    assert Secret("abcdef", name="a") != "abcdef"


FORMS = {
    "raw": VALUE,
    "json": json.dumps(VALUE),
    "json, not ascii": json.dumps(VALUE, ensure_ascii=False),
    "url": urllib.parse.quote(VALUE, safe=""),
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "hex": VALUE.encode().hex(),
    "HEX": VALUE.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_value_is_masked(form: str) -> None:
    cleaned = redactor(VALUE).clean(f"before {FORMS[form]} after")
    assert "[secret s]" in cleaned
    assert not any(other in cleaned for other in FORMS.values()), f"the {form} form got through"
    # What is left is what stood around the value: JSON's quotes, the end of base64. No character of the value itself.
    assert cleaned.replace('"', "").replace("=", "") == "before [secret s] after"


def test_a_value_of_many_lines_is_masked_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nAAAAAAAAAAAA\nBBBBBBBBBBBB\n-----END KEY-----\n"
    made = redactor(key)
    assert made.clean("only AAAAAAAAAAAA") == "only [secret s]"
    assert made.clean("a -----BEGIN KEY----- alone is no secret").startswith("a -----BEGIN")
    assert "AAAA" not in made.clean(key)


def test_a_longer_value_is_masked_before_a_shorter_one_within_it() -> None:
    made = Redactor()
    made.add(Secret("abcdefgh", name="short"))
    made.add(Secret("abcdefgh-ijkl", name="long"))
    assert made.clean("abcdefgh-ijkl abcdefgh") == "[secret long] [secret short]"


def test_short_values_are_left_alone() -> None:
    assert redactor("abcde").clean("abcde and more") == "abcde and more"
    assert redactor("abcdef").clean("abcdef and more") == "[secret s] and more"


def test_data_is_cleaned_at_every_depth() -> None:
    made = redactor("s3cr3t-value")
    data = {"s3cr3t-value": [("s3cr3t-value", 1), {"deep": b"s3cr3t-value"}], "plain": [None, True, 1.5], "path": Path("/x/s3cr3t-value")}
    cleaned = made.clean_data(data)
    assert "s3cr3t" not in json.dumps(cleaned)
    assert cleaned["plain"] == [None, True, 1.5]
    assert cleaned["path"] == "/x/[secret s]"


def test_a_secret_among_the_data_is_not_told_even_if_nobody_registered_it() -> None:
    data = {"x": Secret("s3cr3t-value", name="n"), "y": [Secret("s3cr3t-value", name="n")]}
    assert Redactor().clean_data(data) == {"x": "Secret(n, ***)", "y": ["Secret(n, ***)"]}


def test_binary_values_are_masked_as_they_would_be_shown() -> None:
    value = bytes(range(0xF0, 0x100))
    made = redactor(value)
    shown = json.dumps(made.clean_data({"bytes": value, "hex": value.hex(), "base64": base64.b64encode(value).decode()}))
    assert shown.count("[secret s]") == 3
    assert "xf3" not in shown


def is_told(value: str) -> bool:
    """Whether the redactor promises to mask it: long enough, no PEM marker, and not a part of the mask itself."""
    return len(value.encode().strip()) >= SHORTEST and not value.startswith("-----") and value not in "<[secret s]|[secret s]>"


@given(value=st.text(st.characters(codec="utf-8"), min_size=SHORTEST).filter(is_told))
def test_no_value_survives_in_any_text(value: str) -> None:
    assert value not in redactor(value).clean(f"<{value}|{json.dumps(value)}|{urllib.parse.quote(value, safe='')}>")


@given(text=st.text())
def test_text_without_secrets_is_not_touched(text: str) -> None:
    assert Redactor().clean(text) == text
