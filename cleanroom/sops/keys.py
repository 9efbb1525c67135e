"""Age identities and recipients, as sops uses them: X25519, and SSH keys where age knows them.

Knows: how an identity file is written, which public half belongs to an identity, and how a data key is wrapped for each recipient apart.
Refuses: to show an identity's text, plugins, post-quantum hybrids, passphrases - each with a clear word.

Specification: age-encryption.org/v1 (pyrage), `age/keysource.go` of getsops/sops 3.13.2.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyrage

from cleanroom.errors import BadInput
from cleanroom.sops.errors import KeyDamaged, Malformed, Truncated, Unsupported, WrongKey

DATA_KEY_BYTES = 32
_NO_MATCH = "No matching keys found"
_ARMOUR = ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----")


class Identity:
    """A private key that can open files; `recipient` is its public half as sops files name it. Its repr shows no more than that."""

    __slots__ = ("native", "recipient")

    def __init__(self, recipient: str, native: Any) -> None:  # noqa: ANN401 - pyrage is untyped
        self.recipient = recipient
        self.native = native

    def __repr__(self) -> str:
        return f"Identity({self.recipient})"


def load_identities(path: Path) -> list[Identity]:
    """The identities of an age key file, or the one of an unencrypted SSH private key; raises `BadInput` without ever quoting the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise BadInput(f"cannot read the key file: {problem.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise BadInput("the key file is not text", where=str(path)) from None
    return identities_of(text, where=str(path))


def identities_of(text: str, *, where: str = "identity") -> list[Identity]:
    """The identities that stand in `text`, which is laid out as a key file is: one a line, comments and empty lines between."""
    if text.lstrip().startswith("-----BEGIN"):
        return [_ssh_identity(text, where=where)]
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    found = [identity_of(line, where=f"{where}:{number}") for number, line in lines if line and not line.startswith("#")]
    if not found:
        raise BadInput("expected an age identity, found none", where=where, advice="age-keygen makes one")
    return found


def identity_of(text: str, *, where: str = "identity") -> Identity:
    """One age identity (`AGE-SECRET-KEY-1...`); raises `BadInput` without quoting it."""
    text = text.strip()
    for prefix, kind in (("AGE-PLUGIN-", "a plugin's identity"), ("AGE-SECRET-KEY-PQ-", "a post-quantum identity")):
        if text.upper().startswith(prefix):
            raise Unsupported(f"this is {kind}: only X25519 and SSH keys can be used here", where=where)
    try:
        native = pyrage.x25519.Identity.from_str(text)
    except pyrage.IdentityError:
        raise BadInput("this line is not an age identity", where=where, advice="it must read AGE-SECRET-KEY-1... and nothing else") from None
    return Identity(str(native.to_public()), native)


def _ssh_identity(text: str, *, where: str) -> Identity:
    # Imported here: reading with an age key, the common case, should not pay for the SSH formats.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key  # noqa: PLC0415

    advice = "give an unencrypted ed25519 or RSA key in OpenSSH's format"
    try:
        private = load_ssh_private_key(text.strip().encode() + b"\n", password=None)
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        return Identity(public, pyrage.ssh.Identity.from_buffer(text.strip().encode() + b"\n"))
    except (ValueError, TypeError, UnsupportedAlgorithm, pyrage.IdentityError):
        raise BadInput("this private key cannot be used", where=where, advice=advice) from None


def same_recipient(one: str, other: str) -> bool:
    """Whether two recipients are the same key: SSH keys are compared without their comments."""
    return _bare(one) == _bare(other)


def _bare(recipient: str) -> str:
    words = recipient.split()
    return " ".join(words[:2]) if recipient.startswith("ssh-") else recipient.strip()


def check_copy(recipient: str, copy: str, *, where: str) -> None:
    """Refuse a copy of the data key that more keys can open than the one it is listed under.

    sops writes one age file for each recipient. A second stanza in it would be a reader whom no list names. Stanzas of grease (`...-grease`) are
    padding by specification and open nothing. Raises `Truncated` or `Malformed`.
    """
    lines = copy.strip().split("\n")
    if lines[0] != _ARMOUR[0]:
        raise Malformed(f"the copy of the data key for {recipient} is not an armoured age file", where=where)
    if lines[-1] != _ARMOUR[1]:
        raise Truncated(f"the copy of the data key for {recipient} has no end", where=where)
    try:
        header, mac, _body = a2b_base64("".join(lines[1:-1]), strict_mode=True).partition(b"\n---")
    except (Base64Error, ValueError):
        raise KeyDamaged(f"the copy of the data key for {recipient} is not base64", where=where) from None
    stanzas = [line.split()[1:2] for line in header.split(b"\n") if line.startswith(b"-> ")]
    kinds = [kind.decode(errors="replace") for [kind] in stanzas if not kind.endswith(b"-grease")]
    if not mac or not kinds:
        raise KeyDamaged(f"the copy of the data key for {recipient} has no age header", where=where)
    expected = {"age1": "X25519", "ssh-ed25519": "ssh-ed25519", "ssh-rsa": "ssh-rsa"}.get(_family(recipient), kinds[0])
    if kinds != [expected]:
        seen = " and ".join(kinds)
        raise Malformed(f"the copy of the data key for {recipient} can be opened by other keys than that one: it is written for {seen}", where=where)


def check_no_other_copy(data: bytes, listed: int, *, where: str) -> None:
    """Refuse a file that holds more age files than the `listed` copies of its data key.

    sops ignores what stands in a comment, in a field that it does not know, or in key groups beside a list of recipients. Who has the key to it
    does not.
    """
    found = data.count(_ARMOUR[0].encode())
    if found > listed:
        seen = f"it holds {found} age files, and lists {listed}"
        raise Malformed(f"the file may have readers whom its list of recipients does not name: {seen}", where=where)


def _family(recipient: str) -> str:
    """`age1` for an X25519 recipient, the key type for an SSH one, anything else for kinds whose stanzas are not known here."""
    if recipient.startswith("ssh-"):
        return recipient.split(maxsplit=1)[0]
    return "age1" if recipient.startswith("age1") and recipient.count("1") == 1 else "other"


def wrap(data_key: bytes, recipient: str) -> str:
    """The data key encrypted to one recipient, armoured; raises `BadInput` naming the recipient (it is public)."""
    try:
        public = pyrage.ssh.Recipient.from_str(recipient) if recipient.startswith("ssh-") else pyrage.x25519.Recipient.from_str(recipient)
        armoured: bytes = pyrage.encrypt(data_key, [public], armored=True)
    except (pyrage.RecipientError, pyrage.EncryptError):
        raise BadInput(
            "this is no X25519 or SSH recipient that age knows", where=recipient, advice="it must read age1... or ssh-ed25519 ..."
        ) from None
    return armoured.decode()


def unwrap(copies: Sequence[tuple[str, str]], identities: Sequence[Identity], *, where: str) -> bytes:
    """The data key, from the (recipient, armoured copy) pairs of a file.

    Raises `WrongKey` if no identity is a recipient, `KeyDamaged` if one is but its copy does not open, `Unsupported` if only foreign kinds of
    recipient are there to try.
    """
    damaged = []
    for recipient, copy in copies:
        ours = any(same_recipient(identity.recipient, recipient) for identity in identities)
        try:
            data_key: bytes = pyrage.decrypt(copy.encode(), [identity.native for identity in identities])
        except pyrage.DecryptError as problem:
            if ours or str(problem) != _NO_MATCH:
                damaged.append(recipient)
            continue
        if len(data_key) == DATA_KEY_BYTES:
            return data_key
        damaged.append(recipient)
    if damaged:
        raise KeyDamaged(f"the copy of the data key for {damaged[0]} was changed: it does not open", where=where)
    held = ", ".join(identity.recipient for identity in identities) or "none"
    named = ", ".join(recipient for recipient, _copy in copies)
    raise WrongKey(f"no key given is a recipient; keys: {held}; recipients: {named}", where=where)
