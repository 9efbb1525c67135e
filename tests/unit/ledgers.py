"""Ledgers of runs that never were, for whoever draws or judges one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from cleanroom.ledger import BEGINNING, Event, as_line

RUN = "20261124-021500-3fa9c1"
FILE = "c4_cleanroom.feature"
#: One scenario for each thing that can become of one.
STATES = {"passed": "Works", "failed": "Breaks <here> & now", "error": "Could not be told", "skipped": "Was skipped", "unfinished": "Never ended"}
UNASKED = "Nobody asked for it"
ON_REQUEST = "Two strangers agree"
CHAPTERS = tuple(f"c{number}_chapter.feature" for number in range(1, 8))
CHECK = {"trouble": "check", "expected": "a <b>bold</b> answer", "seen": "none", "place": "docs/install.md:41", "advice": "ask again"}
HARNESS = {"trouble": "harness", "problem": "no answer\nat all", "place": "host", "advice": ""}


def event(kind: str, **fields: Any) -> Event:
    return {"kind": kind, **fields}


def phase(scenario: str, name: str, outcome: str = "passed", **more: Any) -> Event:
    return event("scenario-phase", scenario=scenario, phase=name, outcome=outcome, seconds=0.5, **more)


def step(scenario: str, text: str, ended: str = "passed", **more: Any) -> list[Event]:
    return [event("step-began", scenario=scenario, step=text, line=3), event(f"step-{ended}", scenario=scenario, step=text, **more)]


def passing(scenario: str, *steps: str) -> list[Event]:
    told = [found for text in steps for found in step(scenario, text)]
    return [phase(scenario, "setup"), *told, phase(scenario, "call"), phase(scenario, "teardown")]


def chained(events: Iterable[Event]) -> list[Event]:
    """The events as a ledger holds them: numbered, half a second apart, each with the digest of the line before."""
    told: list[Event] = []
    previous = BEGINNING
    for number, each in enumerate(events):
        second = number // 2
        at = f"2026-11-24T02:{15 + second // 60:02d}:{second % 60:02d}.{500 * (number % 2):03d}Z"
        told.append({"prev": previous, "n": number, "at": at, "t": number / 2, **each})
        previous = hashlib.sha256(as_line(told[-1])).hexdigest()
    return told


def beginning(scenarios: Sequence[dict[str, Any]], *, unasked: Sequence[dict[str, Any]] = (), kind: str = "lab", **asked: Any) -> list[Event]:
    """Everything before the first scenario of a run in which the throwaway was made and the guide followed."""
    machine = "container" if kind == "lab" else "virtual-machine"
    files = dict.fromkeys((scenario["identity"].split(": ")[0] for scenario in (*scenarios, *unasked)), "0" * 64)
    titles = {FILE: "C4 - a blank machine becomes cc-ci by its own guide"}
    return [
        event("run-began", **{"run": RUN, "role": "adversary", "keep": "never", "reuse": False, "suite": "0.1.0", "python": "3.11.7"} | asked),
        event("suite", digest="a" * 64, files=3, commit="b" * 40, dirty=False),
        event("inventory", files=files, titles=titles, scenarios=[*scenarios, *unasked]),
        event("selected", scenarios=list(scenarios)),
        event("site", name="small", site_kind=kind, digest="d" * 64, settings={"schema_version": 1, "domain": "ci.example.org"}),
        event("revision", repository="base", url="https://forge/base", commit="c" * 40),
        event("revision", repository="secrets", url="https://forge/secrets", commit="e" * 40),
        event("bootstrap-key", recipients=["age1example"], sha256="4" * 64),
        event("toplevel", path="/nix/store/abc-nixos-system-small", sha256="9" * 64),
        event("certificate", fingerprint="5" * 64),
        event("server", version="6.0.4", drivers=["lxc"] if kind == "lab" else ["lxc", "qemu"], clock="2026-11-24T02:15:00+00:00"),
        event("before", began="2026-11-24T02:15:00+00:00", uuids=[], namesake=None, declared_image="f" * 64),
        event("phase-began", name="provision"),
        event("hypervisor", action="create", instance="throwaway", expects=["instance-created"]),
        event("lifecycle", action="instance-created", instance="throwaway", requestor={"username": "root", "protocol": "unix"}, context=None),
        event("machine", name="throwaway", uuid="044a79a2", created_at="now", image="f" * 64, type=machine, address="10.0.0.2", boot_id="b"),
        event("ssh-login", by="suite", address="10.0.0.2", port=4000, key="SHA256:k"),
        event("login", machine="throwaway", method="publickey", user="root", address="10.0.0.1", port=4000, key="SHA256:k"),
        event("phase-ended", name="provision", outcome="done", seconds=3.25),
        event("guide-command", number=1, place="operator", where="docs/install.md:12", command="echo '<script>alert(1)</script>'"),
        event("guide-result", number=1, status=0, expected=0, fate="0", seconds=1.5, stdout="bold <b>words</b>", stderr=""),
        event("guide-command", number=2, place="machine", where="docs/install.md:20", command="nixos-rebuild \\\n  switch"),
        event("guide-result", number=2, status=0, expected=0, fate="0", seconds=4.5, stdout="", stderr=""),
        event("delivered", by="docs/install.md:12", number=1, path="/var/lib/key.txt", bytes=152, sha256="4" * 64),
    ]


def ending(exit_status: int = 0) -> list[Event]:
    return [event("machine-gone", name="throwaway"), event("run-ended", run=RUN, exit_status=exit_status)]


def planned(title: str, file: str = FILE, *, on_request: bool = False, steps: Sequence[str] = ()) -> dict[str, Any]:
    return {"identity": f"{file}: {title}", "line": 12, "on_request": on_request, "steps": list(steps)}


def mixed() -> list[Event]:
    """A run with one scenario of each state, and one that nobody asked for."""
    name = {state: f"{FILE}: {title}" for state, title in STATES.items()}
    steps = ("Given a site", "Then it works", "And it stays so")
    scenarios = [planned(title, steps=steps) for title in STATES.values()]
    return chained(
        [
            *beginning(scenarios, unasked=[planned(UNASKED), planned(ON_REQUEST, on_request=True)]),
            *passing(name["passed"], *steps),
            phase(name["failed"], "setup"),
            *step(name["failed"], "Given a site"),
            *step(name["failed"], "Then it works", "failed", **CHECK),
            phase(name["failed"], "call", "failed", **CHECK),
            phase(name["failed"], "teardown"),
            phase(name["error"], "setup", "failed", **HARNESS),
            phase(name["skipped"], "setup", "skipped"),
            phase(name["unfinished"], "setup"),
            event("step-began", scenario=name["unfinished"], step="Given a site", line=3),
            *ending(1),
        ]
    )


def green(*, kind: str = "lab", files: Sequence[str] = CHAPTERS, **asked: Any) -> list[Event]:
    """A run in which one scenario of each file ran and passed; a real site's is signed."""
    scenarios = [planned("It holds", file) for file in files]
    signing = [event("signing", keyid="a" * 64, public="p")] if kind == "real" else []
    told = [found for scenario in scenarios for found in passing(scenario["identity"], "Given a site", "Then it holds")]
    began, *rest = beginning(scenarios, kind=kind, **asked)
    return chained([began, *signing, *rest, *told, *ending()])


