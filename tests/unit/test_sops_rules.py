"""Which values a file's rule wants encrypted, and in which spellings a rule may stand."""

from __future__ import annotations

from typing import Any

import pytest

from cleanroom.sops.errors import Malformed
from cleanroom.sops.rules import NAMES, Rules
from cleanroom.sops.tree import Comment, Spot


def at(*path: str, above: tuple[str, ...] = (), comment: bool = False) -> Spot:
    """A place in a document: a value, or a comment, which is the last of those above its own place."""
    return Spot(path, "/".join(path), above, Comment(above[-1]) if comment else "x", [], 0)


SAID = ("seal this",)
PLACES = {
    "plain": at("plain"),
    "plain/a_s": at("plain", "a_s"),
    "a_s/plain": at("a_s", "plain"),
    "a_s_more": at("a_s_more"),
    "below the comment": at("plain", above=SAID),
    "below another": at("plain", above=("another",)),
    "the comment": at(above=SAID, comment=True),
    "a comment below it": at(above=(*SAID, "more"), comment=True),
}
EVERY = set(PLACES)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({}, EVERY),
        ({"unencrypted_suffix": "_s"}, EVERY - {"plain/a_s", "a_s/plain"}),
        ({"encrypted_suffix": "_s"}, {"plain/a_s", "a_s/plain"}),
        ({"unencrypted_regex": "_s"}, EVERY - {"plain/a_s", "a_s/plain", "a_s_more"}),
        ({"encrypted_regex": "_s$"}, {"plain/a_s", "a_s/plain"}),
        ({"unencrypted_comment_regex": "seal"}, EVERY - {"below the comment", "the comment", "a comment below it"}),
        ({"encrypted_comment_regex": "seal"}, {"below the comment", "a comment below it"}),
    ],
    ids=["none", *(f"{name} {number}" for number, name in enumerate(NAMES))],
)
def test_a_rule_wants_encrypted_what_it_covers(rule: dict[str, Any], wanted: set[str]) -> None:
    rules = Rules(**rule)
    assert {name for name, spot in PLACES.items() if rules.wants_encrypted(spot)} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_is_read_by_its_name(name: str) -> None:
    rules = Rules.of({name: "x", **{other: "" for other in NAMES if other != name}, "age": []}, where="here")
    assert (rules.kind, rules.pattern, rules.mac_only_encrypted, rules.reads_comments) == (name, "x", False, "comment" in name)


def test_without_a_rule_the_usual_ending_leaves_a_value_in_clear() -> None:
    assert Rules() == Rules.of({}, where="here") == Rules(unencrypted_suffix="_unencrypted")
    assert not Rules().wants_encrypted(at("a_unencrypted"))


def test_rules_are_equal_if_they_say_the_same() -> None:
    one, same, others = Rules(encrypted_regex="a"), Rules(encrypted_regex="a"), [Rules(encrypted_regex="b"), Rules(encrypted_suffix="a")]
    others.append(Rules(encrypted_regex="a", mac_only_encrypted=True))
    assert one == same
    assert hash(one) == hash(same)
    assert len({one, same, *others}) == 4
    assert not any(one == other for other in [*others, repr(one), None])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pattern", [1, True, ["a"]])
def test_a_rule_that_is_no_text_is_refused(name: str, pattern: Any) -> None:
    with pytest.raises(Malformed, match=f"{name} is not text"):
        Rules.of({name: pattern}, where="here")


TRUE: list[Any] = ["1", "t", "T", "true", "TRUE", "True", True, 1, 2.0]
FALSE: list[Any] = [None, "", "0", "f", "F", "false", "FALSE", "False", False, 0, 0.0]


@pytest.mark.parametrize(("value", "taken_for"), [*((value, True) for value in TRUE), *((value, False) for value in FALSE)], ids=repr)
def test_a_truth_is_taken_as_sops_takes_it(value: Any, taken_for: bool) -> None:  # noqa: FBT001 - a column of a table
    assert Rules.of({"mac_only_encrypted": value}, where="here").mac_only_encrypted is taken_for


@pytest.mark.parametrize("value", ["yes", "tRUE", [], {}])
def test_what_is_no_truth_is_refused(value: Any) -> None:
    with pytest.raises(Malformed, match="neither true nor false"):
        Rules.of({"mac_only_encrypted": value}, where="here")
