"""The bench on which a sabotage is carried out: what it may do, and how the run under it is watched.

Knows: sabotage as data, the lab's variants, and how to act at a moment of a run by reading its ledger as it grows.
Refuses: to reach into the suite: a sabotage breaks the site, the image or the machine, from outside, as an adversary would.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from cleanroom import verdict
from cleanroom.ledger import Event
from lab import variant
from lab.daemon import Incus
from lab.names import PROJECT
from lab.state import State
from lab.variant import Trees

ROOT = Path(__file__).resolve().parents[2]
C4 = "c4_cleanroom.feature"


@dataclass(frozen=True)
class Moment:
    """The first event of `kind` whose fields have the values of `having`."""

    kind: str
    having: Mapping[str, object] = field(default_factory=dict)

    def is_at(self, event: Event) -> bool:
        return event["kind"] == self.kind and all(event.get(key) == value for key, value in self.having.items())


@dataclass(frozen=True)
class Sabotage:
    """One breakage. `reddens` maps scenario titles to a part of the text that must be told; `may_redden` maps others to why they may be red too.

    `edit` and `later` change the site's repositories (`own_site`: nothing is changed there), `image` is a script run on the image, `during` acts at a
    moment of the run, `around` before it - what it returns is called afterwards. `options` narrow the run to what the breakage can touch.
    """

    name: str
    story: str
    reddens: Mapping[str, str]
    may_redden: Mapping[str, str] = field(default_factory=dict)
    feature: str = C4
    edit: Callable[[Trees], None] = lambda _trees: None
    later: Callable[[Trees], None] | None = None
    own_site: bool = False
    image: str | None = None
    during: tuple[Moment, Callable[[Bench], object]] | None = None
    around: Callable[[Bench], Callable[[], object]] | None = None
    options: Sequence[str] = ()


@dataclass(frozen=True)
class Finding:
    """What became of the suite under one sabotage: why it survived (nothing if it was killed), and every scenario's state."""

    survived: tuple[str, ...]
    states: Mapping[str, str]
    seconds: float


class Bench:
    """One sabotage's surroundings while the suite runs under it."""

    def __init__(self, sabotage: Sabotage) -> None:
        self.sabotage = sabotage
        self.incus = Incus(State.locate())
        self.events: list[Event] = []
        self.throwaway = "cc-ci-throwaway"

    def exec(self, *argv: str, stdin: bytes = b"") -> str:
        """Do something on the throwaway through the hypervisor, as a stranger."""
        return self.incus("exec", self.throwaway, "--project", PROJECT, "--", *argv, stdin=stdin)

    def push(self, path: str, content: bytes) -> None:
        """Put a file onto the throwaway through Incus' files API."""
        state = State.locate()
        url = f"http://incus/1.0/instances/{self.throwaway}/files?project={PROJECT}&path={path}"
        argv = ["curl", "--silent", "--fail", "--unix-socket", str(state.socket), "--data-binary", "@-", "--header", "X-Incus-type: file", url]
        subprocess.run(argv, input=content, check=True, stdout=subprocess.DEVNULL)

    def event(self, kind: str) -> Event:
        """The last event of a kind that the run under way has recorded."""
        return next(event for event in reversed(self.events) if event["kind"] == kind)

    def run(self) -> Finding:
        """Carry the sabotage out and run its feature under it."""
        began = time.monotonic()
        with ExitStack() as stack:
            site = State.locate().site_file
            if not self.sabotage.own_site:
                site = stack.enter_context(variant.variant(f"sabotage-{self.sabotage.name}", self._edit, later=self.sabotage.later))
            if self.sabotage.image is not None:
                alias = f"sabotage-{self.sabotage.name}"
                fingerprint = stack.enter_context(variant.image(alias, self.sabotage.image))
                site.write_text(re.sub(r"(?m)^image(_fingerprint)? = .*$", rf'image\1 = "{fingerprint}"', site.read_text()))
            if self.sabotage.around is not None:
                stack.callback(self.sabotage.around(self))
            reports = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._run_suite(site, reports)
        return self._judge(time.monotonic() - began)

    def _edit(self, trees: Trees) -> None:
        # Whatever never comes should not be waited for as long as a person would.
        text = trees.site_file.read_text().replace('within = "60s"', 'within = "20s"').replace("[[endpoint]]", '[[endpoint]]\nwithin = "12s"')
        trees.site_file.write_text(text)
        self.sabotage.edit(trees)

    def _run_suite(self, site: Path, reports: Path) -> None:
        argv = [sys.executable, "-m", "pytest", "-q", f"features/{self.sabotage.feature}", "--site", str(site), "--reports", str(reports)]
        with subprocess.Popen(
            [*argv, *self.sabotage.options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ), text=True
        ) as suite:
            acted = self.sabotage.during is None
            while suite.poll() is None:
                self._read(reports)
                if not acted and self.sabotage.during is not None and any(map(self.sabotage.during[0].is_at, self.events)):
                    self.sabotage.during[1](self)
                    acted = True
                try:
                    suite.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
            self.output = suite.stdout.read() if suite.stdout is not None else ""
        self._read(reports)
        if not acted:
            raise AssertionError(f"{self.sabotage.name}: its moment never came\n{self.output[-2000:]}")

    def _read(self, reports: Path) -> None:
        for path in reports.glob("*/ledger.ndjson"):
            self.events = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]

    def _judge(self, seconds: float) -> Finding:
        """A scenario counts as killed only if it is red and says why in the words that the sabotage foresees."""
        outcomes = {outcome.scenario.split(": ", 1)[1]: outcome for outcome in verdict.scenario_outcomes(self.events)}
        survived = [] if outcomes else [f"no scenario ran: {self.output[-1000:]}"]
        for title, reason in self.sabotage.reddens.items():
            outcome = outcomes.get(title)
            told = json.dumps(outcome.trouble, ensure_ascii=False) if outcome is not None and outcome.trouble is not None else ""
            if outcome is None or outcome.state not in {"failed", "error"}:
                survived.append(f"{title}: {outcome.state if outcome else 'not run'}, should be red")
            elif reason not in told:
                survived.append(f"{title}: red, but not for `{reason}`: {told[:600]}")
        for title, outcome in outcomes.items():
            if outcome.state != "passed" and title not in self.sabotage.reddens and not {title, "*"} & self.sabotage.may_redden.keys():
                survived.append(f"{title}: {outcome.state}, and should not be: {json.dumps(outcome.trouble, ensure_ascii=False)[:600]}")
        return Finding(tuple(survived), {title: outcome.state for title, outcome in outcomes.items()}, seconds)
