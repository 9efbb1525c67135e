"""C3's sabotages: second keys, second deliveries, and every place where a secret could have leaked to."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab.names import BASE, PROJECT
from lab.repositories import bare
from lab.state import State
from lab.variant import Trees
from tests.sabotage.bench import Bench, Moment, Sabotage
from tests.sabotage.edits import GUIDE, INSTALL_SECRETS, RECONCILE, after_rebuild, base, both, reseal, secret_value

FEATURE = "c3_one_secret.feature"
DECLARED = "What base declares is what secrets holds"
DOCUMENT = "One secret is out of band, by the documents"
DELIVERED = "One file was delivered, and it is the key"
CLOSED = "What entered the machine is a closed list"
SUFFICIENT = "The key is sufficient"
NO_KEY = "The key is necessary [no key]"
FOREIGN = "The key is necessary [a foreign key]"
TRUNCATED = "The key is necessary [a truncated key]"
COVERED = "Every search saw everything"
IN_REPORTS = "No secret leaked into our own reports"
IN_GIT = "No secret leaked into git"
ON_MACHINE = "No secret leaked on the machine"
DNS = "The DNS provider's token is nowhere"
CREDENTIAL = "The credential that fetched the repository left no trace"
ONE_KEY = "There is one private key, in one place"

_KEY_FILE = "/var/lib/sops-nix/key.txt"


#: The first question to the blank machine after its files were listed.
_SEEN_BLANK = Moment("command", {"argv": ["docker", "info", "--format", "{{.Swarm.LocalNodeState}}"]})
#: A block of the guide that sends 200 kB to where C3.3 lists no files.
_SMUGGLED = "```sh operator\nhead -c 200000 /dev/urandom | ssh root@\"$MACHINE\" 'cat > /var/log/blob'\n```"


def _note(text: str) -> str:
    return f"# Secrets\n\n<!-- {text} -->\n"


def _unreachable_object(bench: Bench) -> Callable[[], object]:
    text = f"RPC_SECRET={secret_value('rpc_secret')}\n".encode()
    subprocess.run(["git", "-C", _forged(bench), "hash-object", "-w", "--stdin"], input=text, check=True, capture_output=True)
    return lambda: None


def _half_a_pack(bench: Bench) -> Callable[[], object]:
    packs = _forged(bench) / "objects/pack"
    packs.mkdir(exist_ok=True)
    (packs / "tmp_pack_0815").write_bytes(b"half a pack")
    return lambda: None


def _forged(bench: Bench) -> Path:
    """The forge's own copy of base under this sabotage."""
    return bare(State.locate(), BASE, owner=f"sabotage-{bench.sabotage.name}")


def _in_history(trees: Trees) -> None:
    (trees.base / "docs/notes.md").write_text(f"The old secret was {secret_value('rpc_secret')}.\n")


