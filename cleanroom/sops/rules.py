"""Which values of a sops file are encrypted.

Knows: the six kinds of rule (at most one in a file), `mac_only_encrypted`, and sops' default.
Refuses: two rules at once, and a regular expression that would not mean the same to sops.

Specification: `sops.go` (shouldBeEncrypted) of getsops/sops 3.13.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cleanroom.sops.errors import Malformed
from cleanroom.sops.tree import Spot

DEFAULT_SUFFIX = "_unencrypted"
NAMES = (
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
)


class Rules:
    """What is to be encrypted: one of the six rules of sops by its name, or none: then everything but keys that end in `_unencrypted`.

    A suffix or key expression matches if any key on the way to a value matches; a comment expression looks at the comments directly above the value
    or above anything it stands in. Expressions are Go's RE2, searched for, not anchored. Raises `Malformed` for two rules, `Unsupported` for an
    expression that Python would read differently.
    """

    def __init__(self, *, mac_only_encrypted: bool = False, **rule: str) -> None:
        given = {name: pattern for name, pattern in rule.items() if pattern} or {NAMES[0]: DEFAULT_SUFFIX}
        if len(given) > 1 or not given.keys() <= set(NAMES):
            raise Malformed(f"exactly one of {', '.join(NAMES)} can stand in a file, here are {', '.join(given)}")
        self.mac_only_encrypted = mac_only_encrypted
        [(self.kind, self.pattern)] = given.items()
        self._matches = _matcher(self.kind, self.pattern)

    @classmethod
    def of(cls, table: Mapping[str, Any], *, where: str) -> Rules:
        """The rules among the keys of a metadata block or of a creation rule."""
        rule = {name: table.get(name) or "" for name in NAMES}
        wrong = [name for name, pattern in rule.items() if not isinstance(pattern, str)]
        if wrong:
            raise Malformed(f"{wrong[0]} is not text", where=where)
        return cls(mac_only_encrypted=_boolean(table.get("mac_only_encrypted"), where=where), **rule)

    def __repr__(self) -> str:
        return f"Rules({self.kind}={self.pattern!r}, mac_only_encrypted={self.mac_only_encrypted})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rules) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    @property
    def reads_comments(self) -> bool:
        return self.kind.endswith("comment_regex")

    def wants_encrypted(self, spot: Spot) -> bool:
        """Whether sops would encrypt what stands at `spot`, were it not empty."""
        if not self.reads_comments:
            texts = spot.path
        elif spot.is_comment and self.kind.startswith("encrypted"):
            # The comment that asks for encryption stays in clear itself; it is the last one above its own place.
            texts = spot.above[:-1]
        else:
            texts = spot.above
        return any(map(self._matches, texts)) != self.kind.startswith("unencrypted")


def _matcher(kind: str, pattern: str) -> Callable[[str], object]:
    if kind.endswith("suffix"):
        return partial(_ends, pattern)
    # Imported here: most files have no expression.
    from cleanroom.sops.re2 import compile_re2  # noqa: PLC0415

    return compile_re2(pattern).search


def _ends(suffix: str, key: str) -> bool:
    return key.endswith(suffix)


def _boolean(value: object, *, where: str) -> bool:
    """A truth as sops' lenient metadata reader takes it."""
    if isinstance(value, str) and value in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if value is None or (isinstance(value, str) and value in {"", "0", "f", "F", "false", "FALSE", "False"}):
        return False
    if isinstance(value, bool | int | float):
        return bool(value)
    raise Malformed("mac_only_encrypted is neither true nor false", where=where)
