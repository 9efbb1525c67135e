"""Who touched the machine: the hypervisor's life-cycle events and the machine's own log of log-ins, joined with what this run did.

Knows: which events each of our acts causes (the ledger has them, written before each act) and from which port each of our log-ins came.
Refuses: to call a machine untouched when the record of it has a gap.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from cleanroom import marks
from cleanroom.errors import CheckFailed, HarnessError, OutOfTime
from cleanroom.hypervisor import Hypervisor
from cleanroom.incus.door import Credential
from cleanroom.incus.events import listen
from cleanroom.ledger import Event, Ledger
from cleanroom.machine import Machine
from cleanroom.wait import Waiting, wait_until

_ACCEPTED = re.compile(r"Accepted (\S+) for (\S+) from (\S+) port (\d+) ssh2(?:: \S+ (SHA256:\S+))?")
#: PAM's word for a session of sshd's, by the process that has let somebody in; sshd's own word is of the same process.
_OPENED = re.compile(r"\[(\d+)\]: pam_unix\(sshd:session\): session opened for user (\S+)")
_PROCESS = re.compile(r"\[(\d+)\]: Accepted ")
_ARRIVAL_SECONDS = 10.0


@dataclass(frozen=True)
class Login:
    """One SSH log-in as the machine's sshd recorded it."""

    method: str
    user: str
    address: str
    port: int
    key: str

    def __str__(self) -> str:
        return f"{self.user} from {self.address} port {self.port} by {self.method} {self.key}".strip()


class Watch:
    """Listens to the hypervisor's life-cycle events about one instance, from before it exists, and writes each to the ledger."""

    def __init__(self, hypervisor: Hypervisor, instance: str, record: Callable[..., Event]) -> None:
        self.instance = instance
        self.record = record
        self._ending = False
        self._lost = False
        self._hypervisor = hypervisor
        credential = Credential.of(hypervisor.settings)
        #: How the hypervisor names us in its events, where it can tell one client from another.
        self.identity = credential.fingerprint if credential else None
        self.since = int(record("watch-began", instance=instance, identity=self.identity)["n"])
        where, scope = hypervisor.settings.endpoint, self.scope()
        self._line = listen(hypervisor.client, scope=scope, where=where, credential=credential, heard=self.receive, closed=self._closed)

    def scope(self) -> str:
        """What the events are of, as a query."""
        return f"project={self._hypervisor.settings.project}"

    def receive(self, event: dict[str, Any]) -> None:
        """Write down an event, if it is about the instance."""
        metadata = event.get("metadata") or {}
        source = str(metadata.get("source", ""))
        named = re.fullmatch(r"/1\.0/instances/([^/?]+)(?:[/?].*)?", source)
        if named and named[1] == self.instance:
            requestor = {key: value for key, value in (metadata.get("requestor") or {}).items() if value}
            self.record("lifecycle", action=metadata.get("action"), instance=self.instance, requestor=requestor, context=metadata.get("context"))

    def _closed(self, code: int, reason: str | None) -> None:
        if not self._ending:
            self._lost = True
            self.record("lifecycle-gap", instance=self.instance, code=code, reason=reason)

    @property
    def has_gap(self) -> bool:
        return self._lost

    def fence(self) -> None:
        """Cause an event of our own: events arrive in order, so once it is told every earlier one has been."""
        self._hypervisor.set_config(self.instance, marks.heartbeat())

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._ending = True
        self._line.close()


def strange_events(ledger: Ledger, watch: Watch) -> list[str]:
    """Events about the instance that none of our acts explains, one line each; over TLS also those that somebody else's certificate asked for.

    Waits until every event that our acts must cause has arrived; raises `HarnessError` if one does not, or if the watch has a
    gap, or an event may be an act of ours that got no answer: then nobody can tell - except that a stranger was heard.
    """

    def balance() -> Counter[str]:
        left: Counter[str] = Counter()
        for event in _ours(ledger, watch):
            left.update(event.get("expects", ()))
            left.subtract(event.get("withdraws", ()))
        left.subtract(_told(event) for event in _heard(ledger, watch) if not _is_a_stranger_s(event, watch))
        return left

    def arrived() -> bool | Waiting:
        missing = sorted((+balance()).elements())
        return Waiting(f"not yet told of {', '.join(missing)}") if missing else True

    if not watch.has_gap:
        watch.fence()
        wait_until(arrived, what="the hypervisor to tell of our own acts", within=_ARRIVAL_SECONDS, record=ledger.record)
    strangers = [f"{_told(event)} (requestor {event['requestor']})" for event in _heard(ledger, watch) if _is_a_stranger_s(event, watch)]
    if watch.has_gap and not strangers:
        raise HarnessError("cannot tell who touched the machine: the hypervisor's events were not heard for a while", where=watch.instance)
    surplus = Counter() if watch.has_gap else -balance() - _allowed(ledger, watch)
    unknown = Counter(name for event in _ours(ledger, watch) for name in event.get("uncertain", ()))
    if surplus and not strangers and not surplus - unknown:
        what = ", ".join(sorted(surplus))
        raise HarnessError(f"cannot tell who caused {what}: an act of this run got no answer, and may have happened", where=watch.instance)
    told = {_told(event): event.get("requestor") or "unnamed" for event in ledger.of("lifecycle")}
    return [*strangers, *(f"{name} ({count} more than this run caused; requestor {told[name]})" for name, count in sorted(surplus.items()))]


def _heard(ledger: Ledger, watch: Watch) -> list[Event]:
    return [event for event in ledger.of("lifecycle") if event["instance"] == watch.instance and event["n"] > watch.since]


