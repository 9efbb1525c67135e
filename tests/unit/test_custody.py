"""The balance of acts and events, and of log-ins made and log-ins seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from cleanroom import custody
from cleanroom.custody import Login, Watch
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine

NAME = "throwaway"


@dataclass
class Ear:
    """A watch that only says whether it heard everything; what it heard, tests write into the ledger themselves."""

    instance: str = NAME
    has_gap: bool = False
    since: int = -1
    identity: str | None = None

    def fence(self) -> None:
        return


def watch(*, gap: bool = False, since: int = -1, identity: str | None = None) -> Watch:
    return cast(Watch, Ear(has_gap=gap, since=since, identity=identity))


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custody, "_ARRIVAL_SECONDS", 0.05)


def act(ledger: Ledger, action: str, *expects: str, instance: str = NAME) -> None:
    ledger.record("hypervisor", action=action, instance=instance, expects=list(expects))


def tell(ledger: Ledger, action: str, *, path: str | None = None, instance: str = NAME, requestor: str = "root") -> None:
    context = {"path": path} if path else None
    ledger.record("lifecycle", action=action, instance=instance, requestor={"username": requestor}, context=context)


def a_whole_life(ledger: Ledger) -> None:
    act(ledger, "create", "instance-created", "instance-started")
    tell(ledger, "instance-created")
    tell(ledger, "instance-started")
    act(ledger, "push", "instance-file-pushed /x")
    tell(ledger, "instance-file-pushed", path="/x")
    act(ledger, "restart", "instance-restarted")
    tell(ledger, "instance-restarted")


def test_a_machine_that_only_we_touched_has_no_strange_event(ledger: Ledger) -> None:
    a_whole_life(ledger)
    act(ledger, "create", "instance-created", instance="another")
    tell(ledger, "instance-exec", instance="another")
    assert custody.strange_events(ledger, watch()) == []
    custody.check_events(ledger, watch())


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("instance-exec", None),
        ("instance-console", None),
        ("instance-file-pushed", "/etc/passwd"),
        ("instance-file-pushed", "/x"),
        ("instance-file-retrieved", "/x"),
        ("instance-restarted", None),
        ("instance-updated", None),
    ],
)
def test_one_event_more_than_we_caused_is_a_stranger_s(ledger: Ledger, action: str, path: str | None) -> None:
    a_whole_life(ledger)
    tell(ledger, action, path=path, requestor="mallory")
    with pytest.raises(CheckFailed) as caught:
        custody.check_events(ledger, watch())
    assert action in caught.value.seen
    assert "1 more" in caught.value.seen
    assert "mallory" in caught.value.seen


def test_an_event_of_ours_that_never_arrives_means_that_nobody_can_tell(ledger: Ledger) -> None:
    a_whole_life(ledger)
    act(ledger, "restart", "instance-restarted")
    with pytest.raises(HarnessError, match="instance-restarted"):
        custody.check_events(ledger, watch())


def test_an_act_that_failed_is_taken_back(ledger: Ledger) -> None:
    a_whole_life(ledger)
    act(ledger, "restart", "instance-restarted")
    ledger.record("hypervisor", action="restart failed", instance=NAME, withdraws=["instance-restarted"])
    custody.check_events(ledger, watch())


def test_an_act_that_failed_and_happened_after_all_is_told(ledger: Ledger) -> None:
    a_whole_life(ledger)
    act(ledger, "restart", "instance-restarted")
    ledger.record("hypervisor", action="restart failed", instance=NAME, withdraws=["instance-restarted"])
    tell(ledger, "instance-restarted")
    with pytest.raises(CheckFailed, match="instance-restarted"):
        custody.check_events(ledger, watch())


def test_a_missing_event_does_not_pay_for_a_strange_one(ledger: Ledger) -> None:
    a_whole_life(ledger)
    act(ledger, "restart", "instance-restarted")
    tell(ledger, "instance-exec")
    with pytest.raises(HarnessError):
        custody.check_events(ledger, watch())


def test_only_what_happened_since_the_watch_began_is_in_the_balance(ledger: Ledger) -> None:
    act(ledger, "restart", "instance-restarted")
    tell(ledger, "instance-exec")
    began = ledger.record("watch-began", instance=NAME)["n"]
    a_whole_life(ledger)
    custody.check_events(ledger, watch(since=began))
    tell(ledger, "instance-exec")
    with pytest.raises(CheckFailed, match="instance-exec"):
        custody.check_events(ledger, watch(since=began))


def test_a_gap_in_what_was_heard_means_that_nobody_can_tell(ledger: Ledger) -> None:
    a_whole_life(ledger)
    with pytest.raises(HarnessError, match="not heard"):
        custody.check_events(ledger, watch(gap=True))


def test_over_tls_a_stranger_is_a_stranger_even_where_the_balance_is_even(ledger: Ledger) -> None:
    act(ledger, "restart", "instance-restarted")
    ledger.record("hypervisor", action="restart failed", instance=NAME, withdraws=["instance-restarted"])
    act(ledger, "mark", "instance-updated")
    tell(ledger, "instance-updated", requestor="ours")
    assert custody.strange_events(ledger, watch(identity="ours")) == []
    act(ledger, "restart", "instance-restarted")
    tell(ledger, "instance-restarted", requestor="theirs")
    with pytest.raises(HarnessError, match="instance-restarted"):
        custody.check_events(ledger, watch(identity="ours"))
    tell(ledger, "instance-restarted", requestor="ours")
    with pytest.raises(CheckFailed, match="theirs"):
        custody.check_events(ledger, watch(identity="ours"))


def test_over_tls_a_stranger_that_was_heard_is_told_in_spite_of_a_gap(ledger: Ledger) -> None:
    tell(ledger, "instance-exec", requestor="theirs")
    with pytest.raises(CheckFailed, match="theirs"):
        custody.check_events(ledger, watch(gap=True, identity="ours"))


def test_an_act_that_got_no_answer_and_an_event_that_may_be_it_mean_that_nobody_can_tell(ledger: Ledger) -> None:
    a_whole_life(ledger)
    act(ledger, "mark", "instance-updated")
    lost = {"withdraws": ["instance-updated"], "uncertain": ["instance-updated"]}
    ledger.record("hypervisor", action="mark not known to have happened", instance=NAME, **lost)
    custody.check_events(ledger, watch())
    tell(ledger, "instance-updated")
    with pytest.raises(HarnessError, match="cannot tell who caused instance-updated"):
        custody.check_events(ledger, watch())
    tell(ledger, "instance-updated")
    with pytest.raises(CheckFailed, match="instance-updated"):
        custody.check_events(ledger, watch())


def test_what_the_hypervisor_does_by_itself_is_left_to_the_balance(ledger: Ledger) -> None:
    act(ledger, "create", "instance-started")
    ledger.record("lifecycle", action="instance-started", instance=NAME, requestor={}, context=None)
    assert custody.strange_events(ledger, watch(identity="ours")) == []


KEY = "SHA256:" + "k" * 43
LINES = f"""
Server listening on 0.0.0.0 port 22.
Accepted publickey for root from 192.0.2.9 port 40001 ssh2: ED25519 {KEY}
pam_unix(sshd:session): session opened for user root
Accepted publickey for root from 192.0.2.9 port 40002 ssh2: ED25519 {KEY}
Failed password for root from 203.0.113.5 port 5 ssh2
"""


class Journal:
    """A machine whose journal says what it is told to."""

    name = NAME
    where = f"{NAME} (192.0.2.1)"
    address = "192.0.2.1"

    def __init__(self, *lines: str) -> None:
        self.lines = [*lines]
        self.open = True

    @property
    def ssh(self) -> Journal:
        return self

    def close(self) -> None:
        self.open = False

    @property
    def text(self) -> str:
        """What it says now; the last it goes on saying."""
        return self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]

    def probe(self, *argv: str) -> Journal:
        assert argv[0] == "journalctl"
        return self


def machine(*lines: str) -> Machine:
    return cast(Machine, Journal(*lines))


def ours(ledger: Ledger, *ports: int, key: str = KEY, by: str = "suite", address: str = "192.0.2.1") -> None:
    for port in ports:
        ledger.record("ssh-login", by=by, address=address, port=port, key=key)


def test_the_journal_s_own_words_are_read() -> None:
    assert custody.logins(machine(LINES)) == [
        Login("publickey", "root", "192.0.2.9", 40001, KEY),
        Login("publickey", "root", "192.0.2.9", 40002, KEY),
    ]
    assert custody.logins(machine("Accepted password for bob from fe80::1%eth0 port 7 ssh2")) == [Login("password", "bob", "fe80::1%eth0", 7, "")]


def test_log_ins_that_this_run_made_are_accounted_for(ledger: Ledger) -> None:
    ours(ledger, 40001, 40002)
    custody.check_logins(ledger, machine(LINES))


def test_a_journal_that_lacks_a_log_in_of_ours_means_that_nobody_can_tell(ledger: Ledger) -> None:
    ours(ledger, 40000, 40001, 40002)
    with pytest.raises(HarnessError, match=r"cannot tell who logged in: .* lacks 1 of this run's own log-ins, from port 40000"):
        custody.check_logins(ledger, machine(LINES))


def test_a_stranger_is_told_even_by_a_journal_that_lacks_something(ledger: Ledger) -> None:
    ours(ledger, 40000, 40001)
    with pytest.raises(CheckFailed, match="port 40002"):
        custody.check_logins(ledger, machine(LINES))


def test_a_log_in_of_ours_is_missed_neither_while_it_arrives_nor_once_it_was_told_nor_where_it_was_not_made(ledger: Ledger) -> None:
    custody.record_logins(ledger, machine(f"Accepted publickey for root from 192.0.2.9 port 40000 ssh2: ED25519 {KEY}"))
    ours(ledger, 40000, 40001, 40002, 40003)
    ours(ledger, 7, by="guide")  # a connection that may never have become a log-in
    ours(ledger, 8, address="192.0.2.77")
    custody.check_logins(ledger, machine(LINES, f"{LINES}Accepted publickey for root from 192.0.2.9 port 40003 ssh2: ED25519 {KEY}\n"))


def test_a_session_without_a_log_in_is_one_that_somebody_was_told_to_keep_quiet_about(ledger: Ledger) -> None:
    def told(process: int, *words: str) -> str:
        return "".join(f"1764172821.5 host sshd-session[{process}]: {each}\n" for each in words)

    opened = "pam_unix(sshd:session): session opened for user root(uid=0) by root(uid=0)"
    ours(ledger, 40001, 40002)
    own = (f"Accepted publickey for root from 192.0.2.9 port {port} ssh2: ED25519 {KEY}" for port in (40001, 40002))
    whole = "".join(told(process, accepted, opened) for process, accepted in zip((85, 86), own, strict=True))
    custody.check_logins(ledger, machine(whole))
    for process in (87, 86):  # of another boot, perhaps
        with pytest.raises(CheckFailed, match=rf"a session of root\(uid=0\) that sshd \(process {process}\) told nobody of"):
            custody.check_logins(ledger, machine(whole + told(process, opened)))


def test_whoever_asks_for_log_ins_logs_in_once_more(ledger: Ledger) -> None:
    ours(ledger, 40001, 40002)
    journal = Journal(LINES)
    custody.check_logins(ledger, cast(Machine, journal))
    assert not journal.open


@pytest.mark.parametrize(
    "line",
    [
        f"Accepted publickey for root from 192.0.2.9 port 40003 ssh2: ED25519 {KEY}",
        "Accepted publickey for root from 192.0.2.9 port 40001 ssh2: ED25519 SHA256:" + "x" * 43,
        "Accepted password for root from 192.0.2.9 port 40001 ssh2",
        "Accepted keyboard-interactive/pam for root from 192.0.2.9 port 40001 ssh2",
    ],
    ids=["another port", "another key", "by password", "by keyboard"],
)
def test_a_log_in_that_is_not_ours_is_told(ledger: Ledger, line: str) -> None:
    ours(ledger, 40001, 40002)
    with pytest.raises(CheckFailed, match=r"root from 192\.0\.2\.9"):
        custody.check_logins(ledger, machine(f"{LINES}{line}\n"))


def test_a_log_in_of_an_earlier_boot_still_counts(ledger: Ledger) -> None:
    custody.record_logins(ledger, machine(f"Accepted publickey for root from 192.0.2.66 port 6 ssh2: ED25519 {KEY}"))
    ours(ledger, 40001, 40002)
    with pytest.raises(CheckFailed, match=r"192\.0\.2\.66"):
        custody.check_logins(ledger, machine(LINES))


def test_a_journal_without_any_log_in_means_that_nobody_can_tell(ledger: Ledger) -> None:
    with pytest.raises(HarnessError, match="no log-in at all"):
        custody.check_logins(ledger, machine("Server listening on 0.0.0.0 port 22.\n"))


@pytest.mark.parametrize(("requestor", "strange"), [({}, 0), ({"username": "root"}, 1)])
def test_a_restart_excuses_a_shutdown_only_if_nobody_asked_for_it(ledger: Ledger, requestor: dict[str, str], strange: int) -> None:
    ledger.record("hypervisor", action="restart", instance=NAME, expects=["instance-restarted"], allows=["instance-shutdown"])
    tell(ledger, "instance-restarted")
    ledger.record("lifecycle", action="instance-shutdown", instance=NAME, requestor=requestor, context=None)
    assert len(custody.strange_events(ledger, watch())) == strange


def test_a_machine_that_was_seen_to_go_is_gone(ledger: Ledger) -> None:
    ledger.record("machine-gone", name=NAME)
    custody.check_gone(ledger, NAME)


def test_a_machine_that_nobody_saw_go_is_not_gone(ledger: Ledger) -> None:
    ledger.record("machine-gone", name="another")
    with pytest.raises(CheckFailed, match="the run did not see it go"):
        custody.check_gone(ledger, NAME)


def test_a_machine_that_was_kept_on_purpose_is_no_failure_of_the_site(ledger: Ledger) -> None:
    ledger.record("machine-kept", name=NAME)
    with pytest.raises(HarnessError, match="kept on purpose"):
        custody.check_gone(ledger, NAME)
