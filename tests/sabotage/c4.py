"""C4's sabotages: how somebody would get a green for a machine that was not rebuilt by its guide."""

from __future__ import annotations

from collections.abc import Callable

from cleanroom.ssh import KeyPair, Ssh
from lab.names import PROJECT
from tests.sabotage.bench import Bench, Moment, Sabotage
from tests.sabotage.edits import GUIDE as GUIDE_FILE
from tests.sabotage.edits import REBUILD_END, base, both, impure, suite_edit, unit

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
_FOLLOWED = Moment("phase-ended", {"name": "follow the guide"})


def _without(*titles: str) -> dict[str, str]:
    return {title: why for title, why in _STOPS.items() if title not in titles}


_STRANGER = KeyPair.generate("stranger")


def _stranger_logs_in(bench: Bench) -> None:
    machine = bench.event("machine")
    Ssh(machine["address"], user="root", key=_STRANGER, host_key=machine["host_key"], record=lambda *_arguments, **_fields: None).run(
        "true", within=20
    )


def _daemon_restarts(bench: Bench) -> None:
    bench.incus.service.stop()
    bench.incus.start()


def _namesake(bench: Bench) -> Callable[[], object]:
    bench.incus("init", "incus-base", bench.throwaway, "--project", PROJECT)
    return lambda: bench.incus("delete", "--force", bench.throwaway, "--project", PROJECT)


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
        name="repository-in-the-image",
        story="the image carries a clone of base, so that nobody notices when the forge lacks something",
        reddens={BLANK: "no repository on a blank machine"},
        image="git init -q /srv/cc-ci",
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
        name="guide-command-fails",
        story="the guide has a command that does not work as written",
        reddens={GUIDE: "ends with status 0"},
        may_redden=_without(GUIDE),
        edit=base(GUIDE_FILE, "## 2. Rebuild\n", "## 2. Rebuild\n\n```sh machine\ntest -e /etc/prepared-by-hand\n```\n"),
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
        name="wrong-page",
        story="something answers under drone's name, and it is not drone",
        reddens={ENDPOINTS: "without the marker", REBOOT: "without the marker"},
        edit=base("programs/drone.py", "Drone CI", "Welcome to nginx"),
    ),
    Sabotage(
        name="bridge-takes-anything",
        story="the bridge does not check signatures",
        reddens={ENDPOINTS: "signed with another secret is answered with status 401"},
        edit=base("programs/bridge.py", "self.answer(401, ", "self.answer(202, "),
    ),
    Sabotage(
        name="bridge-takes-nothing",
        story="the bridge was given another secret than git's",
        reddens={ENDPOINTS: "signed with git's secret is answered with status 202"},
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
        name="stranger-executes",
        story="somebody helped by hand, through the hypervisor",
        reddens={CUSTODY: "instance-exec (requestor"},
        during=(_FOLLOWED, lambda bench: bench.exec("true")),
    ),
    Sabotage(
        name="nobody-listens",
        story="the hypervisor's daemon was restarted, so that what was done meanwhile was told to nobody",
        reddens={CUSTODY: "were not heard for a while"},
        during=(_FOLLOWED, _daemon_restarts),
    ),
    Sabotage(
        name="stranger-logs-in",
        story="somebody else logged in to the machine",
        reddens={CUSTODY: _STRANGER.fingerprint},
        during=(_FOLLOWED, _stranger_logs_in),
        edit=both(
            base("modules/ssh.nix", "    X11Forwarding no\n", "    X11Forwarding no\n    AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/friends\n"),
            base("modules/ssh.nix", "{\n  environment.etc", f'{{\n  environment.etc."ssh/friends".text = "{_STRANGER.public}";\n  environment.etc'),
        ),
    ),
    Sabotage(
        name="machine-in-the-system",
        story="the system contains something of the machine it was built on",
        reddens={TWICE: "runs /nix/store/"},
        options=("-m", "twice"),
        edit=impure('environment.etc."built".text = builtins.readFile "/etc/machine-id";'),
    ),
)
