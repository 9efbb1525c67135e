"""A run's series of memory in a ledger, whole or with something missing."""

from __future__ import annotations

from cleanroom.ledger import Ledger
from tests.unit.incus import GIB

NAME = "throwaway"


def whole_series(
    ledger: Ledger,
    *,
    without: str = "",
    more: dict[str, int] | None = None,
    gap: float = 0.0,
    twice: bool = False,
    kind: str = "container",
    host_total: int = 16 * GIB,
) -> None:
    """From before the throwaway to after it: two neighbours of 4 GiB, the throwaway, and `more` for one sample in the middle."""

    def record(event: str, **fields: object) -> None:
        if event != without:
            ledger.record(event, **fields)

    def sample(**limits: int) -> None:
        instances = {
            name: {"state": "Running" if limit else "Stopped", "type": kind, "limit": limit, "usage": limit // 8} for name, limit in limits.items()
        }
        record("memory-sample", instances=instances, limit=sum(limits.values()), usage=sum(limits.values()) // 8)

    others = {"neighbour": 4 * GIB, "canonical": 4 * GIB}
    names = [NAME, f"{NAME}-2"] if twice else [NAME]
    record("memory-began", guideline=12 * GIB, physical=16 * GIB, host_total=host_total, hidden="")
    sample(**others)
    for name in names:
        record("hypervisor", action="create", instance=name)
    sample(**others, **{NAME: 0 if without == "running" else 4 * GIB})
    if gap:
        record("memory-gap", seconds=gap)
    sample(**others, **{NAME: 0 if without == "running" else 4 * GIB}, **(more or {}))
    for name in names:
        record("machine-gone", name=name)
    sample(**others)
    record("memory-ended", samples=4, missed=0, peak_limit=12 * GIB, peak_usage=GIB, longest_gap=max(gap, 0.4))
