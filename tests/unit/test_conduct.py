"""What a run did to the machine, judged from its ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from cleanroom import conduct
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.guide import Command, Guide, Place, parse
from cleanroom.installation import Installation
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine
from cleanroom.redact import Secret

GUIDE = parse("```sh\nls\n```\n\n```sh operator status=3\nscp $BOOTSTRAP_KEY root@$MACHINE:/key\n```\n", file="docs/install.md", within=60)
ACCESS = "/root/.ssh/authorized_keys"


@dataclass
class Record:
    """What became of one command; everything as it should be unless changed."""

    number: int
    where: str = ""
    place: str = ""
    command: str = ""
    status: int | None = 0
    fate: str = "0"


def followed(ledger: Ledger, guide: Guide = GUIDE, *, change: Callable[[list[Record]], object] = lambda _: None) -> None:
    records = [Record(c.number, c.where, c.place, c.text, c.status, str(c.status)) for c in guide.commands]
    change(records)
    for record in records:
        ledger.record("guide-command", number=record.number, where=record.where, place=record.place, command=record.command)
        ledger.record("guide-result", number=record.number, status=record.status, fate=record.fate, stdout="", stderr="it broke\n")


def test_a_guide_that_was_followed_is_told_as_followed(ledger: Ledger) -> None:
    followed(ledger)
    conduct.check_followed(ledger, GUIDE)


DEVIATIONS: dict[str, Callable[[list[Record]], object]] = {
    "none ran": lambda r: r.clear(),
    "the last did not run": lambda r: r.pop(),
    "the first did not run": lambda r: r.pop(0),
    "one ran twice": lambda r: r.insert(1, r[0]),
    "one ran again at the end": lambda r: r.append(r[0]),
    "the order was another": lambda r: r.reverse(),
    "the text was another": lambda r: setattr(r[0], "command", "ls -l"),
    "the place was another": lambda r: setattr(r[1], "place", "machine"),
    "the line was another": lambda r: setattr(r[0], "where", "docs/install.md:99"),
    "one failed": lambda r: setattr(r[0], "status", 1),
    "one should have failed and did not": lambda r: setattr(r[1], "status", 0),
    "one never ended": lambda r: vars(r[0]).update(status=None, fate="limit"),
    "one that nobody wrote": lambda r: r.append(Record(3, "docs/install.md:9", "machine", "rm -rf /")),
}


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_every_deviation_from_the_guide_is_the_site_s_failure_with_its_place(ledger: Ledger, deviation: str) -> None:
    followed(ledger, change=DEVIATIONS[deviation])
    with pytest.raises(CheckFailed) as caught:
        conduct.check_followed(ledger, GUIDE)
    assert caught.value.where.startswith("docs/install.md")


def test_a_command_without_a_result_did_not_end(ledger: Ledger) -> None:
    for command in GUIDE.commands:
        ledger.record("guide-command", number=command.number, where=command.where, place=command.place, command=command.text)
    with pytest.raises(CheckFailed, match="no result"):
        conduct.check_followed(ledger, GUIDE)


def test_what_a_failed_command_said_last_is_told(ledger: Ledger) -> None:
    followed(ledger, change=lambda r: setattr(r[0], "status", 1))
    with pytest.raises(CheckFailed, match="it broke"):
        conduct.check_followed(ledger, GUIDE)


def test_a_secret_in_the_guide_s_text_does_not_make_it_another_text(ledger: Ledger) -> None:
    ledger.redactor.add(Secret("BOOTSTRAP_KEY", name="odd"))
    followed(ledger)
    conduct.check_followed(ledger, GUIDE)


class Bench:
    """A machine that holds what it is told to hold."""

    name = "throwaway"
    where = "throwaway (192.0.2.1)"

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = files or {}

    def exists(self, path: str) -> bool:
        return path in self.files

    def sha256(self, path: str) -> str:
        return hashlib.sha256(self.files[path]).hexdigest()


def machine(**options: Any) -> Machine:
    return cast(Machine, Bench(**options))


def sent(ledger: Ledger, purpose: str, *argv: str, to: str = "throwaway") -> None:
    ledger.record("command", machine=to, purpose=purpose, argv=list(argv))


def test_commands_of_the_guide_and_looks_are_excused(ledger: Ledger) -> None:
    sent(ledger, "probe", "systemctl", "show", "x")
    sent(ledger, "guide", "bash", "-c", "rm -rf /")
    sent(ledger, "repetition", "bash", "-c", "nixos-rebuild switch")
    sent(ledger, "probe", "rm", "-rf", "/", to="another machine")
    conduct.check_only_looked(ledger, machine())


@pytest.mark.parametrize(
    ("purpose", "argv"),
    [("probe", ["rm", "-rf", "/"]), ("probe", ["bash -c ls"]), ("probe", ["find", "/", "-delete"]), ("curiosity", ["ls"]), ("", ["ls"])],
)
def test_any_other_command_is_told(ledger: Ledger, purpose: str, argv: list[str]) -> None:
    sent(ledger, "probe", "ls")
    sent(ledger, purpose, *argv)
    with pytest.raises(CheckFailed, match="event 1"):
        conduct.check_only_looked(ledger, machine())


def test_the_sites_regression_is_the_command_that_it_names_and_no_other(ledger: Ledger) -> None:
    sent(ledger, "probe", "ls")
    sent(ledger, "regression", "bash", "-lc", "cc-ci-regression")
    conduct.check_only_looked(ledger, machine(), regression=["bash", "-lc", "cc-ci-regression"])
    sent(ledger, "regression", "bash", "-lc", "cc-ci-regression; rm -rf /srv")
    with pytest.raises(CheckFailed, match="event 2"):
        conduct.check_only_looked(ledger, machine(), regression=["bash", "-lc", "cc-ci-regression"])


def test_nothing_is_done_again_before_the_guide_has_ended(ledger: Ledger) -> None:
    sent(ledger, "probe", "ls")
    sent(ledger, "repetition", "bash", "-c", "nixos-rebuild switch")
    followed(ledger)
    with pytest.raises(CheckFailed, match="repetition before the guide's end"):
        conduct.check_only_looked(ledger, machine())


def test_a_trial_that_nobody_declared_is_told(ledger: Ledger) -> None:
    followed(ledger)
    sent(ledger, "probe", "ls")
    sent(ledger, "trial", "rm", "-f", "/cert")
    with pytest.raises(CheckFailed, match="belong to a declared trial"):
        conduct.check_only_looked(ledger, machine())


def test_the_watchdogs_commands_are_those_of_the_suite(ledger: Ledger) -> None:
    sent(ledger, "probe", "ls")
    sent(ledger, "watchdog", "systemctl", "restart", "cleanroom-watchdog.timer")
    conduct.check_only_looked(ledger, machine())
    sent(ledger, "watchdog", "systemctl", "restart", "docker.service")
    with pytest.raises(CheckFailed, match=r"restart docker.service` \(event 2\)"):
        conduct.check_only_looked(ledger, machine())


def test_what_was_sent_after_the_watchdogs_renewal_is_judged_too(ledger: Ledger) -> None:
    sent(ledger, "probe", "ls")
    sent(ledger, "watchdog", "systemctl", "restart", "cleanroom-watchdog.timer")
    sent(ledger, "probe", "rm", "-rf", "/")
    with pytest.raises(CheckFailed, match="event 2"):
        conduct.check_only_looked(ledger, machine())


@pytest.mark.parametrize("to", ["another machine", None])
def test_an_empty_record_excuses_nothing(ledger: Ledger, to: str | None) -> None:
    sent(ledger, "guide", "ls")
    if to:
        sent(ledger, "probe", "ls", to=to)
    with pytest.raises(HarnessError, match="no probe"):
        conduct.check_only_looked(ledger, machine())


def installation(bringer: int | None) -> Installation:
    return Installation(GUIDE, machine(), (), GUIDE.commands[bringer] if bringer is not None else None)


def test_the_key_is_brought_by_a_command_that_names_it() -> None:
    conduct.check_key_bringer(installation(1))


@pytest.mark.parametrize(("bringer", "where"), [(None, "docs/install.md"), (0, "docs/install.md:2")])
def test_a_key_from_nowhere_is_told(bringer: int | None, where: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        conduct.check_key_bringer(installation(bringer))
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("text", "place", "holds"),
    [
        ('ssh root@"$MACHINE" \'cat > /key\' < "$BOOTSTRAP_KEY"', "operator", True),
        ("scp ${BOOTSTRAP_KEY} root@$MACHINE:/key # by hand", "operator", True),
        ("bash -c 'cat \"$BOOTSTRAP_KEY\" | ssh root@$MACHINE'", "operator", True),
        ("echo ' # ' && scp $BOOTSTRAP_KEY root@$MACHINE:/key", "operator", True),
        ("scp elsewhere root@$MACHINE:/key # $BOOTSTRAP_KEY", "operator", False),
        ("# $BOOTSTRAP_KEY\nscp elsewhere root@$MACHINE:/key", "operator", False),
        ("scp $BOOTSTRAP_KEYS root@$MACHINE:/key", "operator", False),
        ("scp BOOTSTRAP_KEY root@$MACHINE:/key", "operator", False),
        ("cat /backup/key > /key; : $BOOTSTRAP_KEY", "machine", False),
    ],
)
def test_a_key_s_name_is_one_that_the_shell_reads(text: str, place: Place, holds: bool) -> None:  # noqa: FBT001 - a table
    command = Command(1, "docs/install.md", 2, place, text, 60.0, 0)
    followed = replace(installation(None), key_brought_by=command)
    if holds:
        conduct.check_key_bringer(followed)
    else:
        with pytest.raises(CheckFailed, match="names \\$BOOTSTRAP_KEY, at the operator's side"):
            conduct.check_key_bringer(followed)


def test_the_key_at_its_place_is_compared_by_digest_and_never_shown(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"AGE-SECRET-KEY-1TEST\n")
    conduct.check_key(machine(files={"/key": key.read_bytes()}), key, "/key")
    for files, seen in (({}, "nothing is there"), ({"/key": b"AGE-SECRET-KEY-1OTHER\n"}, "SHA-256"), ({"/key": b"AGE-SECRET-KEY-1TEST"}, "SHA-256")):
        with pytest.raises(CheckFailed, match=seen) as caught:
            conduct.check_key(machine(files=files), key, "/key")
        assert "AGE-SECRET" not in str(caught.value)


def test_an_operator_s_key_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read the bootstrap key"):
        conduct.check_key(machine(), tmp_path / "none", "/key")


def pushed(ledger: Ledger, path: str, *, by_us: bool = True, told: int = 1, instance: str = "throwaway") -> None:
    if by_us:
        ledger.record("hypervisor", action="push", instance=instance, path=path, bytes=1)
    for _ in range(told):
        ledger.record("lifecycle", action="instance-file-pushed", instance=instance, context={"path": path})


def test_the_suite_s_own_access_is_no_delivery(ledger: Ledger) -> None:
    pushed(ledger, "/root/.ssh", told=0)
    pushed(ledger, ACCESS)
    pushed(ledger, "/etc/anything", instance="another")
    ledger.record("lifecycle", action="instance-started", instance="throwaway", context=None)
    conduct.check_deliveries(ledger, machine())


def test_a_disk_that_a_profile_brings_is_told(ledger: Ledger) -> None:
    ledger.record("machine", name="another", disks=["helper (/srv/helper at /srv/helper)"])
    ledger.record("machine", name="throwaway", disks=[])
    conduct.check_deliveries(ledger, machine())
    ledger.record("machine", name="throwaway", disks=["helper (/srv/helper at /srv/helper)"])
    with pytest.raises(CheckFailed, match="no disk but its own"):
        conduct.check_deliveries(ledger, machine())


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/etc/passwd", {}),
        ("/etc/passwd", {"by_us": False}),
        ("/etc/passwd", {"told": 0}),
        (ACCESS, {"told": 2}),
        (ACCESS, {"by_us": False}),
        ("/root/.ssh/authorized_keys2", {}),
    ],
    ids=["by us", "by a stranger", "by us, not told", "ours and a stranger's", "a stranger's alone", "a path that begins like it"],
)
def test_anything_else_that_was_pushed_is_told(ledger: Ledger, path: str, options: dict[str, Any]) -> None:
    pushed(ledger, path, **options)
    with pytest.raises(CheckFailed, match=path):
        conduct.check_deliveries(ledger, machine())
