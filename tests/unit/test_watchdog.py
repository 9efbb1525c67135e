from __future__ import annotations

import pytest

from cleanroom.watchdog import is_ours


@pytest.mark.parametrize(
    "argv",
    [
        ["systemctl", "restart", "cleanroom-watchdog.timer"],
        ["systemctl", "stop", "cleanroom-watchdog.timer"],
        [
            "systemd-run",
            "--on-active=600s",
            "--unit=cleanroom-watchdog",
            "--timer-property=AccuracySec=1s",
            "--collect",
            "systemctl",
            "poweroff",
        ],
    ],
    ids=["renewed", "taken away", "set"],
)
def test_its_three_commands_are_known(argv: list[str]) -> None:
    assert is_ours(argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["systemctl", "restart", "docker.service"],
        ["systemctl", "restart", "cleanroom-watchdog.timer", "docker.service"],
        ["systemd-run", "--on-active=600s", "--unit=cleanroom-watchdog", "--timer-property=AccuracySec=1s", "--collect", "sh", "-c", "true"],
        ["systemd-run", "--on-active=1s; true", "--unit=cleanroom-watchdog", "--timer-property=AccuracySec=1s", "--collect", "systemctl", "poweroff"],
        ["systemctl restart cleanroom-watchdog.timer"],
    ],
    ids=["nothing", "another unit", "one more unit", "another command", "no number", "a line for a shell"],
)
def test_nothing_else_passes_for_one(argv: list[str]) -> None:
    assert not is_ours(argv)
