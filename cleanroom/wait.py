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
#: Changes that a recorded wait tells; of more than these the last is told too.
_MOST_SEEN = 12


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
    record: Callable[..., object] | None = None,
) -> T:
    """Ask `probe` until it answers something other than `Waiting`; return that.

    `what` names the condition in plain words, `within` and `every` are seconds. The last try is made at the deadline itself, so the text of
    `OutOfTime` is what was true then. A probe ends the wait early by raising: a terminal state is not worth waiting for. `alive(elapsed, seen)` is
    called after each try that did not succeed. `record` gets one event, `waited`: how long it took, how it ended, and each change
    that was seen meanwhile.
    """
    deadline, seen, outcome = Deadline(within), list[tuple[float, str]](), "broken off"
    try:
        while True:
            last = deadline.passed
            answer = probe()
            if not isinstance(answer, Waiting):
                outcome = "met"
                return answer
            if not seen or seen[-1][1] != answer.seen:
                seen.append((round(deadline.elapsed, 3), answer.seen))
            if last:
                outcome = "out of time"
                raise OutOfTime(f"waited {deadline.elapsed:.1f} s for {what}; last seen: {answer.seen}", where=where, advice=advice)
            if alive is not None:
                alive(deadline.elapsed, answer.seen)
            time.sleep(min(every, deadline.left))
    finally:
        if record is not None:
            told = [*seen[:_MOST_SEEN], *seen[_MOST_SEEN:][-1:]]
            record("waited", what=what, where=where, within=within, seconds=round(deadline.elapsed, 3), outcome=outcome, seen=told)


def pause(seconds: float) -> None:
    """Let `seconds` pass between two looks of a loop that has no single condition (a sampler, a heartbeat)."""
    time.sleep(seconds)
