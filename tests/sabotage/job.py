"""One piece of a lane's work, carried out in the lane's own process.

Knows: how a sabotage is named across processes (functions do not travel; names do).
Refuses: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.sabotage.bench import Bench
from tests.sabotage.catalogue import CATALOGUE, controls
from tests.sabotage.finding import Finding


@dataclass(frozen=True)
class Job:
    """One sabotage to be carried out, or one of the controls of several; what a survivor left goes below `folder`."""

    folder: Path
    name: str
    controls_of: tuple[str, ...] = ()


def carry_out(job: Job) -> Finding:
    """Do it in the lab that this process works in."""
    among = controls({name: CATALOGUE[name] for name in job.controls_of}) if job.controls_of else CATALOGUE
    return Bench(among[job.name], keep=job.folder / job.name.replace("/", "-")).run()
