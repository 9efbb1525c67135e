"""Lanes: labs side by side, each with a process of its own that carries out one sabotage after another.

Knows: the lab that is there (the first lane), how to copy it for the others, and that what needs no machine can share a lab.
Refuses: to leave a lab of its own making behind, unless told to; nor does a lane's work outlive whoever waits for it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import lab
from cleanroom.errors import HarnessError
from lab import copy
from lab.state import State
from tests.workers import ending_workers, leads_a_group

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Lane:
    """One lab's folder, and whether we made it."""

    folder: Path
    ours: bool


@contextmanager
def lanes(count: int, *, shared: bool, keep: bool, tell: Tell) -> Iterator[list[Lane]]:
    """The lab and copies of it, `count` in all (or `count` times the same lab, if it is `shared`)."""
    lab.up(tell)
    first = State.locate()
    if shared:
        yield [Lane(first.folder, ours=False)] * count
        return
    others = [Lane(first.folder.with_name(f"{first.folder.name}-lane{number}"), ours=True) for number in range(2, count + 1)]
    with ExitStack() as stack:
        for lane in others:
            if not keep:
                stack.callback(_in_process, lane, _down)
            copy.prepare(first, State(lane.folder))
            _in_process(lane, _up)
            tell(f"lane {lane.folder.name} is up")
        yield [Lane(first.folder, ours=False), *others]


class Work(Generic[Job, Answer]):
    """What is to be done in lanes: jobs in a queue, one function for all, answers as they come. Both travel between processes."""

    def __init__(self, function: Callable[[Job], Answer], jobs: Sequence[Job]) -> None:
        self._function = function
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            self._queue.put(job)

    def carry_out(self, where: Sequence[Lane], done: Callable[[Job, Answer], None]) -> None:
        """Empty the queue in all lanes; `done(job, answer)` is called for one answer at a time. Raises what a lane raised."""
        lock = threading.Lock()
        troubles: list[BaseException] = []

        def drain(lane: Lane) -> None:
            try:
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_enter, initargs=(str(lane.folder),)) as process:
                    while not troubles:
                        job = self._queue.get_nowait()
                        answer = process.submit(self._function, job).result()
                        with lock:
                            done(job, answer)
            except queue.Empty:
                return
            except BaseException as problem:  # noqa: BLE001 - it is raised again, by whoever waits for all lanes
                troubles.append(problem)

        threads = [threading.Thread(target=drain, args=(lane,)) for lane in where]
        with ending_workers():
            for thread in threads:
                thread.start()
            try:
                for thread in threads:
                    thread.join()
            except KeyboardInterrupt as problem:
                troubles.insert(0, problem)
                for thread in threads:
                    thread.join()
        if troubles:
            raise troubles[0]


def _enter(folder: str) -> None:
    leads_a_group()
    os.environ["CLEANROOM_LAB"] = folder


def _in_process(lane: Lane, function: Callable[[], None]) -> None:
    """Do something in another lab: which lab it is stands in the environment, and ours must stay ours."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_enter, initargs=(str(lane.folder),)) as process:
        process.submit(function).result()


def _up() -> None:
    lab.up(logging.getLogger(__name__).debug)


def _down() -> None:
    try:
        lab.down(logging.getLogger(__name__).debug)
    except HarnessError:
        lab.down(logging.getLogger(__name__).debug)  # its own advice: say it again
