"""The only place that waits.

Knows: a monotonic deadline, a named condition, the last thing seen.
Refuses: to wait for ever, to sleep without looking, to grant an attempt more than what is left, to give up without saying what it saw.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cleanroom.errors import OutOfTime

T = TypeVar("T")


@dataclass(frozen=True)
class Waiting:
    """What a probe answers while the condition does not hold: `seen` goes into the error if time runs out."""

    seen: str


class Deadline:
    """A point on the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the deadline was set."""
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def passed(self) -> bool:
        return self.left <= 0.0


def wait_until(
    probe: Callable[[], T | Waiting],
    *,
    what: str,
    within: float,
    every: float = 0.2,
    where: str = "",
    advice: str = "",
    alive: Callable[[float, str], None] | None = None,
) -> T:
    """Ask `probe` until it answers something other than `Waiting`; return that.

    `what` names the condition in plain words, `within` and `every` are seconds. The last try is made at the deadline itself, so the text of
    `OutOfTime` is what was true then. A probe ends the wait early by raising: a terminal state is not worth waiting for. `alive(elapsed, seen)` is
    called after each try that did not succeed.
    """
    deadline = Deadline(within)
    while True:
        last = deadline.passed
        answer = probe()
        if not isinstance(answer, Waiting):
            return answer
        if last:
            raise OutOfTime(f"waited {deadline.elapsed:.1f} s for {what}; last seen: {answer.seen}", where=where, advice=advice)
        if alive is not None:
            alive(deadline.elapsed, answer.seen)
        time.sleep(min(every, deadline.left))


def pause(seconds: float) -> None:
    """Let `seconds` pass between two looks of a loop that has no single condition (a sampler, a heartbeat)."""
    time.sleep(seconds)
