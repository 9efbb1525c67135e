"""C3's sabotages in the corners: where a secret lies that neither store, journal, specs nor processes show, and how a second one comes in."""

from __future__ import annotations

import os
from collections.abc import Callable

import pyrage

from cleanroom import vault
from lab.names import BASE, BOOTSTRAP_KEY, TOKEN
from lab.repositories import bare
from lab.state import State
from lab.tools import run
from lab.variant import Trees
from tests.sabotage.bench import Bench, Sabotage
from tests.sabotage.c1 import AUTHENTIC, RECIPIENTS
from tests.sabotage.c1 import FEATURE as C1
from tests.sabotage.c3 import CREDENTIAL, DELIVERED, DOCUMENT, FEATURE, IN_GIT, IN_REPORTS, ON_MACHINE, ONE_KEY, SUFFICIENT
from tests.sabotage.edits import GUIDE, SOPS_FILE, after_rebuild, base, both

_SECRET = "/run/secrets/drone/rpc_secret"
_MACHINE = ("-k", "machine or trace")


def _replaced(bench: Bench) -> Callable[[], object]:
    """Who asks for the document with its replacements is shown the one that the lab's own base has."""
    forged = bare(State.locate(), BASE, owner=f"sabotage-{bench.sabotage.name}")
    honest = run("git", f"--git-dir={bare(State.locate(), BASE)}", "show", "HEAD:docs/secrets.md")
    shown = run("git", f"--git-dir={forged}", "hash-object", "-w", "--stdin", stdin=honest.encode()).strip()
    run("git", f"--git-dir={forged}", "replace", run("git", f"--git-dir={forged}", "rev-parse", "HEAD:docs/secrets.md").strip(), shown)
    return lambda: None


def _key_committed(trees: Trees) -> None:
    (trees.base / "docs/notes.md").write_bytes((State.locate().keys / BOOTSTRAP_KEY).read_bytes())


def _branch_with_a_token(bench: Bench) -> Callable[[], object]:
    forged = bare(State.locate(), BASE, owner=f"sabotage-{bench.sabotage.name}")
    token = (State.locate().keys / TOKEN).read_bytes()
    blob = run("git", f"--git-dir={forged}", "hash-object", "-w", "--stdin", stdin=b"machine git.cleanroom.test password " + token).strip()
    tree = run("git", f"--git-dir={forged}", "mktree", stdin=f"100644 blob {blob}\tnetrc\n".encode()).strip()
    someone = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@x"}
    commit = run("git", f"--git-dir={forged}", "commit-tree", tree, "-m", "wip", env={**os.environ, **someone}).strip()
    run("git", f"--git-dir={forged}", "update-ref", "refs/heads/wip", commit)
    return lambda: None


def _second_variable(trees: Trees) -> None:
    password = trees.site_file.with_suffix(".password")
    password.write_text("Xq7-mB2z_Lw9+Tk4vRs1")
    token = 'FORGE_TOKEN = { file = "keys/forge-token" }'
    trees.rewrite(trees.site_file, token, f'{token}, REGISTRY_PASSWORD = {{ file = "{password.name}" }}')


def _hidden_reader(trees: Trees) -> None:
    """A copy of the data key for somebody else in a key group, which sops passes over where there is a list of recipients."""
    path = trees.secrets / SOPS_FILE
    data_key = vault.read(path, identities=vault.load_identities(State.locate().keys / BOOTSTRAP_KEY)).data_key.reveal()
    stranger = pyrage.x25519.Identity.generate().to_public()
    copy = pyrage.encrypt(data_key, [stranger], armored=True).decode()
    lines = "".join(f"                {line}\n" for line in copy.splitlines())
    group = f"    key_groups:\n        - age:\n            - recipient: {stranger}\n              enc: |\n{lines}"
    trees.rewrite(path, "    lastmodified:", f"{group}    lastmodified:", count=1)


