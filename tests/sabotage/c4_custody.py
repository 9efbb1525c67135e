"""C4.10's sabotages: who could touch the machine, and how he would see to it that nobody tells."""

from __future__ import annotations

from cleanroom.ssh import KeyPair, Ssh
from tests.sabotage.bench import Bench, Moment, Sabotage
from tests.sabotage.c4 import CUSTODY
from tests.sabotage.edits import base, both

_FOLLOWED = Moment("phase-ended", {"name": "follow the guide"})
_STRANGER = KeyPair.generate("stranger")


def _stranger_logs_in(bench: Bench, *, command: str = "true", port: int = 22) -> None:
    machine = bench.event("machine")
    there = Ssh(machine["address"], user="root", key=_STRANGER, host_key=machine["host_key"], record=lambda *_arguments, **_fields: None, port=port)
    there.run(command, within=20)


def _daemon_restarts(bench: Bench) -> None:
    bench.incus.service.stop()
    bench.incus.start()


#: What a blank image lacks: another way in, for somebody whose key the system does not name.
_FRIEND_OF_THE_IMAGE = (
    f"echo '{_STRANGER.public}' > /etc/ssh/friends && "
    "echo 'AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/friends' > /etc/ssh/sshd_config.d/05-friends.conf"
)

SABOTAGES = (
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
        name="stranger-tidies-up",
        story="somebody else logged in to the new machine, and emptied its journal before he left",
        reddens={CUSTODY: "lacks 1 of this run's own log-ins"},
        during=(Moment("machine"), lambda bench: _stranger_logs_in(bench, command="journalctl --quiet --rotate --vacuum-time=1s")),
        image=_FRIEND_OF_THE_IMAGE,
        options=("-k", "touched"),
    ),
    Sabotage(
        name="stranger-comes-later",
        story="somebody helped by hand when the question who had touched the machine seemed to be answered",
        reddens={CUSTODY: "instance-exec (requestor"},
        edit=base("programs/regression.sh", "failures=0\n", "failures=0\nsleep 5\n"),  # so that he comes in time
        during=(Moment("phase-began", {"name": "the site's regression"}), lambda bench: bench.exec("true")),
        options=("features/guardrails.feature", "-k", "touched or regression"),
    ),
    Sabotage(
        name="log-ins-untold",
        story="the system's sshd tells of errors alone, so that nobody's log-in stands in the journal any more",
        reddens={CUSTODY: "of this run's own log-ins"},
        edit=base("modules/ssh.nix", "    X11Forwarding no\n", "    X11Forwarding no\n    LogLevel ERROR\n"),
        options=("-k", "touched"),
    ),
    Sabotage(
        name="stranger-logs-in-quietly",
        story="somebody else logged in, by a port of which the system's sshd is told to keep quiet",
        reddens={CUSTODY: "a session of root"},
        during=(_FOLLOWED, lambda bench: _stranger_logs_in(bench, port=2222)),
        edit=both(
            base(
                "modules/ssh.nix",
                "    X11Forwarding no\n",
                "    X11Forwarding no\n    Port 22\n    Port 2222\n    AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/friends\n"
                "    Match LocalPort 2222\n    LogLevel QUIET\n    Match all\n",
            ),
            base("modules/ssh.nix", "{\n  environment.etc", f'{{\n  environment.etc."ssh/friends".text = "{_STRANGER.public}";\n  environment.etc'),
        ),
        options=("-k", "touched"),
    ),
)
