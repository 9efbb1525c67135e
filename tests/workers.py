"""Processes that work for a tool of ours, and end with it.

Knows: SIGINT and SIGTERM, whoever sends them, and that a worker may have started something itself.
Refuses: to import what is under test: a mutation trial must come first there.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending_workers() -> Iterator[None]:
    """SIGINT and SIGTERM interrupt every process of `multiprocessing` that `leads_a_group`, and this one."""

    def end(_number: int, _frame: object) -> None:
        for pid in [worker.pid for worker in multiprocessing.active_children() if worker.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGINT)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leads_a_group() -> None:
    """Called by a worker at its beginning: what it starts is interrupted together with it."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
