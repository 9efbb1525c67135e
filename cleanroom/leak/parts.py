"""Which parts of a secret value are worth searching for, and which values cannot be.

Knows: how much a find would owe to chance; values of several lines, of which some are the secret and others a comment or a setting's name.
Refuses: to search for what everybody has (short words, numbers, recipients, public keys): that is "not checked", with the reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cleanroom.leak import pem as leak_pem

#: A find must not be luck: a tebibyte of noise has 2**40 places, so a value of forty bits turns up there about once by chance.
ENOUGH_BITS = 40.0
SHORTEST = 8
_FEWEST_DISTINCT = 5

_PUBLIC_VALUE = re.compile(rb"age1[a-z0-9]{20,}|(?:ssh|ecdsa|sk)-[a-z0-9@.-]+ AAAA[A-Za-z0-9+/=]+(?: .*)?")
_BETWEEN_WORDS = re.compile(rb"[\s._/:@,+=-]+")
_WORD = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+")
_NUMBER = re.compile(rb"[0-9\s._:/,+-]+")
_HEX = re.compile(rb"[0-9a-f-]+|[0-9A-F-]+")
#: Bits that a letter of a word, a digit, a hex digit is worth. Two for a letter: prose has between one and two.
_WORD_BITS, _DIGIT_BITS, _HEX_BITS, _BYTE_BITS = 2.0, math.log2(10), 4.0, 8.0
_ALPHABETS = ((re.compile(rb"[a-z]"), 26), (re.compile(rb"[A-Z]"), 26), (re.compile(rb"[0-9]"), 10), (re.compile(rb"[^a-zA-Z0-9]"), 33))
_BETWEEN_TOKENS = re.compile(rb"[\s=:\"',;]+")


@dataclass(frozen=True)
class Part:
    """A run of bytes to search for: `what` says which part of the value it is, empty for the whole. Never shows the bytes."""

    what: str
    value: bytes

    def __repr__(self) -> str:
        return f"Part({self.what or 'whole'}, ***)"


def strength(value: bytes) -> float:
    """About how many bits of chance `value` holds, judged from its letters alone: a word has few, a random token of the same length many."""
    if len(set(value)) < _FEWEST_DISTINCT:
        return 0.0
    if _reads_like_words(value):
        return _WORD_BITS * sum(bytes((letter,)).isalpha() for letter in value)
    if _NUMBER.fullmatch(value):
        return _DIGIT_BITS * sum(bytes((letter,)).isdigit() for letter in value)
    if _HEX.fullmatch(value):
        return _HEX_BITS * len(value.replace(b"-", b""))
    if not value.isascii() or not b"".join(value.split()).decode().isprintable():
        return _BYTE_BITS * len(value)
    return math.log2(sum(size for letters, size in _ALPHABETS if letters.search(value))) * len(value)


def _reads_like_words(value: bytes) -> bool:
    return all(_WORD.fullmatch(word) for word in _BETWEEN_WORDS.split(value) if word)


def is_telling(value: bytes) -> bool:
    """Whether a find of `value` cannot well be chance."""
    return len(value) >= SHORTEST and strength(value) >= ENOUGH_BITS


def parts(value: bytes) -> list[Part]:
    """What to search for to find `value`, or a piece of it that gives it away; empty if nothing of it can be told from chance."""
    if _PUBLIC_VALUE.fullmatch(value.strip()):
        return []
    return list(dict.fromkeys(part for part in _candidates(value) if is_telling(part.value)))


def why_not(value: bytes) -> str:
    """Why `parts` found nothing to search for in `value`, for a reader."""
    bare = value.strip()
    if not bare:
        return "it is empty"
    if _PUBLIC_VALUE.fullmatch(bare) or leak_pem.BLOCK.search(bare):
        return "it is public by nature: a recipient, a public key or a parameter"
    if len(bare) < SHORTEST:
        return f"it is too short: {len(bare)} bytes, {SHORTEST} are needed to tell a leak from chance"
    return f"it reads like a word or a number: about {strength(bare):.0f} bits, {ENOUGH_BITS:.0f} are needed to tell a leak from chance"


def _candidates(value: bytes) -> Iterator[Part]:
    for what, piece in leak_pem.pieces(value):
        yield Part(what, piece)
    bare = leak_pem.BLOCK.sub(b"\n", value)
    bare = bare.strip() if bare.isascii() else bare
    lines = bare.splitlines()
    if len(lines) <= 1:
        yield Part("", bare)
        return
    telling = list(_telling_lines(lines))
    yield from telling
    if not telling:
        yield Part("", bare)
        yield Part("its lines ended by CR LF", b"\r\n".join(lines))
        yield Part("its lines joined", b"".join(lines))


def _telling_lines(lines: list[bytes]) -> Iterator[Part]:
    """Of a value of several lines, those that hold a token which is no word; just the token, where it is neither a path nor a host.

    A comment is not the secret: the public half of an age key stands in one.
    """
    for number, line in enumerate(lines, start=1):
        tokens = [token for token in _BETWEEN_TOKENS.split(line) if is_telling(token) and not _reads_like_words(token)]
        if line.lstrip().startswith((b"#", b"//")) or not tokens:
            continue
        bare = [token for token in tokens if b"." not in token and not token.startswith(b"/") and b"//" not in token]
        for piece in bare or [line.strip()]:
            yield Part(f"line {number} of {len(lines)}", piece)
