"""What the suite must be incapable of: tried on the guard itself with the wire cut, and judged from the record of what the run really sent.

Knows: requests that would touch what is not ours, one of each kind, and why each must be refused.
Refuses: to try them on a wire that leads anywhere - a hole in the guard must turn a scenario red, not delete somebody's machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import BaseAdapter

from cleanroom import marks
from cleanroom.errors import BadInput, CheckFailed, HarnessError, NotOurs
from cleanroom.guard import Guard, GuardedSession
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Ledger
from cleanroom.run import Run
from cleanroom.throwaway import Throwaway

_ELSEWHERE = "somebody-elses"
#: Reads that are of no project: who the server is, what it has, whether an operation has ended.
_OF_NO_PROJECT = re.compile(r"/1\.0(/resources|/projects/[^/]+(/state)?|/operations/[^/]+)?")


@dataclass(frozen=True)
class Request:
    """One request that must not be sent, and a part of the reason why."""

    verb: str
    path: str
    why: str
    body: Mapping[str, Any] | None = None
    project: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: What the guard is told before: that one throwaway of ours stands already, and the name of a machine that may be made.
    stands: str = ""
    may_make: str = ""


def requests_of(hypervisor: Hypervisor, run_id: str) -> dict[str, Request]:
    """The requests by the words of the feature file."""
    settings = hypervisor.settings
    ours = settings.throwaway
    other = next(iter((*settings.neighbours, *([settings.canonical_host] if settings.canonical_host else []))), "a-neighbour")
    wanted: dict[str, Any] = {
        "name": ours,
        "source": {"type": "image", "fingerprint": "f" * 64},
        "config": {"limits.memory": str(settings.memory), **marks.marks(run_id)},
    }
    unmarked = {**wanted, "config": {"limits.memory": str(settings.memory)}}
    bigger = {**wanted, "config": {**wanted["config"], "limits.memory": str(settings.memory + 1)}}
    set_memory = {"config": {"limits.memory": "1GiB"}}
    neighbour, machines = f"/1.0/instances/{other}", "/1.0/instances"
    return {
        "a look into another project": Request("GET", machines, "project", project=_ELSEWHERE),
        "a machine in another project": Request("POST", machines, "project", wanted, project=_ELSEWHERE, may_make=ours),
        "a stop of every machine of every project": Request("PUT", machines, "all projects", {"state": {}}, parameters={"all-projects": "true"}),
        "the deletion of a neighbour": Request("DELETE", neighbour, "did not make"),
        "a stop of a neighbour": Request("PUT", f"{neighbour}/state", "did not make", {"action": "stop"}),
        "another size for a neighbour": Request("PATCH", neighbour, "did not make", set_memory),
        "a file for a neighbour": Request("POST", f"{neighbour}/files", "did not make"),
        "a change of a profile": Request("PUT", "/1.0/profiles/default", "did not make", {}),
        "a change of the project's limits": Request("PATCH", f"/1.0/projects/{settings.project}", "did not make", {"config": {}}),
        "a deletion of the image": Request("DELETE", f"/1.0/images/{'f' * 64}", "did not make"),
        "a second throwaway that nobody asked for": Request("POST", machines, "stands already", wanted, stands=f"{ours}-2", may_make=ours),
        "a machine without our mark": Request("POST", machines, "mark", unmarked, may_make=ours),
        "a machine with more memory than declared": Request("POST", machines, "memory", bigger, may_make=ours),
        "a copy of a neighbour": Request("POST", machines, "copy", {**wanted, "source": {"type": "copy", "source": other}}, may_make=ours),
    }


class _Cut(BaseAdapter):
    """The end of a wire that leads nowhere: it counts what arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        self.arrived.append(f"{request.method} {request.url}")
        raise requests.ConnectionError("the wire is cut")

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Trial:
    """What became of one request: what the guard said, if it refused, and what arrived at the other end."""

    words: str
    request: Request
    refusal: str
    arrived: Sequence[str]

    @staticmethod
    def of(words: str, hypervisor: Hypervisor, run: Run) -> Trial:
        """Ask for what `words` say, as the run itself would, over a wire that is cut; raises `BadInput` for words that nobody knows."""
        known = requests_of(hypervisor, run.id)
        if words not in known:
            raise BadInput(f"nobody knows the request `{words}`", advice=f"one of: {', '.join(known)}")
        if not isinstance(hypervisor.client.api.session, GuardedSession):
            raise HarnessError("the run's own session has no guard in front of it", where="cleanroom/hypervisor.py")
        request, settings = known[words], hypervisor.settings
        guard = Guard(settings.project, memory=settings.memory, is_running=hypervisor.runs)
        guard.owned |= {request.stands, request.may_make} - {""}
        guard.creatable |= {request.may_make} - {""}
        wire, inner = _Cut(), requests.Session()
        inner.mount("http://", wire)
        inner.mount("https://", wire)
        session = GuardedSession(inner, guard, timeout=1.0)
        params = dict(request.parameters) or {"project": request.project or settings.project}
        refusal = ""
        try:
            session.request(request.verb, f"http://hypervisor{request.path}", params=params, json=request.body)
        except NotOurs as problem:
            refusal = problem.problem
        except requests.ConnectionError:
            pass
        run.record("refusal", request=words, refusal=refusal, arrived=len(wire.arrived))
        return Trial(words, request, refusal, tuple(wire.arrived))

    def check_refused(self) -> None:
        """It was refused for its own reason, and nothing arrived."""
        if self.arrived or not self.refusal:
            raise CheckFailed(f"{self.words} is refused before anything is sent", seen=f"sent: {', '.join(self.arrived)}", where="cleanroom/guard.py")
        if self.request.why not in self.refusal:
            raise CheckFailed(f"{self.words} is refused because of `{self.request.why}`", seen=self.refusal, where="cleanroom/guard.py")


