"""The bench on which a sabotage is carried out: what it may do, and how the run under it is watched.

Knows: sabotage as data, the lab's variants, and how to act at a moment of a run by reading its ledger as it grows.
Refuses: to reach into the suite: a sabotage breaks the site, the image or the machine, from outside, as an adversary would.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import lab
from cleanroom.ledger import Event
from lab import variant
from lab.daemon import Incus
from lab.names import PROJECT
from lab.state import State
from lab.variant import Trees
from tests.sabotage import owner
from tests.sabotage.finding import Finding, judge
from tests.sabotage.owner import Owner
from tests.sabotage.tail import Tail

ROOT = Path(__file__).resolve().parents[2]
C4 = "c4_cleanroom.feature"
C5 = "c5_honest_evidence.feature"
#: A run that is not over by then hangs, which is a finding of its own.
_LONGEST_RUN = 900.0
_LONGEST_CLEAN_UP = 90.0


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
    moment of the run, `around` before it - what it returns is called afterwards. `feature` and `options` narrow the run to what the breakage can
    touch: every scenario that they select and that is named in neither mapping must stay green. `static`: no machine is made for it.
    `claim` edits what the site's owner claims, and his record; `suite` edits a copy of the suite itself, a checkout of its own.
    """

    name: str
    story: str
    reddens: Mapping[str, str]
    may_redden: Mapping[str, str] = field(default_factory=dict)
    feature: str = C4
    edit: Callable[[Trees], None] = lambda _trees: None
    later: Callable[[Trees], None] | None = None
    own_site: bool = False
    image: str | Callable[[], str] | None = None
    during: tuple[Moment, Callable[[Bench], object]] | None = None
    around: Callable[[Bench], Callable[[], object]] | None = None
    options: Sequence[str] = ()
    static: bool = False
    claim: Callable[[Owner], None] | None = None
    suite: Callable[[Path], None] | None = None


class Bench:
    """One sabotage's surroundings while the suite runs under it. What a survivor's run left behind is kept in `keep`."""

    def __init__(self, sabotage: Sabotage, *, keep: Path | None = None) -> None:
        self.sabotage = sabotage
        self.incus = Incus(State.locate())
        self.throwaway = "cc-ci-throwaway"
        self.output = ""
        #: Where the run under way has its folder.
        self.reports = ROOT / "reports"
        self._keep = keep
        self._tail = Tail()

    @property
    def events(self) -> list[Event]:
        """What the run under way has recorded so far."""
        return self._tail.events

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
            self.reports = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            if self.sabotage.feature in {"", C5}:
                lab.up(_tell_nobody, evidence=True)
            if self.sabotage.claim is not None:
                site = stack.enter_context(owner.doctored(self.sabotage.name, self.sabotage.claim))
            if not self.sabotage.own_site:
                site = stack.enter_context(variant.variant(f"sabotage-{self.sabotage.name}", self._edit, later=self.sabotage.later))
            if self.sabotage.image is not None:
                alias = f"sabotage-{self.sabotage.name}"
                script = self.sabotage.image if isinstance(self.sabotage.image, str) else self.sabotage.image()
                fingerprint = stack.enter_context(variant.image(alias, script))
                site.write_text(re.sub(r"(?m)^image(_fingerprint)? = .*$", rf'image\1 = "{fingerprint}"', site.read_text()))
            if self.sabotage.around is not None:
                stack.callback(self.sabotage.around(self))
            root = ROOT
            if self.sabotage.suite is not None:
                root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="suite-")))
                subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(root)], check=True)
                self.sabotage.suite(root)
            acted = self._run_suite(root, site)
            finding = judge(self.sabotage, self.events, self.output, acted=acted, seconds=time.monotonic() - began)
            if finding.survived and self._keep is not None:
                (self.reports / "output.txt").write_text(self.output)
                shutil.copytree(self.reports, self._keep, dirs_exist_ok=True, symlinks=True)
        return finding

    def _edit(self, trees: Trees) -> None:
        # Whatever never comes should not be waited for as long as a person would.
        text = trees.site_file.read_text().replace('within = "60s"', 'within = "20s"').replace("[[endpoint]]", '[[endpoint]]\nwithin = "12s"')
        trees.site_file.write_text(text)
        self.sabotage.edit(trees)

    def _run_suite(self, root: Path, site: Path) -> bool:
        """Run the suite in `root` to its end; returns whether the sabotage had its moment (one without a moment had)."""
        argv = [sys.executable, "-m", "pytest", "-q", f"features/{self.sabotage.feature}", "--site", str(site), "--reports", str(self.reports)]
        # Those that need no machine share a lab, and some of them look into its project.
        argv += ["--wait", "5m"]
        moment, act = self.sabotage.during or (None, None)
        deadline = time.monotonic() + _LONGEST_RUN
        with (
            tempfile.TemporaryFile("w+") as output,
            subprocess.Popen([*argv, *self.sabotage.options], cwd=root, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ)) as suite,
        ):
            while suite.poll() is None:
                if moment is not None and act is not None and any(map(moment.is_at, self._tail.read(self.reports))):
                    act(self)
                    moment = None
                if time.monotonic() > deadline:
                    suite.kill()
                try:
                    suite.wait(0.05 if moment is not None else 1.0)
                except subprocess.TimeoutExpired:
                    continue
                except KeyboardInterrupt:
                    suite.wait(_LONGEST_CLEAN_UP)  # it was interrupted as well, and cleans up
                    raise
            output.seek(0)
            self.output = output.read()
        self._tail.read(self.reports)
        return moment is None


def _tell_nobody(_line: str) -> None:
    """Progress of the lab is not told here."""
