"""What can be wrong with a sops file, one class and one stable reason each.

Knows: the reasons by which a step can tell a forged file from a foreign key.
Refuses: to quote a value, an identity or a file's bytes in a text.
"""

from __future__ import annotations

from typing import ClassVar

from cleanroom.errors import BadInput


class VaultError(BadInput):
    """A sops file cannot be opened, written or believed. `reason` is stable: scenarios and other programs may compare it."""

    reason: ClassVar[str] = "vault"


class NotSops(VaultError):
    """There is no sops metadata: the file was never encrypted by sops."""

    reason: ClassVar[str] = "not-sops"


class Truncated(VaultError):
    """The file ends early: encrypted values without the metadata that follows them, or metadata without its last fields."""

    reason: ClassVar[str] = "truncated"


class Malformed(VaultError):
    """The bytes are not what the form demands: no YAML, no base64, two keys of one name, a key that is no text."""

    reason: ClassVar[str] = "malformed"


class Unsupported(VaultError):
    """Valid for sops, but not for us: key groups, a master key that is not age, a regular expression that Python would read differently."""

    reason: ClassVar[str] = "unsupported"


class WrongKey(VaultError):
    """None of the identities is among the file's recipients."""

    reason: ClassVar[str] = "wrong-key"


class KeyDamaged(VaultError):
    """An identity is a recipient, yet its copy of the data key does not open: the copy was changed."""

    reason: ClassVar[str] = "key-damaged"


class ValueInClear(VaultError):
    """A value that the file's own rule wants encrypted stands there in clear."""

    reason: ClassVar[str] = "value-in-clear"


class ValueTampered(VaultError):
    """A value's authentication tag does not match: its bytes were changed."""

    reason: ClassVar[str] = "value-tampered"


class ValueMoved(VaultError):
    """A value is genuine, but belongs to another key of this file."""

    reason: ClassVar[str] = "value-moved"


class MacMissing(VaultError):
    """The file carries no MAC: nobody can tell whether it is whole."""

    reason: ClassVar[str] = "mac-missing"


class MacDamaged(VaultError):
    """The MAC itself does not decrypt: it, or the time it is bound to, was changed."""

    reason: ClassVar[str] = "mac-damaged"


class MacMismatch(VaultError):
    """Every value decrypts, but together they are not what was signed: one was removed, added, swapped or changed in clear."""

    reason: ClassVar[str] = "mac-mismatch"
