"""Which values of a sops file are encrypted.

Knows: the six kinds of rule (at most one in a file), `mac_only_encrypted`, and sops' default.
Refuses: two rules at once, and a regular expression that would not mean the same to sops.

Specification: `sops.go` (shouldBeEncrypted) of getsops/sops 3.13.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from cleanroom.sops_errors import Malformed
from cleanroom.sops_re2 import compile_re2
from cleanroom.sops_tree import Spot

DEFAULT_SUFFIX = "_unencrypted"


@dataclass(frozen=True)
class Rules:
    """What is to be encrypted; with no rule at all, everything but keys that end in `_unencrypted`.

    A suffix or key expression matches if any key on the way to a value matches; a comment expression looks at the comments directly above the value
    or above anything it stands in. Expressions are Go's RE2, searched for, not anchored.
    """

    unencrypted_suffix: str = ""
    encrypted_suffix: str = ""
    unencrypted_regex: str = ""
    encrypted_regex: str = ""
    unencrypted_comment_regex: str = ""
    encrypted_comment_regex: str = ""
    mac_only_encrypted: bool = False

    def __post_init__(self) -> None:
        given = [name for name in NAMES if getattr(self, name)]
        if len(given) > 1:
            raise Malformed(f"at most one encryption rule can stand in a file, here are {' and '.join(given)}")
        if not given:
            object.__setattr__(self, "unencrypted_suffix", DEFAULT_SUFFIX)
        if self.kind.endswith("regex"):
            compile_re2(self.pattern)

    @classmethod
    def of(cls, table: Mapping[str, Any], *, where: str) -> Rules:
        """The rules among the keys of a metadata block or of a creation rule."""
        texts = {name: table.get(name) or "" for name in NAMES}
        wrong = [name for name, value in texts.items() if not isinstance(value, str)]
        if wrong:
            raise Malformed(f"{wrong[0]} is not text", where=where)
        return cls(**texts, mac_only_encrypted=_boolean(table.get("mac_only_encrypted"), where=where))

    @cached_property
    def kind(self) -> str:
        """The name of the one rule that holds."""
        return next(name for name in NAMES if getattr(self, name))

    @property
    def pattern(self) -> str:
        return str(getattr(self, self.kind))

    @property
    def reads_comments(self) -> bool:
        return self.kind.endswith("comment_regex")

    def wants_encrypted(self, spot: Spot) -> bool:
        """Whether sops would encrypt what stands at `spot`, were it not empty."""
        match self.kind:
            case "unencrypted_suffix":
                return not any(key.endswith(self.pattern) for key in spot.path)
            case "encrypted_suffix":
                return any(key.endswith(self.pattern) for key in spot.path)
            case "unencrypted_regex":
                return not any(map(self._search, spot.path))
            case "encrypted_regex":
                return any(map(self._search, spot.path))
            case "unencrypted_comment_regex":
                return not any(self._search(text) for run in spot.comments for text in run)
            case _:
                above = [text for run in spot.comments for text in run]
                # The comment that asks for encryption stays in clear itself; it is the last one that the walk has seen.
                return any(map(self._search, above[:-1] if spot.is_comment else above))

    @cached_property
    def _search(self) -> Any:  # noqa: ANN401 - a bound method of re.Pattern
        return compile_re2(self.pattern).search


NAMES = tuple(rule.name for rule in fields(Rules) if rule.name != "mac_only_encrypted")


def _boolean(value: object, *, where: str) -> bool:
    """A truth as sops' lenient metadata reader takes it."""
    if isinstance(value, str) and value in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if value is None or (isinstance(value, str) and value in {"", "0", "f", "F", "false", "FALSE", "False"}):
        return False
    if isinstance(value, bool | int | float):
        return bool(value)
    raise Malformed("mac_only_encrypted is neither true nor false", where=where)
