"""More of C7's sabotages: names in the form in which people type them, and statements that are none."""

from __future__ import annotations

from tests.sabotage.c7 import ANSWERED, ARCHITECTURE, DECISIONS, IN_GIT, LINKS, SECRETS, STATED, later, on_machine, static
from tests.sabotage.edits import base

SABOTAGES = (
    static(
        "link-with-a-line",
        "a link ends in a line's number, as an editor wrote it",
        {LINKS: "install.md:23"},
        base(SECRETS, "as [install.md](install.md) says", "as [install.md](install.md:23) says"),
    ),
    static(
        "file-in-a-command",
        "a command of the renewal edits a file that is not in git",
        {IN_GIT: "secrets/certificate.yaml"},
        base(SECRETS, "## Renewal\n", "## Renewal\n\n```console example\n$ sops secrets/certificate.yaml\n```\n"),
    ),
    static(
        "statement-planned",
        "a statement stands under a heading that says that it is yet to come",
        {STATED: "architecture-certificate"},
        base(ARCHITECTURE, "**The certificate comes from git.**", "## Planned\n\n**The certificate comes from git.**"),
    ),
    static(
        "decision-twice",
        "a later decision answers the same question otherwise",
        {ANSWERED: "flake-input and submodule"},
        base(DECISIONS, "**A service's root", "**Flake input or submodule?** Submodule.\n\n**A service's root"),
    ),
    on_machine(
        "unit-by-its-short-name",
        "an example asks for a unit that is no more, by its name alone",
        "reconcile-web",
        later("If something is amiss, `systemctl status reconcile-web` tells."),
    ),
)
