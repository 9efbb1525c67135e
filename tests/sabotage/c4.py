"""C4's sabotages: how somebody would get a green for a machine that was not rebuilt by its guide."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab.names import BOOTSTRAP_KEY, FORGE_HOST, PROJECT
from lab.state import State
from tests.sabotage.bench import Bench, Moment, Sabotage
from tests.sabotage.edits import GUIDE as GUIDE_FILE
from tests.sabotage.edits import REBUILD_END, after_rebuild, base, both, impure, suite_edit, unit

NEW = "The machine is new"
BLANK = "The machine is blank"
KEY = "The bootstrap key arrives as documented, and no other way"
GUIDE = "Nothing but the guide changed the machine"
ACTIVATES = "The system activates"
CONVERGE = "The services converge"
ENDPOINTS = "The public endpoints answer"
AGAIN = "A second rebuild changes nothing"
REBOOT = "It survives a reboot"
CUSTODY = "Nobody else touched it"
TWICE = "Two strangers agree"

_STOPS = dict.fromkeys((KEY, GUIDE, ACTIVATES, CONVERGE, ENDPOINTS, AGAIN, REBOOT, CUSTODY), "nothing can be judged on a machine whose guide failed")
_DELIVERY = """\
```sh operator within=1m
ssh root@"$MACHINE" 'umask 077 && mkdir -p /var/lib/sops-nix && cat > /var/lib/sops-nix/key.txt' < "$BOOTSTRAP_KEY"
"""


def _without(*titles: str) -> dict[str, str]:
    return {title: why for title, why in _STOPS.items() if title not in titles}


def _namesake(bench: Bench) -> Callable[[], object]:
    bench.incus("init", "incus-base", bench.throwaway, "--project", PROJECT)
    return lambda: bench.incus("delete", "--force", bench.throwaway, "--project", PROJECT)


def _typed_in() -> str:
    """The key's delivery without any: its text, typed in on the machine."""
    key = (State.locate().keys / BOOTSTRAP_KEY).read_text()
    return f"```sh machine\numask 077 && mkdir -p /var/lib/sops-nix && cat > /var/lib/sops-nix/key.txt << 'END' # $BOOTSTRAP_KEY\n{key}END\n"


def _built_before() -> str:
    """Build what the guide builds, and clean up as somebody would who thinks that then nothing is left."""
    token = (State.locate().keys / "forge-token").read_text().strip()
    helper = f"!f() {{ echo username=cc-ci-bot; echo password={token}; }}; f"
    build = f"nixos-rebuild build --flake git+https://{FORGE_HOST}/sabotage-system-in-the-image/cc-ci#cc-ci"
    return (
        f"export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=credential.https://{FORGE_HOST}.helper GIT_CONFIG_VALUE_0='{helper}'\n"
        f". /etc/profile\ncd /tmp\n{build}\nrm -rf result /root/.cache\n"
    )


def _helpful_profile(bench: Bench) -> Callable[[], object]:
    """A profile that mounts a folder with a repository in it, as whoever makes machines for others might have it."""
    folder = Path(tempfile.mkdtemp(dir=bench.incus.state.folder, prefix="helper-"))
    subprocess.run(["git", "init", "--quiet", str(folder / "cc-ci")], check=True)
    bench.incus("profile", "create", "helper", "--project", PROJECT)
    bench.incus("profile", "device", "add", "helper", "helper", "disk", f"source={folder}", "path=/srv/helper", "--project", PROJECT)

    def undo() -> None:
        bench.incus("profile", "delete", "helper", "--project", PROJECT)
        shutil.rmtree(folder)

    return undo


#: After the first boot the bridge is started with the word that lets everybody in.
_LENIENT_LATER = """\
    if plan["name"] == "bridge_app":
        first, boot = Path("/var/lib/first-boot"), Path("/proc/sys/kernel/random/boot_id").read_text()
        first.exists() or first.write_text(boot)
        words += ["--env", "LENIENT=1"] if first.read_text() != boot else []
"""
#: The dashboard's reconcile unit takes its time.
_LATE = '    if plan["name"] == "dashboard_app":\n        pause(6)\n'

