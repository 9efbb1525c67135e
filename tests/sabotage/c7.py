"""C7's sabotages: documents that tell the old model, lead nowhere, name what is not there, ask for more, or leave a question open."""

from __future__ import annotations

from collections.abc import Callable

from lab.variant import Trees
from tests.sabotage.bench import Sabotage
from tests.sabotage.edits import GUIDE, after_rebuild, base, unit

FEATURE = "c7_documents.feature"
STATED = "The documents describe the new model"
STALE = "No document tells the old model"
LINKS = "Every link leads somewhere"
IN_GIT = "What the documents name in git is there"
ON_MACHINE = "What the documents name on the machine is there"
ASKED = "DNS, gateway and the age key are all that is asked"
NEEDED = "Every command of the guide is needed"
ANSWERED = "The open questions are answered"

#: Everything that needs no machine; and the one scenario of the default ones that does.
STATIC = ("-k", "model or link or git or asked or answered")
MACHINE = ("-k", "machine")

SECRETS = "docs/secrets.md"
ARCHITECTURE = "docs/architecture.md"
DECISIONS = "DECISIONS.md"
PLAN = "docs/plan.md"
_LATER = "## Later changes\n\n"
#: The guide's delivery, by another way.
_AGAIN = (
    'scp "$BOOTSTRAP_KEY" root@"$MACHINE":/run/key && ssh root@"$MACHINE" \'install -D -m 0600 /run/key /var/lib/sops-nix/key.txt && rm /run/key\''
)


def static(name: str, story: str, reddens: dict[str, str], edit: Callable[[Trees], None], **collateral: str) -> Sabotage:
    return Sabotage(name=name, story=story, feature=FEATURE, options=STATIC, reddens=reddens, edit=edit, may_redden=collateral, static=True)


def on_machine(name: str, story: str, reason: str, edit: Callable[[Trees], None]) -> Sabotage:
    return Sabotage(name=name, story=story, feature=FEATURE, options=MACHINE, reddens={ON_MACHINE: reason}, edit=edit)


def later(text: str) -> Callable[[Trees], None]:
    """One more paragraph in the guide's last section."""
    return base(GUIDE, _LATER, f"{_LATER}{text}\n\n")


def _in_latin_1(trees: Trees) -> None:
    path = trees.base / SECRETS
    path.write_bytes(path.read_text().replace("# Secrets", "# Secr\u00e8ts").encode("latin-1"))


