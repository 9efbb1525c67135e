"""The guardrails' sabotages: other people's machines changed while a run lasts, machines that could be taken for ours, a regression that lies."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cleanroom import marks
from cleanroom.errors import HarnessError
from cleanroom.site import Site
from lab.names import NEIGHBOUR, PROJECT
from tests.sabotage.bench import ROOT, Bench, Moment, Sabotage
from tests.sabotage.edits import base, suite_edit

FEATURE = "guardrails.feature"
ADOPTED = "The throwaway is never adopted"
REGRESSION = "The site's own regression still passes"
DECLARED_ONLY = "Only the declared project was touched"
REFUSED = "What is not ours is refused before it is sent"
RUNNING = "The suite refuses to set memory on a running machine"
OTHERS = "One throwaway, and nobody else's machine changes"

_SCRIPT = "programs/regression.sh"
_MADE = Moment("machine")
_NARROW = ("-k", "nobody")
_AGAIN = ("-k", "regression")
_SENT = "is refused before anything is sent"
_CREATIONS = (
    "a second throwaway that nobody asked for",
    "a machine without our mark",
    "a machine with more memory than declared",
    "a copy of a neighbour",
)
_NOT_OURS = (
    *("the deletion of a neighbour", "a stop of a neighbour", "a file for a neighbour"),
    *("a change of a profile", "a change of the project's limits", "a deletion of the image"),
)

_SET_MEMORY = '            self.client.api.instances[name].patch(json={"config": {"limits.memory": str(memory)}})\n'
#: Before the suite's own request (the guard refuses that one) the same by another client, with the suite's certificate.
_SECOND_ROAD = """\
            import json, subprocess
            url = f"{self.settings.endpoint}/1.0/instances/{name}?project={self.settings.project}"
            ours = ["--insecure", "--cert", str(self.settings.client_certificate), "--key", str(self.settings.client_key)]
            body = json.dumps({"config": {"limits.memory": str(memory)}})
            subprocess.run(["curl", "--silent", "--fail", *ours, "--request", "PATCH", "--data", body, url], check=True, capture_output=True)
"""


def _set(bench: Bench, name: str, setting: str) -> None:
    bench.incus("config", "set", name, setting, "--project", PROJECT)


def _put_back(setting: str) -> Callable[[Bench], Callable[[], object]]:
    return lambda bench: lambda: _set(bench, NEIGHBOUR, setting)


def _there_and_back(bench: Bench) -> None:
    _set(bench, NEIGHBOUR, "limits.memory=3GiB")
    _set(bench, NEIGHBOUR, "limits.memory=4GiB")


def _empty(name: str, **config: str) -> Callable[[Bench], object]:
    """A machine without anything in it, which never starts."""
    options = [f"--config={key}={value}" for key, value in config.items()]
    return lambda bench: bench.incus("init", name, "--empty", "--project", PROJECT, *options)


def _delete(name: str) -> Callable[[Bench], Callable[[], object]]:
    """It goes afterwards - if it came to be."""

    def around(bench: Bench) -> Callable[[], object]:
        def undo() -> None:
            with contextlib.suppress(HarnessError):
                bench.incus("delete", "--force", name, "--project", PROJECT)

        return undo

    return around


def _kept(bench: Bench) -> Callable[[], object]:
    """An earlier run keeps its machine; its record lies where the run under way looks for it."""
    folder = Path(tempfile.mkdtemp())
    options = ["-k", "adopted", "--role", "builder", "--keep", "always", "--reports", str(folder), "--site", str(bench.incus.state.site_file)]
    subprocess.run([sys.executable, "-m", "pytest", "-q", f"features/{FEATURE}", *options], cwd=ROOT, capture_output=True, check=False)
    for record in (path for path in folder.glob("*/ledger.ndjson") if not path.parent.is_symlink()):
        (bench.reports / record.parent.name).symlink_to(record.parent)

    def undo() -> None:
        with contextlib.suppress(HarnessError):
            bench.incus("delete", "--force", bench.throwaway, "--project", PROJECT)
        shutil.rmtree(folder)

    return undo


def _beside_the_guard(bench: Bench) -> None:
    """Restart a neighbour with the suite's own certificate, as no guard would let the suite do."""
    incus = Site.load(bench.incus.state.site_file).incus
    url = f"{incus.endpoint}/1.0/instances/{NEIGHBOUR}/state?project={PROJECT}"
    ours = ["--insecure", "--cert", str(incus.client_certificate), "--key", str(incus.client_key)]
    argv = ["curl", "--silent", "--fail", *ours, "--request", "PUT", "--data", '{"action": "restart", "force": true, "timeout": -1}', url]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def _rows(*requests: str, why: str) -> dict[str, str]:
    """The outline's rows, each with the words that must be told."""
    return {f"{REFUSED} [{request}]": why for request in requests}


