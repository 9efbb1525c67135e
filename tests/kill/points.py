"""Where a run is cut off, and by what.

Knows: the events of a run in their order, the requests it makes, and the smallest selection of scenarios that reaches each.
Refuses: nothing; a point that no run reaches is a failure of the matrix, not a pass.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from tests.sabotage.bench import Moment


@dataclass(frozen=True)
class Blow:
    """Signals to the suite, each so many seconds after the one before; `daemon`: the hypervisor's daemon is killed with the first."""

    name: str
    signals: Sequence[tuple[float, signal.Signals]]
    daemon: bool = False

    @property
    def kills(self) -> bool:
        return any(number == signal.SIGKILL for _, number in self.signals)


INT = Blow("INT", [(0.0, signal.SIGINT)])
TERM = Blow("TERM", [(0.0, signal.SIGTERM)])
KILL = Blow("KILL", [(0.0, signal.SIGKILL)])
HUP = Blow("HUP", [(0.0, signal.SIGHUP)])
INT_TWICE = Blow("INT-INT", [(0.0, signal.SIGINT), (0.4, signal.SIGINT)])
TERM_TWICE = Blow("TERM-TERM", [(0.0, signal.SIGTERM), (0.4, signal.SIGTERM)])
INT_KILL = Blow("INT-KILL", [(0.0, signal.SIGINT), (0.4, signal.SIGKILL)])
DAEMON_INT = Blow("INT+daemon", INT.signals, daemon=True)
DAEMON_KILL = Blow("KILL+daemon", KILL.signals, daemon=True)
EVERY = (INT, TERM, KILL)


@dataclass(frozen=True)
class Point:
    """Where a run of `scenario` is cut: one of four kinds.

    The `nth` time that `moment` comes, and `after` seconds more; the `nth` request that `request` matches, done but not yet told of; or the moment at
    which `file` appears in the run's folder. `over`: the record is complete by then, and its own verdict stands.
    """

    name: str
    scenario: str
    moment: Moment | None = None
    nth: int = 1
    after: float = 0.0
    request: str = ""
    file: str = ""
    over: bool = False
    blows: Sequence[Blow] = EVERY


NEW = "c4_cleanroom.feature::the-machine-is-new"
GUIDE = "c4_cleanroom.feature::nothing-but-the-guide-changed-the-machine"
AGAIN = "c4_cleanroom.feature::a-second-rebuild-changes-nothing"
REBOOT = "c4_cleanroom.feature::it-survives-a-reboot"
TRIAL = "c2_certificate.feature::no-operator-brings-the-certificate"

_Spot = tuple[str, str, dict[str, object], int, float]


def _spot(name: str, kind: str, /, nth: int = 1, after: float = 0.0, **having: object) -> _Spot:
    return name, kind, having, nth, after


def _points(phase: str, scenario: str, *spots: _Spot, blows: Sequence[Blow] = EVERY) -> list[Point]:
    return [Point(f"{phase}/{name}", scenario, Moment(kind, having), nth, after, blows=blows) for name, kind, having, nth, after in spots]


def _asked(name: str, scenario: str, request: str, *, nth: int = 1, blows: Sequence[Blow] = EVERY) -> Point:
    return Point(f"unanswered/{name}", scenario, request=request, nth=nth, blows=blows)


_INSTANCE = r"[^ ]*/1\.0/instances/cc-ci-throwaway"

