"""A watchdog on the throwaway: where the suite has been silent for too long, the machine powers itself off.

Knows: a transient timer of systemd, which lies under /run, runs nothing until its time has come, and is gone with the boot; and its renewal, over a
connection of its own that is accounted for like every other.
Refuses: to do anything else for its purpose: its three commands are written here, and the judge of commands (conduct.py) excuses no other.

Incus 6.0 has no such thing on its side: an instance whose owner was killed runs until somebody sweeps it up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cleanroom.errors import HarnessError
from cleanroom.ledger import Event
from cleanroom.machine import Machine
from cleanroom.ssh import Ssh

UNIT = "cleanroom-watchdog"
_RENEW = ("systemctl", "restart", f"{UNIT}.timer")
_END = ("systemctl", "stop", f"{UNIT}.timer")
_SECONDS = 20.0


class Watchdog:
    """One machine's. Not for use from several threads at once."""

    def __init__(self, machine: Machine, silence: float, record: Callable[..., Event]) -> None:
        there = machine.ssh
        own = Ssh(there.address, user=there.user, key=there.key, host_key=there.host_key, record=record)
        self._machine = Machine(machine.name, own, record)
        self._silence = silence
        self._record = record

    def begin(self) -> None:
        """Set it. Raises `HarnessError`: a machine that would outlive us is not what was asked for."""
        result = self._machine.execute(_set(self._silence), purpose="watchdog", within=_SECONDS)
        if not result.ok:
            raise HarnessError(
                f"the watchdog cannot be set: {result.complaint}", where=self._machine.where, advice='incus.silence = "0s" does without'
            )
        self._record("watchdog", machine=self._machine.name, silence=self._silence, unit=f"{UNIT}.timer")

    def renew(self) -> None:
        """Begin the silence anew; where there is none (a boot has taken it away), set it. Raises `HarnessError`."""
        if not self._machine.execute(_RENEW, purpose="watchdog", within=_SECONDS).ok:
            self.begin()

    def close(self) -> None:
        """Drop the connection. Idempotent."""
        self._machine.ssh.close()

    def end(self) -> None:
        """Take it away from a machine that is kept. Raises `HarnessError`."""
        self._machine.execute(_END, purpose="watchdog", within=_SECONDS)


def is_ours(argv: Sequence[str]) -> bool:
    """Whether a command recorded as the watchdog's is one of its three, to the word."""
    words = tuple(argv)
    seconds = next((word.partition("=")[2].removesuffix("s") for word in words if word.startswith("--on-active=")), "0")
    return words in {_RENEW, _END} or (seconds.isdecimal() and words == _set(float(seconds)))


def _set(silence: float) -> tuple[str, ...]:
    # Accuracy: systemd would otherwise let a minute pass, to spare a battery.
    return ("systemd-run", f"--on-active={silence:.0f}s", f"--unit={UNIT}", "--timer-property=AccuracySec=1s", "--collect", "systemctl", "poweroff")
