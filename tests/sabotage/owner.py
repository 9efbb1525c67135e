"""The site's owner, as a liar: a copy of his claim and of the record behind it, free to be edited, and signed again with his own key.

Knows: where the lab keeps both, and how a record is made to say something else (tests/forging.py).
Refuses: to touch the lab's own claim, record or site file.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanroom import ledger, signing
from cleanroom.signing import Signer
from lab import evidence
from lab.names import SIGNING_KEY
from lab.state import State
from tests import forging


@dataclass(frozen=True)
class Owner:
    """What he can lay hands on: his documents and records (in `folder`), the site file, and the key that signs."""

    folder: Path
    site_file: Path
    signer: Signer

    @property
    def review(self) -> Path:
        return self.folder / evidence.REVIEW

    @property
    def record(self) -> Path:
        return (self.folder / evidence.RECORDS / "latest").resolve()

    def rewrite(self, path: Path, pattern: str, replacement: str) -> None:
        """Replace the first match of a pattern in one file; an edit that changes nothing is none."""
        text, count = re.subn(pattern, replacement, path.read_text(), count=1)
        assert count, f"nothing to change: {pattern}"
        path.write_text(text)

    def state(self, label: str, value: str) -> None:
        """State another value for one fact."""
        self.rewrite(self.review, rf"(?m)^\| {label} \| .* \|$", f"| {label} | `{value}` |")

    def reseal(self, edit: forging.Edit, signer: Signer | None = None) -> None:
        """Make the record say something else, and sign it."""
        events = ledger.read(self.record / ledger.NAME)
        edited = edit(events)
        assert edited != events, "nothing was changed in the record"
        forging.seal(self.record, edited, signer or self.signer)


@contextmanager
def doctored(name: str, edit: Callable[[Owner], None]) -> Iterator[Path]:
    """The lab's own site, but for its owner's claim: yields a site file that leads to the edited copy; both are gone afterwards."""
    state = State.locate()
    site_file = state.folder / f"sabotage-{name}.toml"
    with tempfile.TemporaryDirectory(dir=state.folder, prefix="owner-") as folder:
        copy = Path(folder) / evidence.folder(state).name
        shutil.copytree(evidence.folder(state), copy, symlinks=True)
        site_file.write_text(state.site_file.read_text().replace(f'"{copy.name}/', f'"{Path(folder).name}/{copy.name}/'))
        try:
            edit(Owner(copy, site_file, signing.load(state.keys / SIGNING_KEY)))
            yield site_file
        finally:
            site_file.unlink(missing_ok=True)
