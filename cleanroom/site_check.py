"""A site file and everything that it names, looked at before anybody runs anything.

Knows: which looks there are; they are taken side by side, each in bounded time.
Refuses: to change anything anywhere, and to stop at the first thing that is wrong.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cleanroom import canonical
from cleanroom.checkup import git, incus, local, net
from cleanroom.checkup.points import Finding, good, side_by_side, trouble
from cleanroom.errors import BadInput, HarnessError
from cleanroom.ledger import Event
from cleanroom.site import Site

#: Names, connections and handshakes have limits of their own and end far sooner; this is for a forge that is up and slow.
_WHOLE_SECONDS = 60.0


@dataclass(frozen=True)
class Checked:
    """All findings, in the order in which they were made."""

    findings: tuple[Finding, ...]

    @property
    def status(self) -> int:
        """An exit status: 1 if a point is wrong, 2 if none is and one cannot be told, 0 if all are good."""
        states = {finding.state for finding in self.findings}
        return 1 if "wrong" in states else 2 if "cannot tell" in states or "good" not in states else 0

    def count(self, state: str) -> int:
        return sum(finding.state == state for finding in self.findings)


def check(path: Path, *, tell: Callable[[Finding], None] = lambda _finding: None, within: float = _WHOLE_SECONDS) -> Checked:
    """Look at every point of a site file; `tell` hears of each as it is made."""
    findings: list[Finding] = []

    def keep(finding: Finding) -> None:
        findings.append(finding)
        tell(finding)

    try:
        site = Site.load(path)
    except BadInput as problem:
        keep(trouble("site file", problem))
        return Checked(tuple(findings))
    keep(good("site file", f"{path}: every key is known and has a value of its kind"))
    with tempfile.TemporaryDirectory(prefix="cleanroom-check-", ignore_cleanup_errors=True) as desk:
        side_by_side(
            [
                ("files on this side", lambda: local.look(site)),
                ("base.url", lambda: git.look_at_base(site, Path(desk))),
                ("secrets.url", lambda: git.look_at_secrets(site, Path(desk))),
                ("incus.endpoint", lambda: incus.look(site)),
                ("canonical.address", lambda: _canonical(site)),
                ("DNS", lambda: net.names(_public(site))),
            ],
            within=within,
            tell=keep,
        )
    return Checked(tuple(findings))


def _canonical(site: Site) -> Iterator[Finding]:
    """Reached over SSH, with the pinned host key; a connection, no command."""
    point = "canonical.address"
    if site.canonical is None:
        yield Finding(
            point, "cannot tell", "the site file does not say how to look at the canonical host", str(site.path), "[canonical]; C1.8 needs it"
        )
        return
    yield net.reached(point, site.canonical.address, 22)
    host = canonical.connect(site, _forget)
    try:
        host.ssh.connect()
    except HarnessError as problem:
        yield trouble(point, problem, wrong=True)
    else:
        yield good(point, f"{host.where} shows the pinned host key and lets us in")
    finally:
        with suppress(HarnessError):
            host.ssh.close()


def _forget(kind: str, **fields: object) -> Event:
    """A look leaves no record."""
    return {"kind": kind, **fields}


def _public(site: Site) -> list[str]:
    """Public names, each once, and one that only the wildcard can answer for."""
    return [*dict.fromkeys((*(endpoint.host for endpoint in site.endpoint), site.webhook.host, f"cleanroom-check.{site.domain}"))]
