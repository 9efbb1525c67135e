"""The certificate as the machine holds it: its files, and the proxy's swarm secrets.

Knows: which bytes git holds (by SHA-256; no value leaves this process), who may read a file, and how to look into a running task.
Refuses: a swarm secret that is declared but not carried, and one that is carried but not declared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.certificate import Pair
from cleanroom.declared import DECRYPTED
from cleanroom.errors import CheckFailed, HarnessError, OutOfTime
from cleanroom.machine import Machine
from cleanroom.site import Site
from cleanroom.ssh import Result
from cleanroom.tables.serving import Certificate
from cleanroom.trial import Trial
from cleanroom.wait import Waiting, wait_until

_OTHERS = 0o007
_GROUP_CHANGES = 0o030
_PRIVATE_KEY = "PRIVATE KEY-----"
_ACTIVATION_SECONDS = 600.0
_ACTIVATE = ("/run/current-system/bin/switch-to-configuration", "test")


@dataclass(frozen=True)
class Removal:
    """The certificate's files, deleted - links and what they lead to - and the running system activated again."""

    machine: Machine
    activation: Result

    @staticmethod
    def of(trial: Trial, settings: Certificate) -> Removal:
        """Delete and activate, within a trial."""
        machine = trial.machine
        paths = (settings.certificate_path, settings.key_path)
        found = [machine.probe("readlink", "-f", "--", path).text for path in paths]
        targets = [path for path in found if not path.startswith("/nix/store/")]  # a secret there is another scenario's to find, not ours to delete
        trial.execute("rm", "-f", "--", *paths, *targets)
        left = [path for path in (*paths, *targets) if machine.exists(path)]
        if left:
            raise HarnessError(f"cannot delete {', '.join(left)}", where=machine.where)
        return Removal(machine, trial.execute(*_ACTIVATE, within=_ACTIVATION_SECONDS))

    def check_activated(self) -> None:
        """The activation ended well."""
        if not self.activation.ok:
            seen = f"exit status {self.activation.status}: {self.activation.complaint}"
            raise CheckFailed("the system activates without its certificate's files", seen=seen, where=self.machine.where)


def check_files(machine: Machine, settings: Certificate, pair: Pair) -> None:
    """Both files are git's bytes."""
    for path, expected, name in _files(settings, pair):
        if not machine.exists(path):
            advice = "it is a secret like any other: declare it with its path"
            raise CheckFailed(f"{path} is git's {name}", seen="nothing is there", where=machine.where, advice=advice)
        looked = machine.probe("sha256sum", "--", path, ok=(0, 1))
        if not looked.ok:
            raise CheckFailed(f"{path} is git's {name}", seen=looked.complaint, where=machine.where)
        seen = looked.text.split()[0]
        if seen != expected:
            raise CheckFailed(f"{path} is git's {name}, SHA-256 {expected[:16]}...", seen=f"SHA-256 {seen[:16]}...", where=machine.where)


def check_key_private(machine: Machine, settings: Certificate) -> None:
    """Owner and group apart, nobody may read the key's file, nor any decrypted file with a private key in it; the group may not change it."""
    looked = machine.probe("stat", "--dereference", "--format=%a %U %G %F", "--", settings.key_path, ok=(0, 1))
    if not looked.ok:
        raise CheckFailed(f"{settings.key_path} is a file", seen=looked.complaint, where=machine.where)
    mode, owner, group, kind = looked.text.split(" ", 3)
    if int(mode, 8) & (_OTHERS | _GROUP_CHANGES) or kind != "regular file":
        seen = f"{kind}, mode {mode}, owner {owner}, group {group}"
        expected = f"{settings.key_path} is readable by its owner (or group) only"
        raise CheckFailed(expected, seen=seen, where=machine.where, advice="mode 0440 or less, where it is declared")
    open_to_all = machine.probe("find", *DECRYPTED, "-type", "f", "-perm", "-004", ok=(0, 1)).text.splitlines()
    found = machine.probe("grep", "-lF", "-e", _PRIVATE_KEY, "--", *open_to_all, ok=(0, 1)).text.splitlines() if open_to_all else []
    if found:
        seen, advice = f"everybody may read {', '.join(found)}", "mode 0440 or less; the certificate alone is for everybody"
        raise CheckFailed("no decrypted private key is readable by others than its owner (or group)", seen=seen, where=machine.where, advice=advice)


def check_carried(machine: Machine, site: Site, pair: Pair) -> None:
    """The proxy has both swarm secrets by its specification, and every running task of it holds git's bytes in them."""
    settings = site.certificate
    targets = {settings.certificate_target: pair.certificate_digest, settings.key_target: pair.key_digest}
    declared = _declared(machine, settings.proxy)
    missing = sorted(targets.keys() - declared.keys())
    if missing:
        expected, seen = f"service {settings.proxy} has the swarm secret {missing[0]}", f"it has {', '.join(sorted(declared)) or 'none'}"
        raise CheckFailed(expected, seen=seen, where=machine.where, advice=f"docker service inspect {settings.proxy}")
    for process in _processes(machine, settings.proxy, within=site.proxy_within):
        for target, expected in targets.items():
            path = f"/proc/{process}/root{declared[target]}"
            looked = machine.probe("sha256sum", "--", path, ok=(0, 1))
            seen = f"SHA-256 {looked.text.split()[0][:16]}..." if looked.ok else looked.complaint
            if not looked.ok or looked.text.split()[0] != expected:
                where = f"{machine.where}, process {process} of {settings.proxy}"
                raise CheckFailed(f"swarm secret {target} carries git's bytes, SHA-256 {expected[:16]}...", seen=seen, where=where)


def _files(settings: Certificate, pair: Pair) -> tuple[tuple[str, str, str], ...]:
    return (
        (settings.certificate_path, pair.certificate_digest, settings.certificate),
        (settings.key_path, pair.key_digest, settings.key),
    )


def _declared(machine: Machine, service: str) -> Mapping[str, str]:
    """Target name of each swarm secret in a service's specification, and where it lies inside; raises `CheckFailed` if there is no such service."""
    looked = machine.probe("docker", "service", "inspect", "--format", "{{json .Spec.TaskTemplate.ContainerSpec.Secrets}}", service, ok=(0, 1))
    if not looked.ok:
        advice = "certificate.proxy in the site file names it"
        raise CheckFailed(f"service {service} exists", seen=looked.complaint, where=machine.where, advice=advice)
    names = [str(secret["File"]["Name"]) for secret in _rows(looked.text)]
    return {name.rpartition("/")[2]: name if name.startswith("/") else f"/run/secrets/{name}" for name in names}


def _processes(machine: Machine, service: str, *, within: float) -> list[str]:
    """First process of each running task's container, waited for; raises `CheckFailed` if none comes to run."""
    label = f"label=com.docker.swarm.service.name={service}"

    def running() -> list[str] | Waiting:
        return machine.probe("docker", "ps", "--quiet", "--no-trunc", "--filter", label).text.split() or Waiting("none")

    try:
        containers = wait_until(running, what=f"a task of {service}", within=within, where=machine.where, record=machine.record)
    except OutOfTime:
        advice = f"docker service ps --no-trunc {service}"
        raise CheckFailed(f"a task of service {service} runs", seen="none", where=machine.where, advice=advice) from None
    return machine.probe("docker", "inspect", "--format", "{{.State.Pid}}", *containers).text.split()


def _rows(text: str) -> list[dict[str, Any]]:
    return json.loads(text) or []
