"""What must be true once a run was cut off: nothing of it is left, nobody else was touched, and its record says what it was.

Knows: the lab as it was before, by the hypervisor's own lists, and a word in the environment that every process of the run has inherited.
Refuses: to take the suite's word for any of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom import ledger, verdict
from cleanroom.errors import HarnessError
from cleanroom.wait import Waiting, wait_until
from lab.daemon import Incus

#: Everything that a run could leave in the hypervisor.
_LISTS = ("instances", "images", "profiles", "storage-pools/lab/volumes", "certificates")
#: Seconds for the last processes of a dead run (the guide's shell looks every two, the guardian draws).
_ENDING = 20.0


@dataclass(frozen=True)
class Estate:
    """The hypervisor's lists, and of each instance what a hand on it would change: configuration, first process, last start."""

    names: dict[str, frozenset[str]]
    instances: dict[str, tuple[str, int, str]]

    @staticmethod
    def of(incus: Incus) -> Estate:
        names = {kind: frozenset(incus.ask(f"/1.0/{kind}?all-projects=true") or ()) for kind in _LISTS}
        # Incus lists the whole machine's bridges, those of others too.
        networks = incus.ask("/1.0/networks?recursion=1") or []
        names["networks"] = frozenset(each["name"] for each in networks if each["managed"])
        found = incus.ask("/1.0/instances?recursion=2&all-projects=true") or []
        return Estate(names, {each["name"]: _state(each) for each in found})

    def differences(self, before: Estate) -> Iterator[str]:
        """What is there that was not, what is not that was, and whose state is another."""
        for kind, names in self.names.items():
            yield from (f"{kind}: {name} is left" for name in sorted(names - before.names[kind]))
            yield from (f"{kind}: {name} is gone" for name in sorted(before.names[kind] - names))
        for name, state in before.instances.items():
            if name in self.instances and self.instances[name] != state:
                yield f"{name} was touched: {state} became {self.instances[name]}"


def _state(instance: dict[str, Any]) -> tuple[str, int, str]:
    config = sorted((key, value) for key, value in instance["config"].items() if not key.startswith("volatile.last_state"))
    return repr(config), int(instance["state"]["pid"]), str(instance["last_used_at"])


def wait_for_processes(word: str) -> list[str]:
    """Processes of the run that do not end by themselves."""

    def ended() -> list[str] | Waiting:
        left = list(_processes(word))
        return Waiting("; ".join(left)) if left else []

    try:
        return wait_until(ended, what="the run's processes to end", within=_ENDING, every=0.2)
    except HarnessError as problem:
        return [problem.problem]


def _processes(word: str) -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (entry / "environ").read_bytes() and (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                yield f"process {entry.name}: {(entry / 'cmdline').read_bytes().replace(bytes(1), b' ').decode(errors='replace')[:120]}"
        except OSError:
            continue


def files(temporary: Path, run: str) -> list[str]:
    """What is left of the run's own files: in its temporary folder (a lock of a project stays: it is nobody's), and under its name in memory."""
    kept = {path for path in temporary.iterdir() if path.name.endswith(".lock")} | set(temporary.glob("cleanroom-*"))
    left = [path for path in temporary.rglob("*") if path not in kept]
    left += [path for place in ("/run", "/dev/shm") for path in Path(place).rglob(f"*{run}*")]  # noqa: S108 - looked at, not written
    return [str(path) for path in left]


def record(folder: Path, *, over: bool) -> list[str]:
    """What is wrong with the record: it must be whole, INCOMPLETE for being cut off (unless it was `over`), and drawn."""
    wrong = []
    events = ledger.read(folder / ledger.NAME)
    judged = verdict.judge(events)
    if judged.word == "PASSED":
        wrong.append("the record of a run cut off says PASSED")
    told = [reason for reason in judged.reasons if "did not end" in reason or "pytest ended with" in reason]
    if not over and not (judged.blocked and told):
        wrong.append(f"the verdict does not say that it was cut off: {judged.word}, {'; '.join(judged.reasons)}")
    for name in ("junit.xml", "report.html"):
        path = folder / name
        if not path.exists():
            wrong.append(f"there is no {name}")
        elif name == "report.html" and judged.word not in path.read_text():
            wrong.append(f"{name} does not say {judged.word}")
    return wrong
