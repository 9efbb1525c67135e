"""What this run did to the machine, judged from the ledger and not from memory.

Knows: the guide as written, and every command, delivery and act that the ledger holds.
Refuses: an empty record, and any command whose purpose does not excuse it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cleanroom import watchdog
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.guide import Guide
from cleanroom.installation import Installation
from cleanroom.ledger import Event, Ledger
from cleanroom.machine import Machine
from cleanroom.probes import check_read_only

KEY_VARIABLE = "BOOTSTRAP_KEY"
#: Quoted text, an escaped character or a comment of a shell's: the first of them that begins.
_QUOTED_OR_COMMENT = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|(?<!\S)\#[^\n]*""", re.DOTALL)
_ACCESS = ("/root/.ssh", "/root/.ssh/authorized_keys")


def check_followed(ledger: Ledger, guide: Guide) -> None:
    """The commands that ran are the guide's: each once, in order, from the place and with the text that it has, and each ended as documented."""
    ran = [(event["number"], event["where"], event["place"], event["command"]) for event in ledger.of("guide-command")]
    clean = ledger.redactor.clean
    written = [(command.number, command.where, command.place, clean(command.text)) for command in guide.commands]
    results = {event["number"]: event for event in ledger.of("guide-result")}
    for position, command in enumerate(guide.commands):
        if position >= len(ran) or ran[position] != written[position]:
            seen = f"number {ran[position][0]} ({ran[position][1]}) ran there" if position < len(ran) else "it did not run"
            raise CheckFailed(f"{command} runs as number {position + 1}", seen=seen, where=command.where)
        result = results.get(command.number)
        if result is None or result["status"] != command.status:
            complaint = " / ".join((result["stderr"] or result["stdout"]).strip().splitlines()[-3:]) if result else ""
            seen = f"{result['fate'] if result['status'] is None else 'status ' + str(result['status'])}: {complaint}" if result else "no result"
            raise CheckFailed(f"{command} ends with status {command.status}", seen=seen, where=command.where)
    if len(ran) > len(written):
        raise CheckFailed(f"the guide's {len(written)} commands run once each", seen=f"{len(ran)} commands ran", where=guide.file)


def check_only_looked(ledger: Ledger, machine: Machine, *, regression: Sequence[str] = ()) -> None:
    """Every command sent belongs to the guide, or only looks; repetitions, trials and the site's `regression` come after the guide's end."""
    check_trials(ledger, machine)
    commands = [event for event in ledger.of("command") if event["machine"] == machine.name]
    if not any(event["purpose"] == "probe" for event in commands):
        raise HarnessError("the ledger knows of no probe at all, so it cannot excuse any", where=str(ledger.path))
    end = max((event["n"] for event in ledger.of("guide-result")), default=0)
    for event in commands:
        if event["purpose"] == "watchdog":
            if not watchdog.is_ours(event["argv"]):
                seen = f"`{' '.join(event['argv'])}` (event {event['n']})"
                raise CheckFailed("the watchdog's commands are those that the suite declares", seen=seen, where=machine.where)
            continue
        if event["purpose"] not in {"probe", "guide"} and event["n"] < end:
            seen = f"event {event['n']}: {event['purpose']} before the guide's end"
            raise CheckFailed("only the guide and probes until the guide's end", seen=seen, where=machine.where)
        if event["purpose"] == "regression" and event["argv"] != [*regression]:
            seen = f"`{' '.join(event['argv'])}` (event {event['n']})"
            raise CheckFailed("what is sent as the site's regression is the command that the site names", seen=seen, where=machine.where)
        if event["purpose"] == "probe":
            try:
                check_read_only(event["argv"])
            except HarnessError:
                seen = f"`{' '.join(event['argv'])}` (event {event['n']})"
                raise CheckFailed("every command beside the guide only looks", seen=seen, where=machine.where) from None
        elif event["purpose"] not in {"guide", "repetition", "trial", "regression"}:
            raise CheckFailed("every command has a purpose", seen=f"event {event['n']}: {event['purpose']}", where=machine.where)


