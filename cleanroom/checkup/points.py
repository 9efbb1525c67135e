"""What a look at a site comes to: findings, made side by side, each in bounded time.

Knows: four states - good, wrong, cannot tell, and a note that is neither.
Refuses: to wait for a look that does not end (it counts as "cannot tell"), and to show what a look was not meant to show: errors of ours only.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cleanroom.errors import CheckFailed, HarnessError, OutOfReach, OutOfTime
from cleanroom.wait import Deadline

State = Literal["good", "wrong", "cannot tell", "note"]


@dataclass(frozen=True)
class Finding:
    """One point of the list: what was looked at, what was seen, where, and what a person should do next."""

    point: str
    state: State
    seen: str
    where: str = ""
    advice: str = ""


#: A look yields its findings in the order in which it makes them.
Look = Callable[[], Iterator[Finding]]


def good(point: str, seen: str) -> Finding:
    return Finding(point, "good", seen)


def note(point: str, seen: str, *, where: str = "", advice: str = "") -> Finding:
    return Finding(point, "note", seen, where, advice)


def trouble(point: str, problem: HarnessError | CheckFailed, *, wrong: bool | None = None) -> Finding:
    """An error of ours as a finding: what did not answer cannot be told, everything else is wrong - unless the caller knows better."""
    if isinstance(problem, CheckFailed):
        return Finding(point, "wrong", f"expected {problem.expected}; found {problem.seen}", problem.where, problem.advice)
    silent = isinstance(problem, OutOfReach | OutOfTime)
    state: State = "cannot tell" if (silent if wrong is None else not wrong) else "wrong"
    return Finding(point, state, problem.problem, problem.where, problem.advice)


def side_by_side(looks: Sequence[tuple[str, Look]], *, within: float, tell: Callable[[Finding], None]) -> None:
    """Take all looks at once and tell each finding as it is made; what has not ended after `within` seconds is told as "cannot tell"."""
    found: queue.Queue[Finding | str] = queue.Queue()
    for name, look in looks:
        # Daemons: a resolver that hangs must not keep the program from ending.
        threading.Thread(target=_take, args=(name, look, found), daemon=True).start()
    deadline, running = Deadline(within), [name for name, _ in looks]
    while running:
        try:
            item = found.get(timeout=deadline.left)
        except queue.Empty:
            break
        if isinstance(item, str):
            running.remove(item)
        else:
            tell(item)
    for name in running:
        tell(Finding(name, "cannot tell", f"this look had not ended after {within:.0f} s", advice="say it again, or look why it is so slow"))


def _take(name: str, look: Look, found: queue.Queue[Finding | str]) -> None:
    try:
        for finding in look():
            found.put(finding)
    except (HarnessError, CheckFailed) as problem:
        found.put(trouble(name, problem))
    except Exception as problem:  # noqa: BLE001 - one look's mistake must not end the others; its text could hold anything
        found.put(Finding(name, "cannot tell", f"this look broke: {type(problem).__name__}", advice="a mistake of the suite: please report it"))
    finally:
        found.put(name)
