"""Whether the one key is needed: the same activation with no key, with a foreign one, and with one that was cut short.

Knows: how to put the key aside and back, how to make the machine forget what it had decrypted, as a boot does, and where a secret could be left.
Refuses: to call a crash a refusal, and to leave the machine without its key, whatever happens in between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyrage

from cleanroom.declared import Pair, check_values
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.ssh import Result
from cleanroom.trial import Trial

#: Where sops-nix decrypts to, and the links that lead there.
_PLACES = ("/run/secrets", "/run/secrets.d", "/run/secrets-for-users", "/run/secrets-for-users.d")
#: sops-nix's own copy of the identities that it imported: they open secrets, and are none of git's.
_IDENTITIES = "age-keys.txt"
_WRITE = 'umask 077 && cat > "$1"'
_CUT = 'umask 077 && head -c -20 -- "$2" > "$1"'
_ACTIVATION_SECONDS = 300.0
_SIGNALLED = 128
_CRASH = re.compile(r"Traceback \(most recent call last\)|panic:|core dumped|Segmentation fault|command not found")
_REASON = re.compile(r"key ?file|decrypt|data key|secret key|age identity|no identity", re.IGNORECASE)


@dataclass(frozen=True)
class Attempt:
    """One activation of the running system: what it was tried with, how it ended, and what secrets lay around afterwards."""

    tried_with: str
    key_path: str
    result: Result
    left: tuple[str, ...]
    pairs: tuple[Pair, ...]
    trial: Trial

    @staticmethod
    def of(trial: Trial, key_path: str, pairs: Sequence[Pair], *, tried_with: str) -> Attempt:
        """Try it and undo it. Raises `HarnessError` if the machine cannot be brought into the state that is to be tried, or back."""
        with trial:
            aside = f"{key_path}.aside"
            failed = frozenset(trial.machine.failed_units())
            _do(trial, "mv", "--no-clobber", "--", key_path, aside)
            try:
                _bring(trial, key_path, aside, tried_with)
                _forget(trial, pairs)
                result = _activate(trial)
                left = _left(trial, pairs)
            finally:
                _do(trial, "mv", "--force", "--", aside, key_path)
                restored = _restore(trial, failed)
        if not restored.ok:
            raise HarnessError(f"with its key back the machine cannot be activated again: {restored.complaint}", where=trial.machine.where)
        return Attempt(tried_with, key_path, result, left, tuple(pairs), trial)

    def check_refused(self) -> None:
        """The activation failed, and not by a crash."""
        if self.result.ok:
            seen = "it ended well"
            advice = "something else decrypts: a cached copy, another key on the machine, a secret in clear"
            raise CheckFailed(f"the activation with {self.tried_with} fails", seen=seen, where=self._where, advice=advice)
        crash = _CRASH.search(self._text)
        if self.result.status >= _SIGNALLED or crash is not None:
            seen = f"exit status {self.result.status}" + (f", `{crash[0]}`" if crash else "")
            raise CheckFailed(f"the activation with {self.tried_with} is refused", seen=f"a crash: {seen}", where=self._where)

    def check_reason(self) -> None:
        """What it said names the key, or that it could not decrypt."""
        if self.key_path not in self._text and _REASON.search(self._text) is None:
            seen = f"it said: {self.result.complaint}"
            raise CheckFailed("a refused activation says that it is for the key", seen=seen, where=self._where)

    def check_nothing_left(self) -> None:
        """No secret lay where secrets belong, nor behind any declared path."""
        if self.left:
            raise CheckFailed(f"an activation with {self.tried_with} leaves no secret behind", seen=", ".join(self.left), where=self._where)

    def check_restored(self) -> None:
        """With the key back, every secret is git's again."""
        check_values(self.trial.machine, self.pairs)

    @property
    def _where(self) -> str:
        return self.trial.machine.where

    @property
    def _text(self) -> str:
        return (self.result.stdout + self.result.stderr).decode(errors="replace")


def _do(trial: Trial, *argv: str, stdin: bytes = b"") -> None:
    done = trial.execute(*argv, stdin=stdin)
    if not done.ok:
        raise HarnessError(f"cannot prepare the trial: `{argv[0]}`: {done.complaint}", where=trial.machine.where)


def _bring(trial: Trial, key_path: str, aside: str, tried_with: str) -> None:
    """Put in the key's place what is to be tried. A foreign key is made for this trial and arrives on standard input."""
    match tried_with:
        case "no key":
            return
        case "a foreign key":
            foreign = pyrage.x25519.Identity.generate()
            _do(trial, "sh", "-c", _WRITE, "sh", key_path, stdin=f"# public key: {foreign.to_public()}\n{foreign}\n".encode())
        case "a truncated key":
            _do(trial, "sh", "-c", _CUT, "sh", key_path, aside)
        case _:
            raise HarnessError(f"nobody defined how to activate with {tried_with}")


def _forget(trial: Trial, pairs: Sequence[Pair]) -> None:
    """Remove what is decrypted, as a boot does: what is there after the activation, the activation has left."""
    for place in _PLACES:
        trial.execute("umount", "--quiet", "--", place)  # no mount there is no trouble
    trial.execute("rm", "-rf", "--", *_PLACES)
    left = _left(trial, pairs)
    if left:
        raise HarnessError(f"cannot make the machine forget its secrets: {', '.join(left)}", where=trial.machine.where)


def _activate(trial: Trial) -> Result:
    """The running system's own activation, without a new generation."""
    program = f"{trial.machine.current_system()}/bin/switch-to-configuration"
    return trial.execute(program, "test", within=_ACTIVATION_SECONDS)


def _restore(trial: Trial, failed: frozenset[str]) -> Result:
    """Activate with the key back. Units that failed for want of secrets, or of being started too often, get a second chance; `failed` did before."""
    result = _activate(trial)
    new = sorted(set(trial.machine.failed_units()) - failed)
    if result.ok and not new:
        return result
    trial.execute("systemctl", "reset-failed", "--", *new)
    return _activate(trial)


def _left(trial: Trial, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Files in the secrets' places, and declared paths behind which a file lies."""
    paths = [each.declared.path for each in pairs]
    inside = trial.machine.probe("find", *_PLACES, "-type", "f", "!", "-name", _IDENTITIES, ok=(0, 1)).text.splitlines()
    behind = trial.machine.probe("find", "-L", *paths, "-maxdepth", "0", "-type", "f", ok=(0, 1)).text.splitlines()
    return tuple(sorted({*inside, *behind}))