def _ours(ledger: Ledger, watch: Watch) -> list[Event]:
    return [event for event in ledger.of("hypervisor") if event["instance"] == watch.instance and event["n"] > watch.since]


def _is_a_stranger_s(event: Event, watch: Watch) -> bool:
    """Whether the hypervisor names somebody who is not us; on a local socket it cannot, and what it does by itself it ascribes to nobody."""
    requestor = event.get("requestor") or {}
    return watch.identity is not None and bool(requestor) and requestor.get("username") != watch.identity


def _allowed(ledger: Ledger, watch: Watch) -> Counter[str]:
    """Events that our acts may cause and need not: excused only where the hypervisor names nobody who asked for them."""
    most = Counter(name for event in _ours(ledger, watch) for name in event.get("allows", ()))
    unasked = Counter(_told(event) for event in _heard(ledger, watch) if not event.get("requestor"))
    return most & unasked


def _told(event: Event) -> str:
    """An event as our acts predict it: its action, and the path where it is about a file."""
    path = (event.get("context") or {}).get("path")
    return f"{event['action']} {path}" if path else str(event["action"])


def _of_sshd(machine: Machine) -> list[str]:
    """What the machine's journal has from sshd, earlier boots too."""
    identifiers = ("--identifier=sshd", "--identifier=sshd-session", "--identifier=sshd-auth")
    return machine.probe("journalctl", "--no-pager", "--output=short-unix", *identifiers).text.splitlines()


def logins(machine: Machine) -> list[Login]:
    """Every log-in that the machine's journal tells of; raises `HarnessError` if it tells of none: we are logged in."""
    found = [Login(m[1], m[2], m[3], int(m[4]), m[5] or "") for m in map(_ACCEPTED.search, _of_sshd(machine)) if m]
    if not found:
        raise HarnessError("the machine's journal tells of no log-in at all, though we are logged in", where=machine.where)
    return found


def _hushed(machine: Machine) -> list[str]:
    """Users of sessions that PAM saw sshd open, and of whose log-in sshd itself told nobody."""
    lines = _of_sshd(machine)
    opened = [(m[1], m[2]) for m in map(_OPENED.search, lines) if m]
    left = Counter(process for process, _ in opened) - Counter(m[1] for m in map(_PROCESS.search, lines) if m)
    return [f"a session of {user} that sshd (process {process}) told nobody of" for process, user in opened if process in left]


def record_logins(ledger: Ledger, machine: Machine) -> None:
    """Put the machine's own list of log-ins into the ledger."""
    for login in logins(machine):
        ledger.record("login", machine=machine.name, **asdict(login))


def check_events(ledger: Ledger, watch: Watch) -> None:
    """Every event about the instance is explained by an act of this run; raises `CheckFailed` naming those that are not."""
    strange = strange_events(ledger, watch)
    if strange:
        raise CheckFailed("every life-cycle event is an act of this run", seen="; ".join(strange), where=f"instance {watch.instance}")


def check_logins(ledger: Ledger, machine: Machine) -> None:
    """Every log-in on the machine, in any boot, is one that this run made: same port, same key.

    We log in once more to ask, and each log-in of the suite's own must be told: a journal that lacks one was emptied, or is not written any more.
    """
    machine.ssh.close()
    untold = _untold(ledger, machine)
    record_logins(ledger, machine)
    ours = {(event["port"], event["key"]) for event in ledger.of("ssh-login")}
    seen = [Login(e["method"], e["user"], e["address"], e["port"], e["key"]) for e in ledger.of("login") if e["machine"] == machine.name]
    strange = sorted({str(login) for login in seen if (login.port, login.key) not in ours})
    if untold and not strange:
        problem = f"cannot tell who logged in: the machine's journal lacks {len(untold)} of this run's own log-ins, from port {min(untold)}"
        raise HarnessError(problem, where=machine.where, advice="was it emptied? does sshd still tell of log-ins (LogLevel INFO)?")
    if strange := strange or _hushed(machine):
        raise CheckFailed("every log-in is one of this run", seen="; ".join(strange), where=machine.where)


def _untold(ledger: Ledger, machine: Machine) -> set[int]:
    """Ports of the suite's own log-ins that the journal does not tell of; the latest gets a moment to arrive there."""

    def missing() -> set[int]:
        told = {login.port for login in logins(machine)} | {event["port"] for event in ledger.of("login") if event["machine"] == machine.name}
        ours = (event for event in ledger.of("ssh-login") if event["by"] == "suite" and event["address"] == machine.ssh.address)
        return {event["port"] for event in ours} - told

    def all_told() -> bool | Waiting:
        return Waiting(f"{len(ports)} missing") if (ports := missing()) else True

    try:
        wait_until(all_told, what="the journal to tell of our own log-ins", within=_ARRIVAL_SECONDS, where=machine.where, record=ledger.record)
    except OutOfTime:
        return missing()
    return set()


def check_gone(ledger: Ledger, instance: str) -> None:
    """The run deleted the instance and saw that it was gone; raises `HarnessError` for one that was kept on purpose."""
    if any(event["name"] == instance for event in ledger.of("machine-kept")):
        raise HarnessError(f"{instance} was kept on purpose, so it is not gone", advice="leave out --keep")
    if not any(event["name"] == instance for event in ledger.of("machine-gone")):
        raise CheckFailed(f"{instance} is gone", seen="the run did not see it go", where=f"instance {instance}", advice="cleanroom sweep")
