"""C1's sabotages: how somebody would blur the line between what is public and what is secret."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable

import pyrage

from cleanroom import vault
from lab.names import BOOTSTRAP_KEY, CANONICAL_HOST, DOMAIN, PROJECT, SECRETS
from lab.repositories import bare
from lab.state import State
from lab.variant import Trees
from tests.sabotage.bench import Bench, Sabotage
from tests.sabotage.edits import SOPS_FILE, base, both, reseal

FEATURE = "c1_secrets_split.feature"
NOTHING = "The secrets repository holds secrets and nothing that thinks"
AUTHENTIC = "Every value is encrypted and every file is authentic"
RECIPIENTS = "Each file is encrypted to those its rules name"
LOCKED = "Base consumes the revision under test"
PRIVATE = "The secrets repository is private"
PARAMETERS = "Instance parameters stay in base, each defined once"
REPOINT = "One edit repoints the instance"
DRIFT = "The canonical host has not drifted"

#: The scenarios that need no machine.
STATIC = ("-m", "w2")


def _in_pieces(domain: str) -> str:
    return f'builtins.concatStringsSep "." {json.dumps(domain.split(".")).replace(",", "")}'


_IN_PIECES = _in_pieces(DOMAIN)
_SEALED = {
    PARAMETERS: "a file that cannot be opened cannot be looked into for parameters",
    LOCKED: "nor can it be told whether base holds a copy of it",
}


def _in_secrets(path: str, text: str, *, mode: int = 0o644) -> Callable[[Trees], None]:
    def edit(trees: Trees) -> None:
        (trees.secrets / path).write_text(text)
        (trees.secrets / path).chmod(mode)

    return edit


def _tamper(pattern: str, replacement: str) -> Callable[[Trees], None]:
    """Change the sops file's own text, without the key."""

    def edit(trees: Trees) -> None:
        path = trees.secrets / SOPS_FILE
        text, count = re.subn(pattern, replacement, path.read_text(), count=1)
        assert count, f"nothing to change: {pattern}"
        path.write_text(text)

    return edit


def _issue(expression: str) -> Callable[[Trees], None]:
    """One more text in the system: what a Nix expression says."""
    return base("modules/host.nix", "{\n  networking.hostName", f'{{\n  environment.etc."issue".text = {expression};\n  networking.hostName')


def _in_latin_1(trees: Trees) -> None:
    path = trees.base / "modules/drone.nix"
    text = path.read_text().replace('"drone.${instance.domain}"', f'"drone.${{"{DOMAIN}"}}"')
    path.write_bytes(f"# Für alle\n{text}".encode("latin-1"))


def _copy_into_base(trees: Trees) -> None:
    shutil.copy(trees.secrets / SOPS_FILE, trees.base / "copied.yaml")
    trees.rewrite(trees.base / "modules/secrets.nix", '"${secrets}/secrets/secrets.yaml"', '"${../copied.yaml}"')


def _two_keys(trees: Trees) -> None:
    """The key file beside the site file; a second sops file that only the other key opens."""
    other = pyrage.x25519.Identity.generate()
    keys = trees.site_file.with_suffix(".txt")
    keys.write_text((State.locate().keys / BOOTSTRAP_KEY).read_text() + f"{other}\n")
    text, count = re.subn(r"(?m)^key_file = .*$", f'key_file = "{keys.name}"', trees.site_file.read_text())
    assert count == 1
    trees.site_file.write_text(text)
    (trees.secrets / "other").mkdir()
    (trees.secrets / "other/more.yaml").write_bytes(vault.encrypt({"more": "a secret of its own"}, recipients=[str(other.to_public())]))
    rules = trees.secrets / ".sops.yaml"
    rules.write_text(rules.read_text() + f"  - path_regex: ^other/\n    age: {other.to_public()}\n")


def _open_to_all(_bench: Bench) -> Callable[[], object]:
    """The forge serves the private repository to everybody, under another name."""
    state = State.locate()
    copy = bare(state, "cc-ci-open")
    shutil.copytree(bare(state, SECRETS), copy)
    return lambda: shutil.rmtree(copy)