def memory() -> list[Event]:
    """Memory as it is measured: a throwaway comes and goes beside two others."""
    gib = 1 << 30
    told = [event("memory-began", guideline=12 * gib, physical=16 * gib, host_total=16 * gib, hidden=[])]
    for number in range(40):
        names = ["cc-nix-test", "lichen-staging", *(["throwaway"] if 5 <= number < 34 else [])]
        usage = {"cc-nix-test": gib + number * (gib >> 6), "lichen-staging": gib // 3, "throwaway": (number * gib) >> 4}
        instances = {name: {"state": "Running", "limit": 4 * gib, "usage": usage[name]} for name in names}
        told.append(event("memory-sample", instances=instances, limit=4 * gib * len(names), usage=sum(usage[name] for name in names)))
    return [*told, event("memory-ended", samples=40, peak_limit=12 * gib, peak_usage=5 * gib, longest_gap=0.5)]


def searched() -> list[Event]:
    """Searches, one of which did not see everything, and what was left out of them."""
    store = {"means": "find", "count": 1_932, "bytes": 145_250_532}
    inside = {"means": "unpacking", "count": 56, "bytes": 77_489}
    common = {"inside": inside, "problems": [], "gaps": []}
    return [
        event("coverage", source="the Nix store", listed=store, scanned={**store, "means": "tar"}, findings=0, **common),
        event("coverage", source="files", listed=store, scanned={**store, "means": "tar", "count": 1_931}, findings=1, **common),
        event(
            "sighting",
            secret="drone/rpc_secret",
            form="raw",
            part="",
            place=f"files: ./var/lib/docker/containers/{'0351d62f' * 8}/mounts/secrets/x",
            offset=0,
        ),
        event("not-checked", secret="drone/pin", reason="4 bytes are found everywhere"),
        event("left-out", source="files", without={"/proc": "the kernel's own view (proc)", "/sys": "the kernel's own view (sysfs)"}),
        event("programs", folder="/usr", files=7_068, changed=0),
    ]


def looked_after() -> list[Event]:
    """What a run tells of what it left and of who else was there."""
    return [
        event("estate", moment="before", instances=["cc-nix-test"], hidden={}),
        event("swept", name="throwaway-old", uuid="u", run_of="20261101-000000-000000"),
        *(event("neighbour", moment=moment, name="cc-nix-test", state="Running") for moment in ("before", "after")),
        event("neighbour", moment="before", name="lichen-staging", state="Running"),
        event("neighbour", moment="changed", name="lichen-staging", state="Stopped", changed=["state", "limits.memory"]),
        event("requests", sent=[{"verb": "GET", "path": "/1.0/instances", "scope": "terraform-ci", "keys": ["limits.memory"], "count": 12}]),
        event("elsewhere", action="instance-updated", instance="lichen-staging"),
        event("memory-gap", seconds=4.2),
        event("memory-missed", problem="no answer within 5 s"),
        event("ablation", number=1, where="docs/install.md:12", word="needed", reason="the key is not there"),
        event("estate", moment="after", instances=["cc-nix-test"], hidden={}),
        event("left-behind", items=["volume custom/" + "v" * 90, "a lease"]),
    ]


def with_everything(events: Sequence[Event], *, leaks: bool = True) -> list[Event]:
    """A run with all that a page can show: memory, searches, a stranger's act, long names; `leaks` says whether it left something."""
    plain = [{key: value for key, value in each.items() if key not in {"prev", "n", "at", "t"}} for each in events]
    long_name = "an-instance-with-a-name-that-nobody-can-break-" + "x" * 120
    stranger = event("lifecycle", action="instance-exec", instance=long_name, requestor={"username": "eve", "protocol": "tls"}, context=None)
    intruder = event(
        "login", machine=long_name, method="password", user="eve", address="2001:db8:85a3::8a2e:370:7334", port=1, key="SHA256:" + "y" * 43
    )
    found = [each for each in looked_after() if leaks or each["kind"] != "left-behind"]
    return chained([*plain[:-1], *memory(), *searched(), *found, stranger, intruder, *plain[-1:]])