POINTS: tuple[Point, ...] = (
    *_points(
        "fetch",
        NEW,
        _spot("begun", "run-began"),
        _spot("selected", "selected"),
        _spot("first step", "step-began"),
        _spot("base asked for", "phase-began", name="fetch base"),
        _spot("secrets asked for", "phase-began", name="fetch secrets"),
        _spot("secrets there", "phase-ended", name="fetch secrets"),
    ),
    *_points(
        "provision",
        NEW,
        _spot("begun", "phase-began", name="provision"),
        _spot("server", "server"),
        _spot("looked before", "before"),
        _spot("watched", "watch-began"),
        _spot("asked for", "hypervisor", action="create"),
        _spot("created", "lifecycle", action="instance-created"),
        _spot("started", "lifecycle", action="instance-started"),
        _spot("half a second old", "lifecycle", after=0.5, action="instance-started"),
        _spot("folder pushed", "hypervisor", action="push"),
        _spot("access pushed", "hypervisor", nth=2, action="push"),
        _spot("access told", "lifecycle", action="instance-file-pushed"),
        _spot("access", "access"),
        _spot("host key read", "hypervisor", action="read"),
        _spot("logged in", "ssh-login"),
        _spot("first command", "command"),
        _spot("known", "machine"),
        _spot("third command", "command", nth=3),
        _spot("sixth command", "command", nth=6),
        _spot("blank", "blank"),
        _spot("ended", "phase-ended", name="provision"),
    ),
    _asked("look before", NEW, rf"GET {_INSTANCE[:-16]}\?"),
    _asked("create", NEW, r"POST [^ ]*/1\.0/instances[? ]"),
    _asked("create polled", NEW, r"GET [^ ]*/1\.0/operations/"),
    _asked("address", NEW, rf"GET {_INSTANCE}/state"),
    _asked("push", NEW, rf"POST {_INSTANCE}/files", nth=2),
    _asked("read", NEW, rf"GET {_INSTANCE}/files"),
    _asked("stop", NEW, rf"PUT {_INSTANCE}/state"),
    _asked("delete", NEW, rf"DELETE {_INSTANCE}"),
    *_points(
        "key",
        GUIDE,
        _spot("guide begun", "phase-began", name="follow the guide"),
        _spot("command 1", "guide-command", number=1),
        _spot("files listed", "inventory-of-files"),
        _spot("files before", "files-before"),
        _spot("files listed again", "inventory-of-files", nth=2),
        _spot("delivered", "delivered"),
        _spot("operator logged in", "ssh-login", nth=2),
        _spot("result 1", "guide-result", number=1),
        _spot("key seen", "key-seen"),
    ),
    *_points(
        "rebuild",
        GUIDE,
        _spot("shell started", "command", purpose="guide"),
        _spot("command 2", "guide-command", number=2),
        _spot("handed over", "command", nth=2, purpose="guide"),
        _spot("one second on", "guide-command", after=1.0, number=2),
        _spot("three seconds on", "guide-command", after=3.0, number=2),
        _spot("five seconds on", "guide-command", after=5.0, number=2),
        _spot("result 2", "guide-result", number=2),
        _spot("guide ended", "phase-ended", name="follow the guide"),
    ),
    *_points(
        "again",
        AGAIN,
        _spot("begun", "phase-began", name="rebuild again"),
        _spot("command", "repetition-command"),
        _spot("half a second on", "repetition-command", after=0.5),
        _spot("result", "repetition-result"),
    ),
    *_points(
        "trial",
        TRIAL,
        _spot("begun", "trial-began"),
        _spot("first command", "command", purpose="trial"),
        _spot("third command", "command", nth=3, purpose="trial"),
        _spot("ended", "trial-ended"),
    ),
    *_points(
        "reboot",
        REBOOT,
        _spot("begun", "phase-began", name="reboot"),
        _spot("log-ins kept", "login"),
        _spot("asked for", "hypervisor", action="restart"),
        _spot("one second on", "hypervisor", after=1.0, action="restart"),
        _spot("restarted", "lifecycle", action="instance-restarted"),
        _spot("booted", "boot"),
        _spot("ended", "phase-ended", name="reboot"),
    ),
    _asked("restart", REBOOT, rf"PUT {_INSTANCE}/state"),
    *_points(
        "clean up",
        NEW,
        _spot("begun", "phase-began", name="clean up"),
        _spot("stop asked for", "hypervisor", action="stop"),
        _spot("stopped", "lifecycle", action="instance-stopped"),
        _spot("deletion asked for", "hypervisor", action="delete"),
        _spot("deleted", "lifecycle", action="instance-deleted"),
        _spot("gone", "machine-gone"),
        blows=(*EVERY, INT_TWICE, TERM_TWICE),
    ),
    Point("report/ended", NEW, Moment("run-ended"), over=True),
    Point("report/junit.xml", NEW, file="junit.xml", over=True),
    Point("report/report.html", NEW, file="report.html", over=True),
    *_points(
        "hang-up", GUIDE, _spot("provisioning", "lifecycle", action="instance-created"), _spot("rebuilding", "guide-command", number=2), blows=(HUP,)
    ),
    *_points("twice", GUIDE, _spot("rebuilding", "guide-command", number=2), blows=(INT_TWICE, TERM_TWICE, INT_KILL)),
    *_points(
        "daemon",
        GUIDE,
        _spot("creating", "hypervisor", action="create"),
        _spot("pushing", "hypervisor", nth=2, action="push"),
        _spot("rebuilding", "guide-command", after=1.0, number=2),
        _spot("stopping", "hypervisor", action="stop"),
        _spot("deleting", "hypervisor", action="delete"),
        blows=(DAEMON_INT, DAEMON_KILL),
    ),
)

#: The few that CI takes (tests/lab/test_kill.py): one of each kind.
SAMPLE = {
    ("provision/created", "KILL"),
    ("unanswered/create", "TERM"),
    ("key/delivered", "INT"),
    ("rebuild/one second on", "KILL"),
    ("clean up/stop asked for", "INT-INT"),
    ("report/ended", "KILL"),
}
