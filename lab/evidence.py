"""The claim of the lab's owner: a signed record of a real run, and the document that tells of it, kept as a site's owner would keep them.

Knows: how to run the suite as a program on the lab's site, everything but the scenarios that judge evidence; what of it stays good, and for how long.
Refuses: to write down a fact of its own: the document is the run's REVIEW.md, with the owner's limitations below it.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cleanroom import signing, suite
from cleanroom.errors import HarnessError
from cleanroom.quantities import show_duration
from cleanroom.site import Site
from lab.names import BASE, SECRETS, SIGNING_KEY
from lab.repositories import bare
from lab.state import State, digest
from lab.tools import environment, run

REVIEW, STATUS, RECORDS, TRUSTED_KEY = "REVIEW.md", "STATUS.md", "records", "signing.pub.pem"
#: A site may show evidence for a day; ours is made anew after half of one, so that it never runs out in the middle of a run.
_GOOD_FOR = datetime.timedelta(hours=12)
_STAGE = "evidence"
_SECONDS = 1800.0
_GIVE_UP_SECONDS = 180.0
_OWNER = "The lab's keeper"

Report = Callable[[str], None]


def provide(state: State, report: Report) -> None:
    """See that the lab's owner has a claim, and a signed record for it, that is young and of this very site and suite; make both if not."""
    made_from = _made_from(state)
    if state.done().get(_STAGE) == made_from and is_young(state):
        return
    state.remember(**{_STAGE: ""})
    last = state.times().get(_STAGE)
    report("lab: evidence: the suite runs once, without C5 ..." + (f" (last time {show_duration(last)})" if last is not None else ""))
    began = time.monotonic()
    ended = _run_suite(state, report)
    seconds = time.monotonic() - began
    write(state)
    state.remember_time(_STAGE, seconds)
    report(f"lab: evidence done after {show_duration(seconds)}" + ("" if ended == 0 else f"; its run ended with {ended}, and it is not kept"))
    if ended == 0:
        state.remember(**{_STAGE: made_from})


def folder(state: State) -> Path:
    """Where the owner keeps it."""
    return state.folder / "review"


def write(state: State) -> None:
    """Write the owner's documents from the newest record, and drop older records."""
    home, records = folder(state), folder(state) / RECORDS
    newest = (records / "latest").resolve()
    for old in records.iterdir():
        if old.is_dir() and not old.is_symlink() and old != newest:
            shutil.rmtree(old)
    (home / TRUSTED_KEY).write_text(signing.load(state.keys / SIGNING_KEY).public)
    shutil.copyfile(newest / STATUS, home / STATUS)
    (home / REVIEW).write_text(f"# Review\n\n{(newest / REVIEW).read_text()}\n### Limitations\n\n{_limitations(newest)}\n")


def _limitations(record: Path) -> str:
    """What the lab's owner has to admit: on a machine without hardware virtualisation the throwaway was a container."""
    events = [json.loads(line) for line in (record / "ledger.ndjson").read_bytes().splitlines()]
    machine = next((event for event in events if event["kind"] == "machine"), None)
    if machine is None or machine["type"] == "virtual-machine":
        return "None."
    scope = f"the kernel of `{machine['name']}`: a system container has its host's"
    reason = "the hypervisor found no `/dev/kvm`, so it makes no virtual machines"
    tested = "boot, activation, swarm, services and a reboot, as root of that container"
    signed_off = f"{_OWNER}, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    return f"| scope | reason | most that was tested | signed off |\n|---|---|---|---|\n| {scope} | {reason} | {tested} | {signed_off} |"


def _made_from(state: State) -> str:
    """What a record must be of: both heads, the site's terms, the feature files, and whether a commit has the suite as it is."""
    heads = [run("git", "--git-dir", bare(state, name), "rev-parse", "HEAD").strip() for name in (BASE, SECRETS)]
    terms = Site.load(state.site_file).model_dump_json()
    return digest(*heads, terms, suite.root() / "features", str(suite.describe(suite.root()).dirty))


def is_young(state: State) -> bool:
    """Whether the newest record is good for some hours yet."""
    try:
        began = datetime.datetime.strptime(f"{(folder(state) / RECORDS / 'latest').readlink().name[:15]} +0000", "%Y%m%d-%H%M%S %z")
    except (OSError, ValueError):
        return False
    return datetime.datetime.now(datetime.UTC) - began < _GOOD_FOR


def _run_suite(state: State, report: Report) -> int:
    """Run every scenario but C5's on the lab's site, as its owner would, and return pytest's exit status. Whoever ends us lets it clean up first."""
    records, log = folder(state) / RECORDS, state.logs / "evidence.log"
    records.mkdir(parents=True, exist_ok=True)
    # Should we be killed, the kernel ends it as Ctrl-C would, and it deletes its machine.
    argv = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "pytest", "features", "-q", "-m", "not c5"]
    argv += ["--site", str(state.site_file), "--reports", str(records), "--signing-key", str(state.keys / SIGNING_KEY)]
    kept = {key: value for key, value in environment().items() if not key.startswith(("CLEANROOM_", "PYTEST_"))}
    env = {**kept, "CLEANROOM_LAB": str(state.folder)}
    with (
        log.open("w") as sink,
        subprocess.Popen(
            argv, cwd=suite.root(), env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            ended = _watch(process, log, report)
        except BaseException:
            process.terminate()
            process.wait(_GIVE_UP_SECONDS)
            raise
    if not (records / "latest" / REVIEW).exists():
        raise HarnessError(f"the lab's own run left no record; it ended with {ended}", where=str(log))
    return ended


def _watch(process: subprocess.Popen[bytes], log: Path, report: Report) -> int:
    """Tell the run's phases as they come, until it is over."""
    deadline, told = time.monotonic() + _SECONDS, 0
    ended: int | None = None
    while ended is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            ended = process.wait(0.5)
        lines = [line for line in log.read_text(errors="replace").split("\n")[:-1] if "[clean room]" in line]
        for line in lines[told:]:
            report(f"lab: evidence: {line.partition('[clean room]')[2].strip()}")
        told = len(lines)
        if time.monotonic() > deadline:
            raise HarnessError(f"the lab's own run still ran after {show_duration(_SECONDS)}", where=str(log))
    return ended
