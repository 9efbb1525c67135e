"""More of C7's sabotages: names in the form in which people type them, and statements that are none."""

from __future__ import annotations

from lab.variant import Trees
from tests.sabotage.c7 import ANSWERED, ARCHITECTURE, ASKED, DECISIONS, IN_GIT, LINKS, SECRETS, STALE, STATED, later, on_machine, static
from tests.sabotage.edits import GUIDE, base, both


def _more_of_certificates(trees: Trees) -> None:
    (trees.base / "docs" / "certificates.md").write_text("# Certificates\n\nDrop the certificate file in.\n")


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
    static(
        "stale-in-the-third-person",
        "the guide tells what somebody else does with the certificate",
        {STALE: "operator drops the certificate"},
        later("Before the first boot the operator drops the certificate file in."),
    ),
    static(
        "stale-behind-a-link",
        "the guide leads to a document that tells the old model, and that the site file does not name",
        {STALE: "docs/certificates.md"},
        both(later("More is said in [certificates.md](certificates.md)."), _more_of_certificates),
    ),
    static(
        "stale-without-a-blank",
        "a command writes the certificate's file, and its arrow touches the path",
        {STALE: "cat >/var/lib/ci-certs/live/fullchain.pem"},
        later("```console example\n# cat >/var/lib/ci-certs/live/fullchain.pem\n```"),
    ),
    static(
        "stale-not-in-git",
        "a document says of the certificate alone that it is not in git",
        {STALE: "certificate is not in git"},
        base(ARCHITECTURE, "**A reboot**", "For now the wildcard certificate is not in git.\n\n**A reboot**"),
    ),
    static(
        "precondition-below-another",
        "a fourth thing is asked for in a list below one of the three",
        {ASKED: "an account at the registry"},
        base(GUIDE, "\nYou work at your own desk", "   - its file\n   - an account at the registry\n\nYou work at your own desk"),
    ),
    static(
        "precondition-elsewhere",
        "a fourth thing is asked for under another heading",
        {ASKED: "the registry's mirror"},
        base(GUIDE, "## 1. Deliver the key\n", "## Requirements\n\n- the registry's mirror\n\n## 1. Deliver the key\n"),
    ),
    on_machine(
        "unit-by-its-short-name",
        "an example asks for a unit that is no more, by its name alone",
        "reconcile-web",
        later("If something is amiss, `systemctl status reconcile-web` tells."),
    ),
)
