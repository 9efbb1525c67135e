"""Types and spellings that a MAC hangs on: go-yaml's resolver, Go's floats and times, the names of forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom import vault
from cleanroom.sops import yaml as sops_yaml
from cleanroom.sops import yaml_scan as sops_yaml_scan
from cleanroom.sops.errors import Malformed, Truncated, Unsupported
from cleanroom.sops.tree import Branch, Timestamp, kind_of, plain_bytes, show_float
from cleanroom.sops.yaml_types import resolve
from cleanroom.vault import Form


@pytest.mark.parametrize(
    ("text", "kind", "plain"),
    [
        ("0777", "int", "511"),
        ("0o17", "int", "15"),
        ("0x1F", "int", "31"),
        ("-0x1f", "int", "-31"),
        ("0b11", "int", "3"),
        ("-0b11", "int", "-3"),
        ("1_000", "int", "1000"),
        ("+1", "int", "1"),
        ("-0", "int", "0"),
        ("0_7", "int", "7"),
        ("9223372036854775807", "int", "9223372036854775807"),
        ("08", "float", "8"),
        ("1e3", "float", "1000"),
        ("1.", "float", "1"),
        (".5", "float", "0.5"),
        ("-.5", "float", "-0.5"),
        ("1_0.5", "float", "10.5"),
        (".inf", "float", "+Inf"),
        ("-.INF", "float", "-Inf"),
        (".NaN", "float", "NaN"),
        ("99999999999999999999", "float", "100000000000000000000"),
        ("2020-01-02", "time", "2020-01-02T00:00:00Z"),
        ("2020-1-2", "time", "2020-01-02T00:00:00Z"),
        ("2001-12-14t21:59:43.10-05:00", "time", "2001-12-14T21:59:43.1-05:00"),
        ("2001-12-14 21:59:43.10", "time", "2001-12-14T21:59:43.1Z"),
        ("2001-12-14T21:59:43", "str", "2001-12-14T21:59:43"),
        ("2020-01-02T3:04:05.1234567891Z", "time", "2020-01-02T03:04:05.123456789Z"),
        ("2020-01-02T03:04:05+00:00", "time", "2020-01-02T03:04:05Z"),
    ],
)
def test_a_plain_scalar_is_what_go_yaml_takes_it_for(text: str, kind: str, plain: str) -> None:
    value = resolve(text)
    assert (kind_of(value), plain_bytes(value).decode()) == (kind, plain)


TEXTS = ["yes", "No", "on", "OFF", "y", "n", "tRue", "1:30", "0o8", "0x", "1.5.2", "-", "+", "<<", "1e999", "nan", "._5", "2020-02-30"]


@pytest.mark.parametrize("text", TEXTS)
def test_much_that_looks_special_is_text(text: str) -> None:
    assert resolve(text) is text


@pytest.mark.parametrize(
    ("texts", "value"), [(("true", "True", "TRUE"), True), (("false", "False"), False), (("", "~", "null", "Null", "NULL"), None)]
)
def test_three_casings_are_special(texts: tuple[str, ...], *, value: bool | None) -> None:
    assert [resolve(text) for text in texts] == [value] * len(texts)


def test_an_integer_that_sops_cannot_read_is_refused() -> None:
    with pytest.raises(Unsupported, match="63 bits"):
        resolve("18446744073709551615")
    with pytest.raises(Unsupported, match="a day or more"):
        resolve("2020-01-02T03:04:05+24:00")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_and_has_no_exponent(number: float) -> None:
    text = show_float(number)
    assert float(text) == number
    assert not set(text) - set("-.0123456789")
    assert not text.endswith((".", ".0"))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0"), (-0.0, "-0"), (1e21, "1" + "0" * 21), (1.5e-7, "0.00000015"), (-1e-5, "-0.00001"), (123456.789, "123456.789"), (math.inf, "+Inf")],
)
def test_floats_as_go_formats_them(number: float, text: str) -> None:
    assert show_float(number) == text


@pytest.mark.parametrize("text", ["2023-02-29", "2020-13-01", "2020-01-00", "20-01-01", "2020-01-01T24:00:00Z", "2020-01-01 00:00:00Z"])
def test_what_is_no_date_is_text(text: str) -> None:
    assert Timestamp.parse(text) is None


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("a.yaml", Form.YAML), ("a.yml", Form.YAML), ("a.json", Form.JSON), ("a.env", Form.DOTENV), (".env", Form.DOTENV), ("a.ini", Form.INI)),
        *(("a.txt", Form.BINARY), ("a.YAML", Form.BINARY), ("a.yaml.enc", Form.BINARY), ("key.pem", Form.BINARY), ("yaml", Form.BINARY)),
    ],
)
def test_a_form_goes_by_the_ending_of_the_name(name: str, form: Form) -> None:
    assert Form.of(name) is form
    assert Form.of(f"some/folder.json/{name}") is form


WORDS = ["a", "b:", "- c", "'d'", '"e"', "# f", "|", "|-", ">", "[g, h]", "{i: j}", "&k l", "*k", "~", "12", "m # n", "o#p", "!!str q", "r: s", "\\"]
STARTS = ["", "  ", "    ", "- ", "  - ", "-\n", "-\n  "]
LINES = st.lists(st.builds("{}{}{}".format, st.sampled_from(STARTS), st.sampled_from(["x: ", "y: ", "z:", ""]), st.sampled_from(WORDS)), max_size=8)


@given(LINES.map(lambda lines: "".join(line + "\n" for line in lines)))
def test_the_quick_reader_leaves_alone_what_it_would_read_differently(text: str) -> None:
    quick = sops_yaml_scan.scan(text)
    if quick is not None:
        full = sops_yaml.parse(text, where="text")
        assert [typed(document) for document in quick[0]] == [typed(document) for document in full[0]]


def typed(node: object) -> object:
    """A node with every type shown and no comments."""
    if isinstance(node, Branch):
        return {key: typed(value) for key, value in node if isinstance(key, str)}
    if isinstance(node, list):
        return [typed(item) for item in node if not isinstance(item, vault.Comment)]
    return type(node).__name__, repr(node)


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("a: 1\na: 2\n", Malformed, "stands twice"),
        ("1: a\n", Malformed, "not text"),
        ("true: a\n", Malformed, "not text"),
        ("? [a]\n: b\n", Malformed, "not text"),
        ("a: *b\n", Malformed, "alias"),
        ("a: &b [*b]\n", Malformed, "alias"),
        ("a: !!int x\n", Unsupported, "!!int"),
        ("a: !own x\n", Unsupported, "!own"),
        ("a: !!set {b}\n", Unsupported, "tag"),
        ("a: !!binary '.'\n", Malformed, "base64"),
        ("a: 'b\n", Truncated, "not YAML"),
        ("a: [b,\n", Truncated, "not YAML"),
        ("a: ]\nb: c\n", Malformed, "not YAML"),
        ("just text\n", Malformed, "not a mapping"),
        ("a: \x07\n", Malformed, "forbids"),
    ],
)
def test_yaml_that_sops_would_not_take_is_refused(text: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        sops_yaml.documents_of(text.encode(), where="file")