@dataclass(frozen=True)
class MemoryTrial:
    """An attempt to set memory on the throwaway while it runs: the refusal, what was sent meanwhile, the machine before and after."""

    refusal: str
    sent: int
    before: tuple[str, str]
    after: tuple[str, str]
    where: str

    @staticmethod
    def of(hypervisor: Hypervisor, name: str) -> MemoryTrial:
        """Ask for it as the run itself would; the hypervisor's wire is the real one, for the machine is ours."""
        before, already = _state(hypervisor, name), _memory_sent(hypervisor)
        refusal = ""
        try:
            hypervisor.set_memory(name, hypervisor.settings.memory // 2)
        except NotOurs as problem:
            refusal = problem.problem
        return MemoryTrial(refusal, _memory_sent(hypervisor) - already, before, _state(hypervisor, name), f"instance {name}")

    def check_refused(self) -> None:
        """The suite itself refused, for the reason that the machine runs, and nothing was sent."""
        if "it runs" not in self.refusal or self.sent:
            seen = self.refusal or f"it was not refused ({self.sent} requests were sent)"
            raise CheckFailed("the suite refuses to set memory on a machine that runs", seen=seen, where=self.where)

    def check_unchanged(self) -> None:
        """State and memory are what they were, and it does run."""
        if self.before[0] not in {"Running", "Ready"}:
            raise HarnessError(f"cannot tell: the machine did not run when it was tried ({self.before[0]})", where=self.where)
        if self.after != self.before:
            raise CheckFailed(f"state and memory stay {' and '.join(self.before)}", seen=" and ".join(self.after), where=self.where)


def check_not_adopted(ledger: Ledger, hypervisor: Hypervisor, throwaway: Throwaway) -> None:
    """This run asked for the machine when none of its identity was there, and what bears its name still is that machine, with this run's mark."""
    name = throwaway.machine.name
    asked = [event for event in ledger.of("hypervisor") if event["action"] == "create" and event["instance"] == name]
    met = next((event for event in ledger.of("machine") if event["name"] == name), None)
    if not asked or met is None or met.get("recalled_from") or met["n"] < asked[0]["n"]:
        seen = f"it was gone on with from run {met['recalled_from']}" if met and met.get("recalled_from") else "the ledger knows of no such request"
        raise CheckFailed("this run asked for the throwaway before it existed", seen=seen, where=throwaway.machine.where)
    now = hypervisor.instance(name)
    if now is None or now.uuid != throwaway.instance.uuid:
        raise CheckFailed(f"{name} still is {throwaway.instance.uuid}", seen=now.uuid if now else "there is none", where=f"instance {name}")
    run_of = now.config.get(marks.RUN)
    if run_of != throwaway.run_id or marks.leftover(now) is None:
        raise CheckFailed(f"{name} carries the mark of run {throwaway.run_id}", seen=f"run {run_of or 'none'}", where=f"instance {name}")


def check_only_declared(ledger: Ledger, project: str) -> None:
    """Every request that went out was of the declared project; every change was of a machine that this run made, or of a dead run's."""
    sent = [each for event in ledger.of("requests") for each in event["sent"]]
    changes = [each for each in sent if each["verb"] not in {"GET", "HEAD"}]
    if not changes:
        raise HarnessError("cannot tell what was touched: the ledger has no record of the requests", where=str(ledger.path))
    for event in ledger.of("elsewhere"):
        if event["with_our_certificate"]:
            seen = f"{event['action']} {event['instance']} ({event['t']:.1f} s into the run)"
            raise CheckFailed("nothing but the throwaway is changed with this run's own certificate", seen=seen, where="what the hypervisor tells")
    names = {event["instance"] for event in ledger.of("hypervisor") if event["action"] == "create"}
    names |= {event["name"] for event in ledger.of("swept")}
    ours = re.compile(rf"/1\.0/(operations/[^/]+|instances|instances/({'|'.join(map(re.escape, sorted(names)))})(/.*)?)")
    for each in sent:
        told = f"{each['verb']} {each['path']} in {each['scope'] or 'no project'}"
        looks = each["verb"] in {"GET", "HEAD"}
        if each["scope"] != project and not (looks and (each["scope"] == "all projects" or _OF_NO_PROJECT.fullmatch(each["path"]))):
            raise CheckFailed(f"every request is of project {project}", seen=told, where="what the run sent")
        if not looks and not ours.fullmatch(each["path"]):
            raise CheckFailed(f"every change is one of {', '.join(sorted(names))}", seen=told, where="what the run sent")


def _state(hypervisor: Hypervisor, name: str) -> tuple[str, str]:
    instance = hypervisor.instance(name)
    return (instance.status, instance.config.get("limits.memory", "")) if instance is not None else ("gone", "")


def _memory_sent(hypervisor: Hypervisor) -> int:
    return sum(count for request, count in hypervisor.client.api.session.sent.items() if "limits.memory" in request.keys)
