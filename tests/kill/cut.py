"""One run, cut off at a point by a blow, and what became of it.

Knows: how to start the smallest run that reaches the point, to strike from outside, and to sweep up as a person would.
Refuses: to count a point that the run never reached.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import lab
from lab.daemon import Incus
from lab.state import State
from tests.kill import aftermath
from tests.kill.aftermath import Estate
from tests.kill.points import Blow, Point
from tests.kill.relay import Relay
from tests.sabotage.bench import ROOT
from tests.sabotage.tail import Tail

_LONGEST_RUN = 240.0
_WORD = "CLEANROOM_CUT"


@dataclass(frozen=True)
class Cut:
    """What is wrong after one cut (nothing, if it is clean), and how it went."""

    wrong: tuple[str, ...]
    status: int
    seconds: float
    swept: bool
    struck: bool


class Bed:
    """One cut's surroundings: a temporary folder that is the run's alone, a word that its processes inherit."""

    def __init__(self, point: Point, blow: Blow, folder: Path) -> None:
        self.point, self.blow = point, blow
        self.state = State.locate()
        self.incus = Incus(self.state)
        self.temporary = folder / "tmp"
        self.reports = folder / "reports"
        self.temporary.mkdir()
        self.word = f"{_WORD}={os.getpid()}-{time.monotonic_ns()}"
        self.tail = Tail()
        self.struck = False
        self._suite: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        key, _, value = self.word.partition("=")
        return {**os.environ, "TMPDIR": str(self.temporary), key: value}

    def carry_out(self) -> Cut:
        """Run, strike, wait, sweep, look."""
        began = time.monotonic()
        before = Estate.of(self.incus)
        with ExitStack() as stack:
            site = self._site(stack)
            self._run(site)
            if self.blow.daemon:
                lab.up(lambda _line: None)
            wrong = aftermath.wait_for_processes(self.word) if self.struck else ["the run ended before the point came"]
            status = self._suite.returncode if self._suite is not None else -1
            swept = self._sweep(site)
        wrong += [] if self._sweep_finds_nothing() else ["a second sweep finds something"]
        wrong += Estate.of(self.incus).differences(before)
        if self.tail.folder is not None:
            wrong += aftermath.files(self.temporary, self.tail.folder.name)
            wrong += aftermath.record(self.tail.folder, over=self.point.over)
        if status == 0 and not self.point.over:
            wrong.append("the suite's exit status was 0")
        return Cut(tuple(wrong), status, round(time.monotonic() - began, 1), swept, self.struck)

    def _site(self, stack: ExitStack) -> Path:
        """The lab's site file; where a request is to be caught, a copy of it that goes through our relay."""
        if not self.point.request:
            return self.state.site_file
        here = self.temporary.with_name("relay.sock")
        relay = Relay(here, self.state.socket, pattern=self.point.request, nth=self.point.nth, hit=self._strike)
        stack.callback(relay.close)
        endpoint = f"http+unix://{str(here).replace('/', '%2F')}"
        text = re.sub(r"(?m)^endpoint = .*$", f'endpoint = "{endpoint}"', self.state.site_file.read_text())
        text = re.sub(r"(?m)^(client_certificate|client_key|server_certificate) = .*\n", "", text)
        copy = self.state.folder / f"cut-{os.getpid()}.toml"
        copy.write_text(text)
        stack.callback(copy.unlink)
        return copy

    def _run(self, site: Path) -> None:
        argv = [sys.executable, "-m", "pytest", "-q", f"features/{self.point.scenario}", "--site", str(site), "--reports", str(self.reports)]
        deadline = time.monotonic() + _LONGEST_RUN
        with self.temporary.with_name("output.txt").open("w") as output, self._started(argv, output.fileno()) as suite:
            self._suite = suite
            left = self.point.nth
            while suite.poll() is None:
                for event in self.tail.read(self.reports):
                    if self.point.moment is not None and self.point.moment.is_at(event):
                        left -= 1
                        if left == 0:
                            time.sleep(self.point.after)
                            self._strike()
                if self.point.file and not self.struck and self.tail.folder is not None and (self.tail.folder / self.point.file).exists():
                    self._strike()
                if time.monotonic() > deadline:
                    suite.kill()
                time.sleep(0.004)
        self.tail.read(self.reports)

    def _started(self, argv: list[str], output: int) -> subprocess.Popen[str]:
        return subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment, text=True)

    def _strike(self) -> None:
        """From outside, by process id: the suite is never asked to strike itself."""
        if self._suite is None:
            return
        self.struck = True
        if self.blow.daemon:
            pid = self.incus.service.pid()
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        for pause, number in self.blow.signals:
            time.sleep(pause)
            if self._suite.poll() is None:
                self._suite.send_signal(number)

    def _sweep(self, site: Path) -> bool:
        """As a person would: list, and remove if there is something. Whether there was."""
        listed = self._cleanroom("sweep", "--site", str(site))
        if listed.returncode == 1:
            self._cleanroom("sweep", "--yes", "--site", str(site))
        return listed.returncode == 1

    def _sweep_finds_nothing(self) -> bool:
        return self._cleanroom("sweep", "--site", str(self.state.site_file)).returncode == 0

    def _cleanroom(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "cleanroom.cli", *words]
        return subprocess.run(argv, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=120)


def carry_out(job: tuple[Point, Blow]) -> Cut:
    """One cut in this process' lab; what it left is kept only if something was wrong."""
    point, blow = job
    # A shell's background job begins with SIGINT ignored, and what it starts inherits that; what heeds it here is heeded below.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup likewise
    folder = Path(tempfile.mkdtemp(prefix="cut-"))
    cut = Bed(point, blow, folder).carry_out()
    if not cut.wrong:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
        return cut
    return Cut((*cut.wrong, f"kept: {folder}"), cut.status, cut.seconds, cut.swept, cut.struck)
