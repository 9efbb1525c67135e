"""What a run uses and what it leaves: measured from before anything was made until everything is gone, and judged afterwards.

Knows: the order - first the series of memory, the estate and the neighbours, then the throwaway; and backwards.
Refuses: to end before the rooms are empty, and to keep to itself what was left behind.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, replace
from typing import Self

from cleanroom.guard import Sent
from cleanroom.hypervisor import Hypervisor
from cleanroom.run import Run
from cleanroom.surroundings import estate
from cleanroom.surroundings.elsewhere import Elsewhere
from cleanroom.surroundings.estate import Estate
from cleanroom.surroundings.memory import Sampler
from cleanroom.surroundings.neighbours import Neighbours

#: Each operation has a name of its own, and is asked after many times.
_OPERATION = re.compile(r"/operations/[^/]+")


class Resources:
    """Watches the project for one run; a context manager. It looks over a connection of its own, whose guard lets it change nothing."""

    def __init__(self, run: Run, hypervisor: Hypervisor) -> None:
        self._run, self._hypervisor = run, hypervisor
        self._own = Hypervisor.connect(hypervisor.settings, record=run.record)
        self._neighbours = Neighbours(hypervisor.settings, run.record)
        self._sampler = Sampler(self._own, run.record, [self._neighbours.look])
        self._before: Estate | None = None
        self._ended = False

    def __enter__(self) -> Self:
        self._elsewhere = Elsewhere(self._own, self._run.record)
        self._before = estate.take(self._own, self._run.record, "before")
        self._sampler.begin()
        self._run.ledger.listen(self._sampler.nudge)
        return self

    def end(self) -> None:
        """Measure once more, compare, and record what is left. Idempotent; to be called when every machine is gone."""
        if self._ended or self._before is None:
            return
        self._ended = True
        self._sampler.end()
        self._neighbours.tell("after")
        self._elsewhere.close()
        self._tell_requests()
        kept = [event["name"] for event in self._run.ledger.of("machine-kept")]
        left = estate.left(self._own, self._before, self._run.record, kept=kept)
        if left:
            self._run.record("left-behind", items=left)
            self._run.say(f"left behind: {'; '.join(left)}")
        self._own.client.api.session.close()

    def _tell_requests(self) -> None:
        """Record what was sent to the hypervisor over both connections, as it left."""
        sent = sum((each.client.api.session.sent for each in (self._hypervisor, self._own)), start=Counter[Sent]())
        grouped: Counter[Sent] = Counter()
        for request, count in sent.items():
            grouped[replace(request, path=_OPERATION.sub("/operations/*", request.path))] += count
        self._run.record("requests", sent=[{**asdict(request), "count": count} for request, count in sorted(grouped.items())])

    def __exit__(self, *_: object) -> None:
        self.end()