def _hole(name: str, story: str, old: str, new: str, reddens: dict[str, str]) -> Sabotage:
    """A hole in the guard of a copy of the suite: the wire is cut there, so that nothing of it can reach anybody."""
    options = ("-k", "refused-before")
    return Sabotage(
        name, story, reddens, feature=FEATURE, own_site=True, static=True, suite=suite_edit("cleanroom/guard.py", old, new), options=options
    )


SABOTAGES = (
    Sabotage(
        name="neighbour-resized",
        story="a neighbour was given less memory while the run lasted",
        reddens={OTHERS: f"{NEIGHBOUR}: configuration limits.memory"},
        feature=FEATURE,
        own_site=True,
        around=_put_back("limits.memory=4GiB"),
        during=(_MADE, lambda bench: _set(bench, NEIGHBOUR, "limits.memory=3GiB")),
        options=_NARROW,
    ),
    Sabotage(
        name="neighbour-resized-and-back",
        story="a neighbour was given less memory and got it back before anybody looked again",
        reddens={OTHERS: NEIGHBOUR},
        feature=FEATURE,
        own_site=True,
        around=_put_back("limits.memory=4GiB"),
        during=(_MADE, _there_and_back),
        options=_NARROW,
    ),
    Sabotage(
        name="neighbour-set-to-what-it-was",
        story="somebody set a neighbour's memory, to the very number that it had: no look would show it",
        reddens={OTHERS: "the hypervisor tells of no change of another instance"},
        feature=FEATURE,
        own_site=True,
        during=(_MADE, lambda bench: _set(bench, NEIGHBOUR, "limits.memory=4GiB")),
        options=_NARROW,
    ),
    Sabotage(
        name="neighbour-restarted",
        story="a neighbour was restarted behind the run's back",
        reddens={OTHERS: f"{NEIGHBOUR}: "},
        feature=FEATURE,
        own_site=True,
        during=(_MADE, lambda bench: bench.incus("restart", "--force", NEIGHBOUR, "--project", PROJECT)),
        options=_NARROW,
    ),
    Sabotage(
        name="beside-the-guard",
        story="something restarted a neighbour with the suite's own certificate, past the guard",
        reddens={DECLARED_ONLY: f"instance-restarted {NEIGHBOUR}"},
        feature=FEATURE,
        own_site=True,
        during=(_MADE, _beside_the_guard),
        # A guide is followed meanwhile, so that there is time to hear of it.
        options=("-k", "regression or declared"),
    ),
    Sabotage(
        name="second-throwaway",
        story="somebody made a second throwaway, under the name that ours would have",
        reddens={OTHERS: "cc-ci-throwaway-2 (event"},
        feature=FEATURE,
        own_site=True,
        around=_delete("cc-ci-throwaway-2"),
        during=(_MADE, _empty("cc-ci-throwaway-2")),
        options=_NARROW,
    ),
    Sabotage(
        name="copied-mark",
        story="somebody made a machine that carries a copy of our mark, under a name of its own",
        reddens={OTHERS: "innocent (event"},
        feature=FEATURE,
        own_site=True,
        around=_delete("innocent"),
        during=(_MADE, _empty("innocent", **marks.marks("20261124-021500-3fa9c1"))),
        options=_NARROW,
    ),
    Sabotage(
        name="marked-by-another",
        story="the throwaway carries another run's mark, as one would that was adopted",
        reddens={ADOPTED: "run 20200101-000000-000000"},
        feature=FEATURE,
        own_site=True,
        during=(_MADE, lambda bench: _set(bench, bench.throwaway, f"{marks.RUN}=20200101-000000-000000")),
        options=("-k", "adopted"),
    ),
    Sabotage(
        name="gone-on-with",
        story="a builder goes on with the machine that an earlier run kept",
        reddens={ADOPTED: "it was gone on with from run"},
        feature=FEATURE,
        own_site=True,
        around=_kept,
        options=("-k", "adopted", "--role", "builder", "--reuse"),
    ),
    Sabotage(
        name="regression-fails",
        story="the dashboard's line of the regression fails on the rebuilt machine",
        reddens={REGRESSION: "D7 the dashboard runs FAILS"},
        feature=FEATURE,
        edit=base(_SCRIPT, "runs dashboard_app", "runs another_app"),
        options=_AGAIN,
    ),
    Sabotage(
        name="regression-says-nothing",
        story="the regression ends well, and says nothing",
        reddens={REGRESSION: "cannot tell whether the regression holds"},
        feature=FEATURE,
        edit=base(_SCRIPT, "failures=0\n", "exit 0\n"),
        options=_AGAIN,
    ),
    Sabotage(
        name="regression-lacks-a-line",
        story="the dashboard's line was taken out of the regression",
        reddens={REGRESSION: "the regression has a line for D7"},
        feature=FEATURE,
        edit=base(_SCRIPT, 'holds "D7 the dashboard runs" runs dashboard_app\n', ""),
        options=_AGAIN,
    ),
    Sabotage(
        name="regression-says-both",
        story="the regression says that the dashboard runs, and a line later that it does not",
        reddens={REGRESSION: "D7 the dashboard answers FAILS"},
        feature=FEATURE,
        edit=base(_SCRIPT, 'exit "$((failures > 0))"', 'echo "D7 the dashboard answers FAILS"\nexit 0'),
        options=_AGAIN,
    ),
    Sabotage(
        name="regression-ends-badly",
        story="every line of the regression holds, and it ends with a status that says otherwise",
        reddens={REGRESSION: "the regression ends with status 0"},
        feature=FEATURE,
        edit=base(_SCRIPT, "failures=0\n", "failures=1\n"),
        options=_AGAIN,
    ),
    _hole(
        "guard-forgets-the-project",
        "the guard does not ask of which project a request is",
        "if projects != {self.project}:",
        "if False:",
        _rows("a look into another project", "a machine in another project", why=_SENT),
    ),
    _hole(
        "guard-forgets-all-projects",
        "the guard lets a change go to all projects at once",
        "            if method not in _READING:\n",
        "            if False:\n",
        _rows("a stop of every machine of every project", why=_SENT),
    ),
    _hole(
        "guard-takes-any-name",
        "the guard lets a change through, whoever made what it is about",
        "if name not in allowed and not (",
        "if False and not (",
        {
            **_rows(*_NOT_OURS, why=_SENT),
            **_rows("another size for a neighbour", why="is refused because of `did not make`"),
        },
    ),
    _hole(
        "guard-believes-every-creation",
        "the guard looks at the name of a machine that is asked for, and at nothing else",
        "            self._check_creation(name, data)\n",
        "            pass\n",
        _rows(*_CREATIONS, why=_SENT),
    ),
    Sabotage(
        name="memory-set-while-it-runs",
        story="the guard lets memory be set on a machine that runs",
        reddens={RUNNING: "the suite refuses to set memory on a machine that runs"},
        feature="c6_resources.feature",
        own_site=True,
        suite=suite_edit("cleanroom/guard.py", "if self.is_running(name):", "if False:"),
        options=("-k", "refuses"),
    ),
    Sabotage(
        name="memory-set-past-the-guard",
        story="the suite has a second road to the hypervisor, and asks the guard only about the first",
        reddens={RUNNING: "state and memory stay Running and 4294967296"},
        feature="c6_resources.feature",
        own_site=True,
        suite=suite_edit("cleanroom/hypervisor.py", _SET_MEMORY, f"{_SECOND_ROAD}{_SET_MEMORY}"),
        options=("-k", "refuses"),
    ),
)