def _drift(bench: Bench) -> Callable[[], object]:
    def there(command: str) -> str:
        return bench.incus("exec", CANONICAL_HOST, "--project", PROJECT, "--", "sh", "-c", command)

    there("ln -sfn $(readlink -f /nix/var/nix/profiles/system-1-link) /run/current-system")
    return lambda: there("ln -sfn $(readlink -f /nix/var/nix/profiles/system) /run/current-system")


def _touch_up(bench: Bench) -> Callable[[], object]:
    def there(command: str) -> str:
        file = "file=$(readlink -f /run/current-system/sw/bin/cc-ci-regression)"
        return bench.incus("exec", CANONICAL_HOST, "--project", PROJECT, "--", "sh", "-c", f"{file} && {command}")

    there('cp -p "$file" /root/kept && echo "# by hand" >> "$file"')
    return lambda: there('cp -p /root/kept "$file" && rm /root/kept')


def _etc_by_hand(bench: Bench) -> Callable[[], object]:
    def there(command: str) -> str:
        return bench.incus("exec", CANONICAL_HOST, "--project", PROJECT, "--", "sh", "-c", command)

    there("cp -a $(readlink -f /etc/static) /root/etc && echo '# by hand' >> /root/etc/ssh/sshd_config.d/20-cc-ci.conf")
    there("ln -sfn /root/etc /etc/static")
    return lambda: there("ln -sfn $(readlink -f /run/current-system)/etc /etc/static && rm -r /root/etc")


