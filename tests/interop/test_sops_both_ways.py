"""Ours against the real sops, over generated documents: what it writes we read alike, what we write it opens.

Knows: that agreement on values is not enough; types, the order of hashing (the MAC) and the reach of every rule must agree too.
"""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cleanroom import vault
from cleanroom.sops import ini as sops_ini
from cleanroom.sops import json as sops_json
from cleanroom.sops import yaml as sops_yaml
from cleanroom.sops.errors import MacMismatch, Unsupported
from cleanroom.sops.tree import Branch, kind_of, plain_bytes, spots
from cleanroom.sops.write import from_python
from cleanroom.vault import Comment, Form, Rules
from tests.interop.conftest import Sops

#: 300 documents in all: twice 100 of YAML, five times 20 of the other forms.
YAML_RUNS = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
OTHER_RUNS = settings(YAML_RUNS, max_examples=20)

MAC_MISMATCH = 51

Contents = dict[str, tuple[str, bytes]]

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=20)
PRINTABLE = st.text(st.characters(codec="utf-8", min_codepoint=0x20, categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)
NAMED = ["a", "b_unencrypted", "c_enc", "data", "with space", "true", "8080", "<<", "über", "x.y-z", "k" * 130]
KEYS = st.sampled_from(NAMED) | PRINTABLE.filter(lambda key: "/" not in key and not key.startswith("sops"))
ZONES = st.timezones() | st.just(datetime.UTC)
FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number or 0.0)  # sops prints -0.0 as -0, which JSON reads as 0
NUMBERS = st.integers(-(2**63), 2**63 - 1) | FLOATS
MOMENTS = st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9990, 1, 1), timezones=st.just(datetime.UTC))  # noqa: DTZ001 - bounds
LEAVES = st.none() | st.booleans() | NUMBERS | TEXT | MOMENTS
LINES = st.text("abcENC[]:,#- '\"\\%{}", max_size=12).map(Comment)


def trees(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[Any, Any]]:
    """Mappings of `leaves`, lists and mappings."""
    nodes = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8)
    return st.dictionaries(keys, nodes, min_size=1, max_size=5).map(with_comments_above)


def with_comments_above(data: Any) -> Any:
    """A comment at the end of a mapping has nothing to stand above, and is refused: drop it."""
    if isinstance(data, list):
        return [with_comments_above(item) for item in data]
    if not isinstance(data, dict):
        return data
    items = [(key, with_comments_above(value)) for key, value in data.items()]
    while items and isinstance(items[-1][0], Comment):
        items.pop()
    return dict(items)


RULES = st.one_of(
    st.just(("", "")),
    st.just(("mac_only_encrypted", "true")),
    st.tuples(st.sampled_from(["unencrypted_suffix", "encrypted_suffix"]), st.sampled_from(["_unencrypted", "_enc", "a"])),
    st.tuples(
        st.sampled_from(["unencrypted_regex", "encrypted_regex"]), st.sampled_from(["^(a|data)$", "b_", r"\.y", "(?i)^C", "[^a-z]", "[0-9]{2,3}$"])
    ),
    st.tuples(st.sampled_from(["unencrypted_comment_regex", "encrypted_comment_regex"]), st.sampled_from(["^ ?a", "^b", "c$", "^[ab]{2}"])),
)


def rules_of(rule: tuple[str, str]) -> Rules:
    name, value = rule
    return Rules.of({name: value}, where="test")


def contents(documents: list[Branch]) -> Contents:
    """Type and bytes of every leaf."""
    return {spot.name: (kind_of(spot.value), plain_bytes(spot.value)) for spot in spots(documents) if not spot.is_comment}


def printed(output: bytes) -> Contents:
    """What sops decrypted to JSON."""
    return contents(sops_json.load(output, where="sops").documents)


def opened_contents(opened: vault.Opened) -> Contents:
    return {name: (kind, opened.values[name].reveal() if name in opened.values else b"") for name, kind in opened.types.items()}


def same(ours: Contents, theirs: Contents, *, loosely: bool = False) -> bool:
    """Compared outside of an assertion's operands. `loosely` lets a number change its type, as sops' own output does (1.0 becomes 1)."""
    return {name: value if loosely else (kind, value) for name, (kind, value) in ours.items()} == {
        name: value if loosely else (kind, value) for name, (kind, value) in theirs.items()
    }


def read_alike(meant: Contents, opened: vault.Opened) -> bool:
    """sops writes a clear 1e3 as 1000, and a clear 0.0 as 0: for what stands in clear only the bytes that are hashed must agree."""
    encrypted = [name for name in opened.types if name not in opened.clear]
    return same(meant, opened_contents(opened), loosely=True) and all(opened.types[name] == meant[name][0] for name in encrypted)


def identities(sops: Sops) -> list[vault.Identity]:
    return vault.load_identities(sops.key)


