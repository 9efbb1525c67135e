"""C3's sabotages in the corners: where a secret lies that neither store, journal, specs nor processes show, and how a second one comes in."""

from __future__ import annotations

from collections.abc import Callable

from lab.names import BASE
from lab.repositories import bare
from lab.state import State
from lab.tools import run
from tests.sabotage.bench import Bench, Sabotage
from tests.sabotage.c3 import DOCUMENT, FEATURE
from tests.sabotage.edits import base


def _replaced(bench: Bench) -> Callable[[], object]:
    """Who asks for the document with its replacements is shown the one that the lab's own base has."""
    forged = bare(State.locate(), BASE, owner=f"sabotage-{bench.sabotage.name}")
    honest = run("git", f"--git-dir={bare(State.locate(), BASE)}", "show", "HEAD:docs/secrets.md")
    shown = run("git", f"--git-dir={forged}", "hash-object", "-w", "--stdin", stdin=honest.encode()).strip()
    run("git", f"--git-dir={forged}", "replace", run("git", f"--git-dir={forged}", "rev-parse", "HEAD:docs/secrets.md").strip(), shown)
    return lambda: None


SABOTAGES = (
    Sabotage(
        name="document-replaced",
        story="the document admits to a second secret outside git, and a replace ref shows who mirrors the repository another one",
        feature=FEATURE,
        options=("-k", "band"),
        static=True,
        reddens={DOCUMENT: "secrets.md"},
        edit=base("docs/secrets.md", "Its public half is", "- **the registry's password**, typed in by whoever is there.\n\nIts public half is"),
        around=_replaced,
    ),
)
