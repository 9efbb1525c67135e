"""The mark that everything of ours carries: its keys, and what makes it whole.

Knows: the `user.cleanroom.*` keys of an instance's configuration.
Refuses: half a mark. What the keys say of a run's life is marks.py's.
"""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "user.cleanroom."
SUITE = f"{PREFIX}suite"
RUN = f"{PREFIX}run"
HOST = f"{PREFIX}host"
PROCESS = f"{PREFIX}process"
HEARTBEAT = f"{PREFIX}heartbeat"
KEPT = f"{PREFIX}kept"
#: The embedded lab's own: it says nothing of a run.
LAB = f"{PREFIX}lab"
VALUE = "cleanroom"


def is_whole(config: Mapping[str, str]) -> bool:
    """Whether a configuration carries all of it."""
    return config.get(SUITE) == VALUE and bool(config.get(RUN)) and bool(config.get(HOST)) and {PROCESS, HEARTBEAT} <= config.keys()