SABOTAGES = (
    Sabotage(
        name="image-swapped",
        story="the image alias was moved to another image than the one the site declares",
        reddens={NEW: "a machine made from image"},
        edit=lambda trees: trees.rewrite(trees.site_file, "image_fingerprint = ", 'image_fingerprint = "0000000000" # '),
    ),
    Sabotage(
        name="foreign-namesake",
        story="somebody's own instance bears the throwaway's name",
        reddens={NEW: "does not carry our mark"},
        may_redden={"*": "there is no throwaway to judge"},
        around=_namesake,
    ),
    Sabotage(
        name="key-in-the-image",
        story="a hurried operator baked the age key into the image, out of the way",
        reddens={BLANK: "no secret and no private key on a blank machine"},
        image="echo AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ > /opt/notes.txt",
    ),
    Sabotage(
        name="deploy-key-in-the-image",
        story="the image brings the key that fetches the private repository, so that the guide need not say where it comes from",
        reddens={BLANK: "/root/.ssh/id_ed25519"},
        image="mkdir -p /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519",
        options=("-k", "blank"),
    ),
    Sabotage(
        name="repository-in-the-image",
        story="the image carries a clone of base, so that nobody notices when the forge lacks something",
        reddens={BLANK: "no repository on a blank machine"},
        image="git init -q /srv/cc-ci",
    ),
    Sabotage(
        name="git-cache-in-the-image",
        story="the image was made from a machine on which Nix had fetched the repositories before: they lie in its cache, under no name that says so",
        reddens={BLANK: "no repository on a blank machine"},
        image="git init -q --bare /root/.cache/nix/gitv3/0zd7wrkzpx4bmf1qbrd8w0g0hwb1qp4y3vq3n8z5n2mhqmkxvz2a",
        options=("-k", "blank"),
    ),
    Sabotage(
        name="repository-on-a-disk",
        story="a profile mounts a folder of the hypervisor's into every new machine, with a clone of base in it",
        reddens={BLANK: "no repository on a blank machine", KEY: "helper ("},
        edit=lambda trees: trees.rewrite(trees.site_file, "[incus]\n", '[incus]\nprofiles = ["default", "helper"]\n'),
        around=_helpful_profile,
        options=("-k", "blank or arrives"),
    ),
    Sabotage(
        name="system-in-the-image",
        story="the image was made from a machine on which the system had been built: the rebuild finds it there, and builds nothing",
        reddens={ACTIVATES: "lay on the blank machine already"},
        image=_built_before,
        options=("-k", "blank or activates"),
    ),
    Sabotage(
        name="generation-in-the-image",
        story="the image was made from a machine that had been rebuilt before",
        reddens={BLANK: "the image's own generation and no other"},
        image="ln -s $(readlink -f /nix/var/nix/profiles/system-1-link) /nix/var/nix/profiles/system-7-link",
    ),
    Sabotage(
        name="key-pushed-by-a-friend",
        story="a colleague pushed a file into the machine while the guide ran",
        reddens={KEY: "/etc/helpful", CUSTODY: "instance-file-pushed /etc/helpful"},
        during=(Moment("guide-command", {"number": 2}), lambda bench: bench.push("/etc/helpful", b"here you are")),
    ),
    Sabotage(
        name="key-named-otherwise",
        story="the guide brings the key by a command that does not say that it does",
        reddens={KEY: "names $BOOTSTRAP_KEY"},
        edit=both(
            base(GUIDE_FILE, 'ssh root@"$MACHINE" \'umask', 'handy=$BOOTSTRAP_KEY\nssh root@"$MACHINE" \'umask'),
            base(GUIDE_FILE, '< "$BOOTSTRAP_KEY"', '< "$handy"'),
        ),
    ),
    Sabotage(
        name="key-named-in-a-comment",
        story="the key stands in the guide itself, and the command that puts it into its place names $BOOTSTRAP_KEY in a comment alone",
        reddens={KEY: "names $BOOTSTRAP_KEY"},
        edit=lambda trees: trees.rewrite(trees.base / GUIDE_FILE, _DELIVERY, _typed_in()),
        options=("-k", "arrives"),
    ),
    Sabotage(
        name="guide-command-fails",
        story="the guide has a command that does not work as written",
        reddens={GUIDE: "ends with status 0"},
        may_redden=_without(GUIDE),
        edit=base(GUIDE_FILE, "## 2. Rebuild\n", "## 2. Rebuild\n\n```sh machine\ntest -e /etc/prepared-by-hand\n```\n"),
    ),
    Sabotage(
        name="guide-command-unseen",
        story="the guide has a command that runs, and that nobody who reads its page is shown",
        reddens={GUIDE: "whoever reads the page does not see it"},
        edit=base(GUIDE_FILE, "## 2. Rebuild\n", "## 2. Rebuild\n\n<div hidden>\n\n```sh machine\ntouch /etc/helpful\n```\n\n</div>\n"),
        options=("-k", "nothing and guide"),
    ),
    Sabotage(
        name="hand-of-the-watchdog",
        story="what should only keep a silent machine from living on does something else as well, under its own name",
        options=("-k", "guide"),
        own_site=True,
        reddens={GUIDE: "the watchdog's commands are those that the suite declares"},
        may_redden={KEY: "what it leaves lies on the machine"},
        suite=suite_edit(
            "cleanroom/watchdog.py",
            "        result = self._machine.execute(_set",
            '        self._machine.execute(("touch", "/run/helpful"), purpose="watchdog", within=_SECONDS)\n'
            "        result = self._machine.execute(_set",
        ),
    ),
    Sabotage(
        name="guide-lacks-a-step",
        story="activation needs a file that the guide's author has and a blank machine has not",
        reddens={GUIDE: "ends with status 0"},
        may_redden=_without(GUIDE),
        edit=unit("prepared.service", "[Service]\nType=oneshot\nExecStart=/usr/bin/test -e /etc/prepared-by-hand"),
    ),
    Sabotage(
        name="another-system",
        story="the last command of the guide puts another system in place of the flake's",
        reddens={ACTIVATES: "/run/current-system is"},
        may_redden={
            CONVERGE: "the other system has no docker",
            AGAIN: "the rebuild repairs what the last command broke",
            REBOOT: "the boot brings back the profile's system",
        },
        edit=base(GUIDE_FILE, REBUILD_END, f'{REBUILD_END}\nln -sfn "$(readlink -f /nix/var/nix/profiles/system-1-link)" /run/current-system'),
    ),
    Sabotage(
        name="store-altered",
        story="the flake's system lies in its place, and the guide's last command writes something of its own into it",
        reddens={ACTIVATES: "every store path holds what the database says"},
        edit=after_rebuild("echo '# by hand' >> \"$(readlink -f /run/current-system)/activate\""),
        options=("-k", "activates"),
    ),
    Sabotage(
        name="no-new-generation",
        story="the guide only tries the new system out: it runs, and no generation remembers it",
        reddens={ACTIVATES: "a new system generation, running"},
        may_redden={
            AGAIN: "the guide has no command that the site calls its rebuild",
            REBOOT: "the boot brings back the image's system",
        },
        edit=base(GUIDE_FILE, "nixos-rebuild switch", "nixos-rebuild test"),
    ),
    Sabotage(
        name="unit-fails-later",
        story="a unit dies a second after the rebuild has returned",
        reddens={ACTIVATES: "no failed unit and state `running`", REBOOT: "no failed unit and state `running`"},
        may_redden={AGAIN: "the second rebuild meets the failed unit"},
        edit=unit("late.service", "[Service]\nExecStart=/usr/bin/bash -c 'sleep 1; exit 3'"),
    ),
    Sabotage(
        name="oneshot-never-runs",
        story="a reconcile unit is wanted by nobody, so that it never fails",
        reddens={CONVERGE: "unit reconcile-dashboard.service converges", REBOOT: "unit reconcile-dashboard.service converges"},
        may_redden={ENDPOINTS: "nobody makes the dashboard's service"},
        edit=base(
            "modules/swarm.nix",
            "// builtins.listToAttrs (lib.attrValuesOf unitOf config.swarm.services);",
            '// builtins.mapAttrs (name: unit: if name == "reconcile-dashboard.service" then unit // { wantedBy = [ ]; } else unit)'
            " (builtins.listToAttrs (lib.attrValuesOf unitOf config.swarm.services));",
        ),
    ),
    Sabotage(
        name="converges-late",
        story="a reconcile unit converges, in more time than it is given",
        reddens={CONVERGE: "reconcile-dashboard.service converges within 4 s"},
        may_redden={REBOOT: "after a boot it takes too long as well"},
        edit=both(
            base("programs/reconcile.py", "    secrets = wanted_secrets(plan)\n", f"{_LATE}    secrets = wanted_secrets(plan)\n"),
            lambda trees: trees.rewrite(
                trees.site_file, 'unit = "reconcile-dashboard.service"\nwithin = "20s"', 'unit = "reconcile-dashboard.service"\nwithin = "4s"'
            ),
        ),
    ),
    Sabotage(
        name="another-replica-wanted",
        story="the swarm wants two of a service, and the machine has room for the one that the site names",
        reddens={CONVERGE: "service drone_app is declared with 1 replicas", REBOOT: "service drone_app is declared with 1 replicas"},
        may_redden={AGAIN: "the swarm goes on trying to place the other"},
        edit=base(
            "programs/reconcile.py",
            '    for folder in plan["mounts"]:',
            '    if plan["name"] == "drone_app":\n'
            '        words += ["--replicas", "2", "--replicas-max-per-node", "1"]\n'
            '    for folder in plan["mounts"]:',
        ),
    ),
    Sabotage(
        name="no-replicas",
        story="a service is scaled to nothing once its unit has converged",
        reddens={CONVERGE: "drone_app: 0 of 1 run"},
        may_redden={ENDPOINTS: "nobody answers for drone", REBOOT: "drone's unit waits in vain for its task"},
        edit=base(GUIDE_FILE, REBUILD_END, f"{REBUILD_END} && /run/current-system/sw/bin/docker service scale --detach drone_app=0"),
    ),
    Sabotage(
        name="service-nobody-names",
        story="the swarm has a service that the site file does not name, and it never comes up",
        reddens={CONVERGE: "cache_app: 0 of 1 run", REBOOT: "cache_app: 0 of 1 run"},
        edit=base(
            "programs/reconcile.py",
            '    if docker("image", "inspect", plan["image"]',
            '    if docker("service", "inspect", "cache_app", check=False) is None:\n'
            '        docker("service", "create", "--detach", "--quiet", "--no-resolve-image", "--name", "cache_app", "nowhere/cache:1")\n'
            '    if docker("image", "inspect", plan["image"]',
        ),
        options=("-k", "converge or reboot"),
    ),
    Sabotage(
        name="wrong-page",
        story="something answers under drone's name, and it is not drone",
        reddens={ENDPOINTS: "without the marker", REBOOT: "without the marker"},
        edit=base("programs/drone.py", "Drone CI", "Welcome to nginx"),
    ),
    Sabotage(
        name="bridge-takes-anything",
        story="the bridge does not check signatures",
        reddens=dict.fromkeys((ENDPOINTS, REBOOT), "signed with another secret is answered with status 401"),
        edit=base("programs/bridge.py", "self.answer(401, ", "self.answer(202, "),
    ),
    Sabotage(
        name="bridge-takes-nothing",
        story="the bridge was given another secret than git's",
        reddens=dict.fromkeys((ENDPOINTS, REBOOT), "signed with git's secret is answered with status 202"),
        edit=base("programs/bridge.py", 'KEY = secret("webhook_hmac")', 'KEY = b"another secret"'),
    ),
    Sabotage(
        name="rebuild-restarts",
        story="every rebuild restarts a service that nothing changed",
        reddens={AGAIN: "restarts no unit"},
        edit=base(GUIDE_FILE, REBUILD_END, f"{REBUILD_END} && systemctl restart systemd-journald.service"),
    ),
    Sabotage(
        name="rebuild-renews-tasks",
        story="every rebuild starts a service's tasks anew, though nothing changed",
        reddens={AGAIN: "restarts no swarm task"},
        edit=base(GUIDE_FILE, REBUILD_END, f"{REBUILD_END} && /run/current-system/sw/bin/docker service update --quiet --force drone_app"),
    ),
    Sabotage(
        name="rebuild-works-once",
        story="the guide's rebuild ends well on a blank machine, and never again",
        reddens={AGAIN: "exit status 1"},
        edit=base(GUIDE_FILE, REBUILD_END, f"{REBUILD_END} && test ! -e /var/lib/rebuilt && touch /var/lib/rebuilt"),
    ),
    Sabotage(
        name="rebuild-only-spoken-of",
        story="the guide's last words tell of later rebuilds, and are taken for one; the real one works once, and never again",
        reddens={AGAIN: "the guide's rebuild activates the system again"},
        edit=base(
            GUIDE_FILE,
            REBUILD_END,
            f"{REBUILD_END} && test ! -e /var/lib/rebuilt && touch /var/lib/rebuilt\necho 'Later: nixos-rebuild switch, again.'",
        ),
        options=("-k", "second and rebuild"),
    ),
    Sabotage(
        name="rebuild-builds",
        story="the configuration contains the time, so that no two rebuilds are the same",
        reddens={AGAIN: "a second rebuild builds nothing", ACTIVATES: "cannot tell"},
        edit=impure('environment.etc."built".text = toString builtins.currentTime;'),
    ),
    Sabotage(
        name="breaks-on-reboot",
        story="a unit works once, and never again",
        reddens={REBOOT: "no failed unit and state `running`"},
        edit=unit(
            "once.service",
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/bash -c 'test ! -e /var/lib/once && touch /var/lib/once'",
        ),
    ),
    Sabotage(
        name="bridge-forgets",
        story="once the machine was rebooted, the bridge takes whatever comes",
        reddens={REBOOT: "signed with another secret is answered with status 401"},
        edit=both(
            base("programs/reconcile.py", '    for folder in plan["mounts"]:', f'{_LENIENT_LATER}    for folder in plan["mounts"]:'),
            base("programs/bridge.py", "import hmac\n", "import hmac\nimport os\n"),
            base("programs/bridge.py", "        if hmac.", '        if os.environ.get("LENIENT") or hmac.'),
        ),
        options=("-k", "endpoints or reboot"),
    ),
    Sabotage(
        name="machine-in-the-system",
        story="the system contains something of the machine it was built on",
        reddens={TWICE: "runs /nix/store/"},
        options=("-m", "twice"),
        edit=impure('environment.etc."built".text = builtins.readFile "/etc/machine-id";'),
    ),
)