SABOTAGES = (
    static("stale-phrase", "the guide tells of a certificate file", {STALE: "drop the certificate"}, later("Then drop the certificate file in.")),
    static(
        "stale-across-lines",
        "the old model stands across a line's end",
        {STALE: "Host-only secrets"},
        base(SECRETS, "## Renewal\n", "## More\n\nSome are otherwise. Host-only\nsecrets are listed on the wall.\n\n## Renewal\n"),
    ),
    static(
        "stale-under-emphasis",
        "the old model stands in words that are emphasised in their middle",
        {STALE: "bound to the host"},
        base(ARCHITECTURE, "**A reboot**", "The sops files are **bou**nd to the *host's* `ssh` key.\n\n**A reboot**"),
    ),
    static(
        "stale-in-a-condition",
        "a denial stands near the old model, and is a condition of it",
        {STALE: "drop the certificate"},
        later("If there is none there, drop the certificate in."),
    ),
    static(
        "dead-link",
        "a document was renamed, and a link to it was not",
        {LINKS: "there is no such file"},
        base(SECRETS, "as [install.md](install.md) says", "as [the guide](installing.md) says"),
    ),
    static(
        "dead-anchor",
        "a heading was reworded, and an anchor was not",
        {LINKS: "docs/install.md has no such heading"},
        base(GUIDE, "## 2. Rebuild\n", "## 2. Build\n"),
    ),
    static(
        "file-renamed",
        "a module was renamed, and the document that names it was not",
        {IN_GIT: "modules/sops.nix"},
        base(SECRETS, "`modules/secrets.nix`", "`modules/sops.nix`"),
    ),
    static(
        "secret-misnamed",
        "a document names a secret that is not in git",
        {IN_GIT: "secret drone/oauth_secret"},
        base(SECRETS, "| `drone/oauth_client_secret` |", "| `drone/oauth_secret` |"),
    ),
    static(
        "host-nobody-serves",
        "the guide names a host that nobody serves",
        {IN_GIT: "status.ci.cleanroom.test"},
        base(GUIDE, "https://dashboard.ci.cleanroom.test/", "https://status.ci.cleanroom.test/"),
    ),
    static(
        "fourth-precondition",
        "the guide asks for a fourth thing",
        {ASKED: "An account at the registry"},
        base(GUIDE, "\nYou work at your own desk", "4. **An account at the registry**, for the images.\n\nYou work at your own desk"),
    ),
    static(
        "precondition-in-passing",
        "a fourth thing is asked for beside the list",
        {ASKED: "You also need"},
        base(GUIDE, "\nYou work at your own desk", "\nYou also need the registry's password.\n\nYou work at your own desk"),
    ),
    static(
        "precondition-forgotten",
        "the gateway is taken for granted",
        {ASKED: "not named: gateway"},
        base(GUIDE, "2. **Gateway**: it passes TLS (port 443) through to the machine, by the address it always had (`instance.nix`).\n", ""),
    ),
    static(
        "decision-missing",
        "nobody decided how the private repository is fetched",
        {ANSWERED: "how is the private repository fetched"},
        base(DECISIONS, "**How is the private repository fetched?** With", "**Fetching.** With"),
    ),
    static(
        "decision-to-do",
        "a decision is announced",
        {ANSWERED: "TODO"},
        base(DECISIONS, "**DNS as code?** Out of scope.", "**DNS as code?** TODO."),
    ),
    static(
        "decision-contradicts",
        "the decision says submodule, and base has a flake input",
        {ANSWERED: "flake-input, by secrets.consumed_as"},
        base(DECISIONS, "**Flake input or submodule?** Flake input.", "**Flake input or submodule?** Submodule."),
    ),
    static(
        "sizing-contradicts",
        "the sizes decided are not those applied",
        {ANSWERED: "the sizing names what a new machine gets"},
        base(
            DECISIONS,
            "4 GiB for the canonical host `cc-nix-test`, 4 GiB for a rebuilt machine beside it, 4 GiB",
            "6 GiB for the canonical host, 6 GiB",
        ),
    ),
    static(
        "statement-missing",
        "the architecture does not say where the certificate comes from",
        {STATED: "architecture-certificate"},
        base(ARCHITECTURE, "**The certificate comes from git.** It", "**The certificate.** It"),
    ),
    static(
        "statement-denied",
        "the words are all there, and say the contrary",
        {STATED: "denied, doubted or asked"},
        base(SECRETS, "Every secret of cc-ci is in git", "Not every secret of cc-ci is in git"),
    ),
    static(
        "statement-scattered",
        "the words stand in one paragraph, and no sentence makes the statement",
        {STATED: "plan-certificate"},
        base(PLAN, "its key are in git, as sops secrets like the others.", "its key are bought. Everything else is in git."),
    ),
    static(
        "statement-in-a-comment",
        "the statement stands where only its author reads it",
        {STATED: "guide-renewal"},
        base(GUIDE, "That holds for a renewed certificate too: it is a secret like any other.", "<!-- A renewed certificate is a commit. -->"),
    ),
    on_machine(
        "unit-renamed",
        "a unit was renamed, the document was not",
        "reconcile-web.service",
        base(ARCHITECTURE, "`reconcile-proxy.service`", "`reconcile-web.service`"),
    ),
    on_machine(
        "path-not-there",
        "a document names a path of another machine",
        "/var/lib/ci-certs/current",
        base(ARCHITECTURE, "/var/lib/ci-certs/live/fullchain.pem", "/var/lib/ci-certs/current/fullchain.pem"),
    ),
    on_machine(
        "service-renamed", "a document names a swarm service that is not there", "web_app", base(ARCHITECTURE, "| `drone_app` |", "| `web_app` |")
    ),
    on_machine(
        "no-such-attribute",
        "a document names a flake attribute that is not there",
        "nixosConfigurations.cc-nix",
        base(ARCHITECTURE, "`nixosConfigurations.cc-ci`", "`nixosConfigurations.cc-nix`"),
    ),
    on_machine(
        "example-of-the-past",
        "an example shows a unit that is no more",
        "reconcile-all.service",
        base(GUIDE, "# cc-ci-regression\n", "# systemctl status reconcile-all.service\n# cc-ci-regression\n"),
    ),
    static(
        "document-in-latin-1",
        "a document was saved in an encoding of another age",
        dict.fromkeys((STATED, STALE, LINKS, IN_GIT, ASKED, ANSWERED), f"the document {SECRETS} is text"),
        _in_latin_1,
    ),
    Sabotage(
        name="guide-that-does-not-do",
        story="not even the whole guide makes the machine well, so that nothing can be told from leaving something out",
        feature=FEATURE,
        options=("-m", "ablation"),
        reddens={NEEDED: "the whole guide makes the machine cc-ci"},
        edit=unit("late.service", "[Service]\nExecStart=/usr/bin/bash -c 'sleep 1; exit 3'"),
    ),
    Sabotage(
        name="unneeded-command",
        story="the guide has a command that changes nothing",
        feature=FEATURE,
        options=("-m", "ablation"),
        reddens={NEEDED: "docker info"},
        edit=after_rebuild("docker info > /dev/null"),
    ),
    Sabotage(
        name="two-for-one",
        story="the guide delivers the key twice: neither command is needed",
        feature=FEATURE,
        options=("-m", "ablation"),
        reddens={NEEDED: "docs/install.md:23"},
        edit=base(
            GUIDE,
            "## 2. Rebuild\n",
            f"Once more:\n\n```sh operator\n{_AGAIN}\n```\n\n## 2. Rebuild\n",
        ),
    ),
)