@YAML_RUNS
@given(tree=trees(LEAVES, KEYS | LINES), rule=RULES)
def test_sops_opens_what_we_write(sops: Sops, tree: dict[Any, Any], rule: tuple[str, str]) -> None:
    try:
        sealed = vault.encrypt(tree, recipients=[sops.recipient], rules=rules_of(rule))
    except Unsupported:
        # Under a rule that reads comments, a comment at the head of a mapping inside a list is refused: go-yaml may move it out of the mapping.
        assume("comment" not in rule[0])
        raise
    done = sops.decrypt("ours.yaml", sealed, "--output-type", "json")
    assert done.returncode == 0, done.stderr.decode()
    theirs = printed(done.stdout)
    assert same(contents([from_python(tree, where="ours")]), theirs, loosely=True)


PLAIN_WORDS = [
    "yes",
    "No",
    "on",
    "~",
    "null",
    "0777",
    "0o17",
    "0x1F",
    "0b11",
    "-0b1",
    "1_000",
    "08",
    "1e3",
    "1.e3",
    ".5",
    "-.5",
    "+1",
    "1:30",
    "-",
    "1.",
]
DATES = [
    "2020-01-02",
    "2020-1-2",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10",
    "2020-02-30",
    "2020-01-02T03:04:05",
    "2020-01-02T03:04:05Z",
]
ODD = [".inf", "-.INF", ".NaN", "1e999", "99999999999999999999", "-9223372036854775808", "0.1e-7", "1__0", "0_7", "0x", "1.5.2", "<<", "=", "a b"]
SCALARS = st.one_of(
    st.sampled_from(PLAIN_WORDS + DATES + ODD),
    st.from_regex(r"[-+]?[0-9]{1,4}[._eExobT:-]?[0-9]{0,3}", fullmatch=True, alphabet=st.characters(max_codepoint=127)),
    st.text(max_size=12, alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S"])).map(
        lambda text: json.dumps(text, ensure_ascii=False)
    ),
    st.text("abc x'", max_size=9).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.sampled_from(["[1, two, {x: y}]", "{a: 1, b: [x]}", "[]", "{}", "!!str 12", "!!float 3", "!!binary /wA=", "&n 5", "'a\n    b'", "a\n    b"]),
    st.sampled_from(["|\n    one\n    two", "|-\n    one\n\n    two", ">\n    folded\n    text", "|+\n    kept\n\n"]),
)
COMMENTS = st.sampled_from(["", "", "", "# a\n", "# b x\n# c\n", "    # deep\n", "\n# aa after a gap\n\n"])
INLINE = st.sampled_from(["", "", "", " # ab", " #c"])
WORD_KEYS = st.sampled_from(["a", "b_unencrypted", "c_enc", "data", "x.y", '"8080"', "'true'", "d", "e", "f"])


@st.composite
def sources(draw: st.DrawFn) -> str:
    """YAML as people write it: comments, odd scalars, quotes, flows, nesting."""
    lines = []
    for key in draw(st.lists(WORD_KEYS, min_size=1, max_size=5, unique=True)):
        lines.append(draw(COMMENTS))
        if draw(st.integers(0, 3)):
            scalar = draw(SCALARS)
            lines.append(f"{key}: {scalar}{draw(INLINE) if chr(10) not in scalar else ''}\n")
        else:
            lines.append(f"{key}:{draw(INLINE)}\n")
            lines += [
                f"    {inner}: {draw(SCALARS.filter(one_line))}{draw(INLINE)}\n" for inner in draw(st.lists(WORD_KEYS, max_size=3, unique=True))
            ]
    return "".join(lines)


def one_line(scalar: str) -> bool:
    return "\n" not in scalar


@YAML_RUNS
@given(source=sources(), rule=RULES)
def test_we_read_what_sops_writes_and_as_it_reads(sops: Sops, source: str, rule: tuple[str, str]) -> None:
    done = sops.encrypt("theirs.yaml", source.encode(), rule=rule[0], value=rule[1])
    assume(done.returncode == 0)
    try:
        opened = vault.open_bytes(done.stdout, Form.YAML, identities=identities(sops))
    except MacMismatch:
        # With comments in a list sops writes what it cannot verify itself: then we must not verify it either.
        assert sops.decrypt("theirs.yaml", done.stdout).returncode == MAC_MISMATCH, "sops opens what we do not"
        return
    except Unsupported:
        # Under a rule that reads comments, YAML beyond what sops usually writes (a clear !!binary, a folded text) is refused.
        assume("comment" not in rule[0])
        raise
    plain = contents(sops_yaml.documents_of(source.encode(), where="source")[0])
    assert list(opened.types) == list(plain)
    assert read_alike(plain, opened)


JSON_LEAVES = st.none() | st.booleans() | NUMBERS | TEXT


