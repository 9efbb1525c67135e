"""Go's regular expressions: taken over where both engines agree, refused by name where they do not."""

from __future__ import annotations

import pytest

from cleanroom.sops.errors import Unsupported
from cleanroom.sops.re2 import compile_re2


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        (r"^(data|stringData)$", ["data", "stringData"], ["metadata", "data\n", "dat"]),
        (r"\.ya?ml$", ["a.yaml", "b/c.yml"], ["a.yamlx", "a.yaml\n", "ayaml"]),
        (r"secrets/[^/]+\.(yaml|json|env)", ["secrets/a.yaml"], ["secrets/a/b.yaml", "secrets/.yaml"]),
        (r"^\w+$", ["a_1"], ["ü", "a b"]),
        (r"^\d{2,3}$", ["12", "123"], ["1", "1234", "\u0661\u0662"]),
        (r"^a\sb$", ["a b", "a\tb"], ["a\vb", "a\u00a0b"]),
        (r"(?i)^PASS", ["password", "Pass"], ["xpass"]),
        (r"(?s)^a.b$", ["a\nb"], ["ab"]),
        (r"^a.b$", ["axb"], ["a\nb"]),
        (r"\Aa\z", ["a"], ["a\n", "ba"]),
        (r"[[(&&|~~]", ["[", "&", "|", "~", "("], ["a"]),
        (r"[]a]", ["]", "a"], ["b"]),
        (r"[^]a]", ["b"], ["]", "a"]),
        (r"[a\-z]", ["-", "z"], ["b"]),
        (r"x{,5}", ["x{,5}"], ["xxx"]),
        (r"a{2}?b", ["aab"], ["ab"]),
        (r"(?P<name>a)(?:b)(?<other>c)", ["abc"], ["ab"]),
        (r"é+", ["éé"], ["e"]),
        (r"\x41", ["A"], ["x41"]),
        (r"a}]", ["a}]"], ["a}"]),
        ("", ["", "anything"], []),
    ],
)
def test_an_expression_means_what_it_means_to_go(pattern: str, found: list[str], missed: list[str]) -> None:
    compiled = compile_re2(pattern)
    assert [text for text in found if not compiled.search(text)] == []
    assert [text for text in missed if compiled.search(text)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"(?=a)", r"(?!a)", r"(?<=a)b", r"(?<!a)b", r"(a)\1", r"(?P=name)", r"(?>a)", r"(?#note)", r"(?(1)a|b)", r"a(?i)b", r"(?i:a)é"),
        *(r"a*+", r"a++", r"a?+", r"a{2}+", r"a**", r"a{2}{3}", r"*a", r"(+a)", r"|*", r"a{1001}"),
        *(r"\pL", r"\p{Greek}", r"\Qa\E", r"\C", r"\123", r"\x{41}", r"\xe9", r"\Z", r"\u0041", "a\\"),
        *(r"[[:alpha:]]", r"[\b]", r"[a", r"[a--b]", r"(a", r"a)", r"[z-a]"),
    ],
)
def test_whatever_differs_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(Unsupported, match="cannot be taken over from Go"):
        compile_re2(pattern)