def check_trials(ledger: Ledger, machine: Machine) -> None:
    """Every command of a trial lies between the declaration of one, made after the guide's last command, and its end, which left nothing behind."""
    open_since: Event | None = None
    guide_runs = True
    for event in ledger.of("guide-result", "guide-command", "trial-began", "trial-ended", "command"):
        if event["kind"].startswith("guide"):
            guide_runs = event["kind"] == "guide-command"
        elif event["machine"] != machine.name:
            continue
        elif event["kind"] == "trial-began":
            if guide_runs:
                raise CheckFailed("a trial begins when the guide has ended", seen=f"`{event['name']}` (event {event['n']})", where=machine.where)
            open_since = event
        elif event["kind"] == "trial-ended":
            open_since = None
            if event["left"]:
                seen = f"`{event['name']}` left {', '.join(event['left'][:3])}"
                raise CheckFailed("a trial leaves the machine as it was", seen=seen, where=machine.where)
        elif event["purpose"] == "trial" and open_since is None:
            seen = f"`{' '.join(event['argv'])[:80]}` (event {event['n']})"
            raise CheckFailed("a trial's commands belong to a declared trial", seen=seen, where=machine.where)
    if open_since is not None:
        raise CheckFailed("every trial ends", seen=f"`{open_since['name']}` did not", where=machine.where)


def check_key_bringer(installation: Installation) -> None:
    """The key appeared right after a command of the guide that names it, at the side where the name leads to it, and not in a comment alone."""
    command = installation.key_brought_by
    if command is None:
        seen = "it was there after no command of the guide"
        raise CheckFailed("the bootstrap key arrives by a command of the guide", seen=seen, where=installation.guide.file)
    said = _QUOTED_OR_COMMENT.sub(lambda match: "" if match[0].startswith("#") else match[0], command.text)
    if command.place != "operator" or not re.search(rf"\$\{{?{KEY_VARIABLE}\b", said):
        expected = f"the command that brings the key names ${KEY_VARIABLE}, at the operator's side"
        raise CheckFailed(expected, seen=f"the key was there after {command}", where=command.where)


def check_key(machine: Machine, key_file: Path, path: str) -> None:
    """What lies at the documented path is the bootstrap key, compared by SHA-256."""
    try:
        expected = hashlib.sha256(key_file.read_bytes()).hexdigest()
    except OSError as problem:
        raise BadInput(f"cannot read the bootstrap key: {problem.strerror}", where=str(key_file)) from None
    if not machine.exists(path):
        raise CheckFailed(f"the bootstrap key lies at {path}", seen="nothing is there", where=machine.where)
    seen = machine.sha256(path)
    if seen != expected:
        raise CheckFailed(f"{path} is the bootstrap key, SHA-256 {expected[:16]}...", seen=f"SHA-256 {seen[:16]}...", where=machine.where)


def check_deliveries(ledger: Ledger, machine: Machine) -> None:
    """The hypervisor put nothing into the machine but the public key by which the suite gets in: no file, and no disk beside the machine's own."""
    ours = Counter(event["path"] for event in ledger.of("hypervisor") if event["action"] == "push" and event["instance"] == machine.name)
    told = Counter(_pushed(event) for event in ledger.of("lifecycle") if event["instance"] == machine.name)
    strange = sorted({path for path in (ours | told) if path and (path not in _ACCESS or told[path] > ours[path])})
    if strange:
        expected = "nothing but the suite's public key is put into the machine beside the guide"
        raise CheckFailed(expected, seen=f"pushed through the hypervisor: {', '.join(strange)}", where=machine.where)
    disks = [disk for event in ledger.of("machine") if event["name"] == machine.name for disk in event.get("disks", ())]
    if disks:
        expected, advice = "the machine has no disk but its own", "what a profile mounts came neither from git nor by the guide: incus.profiles"
        raise CheckFailed(expected, seen=", ".join(disks), where=machine.where, advice=advice)


def _pushed(event: Event) -> str:
    return str((event.get("context") or {}).get("path", "")) if event["action"] == "instance-file-pushed" else ""
