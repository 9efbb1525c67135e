"""The image keeps NixOS' contract: nixos-rebuild's verbs, generations, exit statuses, and what happens to units."""

from __future__ import annotations

import json

import pytest

from tests.lab.conftest import Box

FLAKE = "/root/flake"
SYSTEM = "readlink -f /run/current-system"
PROFILE = "readlink -f /nix/var/nix/profiles/system"
SLEEPER = '"{name}" = {{ text = "[Service]\\nExecStart=/usr/bin/sleep {seconds}\\n"; wantedBy = [ "multi-user.target" ]; }};'


def configure(box: Box, *, units: str = "", snippet: str = "true") -> None:
    text = f"""{{ ... }}: {{
      systemd.units = {{ {units} }};
      system.activationScripts = [ {{ name = "mine"; text = "{snippet}"; }} ];
      environment.etc."systemd/network/20-lan.network".text = "[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\n";
    }}"""
    box.says(f"rm -rf {FLAKE} && cp -r /usr/share/cleanroom-image {FLAKE} && cat > {FLAKE}/configuration.nix <<'END'\n{text}\nEND")


def rebuild(box: Box, action: str) -> tuple[int, str]:
    return box.sh(f"cd /root && nixos-rebuild {action} --flake path:{FLAKE}#image")


def invocation(box: Box, unit: str) -> str:
    return box.says(f"systemctl show --property=InvocationID --value {unit}")


def test_a_blank_machine_runs_the_images_own_generation_and_nothing_else(box: Box) -> None:
    assert box.says("systemctl is-system-running") == "running"
    assert box.says("ls /nix/var/nix/profiles | grep -c system-") == "1"
    assert box.says(SYSTEM) == box.says(PROFILE) == box.says("readlink -f /run/booted-system")
    assert json.loads(box.says("nixos-version --json"))["nixosVersion"] == box.says("cat /run/current-system/nixos-version")
    assert box.sh("docker version")[0] == 127
    assert box.says("find / -xdev -name .git | wc -l") == "0"
    assert box.says("journalctl --boot --quiet | wc -l") != "0"


def test_a_machine_makes_its_identity_itself(box: Box) -> None:
    assert len(box.says("cat /etc/machine-id")) == 32
    assert box.says("find /etc/ssh -name 'ssh_host_*' | sort").split() == ["/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub"]


def test_nix_asks_nobody_outside(box: Box) -> None:
    shown = json.loads(box.says("nix config show --json"))
    assert shown["substituters"]["value"] == []
    assert shown["flake-registry"]["value"] == ""


def test_build_makes_a_result_and_changes_nothing(box: Box) -> None:
    configure(box, units=SLEEPER.format(name="a.service", seconds=1000))
    before = box.says(f"{SYSTEM}; {PROFILE}")
    status, output = rebuild(box, "build")
    assert status == 0
    assert box.says("readlink -f /root/result") == output.splitlines()[0]
    assert box.says(f"{SYSTEM}; {PROFILE}") == before


def test_test_runs_a_system_that_does_not_boot(box: Box) -> None:
    configure(box, units=SLEEPER.format(name="a.service", seconds=1001))
    profile = box.says(PROFILE)
    assert rebuild(box, "test")[0] == 0
    assert box.says(PROFILE) == profile != box.says(SYSTEM)


def test_boot_sets_what_boots_and_runs_nothing_of_it(box: Box) -> None:
    configure(box, units=SLEEPER.format(name="b.service", seconds=1002))
    running = box.says(SYSTEM)
    assert rebuild(box, "boot")[0] == 0
    assert box.says(SYSTEM) == running != box.says(PROFILE)
    assert box.sh("systemctl is-active b.service")[1] == "inactive"


def test_dry_activate_tells_and_does_not(box: Box) -> None:
    configure(box, units=SLEEPER.format(name="dry.service", seconds=1003))
    before = box.says(f"{SYSTEM}; {PROFILE}")
    status, output = rebuild(box, "dry-activate")
    assert status == 0
    assert "dry.service" in output
    assert box.says(f"{SYSTEM}; {PROFILE}") == before


def test_switch_starts_restarts_and_stops_by_difference(box: Box) -> None:
    configure(box, units="".join(SLEEPER.format(name=f"{name}.service", seconds=1004) for name in ("same", "changed", "gone")))
    assert rebuild(box, "switch")[0] == 0
    assert box.says("systemctl is-active same changed gone").split() == ["active"] * 3
    before = {name: invocation(box, name) for name in ("same", "changed")}
    units = "".join(SLEEPER.format(name=f"{name}.service", seconds=seconds) for name, seconds in (("same", 1004), ("changed", 1005), ("new", 1006)))
    configure(box, units=units)
    assert rebuild(box, "switch")[0] == 0
    assert box.sh("systemctl is-active same changed gone new")[1].split() == ["active", "active", "inactive", "active"]
    assert invocation(box, "same") == before["same"]
    assert invocation(box, "changed") != before["changed"]


def test_a_second_switch_builds_nothing_and_restarts_nothing(box: Box) -> None:
    configure(box, units=SLEEPER.format(name="same.service", seconds=1007))
    assert rebuild(box, "switch")[0] == 0
    before = (box.says("ls /nix/var/nix/profiles"), invocation(box, "same.service"), box.says(SYSTEM))
    status, output = rebuild(box, "switch")
    assert status == 0
    assert "will be built" not in output
    assert not [line for line in output.splitlines() if "the following units" in line]
    assert (box.says("ls /nix/var/nix/profiles"), invocation(box, "same.service"), box.says(SYSTEM)) == before


@pytest.mark.parametrize(
    ("units", "snippet", "status"),
    [
        ("", "false", 2),
        ('"bad.service" = { text = "[Service]\\nType=oneshot\\nExecStart=/bin/false\\n"; wantedBy = [ "multi-user.target" ]; };', "true", 4),
        ('"bad.service" = { text = "[Service]\\nType=oneshot\\nExecStart=/bin/false\\n"; wantedBy = [ "multi-user.target" ]; };', "false", 4),
    ],
    ids=["a snippet fails", "a unit fails", "both fail"],
)
def test_a_failed_switch_says_so_and_is_the_running_system_nonetheless(box: Box, units: str, snippet: str, status: int) -> None:
    configure(box, units=units, snippet=snippet)
    seen, output = rebuild(box, "switch")
    assert seen == status
    assert ("Activation script snippet 'mine' failed (1)" in output) == (snippet == "false")
    assert ("the following units failed: bad.service" in output) == bool(units)
    assert box.says(SYSTEM) == box.says(PROFILE) in output


def test_a_switch_while_another_runs_is_refused(box: Box) -> None:
    configure(box, snippet="sleep 2")
    status, output = box.sh(f"cd /root; go() {{ nixos-rebuild test --flake path:{FLAKE}#image; }}; go & sleep 1; go; s=$?; wait; exit $s")
    assert status != 0
    assert "nixos-rebuild-switch-to-configuration" in output


def test_what_is_no_system_is_refused(box: Box) -> None:
    status, output = box.sh(f"nixos-rebuild switch --flake path:{FLAKE}#nobody")
    assert status == 1
    assert "nobody" in output
