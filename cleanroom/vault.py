"""sops files, format version 3: read, decrypted, verified and written without the sops program.

Knows: YAML, JSON, dotenv, INI and binary files for age recipients; which of their values are encrypted, under which name, for whom.
Refuses: a file whose MAC does not verify - there is no way to read one here - and to show a value in a text or a repr.

This is the door, `cleanroom.sops` the house behind it. Specification: getsops/sops 3.13.2. Where sops is lenient this reader is not: text after an
encrypted value's closing bracket, two keys of one name, a copy of the data key for more readers than the one it is listed under, a missing version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cleanroom.errors import BadInput
from cleanroom.sops import file as sops_file
from cleanroom.sops import metadata as sops_metadata
from cleanroom.sops.cipher import is_sealed
from cleanroom.sops.config import CreationRule, creation_rules, recipients_for, rule_for
from cleanroom.sops.errors import VaultError
from cleanroom.sops.file import File, Form
from cleanroom.sops.keys import Identity, identity_of, load_identities, unwrap
from cleanroom.sops.open import Opened, open_file
from cleanroom.sops.rules import Rules
from cleanroom.sops.tree import Comment

if TYPE_CHECKING:
    import datetime

__all__ = [
    "Comment",
    "CreationRule",
    "Form",
    "Identity",
    "Opened",
    "Rules",
    "Sealed",
    "VaultError",
    "creation_rules",
    "encrypt",
    "identity_of",
    "inspect",
    "load_identities",
    "open_bytes",
    "read",
    "recipients_for",
    "rule_for",
]


class Sealed(NamedTuple):
    """What anyone can see of a sops file without a key. Nothing here is verified: only opening the file does that.

    `encrypted`, `clear` and `empty` share out the names of all leaves: values that are encrypted as the file's rule wants, values that stand in clear
    (by the rule or against it), and empty texts and nulls, which sops never encrypts. `clear_comments` counts the comments in clear, `foreign` names
    kinds of master key other than age that can open the file too, `groups` is above one where the data key is split.
    """

    recipients: tuple[str, ...]
    foreign: tuple[str, ...]
    groups: int
    encrypted: tuple[str, ...]
    clear: tuple[str, ...]
    empty: tuple[str, ...]
    clear_comments: int
    rules: Rules
    lastmodified: str
    version: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.encrypted + self.clear + self.empty


def read(path: Path, *, identities: Sequence[Identity]) -> Opened:
    """Decrypt and verify the file at `path`; raises a `VaultError` whose `reason` says what is wrong, `BadInput` if it cannot be read at all."""
    return open_bytes(_bytes_of(path), Form.of(path), name=str(path), identities=identities)


def open_bytes(data: bytes, form: Form, *, name: str = "file", identities: Sequence[Identity]) -> Opened:
    """Decrypt and verify `data`; `name` is what errors call it. Raises like `read`."""
    file = sops_file.parse(data, form, where=name)
    sops_metadata.refuse_groups(file.metadata, where=name)
    return open_file(file, unwrap(file.metadata.copies, identities, where=name), where=name)


def inspect(source: Path | bytes, *, form: Form | None = None, name: str = "") -> Sealed:
    """What can be seen of a sops file without a key; raises like `read`.

    `source` is a path, or bytes, whose form is `form` or that of `name`. `name` is also what errors call the file.
    """
    if isinstance(source, bytes):
        return _seen(sops_file.parse(source, form or Form.of(name), where=name or "file"))
    return _seen(sops_file.parse(_bytes_of(source), form or Form.of(source), where=name or str(source)))


def encrypt(
    tree: Mapping[Any, Any],
    *,
    recipients: Sequence[str],
    form: Form = Form.YAML,
    rules: Rules | None = None,
    further_documents: Sequence[Mapping[Any, Any]] = (),
    at: datetime.datetime | None = None,
) -> bytes:
    """A sops file of `tree` under a fresh data key, which `sops` itself opens.

    Leaves are str, int, float, bool, None, bytes and aware datetimes; a `Comment` may stand as a key (value None) or a list item. A binary file is
    `{"data": bytes}`. `at` is the time written into the file (default: now). Raises `BadInput` if there is no recipient, or `form` cannot carry
    the tree.
    """
    # Imported here: most callers only read.
    import datetime  # noqa: PLC0415

    from cleanroom.sops import write as sops_write  # noqa: PLC0415

    moment = at or datetime.datetime.now(datetime.UTC)
    return sops_write.encrypt((tree, *further_documents), recipients=recipients, form=form, rules=rules or Rules(), at=moment)


def _seen(file: File) -> Sealed:
    encrypted, clear, empty, clear_comments = [], [], [], 0
    for spot in file.spots:
        sealed = is_sealed(spot.value.text if spot.is_comment else spot.value)
        if spot.is_comment:
            clear_comments += not sealed
        elif spot.value is None or spot.value == "":
            empty.append(spot.name)
        elif sealed and file.metadata.rules.wants_encrypted(spot):
            encrypted.append(spot.name)
        else:
            clear.append(spot.name)
    return Sealed(
        recipients=file.metadata.recipients,
        foreign=file.metadata.foreign,
        groups=file.metadata.groups,
        encrypted=tuple(encrypted),
        clear=tuple(clear),
        empty=tuple(empty),
        clear_comments=clear_comments,
        rules=file.metadata.rules,
        lastmodified=file.metadata.lastmodified,
        version=file.metadata.version,
    )


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadInput(f"cannot read the sops file: {problem.strerror}", where=str(path)) from None
