"""Memory as a measured series: what everything that runs may take, and takes, from before the throwaway exists until after it is gone.

Knows: that two seconds over the guideline must not pass unseen, so it looks more than twice a second, at once after each act of the run, and over a
connection of its own that can change nothing.
Refuses: to call a series whole that has a gap longer than `LONGEST_GAP` in which something else than nothing happened, or one that never saw the
throwaway run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Event, Ledger
from cleanroom.quantities import show_size
from cleanroom.surroundings import survey
from cleanroom.surroundings.elsewhere import silent
from cleanroom.surroundings.survey import Seen
from cleanroom.tables.machines import Incus

#: Seconds that may lie between the beginning of one look and the end of the next.
LONGEST_GAP = 2.0
_EVERY = 0.4
#: Seconds after which a sample is told though nothing changed, and bytes by which a peak must grow to be told at once.
_TELL_AFTER = 2.0
_TELL_GROWTH = 64 * 2**20

Onlooker = Callable[[Sequence[Seen]], None]


class Sampler:
    """Takes the series. `begin` takes the first sample, `end` the last; both are recorded, and what changed between them."""

    def __init__(self, hypervisor: Hypervisor, record: Callable[..., Event], onlookers: Sequence[Onlooker] = ()) -> None:
        self._hypervisor, self._record, self._onlookers = hypervisor, record, onlookers
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._take_all, daemon=True)
        self._looked = self._told = 0.0
        self._state: object = None
        self._samples = self._missed = self._peak_limit = self._peak_usage = self._told_usage = 0
        self._gap = 0.0

    def begin(self) -> None:
        """Say what the limits are and take the first sample; raises `HarnessError` if there is nothing to be seen."""
        settings = self._hypervisor.settings
        self._physical = survey.physical_memory(self._hypervisor)
        self._record(
            "memory-began",
            guideline=settings.memory_guideline,
            physical=settings.memory_physical,
            host_total=self._physical,
            hidden=survey.hidden(self._hypervisor),
        )
        self._take(first=True)
        self._thread.start()

    def nudge(self, event: Event) -> None:
        """Look at once: a listener of the ledger's, for acts of ours and what the hypervisor tells."""
        if event["kind"] in {"hypervisor", "lifecycle"}:
            self._wake.set()

    def end(self) -> None:
        """Take the last sample and record what the series came to."""
        self._ending = True
        self._wake.set()
        self._thread.join()
        self._take()
        self._record(
            "memory-ended",
            samples=self._samples,
            missed=self._missed,
            peak_limit=self._peak_limit,
            peak_usage=self._peak_usage,
            longest_gap=round(self._gap, 3),
        )

    def _take_all(self) -> None:
        missing = False
        while not self._ending:
            self._wake.wait(_EVERY)
            self._wake.clear()
            try:
                self._take()
                missing = False
            except HarnessError as problem:
                # Not the end of the series: how long it lasts is what counts, and the gap says so.
                self._missed += 1
                if not missing:
                    self._record("memory-missed", problem=problem.problem)
                missing = True

    def _take(self, *, first: bool = False) -> None:
        began = time.monotonic()
        seen = survey.instances(self._hypervisor)
        now = time.monotonic()
        gap = 0.0 if first else now - self._looked
        self._gap = max(self._gap, gap)
        if gap > LONGEST_GAP:
            self._record("memory-gap", seconds=round(gap, 3))
        self._looked = began
        self._samples += 1
        for onlooker in self._onlookers:
            onlooker(seen)
        self._tell(seen, now)

    def _tell(self, seen: Sequence[Seen], now: float) -> None:
        """Record the sample if it says something new, or nothing was said for a while."""
        ours = self._hypervisor.settings.project
        instances = {
            each.name if each.project == ours else f"{each.project}/{each.name}": {
                "state": each.status,
                "type": each.type,
                "limit": each.limit(self._physical) if each.is_running else 0,
                "usage": each.usage,
            }
            for each in seen
        }
        limit, usage = (sum(int(str(entry[key])) for entry in instances.values()) for key in ("limit", "usage"))
        self._peak_limit, self._peak_usage = max(self._peak_limit, limit), max(self._peak_usage, usage)
        state = {name: (entry["state"], entry["limit"]) for name, entry in instances.items()}
        if state != self._state or now - self._told >= _TELL_AFTER or usage > self._told_usage + _TELL_GROWTH:
            self._state, self._told, self._told_usage = state, now, max(self._told_usage, usage)
            self._record("memory-sample", instances=instances, limit=limit, usage=usage)