SABOTAGES = (
    Sabotage(
        name="undeclared-secret",
        story="secrets holds one that nothing uses any more",
        feature=FEATURE,
        reddens={DECLARED: "forgotten/token"},
        edit=reseal(lambda tree: tree.update(forgotten={"token": "a-token-nobody-needs-any-more"})),
    ),
    Sabotage(
        name="required-secret-renamed",
        story="the webhook's secret is called otherwise than every cc-ci calls it",
        feature=FEATURE,
        reddens={DECLARED: "webhook"},
        may_redden={"*": "whatever asks for it by its old name"},
        edit=both(
            reseal(lambda tree: tree.update(bridge={"hook_key": tree["bridge"]["webhook_hmac"]})),
            base("modules/secrets.nix", '"bridge/webhook_hmac"', '"bridge/hook_key"'),
            base("modules/bridge.nix", '"bridge/webhook_hmac"', '"bridge/hook_key"'),
        ),
    ),
    Sabotage(
        name="declarations-hidden",
        story="base shows an evaluation with no secret declared, and builds a system that has them all",
        feature=FEATURE,
        options=("-k", "declares or sufficient"),
        reddens=dict.fromkeys((DECLARED, SUFFICIENT), "base declares its secrets"),
        edit=both(
            base(
                "flake.nix",
                "nixosConfigurations.cc-ci = nixos.evaluate {",
                "nixosConfigurations.cc-ci = (made: made // { config = made.config // { sops.secrets = { }; }; }) (nixos.evaluate {",
            ),
            base("flake.nix", "        ];\n      };\n", "        ];\n      });\n"),
        ),
    ),
    Sabotage(
        name="host-locked-out",
        story="the secrets were encrypted for the bootstrap key alone",
        feature=FEATURE,
        reddens={DECLARED: "each host's age recipient is one of every sops file"},
        edit=reseal(lambda _tree: None, recipients=lambda found: found[:1]),
    ),
    Sabotage(
        name="second-out-of-band",
        story="the document about secrets admits to a second one outside git",
        feature=FEATURE,
        options=("-k", "band"),
        static=True,
        reddens={DOCUMENT: "secrets.md"},
        edit=base(
            "docs/secrets.md",
            "Its public half is",
            "- **the registry's password**, typed in at `/root/.docker/config.json`.\n\nIts public half is",
        ),
    ),
    Sabotage(
        name="document-without-a-place",
        story="the document about secrets does not say where the key belongs",
        feature=FEATURE,
        options=("-k", "band"),
        static=True,
        reddens={DOCUMENT: "secrets.md"},
        edit=base("docs/secrets.md", f"delivers to `{_KEY_FILE}`", "delivers to the machine"),
    ),
    Sabotage(
        name="second-delivery",
        story="the operator's command brings a second file along",
        feature=FEATURE,
        reddens={DELIVERED: "/etc/cc-ci.conf"},
        edit=base(GUIDE, f"cat > {_KEY_FILE}'", f"cat > {_KEY_FILE} && echo prepared > /etc/cc-ci.conf'"),
    ),
    Sabotage(
        name="other-bytes",
        story="what arrives is not quite the key file: somebody adds to it on the way",
        feature=FEATURE,
        reddens={DELIVERED: "byte for byte"},
        edit=base(GUIDE, '< "$BOOTSTRAP_KEY"', '< <(cat "$BOOTSTRAP_KEY"; echo "# by hand")'),
    ),
    Sabotage(
        name="brought-before-the-guide",
        story="somebody brings a file before the guide begins, by the way that Incus tells nobody of",
        feature=FEATURE,
        options=("-k", "delivered"),
        own_site=True,
        during=(_SEEN_BLANK, lambda bench: bench.incus("file", "push", "-", f"{bench.throwaway}/root/helper", "--project", PROJECT, stdin=b"x")),
        reddens={DELIVERED: "/root/helper"},
    ),
    Sabotage(
        name="bytes-that-arrive-in-no-file",
        story="the operator's side sends more than arrives: it goes where nobody lists files",
        feature=FEATURE,
        options=("-k", "closed or delivered"),
        reddens={CLOSED: "0 arrived in files"},
        edit=base(GUIDE, "## 2. Rebuild\n", f"{_SMUGGLED}\n\n## 2. Rebuild\n"),
    ),
    Sabotage(
        name="path-from-nowhere",
        story="a command of the guide puts something into the store that no source on the list has",
        feature=FEATURE,
        options=("-k", "closed or delivered"),
        reddens={CLOSED: "-smuggled"},
        edit=after_rebuild("echo more > /run/smuggled && nix-store --add /run/smuggled && rm /run/smuggled"),
    ),
    Sabotage(
        name="path-signed-by-hand",
        story="a command of the guide puts something into the store, and signs it as if a cache had given it",
        feature=FEATURE,
        options=("-k", "closed or delivered"),
        reddens={CLOSED: "-smuggled"},
        edit=after_rebuild(
            "nix-store --generate-binary-cache-key cache.nixos.org-1 /run/private /run/public && echo more > /run/smuggled && "
            'nix store sign --key-file /run/private "$(nix-store --add /run/smuggled)" && rm /run/smuggled /run/private /run/public'
        ),
    ),
    Sabotage(
        name="value-trimmed",
        story="decryption drops the line ends of what it installs",
        feature=FEATURE,
        reddens={SUFFICIENT: "holds git's certificate/"},
        may_redden=dict.fromkeys((NO_KEY, FOREIGN, TRUNCATED), "what is put back is not git's either"),
        edit=base(INSTALL_SECRETS, 'os.write(descriptor, values[secret["name"]])', 'os.write(descriptor, values[secret["name"]].strip())'),
    ),
    Sabotage(
        name="owner-ignored",
        story="every secret belongs to root, whatever base declares",
        feature=FEATURE,
        reddens={SUFFICIENT: "is of bridge:bridge"},
        edit=base(INSTALL_SECRETS, "os.fchown(descriptor, *owner_of(secret))", "os.fchown(descriptor, 0, 0)"),
    ),
    Sabotage(
        name="second-key",
        story="decryption has a second key to fall back on, which the first rebuild put aside",
        feature=FEATURE,
        reddens={NO_KEY: "it ended well", ONE_KEY: "/var/lib/backup/key.txt"},
        may_redden={FOREIGN: "the second key opens it", TRUNCATED: "the second key opens it"},
        edit=both(
            after_rebuild(f"mkdir -p /var/lib/backup && cp {_KEY_FILE} /var/lib/backup/key.txt"),
            base(
                INSTALL_SECRETS,
                'key = Key(manifest["ageKeyFile"], manifest["recipients"])',
                'spare = Path("/var/lib/backup/key.txt")\n'
                '    key = Key(str(spare) if spare.exists() else manifest["ageKeyFile"], manifest["recipients"])',
            ),
        ),
    ),
    Sabotage(
        name="refusal-without-a-reason",
        story="activation fails without its key, and says nothing about keys",
        feature=FEATURE,
        reddens={NO_KEY: "says", FOREIGN: "says", TRUNCATED: "says"},
        edit=base(INSTALL_SECRETS, 'print(f"setting up secrets: {problem}", file=sys.stderr)', 'print("something went wrong", file=sys.stderr)'),
    ),
    Sabotage(
        name="crash-not-refusal",
        story="without its key activation falls over instead of saying why",
        feature=FEATURE,
        reddens=dict.fromkeys((NO_KEY, FOREIGN, TRUNCATED), "a crash"),
        edit=base(INSTALL_SECRETS, "        except Refused as problem:\n", "        except SystemExit as problem:\n"),
    ),
    Sabotage(
        name="old-secrets-stay",
        story="activation keeps a copy of what it decrypted last, and leaves it in place when it fails",
        feature=FEATURE,
        reddens=dict.fromkeys((NO_KEY, FOREIGN, TRUNCATED), "leaves no secret behind"),
        may_redden={ONE_KEY: "the copy holds the certificate's key", ON_MACHINE: "the copy holds every value"},
        edit=both(
            base(
                INSTALL_SECRETS,
                "    point(LINK, generation)\n",
                '    point(LINK, generation)\n    shutil.copytree(generation, "/dev/shm/last", dirs_exist_ok=True)\n',
            ),
            base(
                INSTALL_SECRETS,
                "            return 1\n",
                '            shutil.copytree("/dev/shm/last", STORE / "1", dirs_exist_ok=True)\n            return 1\n',
            ),
        ),
    ),
    Sabotage(
        name="unreachable-object",
        story="a secret was committed and the commit amended: no ref leads to it any more, and the forge still has it",
        feature=FEATURE,
        reddens={IN_GIT: "drone/rpc_secret"},
        around=_unreachable_object,
    ),
    Sabotage(
        name="half-a-pack",
        story="the copy of base that is searched holds half a pack, which nobody can read",
        feature=FEATURE,
        reddens={IN_GIT: "no objects", COVERED: "no objects", DNS: "no objects"},
        around=_half_a_pack,
    ),
    Sabotage(
        name="secret-in-base",
        story="a secret stands in a file of base, base64 over it",
        feature=FEATURE,
        reddens={IN_GIT: "drone/rpc_secret"},
        may_redden={ON_MACHINE: "the flake's source is in the store, this file with it"},
        edit=lambda trees: trees.rewrite(
            trees.base / "docs/secrets.md", "# Secrets\n", _note(base64.b64encode(f"RPC={secret_value('rpc_secret')}".encode()).decode())
        ),
    ),
    Sabotage(
        name="secret-in-history",
        story="a secret was committed to base, and taken out again by the next commit",
        feature=FEATURE,
        reddens={IN_GIT: "drone/rpc_secret"},
        may_redden={ON_MACHINE: "Nix keeps base's history in a cache of its own"},
        edit=_in_history,
        later=lambda trees: (trees.base / "docs/notes.md").unlink(),
    ),
    Sabotage(
        name="secret-in-the-store",
        story="a module writes a secret into /etc, and so into the Nix store",
        feature=FEATURE,
        reddens={ON_MACHINE: "drone/oauth_client_secret"},
        may_redden={IN_GIT: "it stands in base, too"},
        edit=lambda trees: trees.rewrite(
            trees.base / "modules/host.nix",
            "{\n  networking.hostName",
            f'{{\n  environment.etc."drone.env".text = "SECRET={secret_value("oauth_client_secret")}";\n  networking.hostName',
        ),
    ),
    Sabotage(
        name="secret-in-the-journal",
        story="a program says what it was told to keep",
        feature=FEATURE,
        reddens={ON_MACHINE: "bridge/webhook_hmac"},
        edit=base(
            RECONCILE,
            "        wanted[target] =",
            '        target == "webhook_hmac" and print("made", content.decode())\n        wanted[target] =',
        ),
    ),
    Sabotage(
        name="secret-in-the-environment",
        story="a service gets its secret by environment, where every inspect shows it",
        feature=FEATURE,
        reddens={ON_MACHINE: "drone/rpc_secret"},
        edit=base(
            RECONCILE,
            '    for folder in plan["mounts"]:',
            '    if "rpc_secret" in secrets:\n'
            '        words += ["--env", "DRONE_RPC_SECRET=" + Path(secrets["rpc_secret"][1]).read_text()]\n'
            '    for folder in plan["mounts"]:',
        ),
    ),
    Sabotage(
        name="secret-in-argv",
        story="a service gets its secret as an argument, where every ps shows it",
        feature=FEATURE,
        reddens={ON_MACHINE: "drone/rpc_secret"},
        edit=base(
            RECONCILE,
            'plan["image"], *plan["command"]]',
            'plan["image"], *plan["command"], *(Path(file).read_text() for _, file in secrets.values() if file.endswith("rpc_secret"))]',
        ),
    ),
    Sabotage(
        name="secret-in-the-output",
        story="a command of the guide prints a secret in a disguise, and whoever records what it prints records that",
        feature=FEATURE,
        reddens={IN_REPORTS: "drone/rpc_secret"},
        edit=after_rebuild("{ printf 'trace: '; cat /run/secrets/drone/rpc_secret; } | base64 -w0"),
    ),
    Sabotage(
        name="dns-token-in-base",
        story="the DNS provider's token stands in a document",
        feature=FEATURE,
        reddens={DNS: "DECISIONS.md"},
        edit=base("DECISIONS.md", "# ", "GANDI_PAT=0123456789abcdef0123456789abcdef01234567\n\n# ", count=1),
    ),
    Sabotage(
        name="dns-token-on-the-machine",
        story="a certificate client is configured on the machine, with the DNS provider's token",
        feature=FEATURE,
        reddens={DNS: "/root/.secrets/gandi.ini"},
        edit=after_rebuild(
            "mkdir -p ~/.secrets; printf 'dns_%s_token=%s%s' gandi 0123456789abcdef0123 456789abcdef01234567 > ~/.secrets/gandi.ini",
        ),
    ),
    Sabotage(
        name="token-in-an-environment",
        story="a daemon that the guide started inherited the token",
        feature=FEATURE,
        reddens={CREDENTIAL: "processes"},
        edit=after_rebuild("setsid tail -f /dev/null < /dev/null > /dev/null 2>&1 &"),
    ),
    Sabotage(
        name="token-left-behind",
        story="the guide leaves the forge's token in git's configuration",
        feature=FEATURE,
        reddens={CREDENTIAL: ".git-credentials"},
        edit=after_rebuild('echo "https://cc-ci-bot:$FORGE_TOKEN@git.cleanroom.test" > ~/.git-credentials'),
    ),
    Sabotage(
        name="key-copied",
        story="somebody kept a copy of the key, just in case",
        feature=FEATURE,
        reddens={ONE_KEY: "/root/key.bak"},
        edit=after_rebuild(f"cp {_KEY_FILE} /root/key.bak"),
    ),
    Sabotage(
        name="stale-exception",
        story="the site excuses a private key that is not there",
        feature=FEATURE,
        reddens={ONE_KEY: "each exception for private keys is needed"},
        edit=lambda trees: trees.rewrite(
            trees.site_file, "[leaks.private_keys]\n", '[leaks.private_keys]\n"/etc/ssl/private/*" = "once upon a time"\n'
        ),
    ),
    Sabotage(
        name="another-private-key",
        story="a private key of its own lies on the machine",
        feature=FEATURE,
        reddens={ONE_KEY: "/etc/ssl/private/mine.pem"},
        edit=after_rebuild("mkdir -p /etc/ssl/private && ssh-keygen -q -t ed25519 -N '' -f /etc/ssl/private/mine.pem"),
    ),
)
