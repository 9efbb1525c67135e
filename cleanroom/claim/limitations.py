"""The limitations that a site's documents admit: each narrow, and answered for by somebody.

Knows: how a limitation is written down (docs/site-contract.md, "Limitations"), which words make one broad, and the two excuses that hold no water.
Refuses: limitations in prose, silence in place of "None", and host-key binding, DNS or certificates as a reason, whatever they are called.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cleanroom.claim.sections import Section, document
from cleanroom.errors import CheckFailed

_HEADING: Final = re.compile(r"\blimitations?\b", re.IGNORECASE)
_NONE: Final = re.compile(r"(?:there are )?none\.?", re.IGNORECASE)
_COLUMNS: Final = ("scope", "reason", "most that was tested", "signed off")
_TYPOGRAPHIC: Final = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2010": "-", "\u2011": "-"}
)


def _words(*alternatives: str) -> re.Pattern[str]:
    """Any of these, as whole words."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)", re.IGNORECASE)


_HOST: Final = r"(?:(?:ssh|host|machine|server|node|device|box|instance|hardware)(?:'s)?)"
#: What a scope must not be: everything, or a whole part of the claim.
_BROAD: Final = _words(
    r"all|any|anything|every|everything|everywhere|whole|entire(?:ly)?|general(?:ly)?|overall|etc|and so on|and more|various|several",
    r"(?:the |a )?(?:live |full |clean[- ]room )?(?:re-?build(?:ing|s|able)?|re-?install(?:ing|ation)?|re-?creat(?:ing|ion))",
    r"reproducib(?:le|ility)|D8|C[1-7](?:_\w+\.feature(?!: ?\w))?|W[1-6]|production",
    r"the (?:suite|site|server|system|machine|host|infrastructure)(?!'s)",
)
#: What a narrow scope has: something that can be pointed at - a path, unit, host, option, number or scenario, or a name in quotes.
_NAMES: Final = re.compile(r"\w\w")
_POINTS_AT: Final = re.compile(r"\w*[./_:=@\d-]\w|\".+\"")
_NOTHING: Final = re.compile(
    r"(?:-+|n/?a|none|nothing|nil|not tested|untested|unknown|tbd|todo|\?+|same|ditto|(?:see|as) (?:above|below|there|scope|reason))?\.?",
    re.IGNORECASE,
)
_SIGNATURE: Final = re.compile(r"(?P<name>[^,;:()]+?)[,;:(\s]+(?P<date>\d{4}-\d{2}-\d{2})\)?")
_NOBODY: Final = _words(
    "tbd|todo|n/?a|unknown|nobody|somebody|someone|anyone|operators?|owners?|(?:the )?team|admins?|administrators?",
    "builders?|maintainers?|us|we|me|bot|name|signature|root|ci|agent|assistant|ai|llm|claude|gpt|chatgpt|copilot|codex|gemini",
)
#: What says in more words that nothing was tested.
_UNTESTED: Final = re.compile(
    r"(?:(?:it|this|that|there)(?: \w+)? )?(?:nothing|none|never|not)\b(?!.*\b(?:beyond|but|except|more|other|besides|further)\b).*",
    re.IGNORECASE,
)
#: The excuses that are refused, in the words that they hide behind.
_EXCUSES: Final = {
    "DNS or certificates": _words(
        r"dns\w*|domains?|name ?servers?|name resolution|resolv(?:er|ers|es|ing)|(?:a|aaaa|cname|txt) records?|zones?|registrars?|gandi",
        r"host ?names?|public names?|wildcards?|gateways?",
        r"certificat\w+|certs?|tls|ssl|https|x\.?509|acme|let'?s ?encrypt|certbot|pki|issuance|issuer|fullchain|privkey|handshakes?",
    ),
    "host-key binding": _words(
        rf"{_HOST}[- ](?:\w+[- ])?(?:keys?|identity)",
        rf"(?:keys?|identity) (?:of|on|from|in|for) (?:the|this|that|its|each|one|a) (?:\w+[- ])?{_HOST}",
        r"ssh_host_\w+|sshKeyPaths?|sops(?:-nix)?|age[- ](?:keys?|recipients?|identit\w+)|recipients?|secrets?",
        r"(?:re-?|un)?encrypt\w*|decrypt\w*|decipher\w*|unseal\w*|re-?key\w*",
        rf"(?:bound|bind(?:s|ing)?|tied|ties|locked|sealed|pinned|married|keyed|chained|glued|specific|belongs?) (?:in)?to (?:\w+ ){{0,3}}{_HOST}",
        rf"{_HOST}[- ](?:bound|bind\w*|tied|locked|specific|sealed)",
    ),
}


@dataclass(frozen=True)
class Limitation:
    """One limitation: what it is about (`names_code`: something in code marks), why, the most that was tested, who answers for it since when."""

    where: str
    scope: str
    reason: str
    tested: str
    signed_off: str
    names_code: bool