def check_room(hypervisor: Hypervisor) -> None:
    """The throwaway would fit beside what runs now: within the guideline, and within what is physically there."""
    settings, physical = hypervisor.settings, survey.physical_memory(hypervisor)
    ours = (settings.project, settings.throwaway)
    others = [each for each in survey.instances(hypervisor) if each.is_running and (each.project, each.name) != ours]
    taken = {f"{each.project}/{each.name}" if each.project != settings.project else each.name: each.limit(physical) for each in others}
    wanted = sum(taken.values()) + settings.memory
    advice = "stop something, or give it less; nothing that runs is changed by the suite"
    for words, most in (("the guideline", settings.memory_guideline), ("what the site says is physically there", settings.memory_physical)):
        if wanted > most:
            seen = f"{show_size(settings.memory)} beside {_told(taken)}: {show_size(wanted)}"
            expected = f"the throwaway fits within {words} of {show_size(most)}"
            raise CheckFailed(expected, seen=seen, where=_where(settings), advice=advice)
    _check_physical(settings, physical)


def check_whole(ledger: Ledger) -> None:
    """The series covers the throwaway's whole life without a gap; raises `HarnessError` otherwise, for then nobody can tell."""
    samples = list(ledger.of("memory-sample"))
    began, ended = next(ledger.of("memory-began"), None), next(ledger.of("memory-ended"), None)
    if began is None or ended is None or not samples:
        raise HarnessError("cannot tell what memory was used: there is no series from beginning to end", where=str(ledger.path))
    created = [event for event in ledger.of("hypervisor") if event["action"] == "create"]
    gone = {event["name"]: event["n"] for event in ledger.of("machine-gone")}
    for event in created:
        name = event["instance"]
        if not began["n"] < event["n"] < gone.get(name, 0) < ended["n"]:
            raise HarnessError(f"cannot tell what memory was used: the series does not cover {name} from before it was until it was gone")
        if not any(name in sample["instances"] and sample["instances"][name]["limit"] for sample in samples):
            raise HarnessError(f"cannot tell what memory was used: no sample saw {name} run")
    for gap in ledger.of("memory-gap"):
        # A gap in the looks is none if the hypervisor's events, heard all the time, told of nothing: then it was as it was before.
        if not silent(ledger, gap["t"] - gap["seconds"], gap["t"]):
            problem = f"cannot tell what memory was used: nobody looked for {gap['seconds']:.1f} s, and something changed meanwhile, or may have"
            missed = [event["problem"] for event in ledger.of("memory-missed")]
            raise HarnessError(problem, where=f"{ledger.path}, event {gap['n']}", advice=missed[0] if missed else "was this machine too busy?")


def check_guideline(ledger: Ledger, settings: Incus) -> None:
    """At no moment could what ran take more than the guideline together; while a second throwaway was asked for, than what is physically there."""
    names = {event["instance"] for event in ledger.of("hypervisor") if event["action"] == "create"}
    words, most = ("the guideline", settings.memory_guideline) if len(names) < 2 else ("what is there (two throwaways)", settings.memory_physical)  # noqa: PLR2004 - two
    _check_samples(ledger, most, f"everything that runs may take no more than {words} of {show_size(most)}, at every moment", settings)


def check_physical(ledger: Ledger, settings: Incus) -> None:
    """The same for what is physically there, by the site's word and by the hypervisor's own."""
    most = settings.memory_physical
    _check_samples(ledger, most, f"everything that runs may take no more than the {show_size(most)} that are physically there", settings)
    _check_physical(settings, int(next(ledger.of("memory-began"))["host_total"]))
    for sample in ledger.of("memory-sample"):
        # A virtual machine may claim all of its limit at any time; a container has what it uses.
        claimed = sum(entry["limit" if entry["type"] == "virtual-machine" else "usage"] for entry in sample["instances"].values())
        total = next(ledger.of("memory-began"))["host_total"]
        if claimed > total:
            expected = f"what runs fits into the hypervisor's {show_size(total)}"
            raise CheckFailed(expected, seen=f"{show_size(claimed)} (event {sample['n']})", where=_where(settings))


def _check_samples(ledger: Ledger, most: int, expected: str, settings: Incus) -> None:
    for sample in ledger.of("memory-sample"):
        if sample["limit"] > most:
            taken = {name: entry["limit"] for name, entry in sample["instances"].items() if entry["limit"]}
            seen = f"{show_size(sample['limit'])} at {sample['t']:.1f} s (event {sample['n']}): {_told(taken)}"
            raise CheckFailed(expected, seen=seen, where=_where(settings))


def _check_physical(settings: Incus, total: int) -> None:
    """The site's word against the hypervisor's. Firmware keeps some for itself; containers may share less than the site says, machines may not."""
    if settings.type == "virtual-machine" and not settings.fall_back_to_container and total < settings.memory_physical * 0.9:
        expected = f"the hypervisor has the {show_size(settings.memory_physical)} that the site says (incus.memory_physical)"
        raise CheckFailed(expected, seen=f"it says that it has {show_size(total)}", where=_where(settings))


def _told(taken: dict[str, int]) -> str:
    return ", ".join(f"{name} {show_size(limit)}" for name, limit in sorted(taken.items())) or "nothing"


def _where(settings: Incus) -> str:
    return f"{settings.endpoint}, project {settings.project}"
