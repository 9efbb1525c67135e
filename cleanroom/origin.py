"""Where in the library an error came from, as a reader of the code looks it up.

Knows: the frames of a traceback that are ours, helpers that only raise, and an error in whose place another was raised.
Refuses: to show anything but files and lines.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from cleanroom.errors import CheckFailed

_ROOT = Path(__file__).resolve().parents[1]
#: A function of this name raises for whoever called it.
HELPER = "_fail"


def origins(problem: BaseException) -> list[str]:
    """`cleanroom/web.py:88` for each check that said no, the last one first: the line tells which of a function's checks it was."""
    found = []
    seen: BaseException | None = problem
    while seen is not None:
        place = _place(seen) if isinstance(seen, CheckFailed) else ""
        if place and place not in found:
            found.append(place)
        seen = seen.__context__
    return found


def _place(problem: BaseException) -> str:
    frames = [(frame, line) for frame, line in traceback.walk_tb(problem.__traceback__) if Path(frame.f_code.co_filename).is_relative_to(_ROOT)]
    ours = [(frame, line) for frame, line in frames if frame.f_code.co_name != HELPER]
    if not ours:
        return ""
    frame, line = ours[-1]
    return f"{Path(frame.f_code.co_filename).relative_to(_ROOT)}:{line}"