@dataclass(frozen=True)
class Admitted:
    """One section about limitations: where it stands, and what it admits; nothing if it says that there are none."""

    where: str
    limitations: tuple[Limitation, ...]


def of_documents(documents: Mapping[str, str]) -> tuple[Admitted, ...]:
    """What every section about limitations admits, in Markdown documents by their paths; raises `CheckFailed` for one in neither of the two forms."""
    return tuple(_admitted(section, file) for file, markdown in documents.items() for section in document(markdown).outermost(_HEADING))


def of_section(section: Section, file: str) -> Admitted:
    """What the one section about limitations inside another admits; raises `CheckFailed` unless there is one, in one of the two forms."""
    found = section.outermost(_HEADING)
    if len(found) != 1:
        seen = f"{len(found)} of them" if found else "no section about it"
        advice = "write `### Limitations` and `None.` under it, or a table"
        raise CheckFailed("the claim says once what its limitations are", seen=seen, where=f"{file}:{section.line}", advice=advice)
    return _admitted(found[0], file)


def check_complete(sections: Sequence[Admitted], *, today: datetime.date, whole: frozenset[str] = frozenset()) -> None:
    """Each limitation names one narrow thing, says why, what was tested at most, and who signed it off on which day.

    `whole` are names of the site, its machines and its repositories: none of them is narrow.
    """
    for each in _all(sections):
        points_at = (each.names_code and _NAMES.search(each.scope)) or _POINTS_AT.search(each.scope)
        if _NOTHING.fullmatch(each.scope) or _BROAD.search(each.scope) or not points_at or each.scope.strip(" .'\"") in whole:
            expected = "a limitation's scope is one thing that can be pointed at: a path, a unit, a host, a scenario"
            raise CheckFailed(expected, seen=f"`{each.scope}`", where=each.where)
        for what, text in (("a reason", each.reason), ("the most that was tested", each.tested)):
            if _NOTHING.fullmatch(text) or _UNTESTED.fullmatch(text) or len(text.split()) < 3:  # noqa: PLR2004 - less is no sentence
                raise CheckFailed(f"a limitation says {what}", seen=f"`{text}`", where=each.where)
        _check_signature(each, today)


def check_no_old_excuse(sections: Sequence[Admitted]) -> None:
    """No limitation has host-key binding, DNS or certificates for its reason."""
    for each in _all(sections):
        for excuse, words in _EXCUSES.items():
            found = words.search(each.reason)
            if found:
                advice = "the recovery key opens every secret, and DNS is a precondition: neither keeps anyone from rebuilding"
                seen = f"`{found[0]}` in the reason `{each.reason}`"
                raise CheckFailed(f"no limitation is excused by {excuse}", seen=seen, where=each.where, advice=advice)


def _all(sections: Sequence[Admitted]) -> Iterator[Limitation]:
    for section in sections:
        yield from section.limitations


def _admitted(section: Section, file: str) -> Admitted:
    where = f"{file}:{section.line}"
    grids, words = list(section.grids()), [text.text for text in section.texts()]
    if not grids and len(words) == 1 and _NONE.fullmatch(words[0]):
        return Admitted(where, ())
    expected = f"limitations are one table ({' | '.join(_COLUMNS)}), or the word None, and nothing beside"
    if len(grids) != 1 or words or not grids[0].rows:
        seen = words[0][:160] if words else "a table without a row" if grids else "nothing"
        raise CheckFailed(expected, seen=f"`{seen}`", where=where)
    columns = [cell.casefold() for cell in grids[0].head]
    if sorted(columns) != sorted(_COLUMNS):
        raise CheckFailed(expected, seen=f"a table with the columns {' | '.join(columns)}", where=where)
    return Admitted(where, tuple(_limitations(columns, section, file)))


def _limitations(columns: Sequence[str], section: Section, file: str) -> Iterator[Limitation]:
    for grid in section.grids():
        for row in grid.rows:
            cells = dict(zip(columns, row.cells, strict=False))
            scope, reason, tested, signed_off = (cells.get(column, "").translate(_TYPOGRAPHIC) for column in _COLUMNS)
            names_code = dict(zip(columns, row.code, strict=False)).get("scope", False)
            yield Limitation(f"{file}:{row.line}", scope, reason, tested, signed_off, names_code)


def _check_signature(limitation: Limitation, today: datetime.date) -> None:
    expected = "a limitation is signed off by a person, by name, on a day: `Ada Lovelace, 2026-11-26`"
    found = _SIGNATURE.fullmatch(limitation.signed_off)
    if found is None or _NOBODY.search(found["name"]) or not re.search(r"[^\W\d_]{2}", found["name"]):
        raise CheckFailed(expected, seen=f"`{limitation.signed_off}`", where=limitation.where)
    try:
        day = datetime.date.fromisoformat(found["date"])
    except ValueError:
        raise CheckFailed(expected, seen=f"no such day: {found['date']}", where=limitation.where) from None
    if day > today:
        raise CheckFailed("a limitation is signed off before it counts", seen=f"on {day}, and today is {today}", where=limitation.where)