SABOTAGES = (
    Sabotage(
        name="hidden-reader",
        story="a sops file holds a copy of its data key for somebody whom its list of recipients does not name",
        feature=C1,
        options=("-k", "encrypted"),
        static=True,
        reddens=dict.fromkeys((RECIPIENTS, AUTHENTIC), "readers whom its list of recipients does not name"),
        edit=_hidden_reader,
    ),
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
    Sabotage(
        name="key-in-history",
        story="the one key that is not in git was in git: somebody committed it, and took it out again",
        feature=FEATURE,
        options=("-k", "git"),
        static=True,
        reddens={IN_GIT: "bootstrap key"},
        edit=_key_committed,
        later=lambda trees: (trees.base / "docs/notes.md").unlink(),
    ),
    Sabotage(
        name="token-on-a-branch",
        story="a branch of base that nobody merged has the token in a script's configuration",
        feature=FEATURE,
        options=("-k", "git"),
        static=True,
        reddens={IN_GIT: "guide variable FORGE_TOKEN"},
        around=_branch_with_a_token,
    ),
    Sabotage(
        name="key-in-the-output",
        story="a command of the guide prints the key in a disguise, and whoever records what it prints records that",
        feature=FEATURE,
        options=("-k", "reports"),
        reddens={IN_REPORTS: "bootstrap key"},
        edit=after_rebuild("{ printf 'traced: '; cat /var/lib/sops-nix/key.txt; } | base64 -w0"),
    ),
    Sabotage(
        name="secret-in-a-backup",
        story="somebody keeps a copy of a secret on the disk, where it outlives the reboot that forgets the others",
        feature=FEATURE,
        options=_MACHINE,
        reddens={ON_MACHINE: "/root/rpc.bak"},
        edit=after_rebuild(f"cp {_SECRET} /root/rpc.bak"),
    ),
    Sabotage(
        name="key-among-the-secrets",
        story="a copy of the key lies among the decrypted secrets, where no search looks, for every program to read",
        feature=FEATURE,
        options=("-k", "sufficient or private"),
        reddens={SUFFICIENT: "/run/secrets.d/1/key.txt"},
        edit=after_rebuild("install -m 0444 /var/lib/sops-nix/key.txt /run/secrets.d/1/key.txt"),
    ),
    Sabotage(
        name="account-key",
        story="an ACME client left the key of its account, as a JSON web key",
        feature=FEATURE,
        options=("-k", "private"),
        reddens={ONE_KEY: "/root/account.json"},
        edit=after_rebuild(
            """printf '{"kty": "EC", "%s": "%s"}' d "$(head -c 32 /dev/urandom | base64 -w0 | tr +/ -_ | tr -d =)" > /root/account.json"""
        ),
    ),
    Sabotage(
        name="secret-in-a-journal-of-its-own",
        story="a unit has a journal of its own (LogNamespace=), and says there what it was told to keep",
        feature=FEATURE,
        options=_MACHINE,
        reddens={ON_MACHINE: "the journal"},
        edit=after_rebuild(f"systemd-run --quiet --wait --property=LogNamespace=quiet cat {_SECRET}"),
    ),
    Sabotage(
        name="secret-beside-the-journal",
        story="a secret lies in the journal's folder, in a file that is no journal",
        feature=FEATURE,
        options=_MACHINE,
        reddens={ON_MACHINE: "/var/log/journal/notes"},
        edit=after_rebuild(f"cp {_SECRET} /var/log/journal/notes"),
    ),
    Sabotage(
        name="token-in-the-manager",
        story="the token is put into systemd's own environment, from which every unit inherits that starts later",
        feature=FEATURE,
        options=_MACHINE,
        reddens={CREDENTIAL: "the manager"},
        edit=after_rebuild('systemctl set-environment FORGE_TOKEN="$FORGE_TOKEN"'),
    ),
    Sabotage(
        name="secret-on-a-label",
        story="the swarm's node carries a secret as a label",
        feature=FEATURE,
        options=_MACHINE,
        reddens={ON_MACHINE: "node"},
        edit=after_rebuild(f'docker node update --label-add rpc="$(cat {_SECRET})" "$(docker node ls --quiet)"'),
    ),
    Sabotage(
        name="second-delivery-in-memory",
        story="the operator's command brings a second secret along, into memory, where the system will look for it",
        feature=FEATURE,
        options=("-k", "delivered or closed"),
        reddens={DELIVERED: "/run/keys/registry"},
        edit=base(GUIDE, "sops-nix/key.txt' <", "sops-nix/key.txt && mkdir -p /run/keys && echo hunter2 > /run/keys/registry' <"),
    ),
    Sabotage(
        name="second-secret-variable",
        story="the guide asks for a second secret beside the forge's token, and puts it where no file shows it",
        feature=FEATURE,
        options=("-k", "delivered or trace or band"),
        reddens={DELIVERED: "REGISTRY_PASSWORD"},
        edit=both(_second_variable, after_rebuild('printf %s "$REGISTRY_PASSWORD" | docker secret create registry_password - > /dev/null')),
    ),
    Sabotage(
        name="pgp-key",
        story="a PGP private key lies on the machine, in armour",
        feature=FEATURE,
        options=("-k", "private"),
        reddens={ONE_KEY: "/root/backup.asc"},
        edit=after_rebuild(
            "printf '%s\\n\\n%s\\n' '-----BEGIN PGP PRIVATE KEY BLOCK-----' lFgEZx1v3RYJKwYBBAHaRw8BAQdAqz0dK5l1jzPqyu1mC0 > /root/backup.asc"
        ),
    ),
)