@OTHER_RUNS
@given(tree=trees(JSON_LEAVES, KEYS))
def test_json_both_ways(sops: Sops, tree: dict[str, Any]) -> None:
    meant = contents([from_python(tree, where="tree")])
    sealed = vault.encrypt(tree, recipients=[sops.recipient], form=Form.JSON)
    done = sops.decrypt("ours.json", sealed)
    assert done.returncode == 0, done.stderr.decode()
    assert same(meant, printed(done.stdout), loosely=True)
    back = sops.encrypt("theirs.json", json.dumps(tree).encode())
    assert back.returncode == 0, back.stderr.decode()
    assert read_alike(meant, vault.open_bytes(back.stdout, Form.JSON, identities=identities(sops)))


FLAT_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\\\r\n"), max_size=15)


@OTHER_RUNS
@given(
    pairs=st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_ ]{0,8}", fullmatch=True), FLAT_TEXT | st.just("two\nlines"), min_size=1, max_size=5)
)
def test_dotenv_both_ways(sops: Sops, pairs: dict[str, str]) -> None:
    assume(not any(key.startswith("sops_") for key in pairs))
    tree: dict[Any, str | None] = {Comment(" a comment"): None, **pairs}
    meant = contents([from_python(tree, where="tree")])
    plain = "".join(f"{key}={value}\n" for key, value in pairs.items() for value in [value.replace("\n", "\\n")])
    done = sops.decrypt("ours.env", vault.encrypt(tree, recipients=[sops.recipient], form=Form.DOTENV))
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == "# a comment\n" + plain, "sops reads something else than we wrote"
    back = sops.encrypt("theirs.env", plain.encode())
    assert same(meant, opened_contents(vault.open_bytes(back.stdout, Form.DOTENV, identities=identities(sops))))


INI_LINES = [
    "[NAME]\n",
    "KEY = value\n",
    "  KEY:a=b ; remark\n",
    "KEY = 'x y'\n",
    'KEY = "x"\n',
    "KEY = `a;b`\n",
    'KEY = """one\n two"""\n',
    "KEY = a \\\n  b\n",
    "; remark\n",
    "# other remark\n",
    "\n",
    '"KEY" = 1\n',
    "`KEY=`= 2\n",
    "KEY=\n",
    "- = auto\n",
    "KEY = a'b\n",
    "KEY = %(KEY)s\n",
    "[NAME] # remark\n",
    "\tKEY = tab\t\n",
]


@OTHER_RUNS
@given(
    sections=st.dictionaries(
        st.from_regex(r"[A-Za-z]{1,6}", fullmatch=True).filter(lambda name: name != "sops"),
        st.dictionaries(st.from_regex(r"[a-z]([a-z =:]?[a-z]){0,4}", fullmatch=True), st.text("ab #;='\"`% ", max_size=9), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    )
)
def test_ini_both_ways(sops: Sops, sections: dict[str, dict[str, str]]) -> None:
    sealed = vault.encrypt(sections, recipients=[sops.recipient], form=Form.INI)
    # As JSON: the INI library that sops uses does not read back every value that it writes.
    done = sops.decrypt("ours.ini", sealed, "--output-type", "json")
    assert done.returncode == 0, done.stderr.decode()
    theirs = printed(done.stdout)
    assert same(contents([from_python(sections, where="tree")]), theirs)


@OTHER_RUNS
@given(source=st.lists(st.sampled_from(INI_LINES), max_size=8))
def test_ini_as_people_write_it(sops: Sops, source: list[str]) -> None:
    plain = "".join(line.replace("KEY", f"key{number}").replace("NAME", f"part{number}") for number, line in enumerate(source)).encode()
    done = sops.encrypt("theirs.ini", plain)
    assume(done.returncode == 0)
    decrypted = sops.decrypt("theirs.ini", done.stdout, "--output-type", "json")
    assume(decrypted.returncode == 0)  # sops writes a numbered key (- = x) as a comment, and cannot read it back
    theirs = printed(decrypted.stdout)
    opened = vault.open_bytes(done.stdout, Form.INI, identities=identities(sops))
    assert same(theirs, opened_contents(opened))
    assert same(contents(sops_ini.load(plain, where="plain").documents), opened_contents(opened))


@OTHER_RUNS
@given(data=st.binary(max_size=200))
def test_binary_both_ways(sops: Sops, data: bytes) -> None:
    done = sops.decrypt("ours.bin", vault.encrypt({"data": data}, recipients=[sops.recipient], form=Form.BINARY))
    assert done.returncode == 0, done.stderr.decode()
    back = sops.encrypt("theirs.bin", data)
    assert done.stdout == data, "sops reads other bytes than we wrote"
    assert vault.open_bytes(back.stdout, Form.BINARY, identities=identities(sops)).values["data"].reveal() == data, (
        "we read other bytes than sops wrote"
    )


@pytest.mark.parametrize("number", [math.inf, -math.inf, 1e300, 5e-324, -0.0])
def test_numbers_at_the_edge(sops: Sops, number: float) -> None:
    done = sops.decrypt("edge.yaml", vault.encrypt({"a": number, "b_unencrypted": number}, recipients=[sops.recipient]))
    assert done.returncode == 0, done.stderr.decode()