SABOTAGES = (
    Sabotage(
        name="script-among-secrets",
        story="a deploy script found its way into the repository of secrets",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={NOTHING: "deploy.sh"},
        may_redden={AUTHENTIC: "it is no sops file either", RECIPIENTS: "nor is it encrypted to anybody", **_SEALED},
        edit=_in_secrets("deploy.sh", "#!/bin/sh\nnixos-rebuild switch\n"),
    ),
    Sabotage(
        name="executable-readme",
        story="a file of secrets can be executed",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={NOTHING: "README.md (mode 100755)"},
        edit=lambda trees: (trees.secrets / "README.md").chmod(0o755),
    ),
    Sabotage(
        name="value-in-clear",
        story="somebody typed a value over its ciphertext",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={AUTHENTIC: "drone/rpc_secret"},
        may_redden=_SEALED,
        edit=_tamper(r"rpc_secret: ENC\[[^\]]*\]", "rpc_secret: hunter2"),
    ),
    Sabotage(
        name="value-renamed",
        story="an encrypted value was moved to another name",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={AUTHENTIC: "secrets.yaml"},
        may_redden=_SEALED,
        edit=_tamper("rpc_secret:", "rpc_token:"),
    ),
    Sabotage(
        name="mac-of-another",
        story="the MAC was dropped, as after a merge by hand",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={AUTHENTIC: "secrets.yaml"},
        may_redden={NOTHING: "without a MAC it is no sops file", RECIPIENTS: "without a MAC it is no sops file", **_SEALED},
        edit=_tamper(r"\n( *)mac: ENC\[[^\]]*\]", r"\n\1mac: ''"),
    ),
    Sabotage(
        name="recipient-forgotten",
        story="the rules name a recipient for whom nobody has encrypted the file again",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={RECIPIENTS: "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq"},
        edit=lambda trees: trees.rewrite(
            trees.secrets / ".sops.yaml", "    age:\n", "    age:\n      - age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq\n"
        ),
    ),
    Sabotage(
        name="bootstrap-left-out",
        story="the file is encrypted to the canonical host alone",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={RECIPIENTS: "has exactly the recipients", AUTHENTIC: "no key given is a recipient"},
        may_redden=_SEALED,
        edit=reseal(lambda _tree: None, recipients=lambda found: found[1:]),
    ),
    Sabotage(
        name="two-keys-in-one-file",
        story="the bootstrap key's file holds two keys, and some secrets are for the one, some for the other",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={RECIPIENTS: "one age key"},
        edit=_two_keys,
    ),
    Sabotage(
        name="secrets-copied-into-base",
        story="base carries a copy of the sops file, for everybody to have, and reads that",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={LOCKED: "copied.yaml"},
        may_redden={PARAMETERS: "the copy names its recipients, which are parameters"},
        later=_copy_into_base,
    ),
    Sabotage(
        name="lock-left-behind",
        story="secrets has moved on, and base still locks the commit before",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={LOCKED: "base has locked secrets at"},
        later=_in_secrets("LICENSE", "All rights reserved.\n"),
    ),
    Sabotage(
        name="input-from-elsewhere",
        story="base takes its secrets from somebody's fork",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={LOCKED: "somebodys-fork"},
        later=lambda trees: trees.rewrite(trees.base / "flake.lock", "/cc-ci-secrets", "/somebodys-fork"),
    ),
    Sabotage(
        name="open-to-all",
        story="the repository of secrets was made public",
        feature=FEATURE,
        options=("-k", "private"),
        reddens={PRIVATE: "refuse"},
        edit=lambda trees: trees.rewrite(trees.site_file, f"/sabotage-open-to-all/{SECRETS}", "/recipe-maintainers/cc-ci-open"),
        around=_open_to_all,
    ),
    Sabotage(
        name="parameter-twice",
        story="a module says the domain again, in words of its own",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={PARAMETERS: "instance parameter domain is defined exactly once"},
        edit=base("modules/drone.nix", '"drone.${instance.domain}"', f'"drone.${{"{DOMAIN}"}}"'),
    ),
    Sabotage(
        name="parameter-in-secrets",
        story="the domain was moved to secrets",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={PARAMETERS: "domain"},
        edit=reseal(lambda tree: tree.update(domain=DOMAIN)),
    ),
    Sabotage(
        name="domain-in-pieces",
        story="a module puts the domain together from pieces, where no search for parameters finds it",
        feature=FEATURE,
        options=("-k", "repoints"),
        reddens={REPOINT: DOMAIN},
        edit=_issue(_IN_PIECES),
    ),
    Sabotage(
        name="readme-that-thinks",
        story="the README of secrets is Nix, and base imports it",
        feature=FEATURE,
        options=("-k", "repoints"),
        reddens={REPOINT: "nothing from secrets but its sops files"},
        edit=both(
            _in_secrets("README.md", '{ hostName = "cc-ci"; }\n'),
            base("modules/host.nix", "{ revision, ... }:", "{ secrets, revision, ... }:"),
            base("modules/host.nix", 'networking.hostName = "cc-ci";', 'networking.hostName = (import "${secrets}/README.md").hostName;'),
        ),
    ),
    Sabotage(
        name="one-domain-only",
        story="a module insists on the domain that it was written for",
        feature=FEATURE,
        options=("-k", "repoints"),
        reddens={REPOINT: "base evaluates with another domain"},
        edit=both(
            base("modules/host.nix", "{ revision, ... }:", "{ instance, revision, ... }:"),
            base(
                "modules/host.nix",
                'networking.hostName = "cc-ci";',
                f'networking.hostName = if instance.domain == {_IN_PIECES} then "cc-ci" else throw "whose domain is this?";',
            ),
        ),
    ),
    Sabotage(
        name="domain-ignored",
        story="the file of parameters has a domain, and the system is made with one that stands elsewhere",
        feature=FEATURE,
        options=("-k", "repoints"),
        reddens={REPOINT: "another domain makes another system"},
        edit=base("flake.nix", "instance = import ./instance.nix;", f"instance = import ./instance.nix // {{ domain = {_IN_PIECES}; }};"),
    ),
    Sabotage(
        name="unknown-domain-dropped",
        story="a domain that base has never heard of is silently replaced",
        feature=FEATURE,
        options=("-k", "repoints"),
        reddens={REPOINT: "stands in the repointed system"},
        edit=base(
            "flake.nix",
            "instance = import ./instance.nix;",
            "instance = let given = import ./instance.nix; in given"
            f' // {{ domain = if given.domain == {_IN_PIECES} then given.domain else "localhost.localdomain"; }};',
        ),
    ),
    Sabotage(
        name="lock-of-another-flake",
        story="the flake takes its secrets from somebody's fork, and the lock still tells of the declared place: Nix locks the fork by itself",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={LOCKED: "somebodys-fork"},
        later=lambda trees: trees.rewrite(trees.base / "flake.nix", "/cc-ci-secrets", "/somebodys-fork"),
    ),
    Sabotage(
        name="lock-of-a-tarball",
        story="the lock names the declared place and revision, and is of a tarball that anybody may have put there",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={LOCKED: "tarball"},
        later=lambda trees: trees.rewrite(trees.base / "flake.lock", '"type": "git"', '"type": "tarball"'),
    ),
    Sabotage(
        name="parameter-in-latin-1",
        story="a second definition stands in a module with a comment that is no UTF-8",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={PARAMETERS: "instance parameter domain is defined exactly once"},
        edit=_in_latin_1,
    ),
    Sabotage(
        name="parameter-in-capitals",
        story="a module says the domain again, and shouts",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={PARAMETERS: "instance parameter domain is defined exactly once"},
        edit=base("modules/drone.nix", '"drone.${instance.domain}"', f'"drone.${{"{DOMAIN.upper()}"}}"'),
    ),
    Sabotage(
        name="parameter-among-settings",
        story="a secret is a whole environment file, and the domain is in it",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={PARAMETERS: "domain"},
        edit=reseal(lambda tree: tree.update(settings=f"DRONE_SERVER_PROTO=https\nDRONE_SERVER_HOST=drone.{DOMAIN}\n")),
    ),
    Sabotage(
        name="domain-escaped",
        story="the proxy has a rule of its own for the domain, written as a regular expression",
        feature=FEATURE,
        options=("-k", "repoints"),
        reddens={REPOINT: "stands nowhere in the repointed system"},
        edit=_issue(json.dumps(f"HostRegexp(`^.+[.]{re.escape(DOMAIN)}$`)")),
    ),
    Sabotage(
        name="domain-in-capitals",
        story="a module puts the domain together in capitals: to DNS it is the same",
        feature=FEATURE,
        options=("-k", "repoints"),
        reddens={REPOINT: "stands nowhere in the repointed system"},
        edit=_issue(_in_pieces(DOMAIN.upper())),
    ),
    Sabotage(
        name="rehearsal-known",
        story="base knows the domain that an earlier rehearsal has used, and takes no other",
        feature=FEATURE,
        options=("-k", "repoints"),
        reddens={REPOINT: "base evaluates with another domain"},
        edit=base(
            "flake.nix",
            "instance = import ./instance.nix;",
            "instance = let given = import ./instance.nix; in"
            f' if builtins.elem given.domain [ ({_IN_PIECES}) "ci.repointed.example" ] then given else throw "whose domain is this?";',
        ),
    ),
    Sabotage(
        name="canonical-host-drifted",
        story="somebody switched the canonical host to another system by hand",
        feature=FEATURE,
        options=("-k", "drifted"),
        own_site=True,
        reddens={DRIFT: "nixos-system-"},
        around=_drift,
    ),
    Sabotage(
        name="canonical-etc-by-hand",
        story="the canonical host's system is the flake's, and its /etc leads to a copy that somebody has edited",
        feature=FEATURE,
        options=("-k", "drifted"),
        own_site=True,
        reddens={DRIFT: "/root/etc"},
        around=_etc_by_hand,
    ),
    Sabotage(
        name="canonical-store-touched-up",
        story="somebody edited a file in the canonical host's store, and the database still has its old hash",
        feature=FEATURE,
        options=("-k", "drifted"),
        own_site=True,
        reddens={DRIFT: "every store path holds what the database says"},
        around=_touch_up,
    ),
)
