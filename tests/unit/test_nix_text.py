"""Nix read as text: comments, strings, and what is bound without being computed."""

from __future__ import annotations

import pytest

from cleanroom import nix_text

FLAKE = """{
  description = "a ${"#"} b; inputs.secrets.url = \\"no\\";"; # inputs.secrets.url = "nor this";
  outputs = inputs: let x = inputs.lib; inputs = 1; in with x; assert true; { inputs.secrets.url = "nor that"; };
  inputs.secrets.url = "git+https://forge.example/secrets"; /* inputs.b.url = "c"; */
  inputs = rec { "other".follows = "secrets"; nixpkgs = { url = github:NixOS/nixpkgs; flake = false; }; };
}
"""


def test_what_is_bound_is_found_however_it_is_written_and_nothing_else() -> None:
    assert nix_text.bindings(FLAKE, "inputs") == {
        ("inputs", "secrets", "url"): '"git+https://forge.example/secrets"',
        ("inputs", "other", "follows"): '"secrets"',
        ("inputs", "nixpkgs", "url"): "github:NixOS/nixpkgs",
        ("inputs", "nixpkgs", "flake"): "false",
    }


@pytest.mark.parametrize("text", ["", "inputs: { }", "let a = 1; in { inputs.b = 2; }", "{ inherit inputs; }", "{ inputs.a", '{ x = "${'])
def test_a_file_that_binds_nothing_by_itself_gives_nothing(text: str) -> None:
    assert nix_text.bindings(text, "inputs") == {}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a # b\nc", "a    \nc"),
        ("a /* b\n*/ c", "a     \n   c"),
        ("a /* b", "a     "),
        ('"# a" b', '"# a" b'),
        ("''\n# a ${\"x\"}''' b\n'' # c", "''\n# a ${\"x\"}''' b\n''    "),
        ('"${f "#"}" + "a" # b', '"${f "#"}" + "a"    '),
        ('"\\" # a" # b', '"\\" # a"    '),
        ('"$${ # a" # b', '"$${ # a"    '),
        ("x'' # a", "x''    "),
    ],
)
def test_comments_are_blanked_and_nothing_moves(text: str, left: str) -> None:
    assert nix_text.without_comments(text) == left
    assert "".join(token.text for token in nix_text.tokens(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"a b"', "a b"),
        ("github:NixOS/nixpkgs", "github:NixOS/nixpkgs"),
        ('"a${b}"', None),
        ('"a\\n"', None),
        ("a", None),
        ('"a"+"b"', None),
        ("", None),
    ],
)
def test_only_a_plain_text_is_a_literal(value: str, text: str | None) -> None:
    assert nix_text.literal(value) == text
