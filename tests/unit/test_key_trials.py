"""What counts as a refusal to work without the key."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cleanroom.errors import CheckFailed
from cleanroom.key_trials import Attempt
from cleanroom.ssh import Result
from cleanroom.trial import Trial

KEY_PATH = "/var/lib/sops-nix/key.txt"
TRIAL = cast(Trial, SimpleNamespace(machine=SimpleNamespace(where="throwaway")))


def attempt(status: int, stderr: str, *, left: tuple[str, ...] = ()) -> Attempt:
    result = Result("switch", status, b"", stderr.encode(), 1.0, "throwaway")
    return Attempt("no key", KEY_PATH, result, left, (), TRIAL)


#: As sops-nix says it, and as the lab does.
REASONS = (
    f"sops-install-secrets: cannot read keyfile '{KEY_PATH}': open {KEY_PATH}: no such file or directory",
    "failed to decrypt '/nix/store/x/secrets.yaml': Error getting data key: 0 successful groups required, got 0",
    "setting up secrets: keyfile '/k' holds no age identity: is it whole?",
    "malformed secret key: invalid checksum",
)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("status", [1, 2, 4])
def test_a_refusal_that_says_why_is_one(status: int, reason: str) -> None:
    refused = attempt(status, f"activating the configuration...\n{reason}\nActivation script snippet 'setupSecrets' failed (1)\n")
    refused.check_refused()
    refused.check_reason()
    refused.check_nothing_left()


CRASHES: dict[str, tuple[int, str]] = {
    "a traceback": (1, "Traceback (most recent call last):\n  File\nFileNotFoundError: keyfile"),
    "a signal": (139, "failed to decrypt"),
    "a panic": (2, "panic: runtime error: keyfile"),
    "no such program": (127, "sh: 1: age: command not found"),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_is_no_refusal(crash: str) -> None:
    with pytest.raises(CheckFailed, match="a crash"):
        attempt(*CRASHES[crash]).check_refused()


def test_success_without_a_key_is_red() -> None:
    with pytest.raises(CheckFailed, match="it ended well"):
        attempt(0, "").check_refused()


@pytest.mark.parametrize("stderr", ["", "Activation script snippet 'setupSecrets' failed (1)", "error: no space left on device"])
def test_a_refusal_that_does_not_say_why_is_red(stderr: str) -> None:
    with pytest.raises(CheckFailed, match="says that it is for the key"):
        attempt(2, stderr).check_reason()


def test_a_secret_left_behind_is_red_and_named() -> None:
    with pytest.raises(CheckFailed, match=r"/run/secrets\.d/1/drone"):
        attempt(2, "keyfile", left=("/run/secrets.d/1/drone",)).check_nothing_left()


class Recorder:
    """In place of a trial: remembers what was done, and breaks where it is told to."""

    def __init__(self, breaks_at: str) -> None:
        self.breaks_at = breaks_at
        self.done: list[str] = []
        self.failed = [["old.service"]]
        self.machine = SimpleNamespace(
            where="throwaway",
            current_system=lambda: "/sys",
            probe=lambda *_, **__: SimpleNamespace(text=""),
            failed_units=lambda: self.failed.pop() if len(self.failed) > 1 else self.failed[0],
        )

    def execute(self, *argv: str, stdin: bytes = b"", within: float = 60.0) -> Result:
        self.done.append(" ".join(argv))
        if self.breaks_at in self.done[-1] and self.done[-1].count(self.breaks_at) and not self.done[-1].startswith("mv --force"):
            self.breaks_at = "never again"
            raise KeyboardInterrupt
        return Result(argv[0], len(stdin) and 0, b"", b"", within, "throwaway")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.done.append("undone")


@pytest.mark.parametrize("breaks_at", ["umask 077", "umount", "rm -rf", "switch-to-configuration"])
def test_the_key_is_put_back_whatever_happens(breaks_at: str) -> None:
    trial = Recorder(breaks_at)
    with pytest.raises(KeyboardInterrupt):
        Attempt.of(cast(Trial, trial), KEY_PATH, (), tried_with="a foreign key")
    assert trial.done[0] == f"mv --no-clobber -- {KEY_PATH} {KEY_PATH}.aside"
    assert trial.done[-3:] == [f"mv --force -- {KEY_PATH}.aside {KEY_PATH}", "/sys/bin/switch-to-configuration test", "undone"]


def test_units_that_failed_for_want_of_secrets_get_a_second_chance_and_no_others() -> None:
    trial = Recorder("never")
    trial.failed = [["old.service", "new.service"], ["old.service"]]
    Attempt.of(cast(Trial, trial), KEY_PATH, (), tried_with="no key")
    assert trial.done[-3:] == ["systemctl reset-failed -- new.service", "/sys/bin/switch-to-configuration test", "undone"]
