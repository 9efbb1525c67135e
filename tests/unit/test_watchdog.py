from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cleanroom import watchdog
from cleanroom.errors import HarnessError
from cleanroom.machine import Machine
from cleanroom.watchdog import Watchdog, is_ours
from tests.unit.notes import Notes

SET = ["systemd-run", "--on-active=600s", "--unit=cleanroom-watchdog", "--timer-property=AccuracySec=1s", "--collect", "systemctl", "poweroff"]
RENEWED = ["systemctl", "restart", "cleanroom-watchdog.timer"]
TAKEN_AWAY = ["systemctl", "stop", "cleanroom-watchdog.timer"]


@pytest.mark.parametrize("argv", [RENEWED, TAKEN_AWAY, SET], ids=["renewed", "taken away", "set"])
def test_its_three_commands_are_known(argv: list[str]) -> None:
    assert is_ours(argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["systemctl", "restart", "docker.service"],
        [*RENEWED, "docker.service"],
        [*SET[:-2], "sh", "-c", "true"],
        [SET[0], "--on-active=1s; true", *SET[2:]],
        ["systemctl restart cleanroom-watchdog.timer"],
    ],
    ids=["nothing", "another unit", "one more unit", "another command", "no number", "a line for a shell"],
)
def test_nothing_else_passes_for_one(argv: list[str]) -> None:
    assert not is_ours(argv)


class There:
    """The machine at the other end: takes commands, and refuses those of `refused`."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.refused: set[str] = set()
        self.ssh = SimpleNamespace(closed=0, close=self._close)
        self.name, self.where = "throwaway", "throwaway (192.0.2.1)"

    def _close(self) -> None:
        self.ssh.closed += 1

    def execute(self, argv: Sequence[str], *, purpose: str, within: float) -> Any:
        assert purpose == "watchdog"
        assert within > 0
        self.commands.append(list(argv))
        return SimpleNamespace(ok=argv[1] not in self.refused, complaint="it will not")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> There:
    machine = There()
    monkeypatch.setattr(watchdog, "Ssh", lambda *_arguments, **_options: None)
    monkeypatch.setattr(watchdog, "Machine", lambda *_arguments: machine)
    return machine


@pytest.fixture
def dog(there: There, notes: Notes) -> Watchdog:
    door = SimpleNamespace(address="192.0.2.1", user="root", key=None, host_key="")
    assert there.commands == []
    return Watchdog(cast(Machine, SimpleNamespace(name="throwaway", ssh=door)), 600.0, notes.record)


def test_it_is_set_and_told(there: There, dog: Watchdog, notes: Notes) -> None:
    dog.begin()
    assert there.commands == [SET]
    assert notes.of("watchdog") == [{"n": 0, "kind": "watchdog", "machine": "throwaway", "silence": 600.0, "unit": "cleanroom-watchdog.timer"}]


def test_one_that_cannot_be_set_is_told(there: There, dog: Watchdog, notes: Notes) -> None:
    there.refused = {SET[1]}
    with pytest.raises(HarnessError, match="cannot be set: it will not"):
        dog.begin()
    assert notes == []


def test_it_is_renewed_and_set_again_only_where_a_boot_has_taken_it(there: There, dog: Watchdog) -> None:
    dog.renew()
    assert there.commands == [RENEWED]
    there.refused = {"restart"}
    dog.renew()
    assert there.commands == [RENEWED, RENEWED, SET]


def test_a_kept_machine_loses_it(there: There, dog: Watchdog) -> None:
    dog.end()
    dog.close()
    assert there.commands == [TAKEN_AWAY]
    assert there.ssh.closed == 1
