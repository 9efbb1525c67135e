"""The forgeries: each a story, what the forger does to a genuine folder, and the reason for which it must be refused.

A judge who trusts the genuine key refuses every one that is not signed with it. So that each is refused for its own reason too, the judge here knows
less: unless `trusted` is set he goes by the key in the folder, and where the forger has stolen the genuine key he cannot see that either.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cleanroom.ledger import Event
from tests.forgeries.forger import Desk, Edit
from tests.forgeries.genuine import MACHINE, git

FIRST = "c1_split.feature: Secrets hold secrets"
LAST = "deeper/c4_cleanroom.feature: Nothing but the guide changed the machine"
ANOTHER_KEY = "no signature is genuine"


@dataclass(frozen=True)
class Forgery:
    """`before` names the genuine run that it starts from, `require` is what the judge asks for."""

    name: str
    forge: Callable[[Desk], object]
    reason: str
    before: str = "lab"
    trusted: bool = False
    require: str = "lab"


def drop(**having: Any) -> Edit:
    """Leave out every event that has these values."""
    return lambda events: [event for event in events if not having.items() <= event.items()]


def change(kind: str, **fields: Any) -> Edit:
    """Give other values to fields of every event of a kind."""
    return lambda events: [{**event, **fields} if event["kind"] == kind else event for event in events]


def insert(before: str, kind: str, **fields: Any) -> Edit:
    """Put one more event before the first of another kind."""

    def edit(events: list[Event]) -> list[Event]:
        at = next(number for number, event in enumerate(events) if event["kind"] == before)
        return [*events[:at], {**events[at - 1], "kind": kind, **fields}, *events[at:]]

    return edit


def each(*edits: Edit) -> Edit:
    def edit(events: list[Event]) -> list[Event]:
        for one in edits:
            events = one(events)
        return events

    return edit


def listed(change_list: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Edit:
    """Edit the lists of scenarios, of those there are and of those asked for."""
    return lambda events: [
        {**event, "scenarios": change_list(event["scenarios"])} if event["kind"] in {"inventory", "selected"} else event for event in events
    ]


def renamed(old: str, new: str) -> Edit:
    return lambda events: [json.loads(json.dumps(event).replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])) for event in events]


def without(scenario: str) -> Edit:
    """A run that never heard of a scenario."""
    return each(listed(lambda entries: [entry for entry in entries if entry["identity"] != scenario]), drop(scenario=scenario))


def signature(**fields: Any) -> Callable[[Desk], object]:
    return lambda desk: desk.envelope(lambda envelope: envelope["signatures"][0].update(fields))


def said(**fields: Any) -> Callable[[Desk], object]:
    """The statement's own words about the run, changed and signed with the stolen key."""
    return lambda desk: desk.reseal(lambda statement: statement["predicate"]["cleanroom"].update(fields))


def predicate(**fields: Any) -> Callable[[Desk], object]:
    return lambda desk: desk.reseal(lambda statement: statement["predicate"].update(fields))


def edited(name: str, old: str, new: str, *, sealed: bool = True) -> Callable[[Desk], object]:
    """A file edited, and its new digest signed with the stolen key."""

    def forge(desk: Desk) -> None:
        desk.text(name, old, new)
        if sealed:
            desk.reseal()

    return forge


def subject(which: str, **fields: Any) -> Callable[[Desk], object]:
    def edit(statement: dict[str, Any]) -> None:
        next(each for each in statement["subject"] if each["name"] == which).update(fields)

    return lambda desk: desk.reseal(edit)


def unsealed(edit: Edit) -> Callable[[Desk], object]:
    return lambda desk: desk.rechain(edit)


def remade(edit: Edit) -> Callable[[Desk], object]:
    return lambda desk: desk.remake(edit)


def rewritten(name: str, make: Callable[[Desk], bytes]) -> Callable[[Desk], object]:
    return lambda desk: (desk.folder / name).write_bytes(make(desk))


def gone(name: str) -> Callable[[Desk], object]:
    return lambda desk: (desk.folder / name).unlink()


def _link(desk: Desk) -> None:
    target = desk.folder.with_name("elsewhere.ndjson")
    desk.ledger.replace(target)
    desk.ledger.symlink_to(target)


def _strip(desk: Desk) -> None:
    (desk.folder / "statement.json").write_text(json.dumps(desk.payload()))
    (desk.folder / "evidence.dsse.json").unlink()


def _anothers(name: str) -> Callable[[Desk], object]:
    """The file of another genuine run by the same key: yesterday's, say."""
    return lambda desk: shutil.copy(desk.genuine.another / name, desk.folder / name)


def _anothers_transcript(desk: Desk) -> None:
    (desk.folder / "transcript.txt").write_bytes((desk.genuine.another / "transcript.txt").read_bytes().replace(b"output", b"OUTPUT"))
    desk.reseal()


def _own_signature(desk: Desk) -> None:
    """The forger's signature over the genuine payload, under the genuine key's name."""
    forged = desk.own().sign(b"whatever")
    desk.envelope(lambda envelope: envelope["signatures"][0].update(sig=base64.b64encode(forged).decode()))


def _swapped_key(desk: Desk) -> None:
    """Signed anew by the forger, public.pem exchanged, the ledger left alone."""
    (desk.folder / "public.pem").write_text(desk.own().public)
    desk.reseal(signer=desk.own())


def _other_kind_of_key(desk: Desk) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    (desk.folder / "public.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _payload_type(desk: Desk, kind: str = "application/json") -> None:
    desk.envelope(lambda envelope: envelope.update(payloadType=kind))


def _stolen_payload_type(desk: Desk) -> None:
    """Another payload type, properly signed."""
    envelope = json.loads((desk.folder / "evidence.dsse.json").read_text())
    kind, payload = b"application/json", base64.b64decode(envelope["payload"])
    forged = desk.stolen.sign(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    desk.envelope(lambda e: e.update(payloadType=kind.decode(), signatures=[{"sig": base64.b64encode(forged).decode()}]))


def _twice_in_envelope(desk: Desk) -> None:
    path = desk.folder / "evidence.dsse.json"
    path.write_text(path.read_text().replace("{", '{"payload": "e30=",', 1))


def _second_line(old: bytes, new: bytes) -> Callable[[Desk], object]:
    """A trick inside one line of the ledger: the last, so that no digest in the chain tells; signed with the stolen key."""

    def forge(desk: Desk) -> None:
        desk.lines(lambda lines: [*lines[:-1], lines[-1].replace(old, new, 1)])
        desk.reseal()

    return forge


def _older_commit(desk: Desk) -> None:
    """The feature files are today's, the commit that is named an older one, which lacks a scenario."""
    older = git(desk.genuine.repository, "rev-parse", "HEAD~1")
    desk.remake(change("suite", commit=older))


def _older_files(desk: Desk) -> None:
    """Run with an older checkout's fewer scenarios, told to be of today's commit."""
    older = git(desk.genuine.repository, "show", "HEAD~1:features/c1_split.feature") + "\n"
    assert "Each name answers" not in older
    rows = [f"c1_split.feature: Each name answers [{row}]" for row in ("drone | 200", "a|b | 2 \\ 0")]
    desk.remake(each(*(without(row) for row in rows)))


def _moved_file(desk: Desk) -> None:
    """junit.xml edited, and taken out of what is signed."""
    desk.text("junit.xml", "Secrets hold secrets", "Secrets hold them")

    def edit(statement: dict[str, Any]) -> None:
        named = statement["predicate"]["configuration"]
        statement["predicate"]["configuration"] = [entry for entry in named if entry["name"] != "junit.xml"]

    desk.reseal(edit)


def _dropped_case(desk: Desk) -> None:
    path = desk.folder / "junit.xml"
    text = path.read_text()
    begins = text.index("<testcase")
    ends = text.index("</testcase>", begins) + len("</testcase>") if "</testcase>" in text else text.index("/>", begins) + 2
    path.write_text(text[:begins] + text[ends:])
    desk.reseal()


def _hidden_failure(desk: Desk) -> None:
    path = desk.folder / "junit.xml"
    path.write_text(path.read_text().replace("<failure", "<system-err").replace("</failure", "</system-err"))
    desk.reseal()


def _is(event: Event, scenario: str, phase: str) -> bool:
    return event.get("scenario") == scenario and event.get("phase") == phase


def _unasked(event: Event) -> Event:
    if event["kind"] != "selected":
        return event
    return {**event, "scenarios": [entry for entry in event["scenarios"] if entry["identity"] != LAST]}


_CARELESS: Final = (
    Forgery("junit edited", edited("junit.xml", "Secrets hold", "All hold", sealed=False), "junit.xml is not the one that was signed"),
    Forgery("page edited", edited("report.html", "<h2", "<p>Approved.</p><h2", sealed=False), "report.html is not the one that was signed"),
    Forgery("transcript edited", edited("transcript.txt", "output of 1", "nothing", sealed=False), "transcript.txt is not the one that was signed"),
    Forgery(
        "journal edited", edited(f"journal/{MACHINE}.log", "logged", "said", sealed=False), f"journal/{MACHINE}.log is not the one that was signed"
    ),
    Forgery("journal removed", gone(f"journal/{MACHINE}.log"), f"journal/{MACHINE}.log is in the signed statement, and not here"),
    Forgery("junit removed", gone("junit.xml"), "junit.xml is in the signed statement, and not here"),
    Forgery("page removed", gone("report.html"), "report.html is in the signed statement, and not here"),
    Forgery("transcript removed", gone("transcript.txt"), "transcript.txt is in the signed statement, and not here"),
    Forgery("a file added", rewritten("SIGNED-OFF.md", lambda _desk: b"by me\n"), "SIGNED-OFF.md is not in the signed statement"),
    Forgery("ledger removed", gone("ledger.ndjson"), "the ledger cannot be read: No such file"),
    Forgery("ledger emptied", rewritten("ledger.ndjson", lambda _desk: b""), "the ledger does not begin with the run's beginning"),
    Forgery("ledger led elsewhere", _link, "ledger.ndjson is no plain file"),
    Forgery(
        "an event changed",
        lambda desk: desk.text("ledger.ndjson", '"outcome":"passed"', '"outcome":"PASSED"'),
        "does not follow from the line before",
    ),
    Forgery("an event dropped", lambda desk: desk.lines(lambda lines: lines[:20] + lines[21:]), "line 21 does not follow"),
    Forgery("an event repeated", lambda desk: desk.lines(lambda lines: [*lines[:20], lines[19], *lines[20:]]), "line 21 does not follow"),
    Forgery("two events swapped", lambda desk: desk.lines(lambda lines: [*lines[:20], lines[21], lines[20], *lines[22:]]), "line 21 does not follow"),
    Forgery("the end cut off", lambda desk: desk.lines(lambda lines: lines[:-1]), f"the run did not end; the last step was: {LAST}, Then it holds"),
    Forgery("cut inside a line", rewritten("ledger.ndjson", lambda desk: desk.ledger.read_bytes()[:-40]), "the ledger is cut short in line"),
    Forgery("another run's ledger", _anothers("ledger.ndjson"), "ledger.ndjson is not the one that was signed"),
    Forgery("another run's statement", _anothers("evidence.dsse.json"), "ledger.ndjson is not the one that was signed"),
    Forgery(
        "a transcript of another guide",
        lambda desk: desk.text("transcript.txt", "docs/install.md:9", "docs/install.md:8"),
        "transcript.txt was changed",
    ),
)

_OLD_SIGNATURE: Final = (
    Forgery("re-chained with fewer scenarios", unsealed(without(LAST)), "ledger.ndjson is not the one that was signed"),
    Forgery("re-chained with other times", unsealed(change("run-ended", at="2026-01-01T00:00:00Z")), "ledger.ndjson is not the one that was signed"),
    Forgery(
        "re-chained as the adversary", unsealed(change("run-began", role="adversary")), "ledger.ndjson is not the one that was signed", "builder"
    ),
    Forgery("re-chained as a pass", unsealed(drop(trouble="check")), "ledger.ndjson is not the one that was signed", "failed"),
)

_ENVELOPE: Final = (
    Forgery("signatures stripped", lambda desk: desk.envelope(lambda envelope: envelope.update(signatures=[])), ANOTHER_KEY),
    Forgery("envelope removed", gone("evidence.dsse.json"), "the signature was taken away"),
    Forgery("envelope opened and thrown away", _strip, "the signature was taken away"),
    Forgery("payload type changed", _payload_type, ANOTHER_KEY),
    Forgery("payload type changed and signed", _stolen_payload_type, "what was signed is no in-toto statement"),
    Forgery("payload changed", lambda desk: desk.envelope(lambda e: e.update(payload=base64.b64encode(b"{}").decode())), ANOTHER_KEY),
    Forgery("payload that is no base64", lambda desk: desk.envelope(lambda e: e.update(payload="*" + e["payload"])), "the evidence cannot be read"),
    Forgery("a key twice in the envelope", _twice_in_envelope, "a key stands there twice"),
    Forgery(
        "envelope that is a list", rewritten("evidence.dsse.json", lambda _desk: b"[]"), "the evidence cannot be read: TypeError: no JSON object"
    ),
    Forgery("envelope that is no JSON", rewritten("evidence.dsse.json", lambda _desk: b"PASSED"), "the evidence cannot be read"),
    Forgery("signature of other bytes", _own_signature, ANOTHER_KEY),
    Forgery("signature cut short", signature(sig="AAAA"), ANOTHER_KEY),
    Forgery("key swapped with public.pem", _swapped_key, "the ledger names another key than the one that signed"),
    Forgery("key swapped, and the judge has his own", _swapped_key, ANOTHER_KEY, trusted=True),
    Forgery("public.pem alone swapped", rewritten("public.pem", lambda desk: desk.own().public.encode()), ANOTHER_KEY),
    Forgery(
        "public.pem alone swapped, and the judge has his own",
        rewritten("public.pem", lambda desk: desk.own().public.encode()),
        "public.pem is not the key that signed",
        trusted=True,
    ),
    Forgery("public.pem of another kind", _other_kind_of_key, "public.pem is no Ed25519 public key"),
    Forgery("public.pem removed", gone("public.pem"), "public.pem is no Ed25519 public key"),
    Forgery("another statement type", lambda desk: desk.reseal(lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")), "not a test result"),
    Forgery(
        "another predicate type", lambda desk: desk.reseal(lambda s: s.update(predicateType="https://slsa.dev/provenance/v1")), "not a test result"
    ),
    Forgery(
        "a key twice in the statement",
        lambda desk: desk.reseal(raw=lambda text: text.replace(b'"result"', b'"result": "FAILED", "result"', 1)),
        "a key stands there twice",
    ),
    Forgery("a statement without a predicate", lambda desk: desk.reseal(lambda s: s.pop("predicate")), "the evidence cannot be read: KeyError"),
)

_STATEMENT: Final = (
    Forgery("PASSED on a failed run", said(verdict="PASSED"), "the statement's verdict is not what the ledger gives: PASSED", "failed"),
    Forgery("result PASSED on a failed run", predicate(result="PASSED"), "the statement's result is not what the ledger gives: PASSED", "failed"),
    Forgery("failures left out", predicate(failedTests=[]), "the statement's failedTests is not", "failed"),
    Forgery("more passes than there were", predicate(passedTests=[FIRST, FIRST]), "the statement's passedTests is not"),
    Forgery("LAB as ACCEPTANCE", said(**{"class": "ACCEPTANCE"}), "the statement's class is not what the ledger gives: ACCEPTANCE"),
    Forgery("DEV as LAB", said(**{"class": "LAB"}), "the statement's class is not what the ledger gives: LAB", "builder"),
    Forgery("another run's name", said(run="20260101-000000-000000"), "the statement's run is not"),
    Forgery("a younger end", said(ended="2026-12-31T23:59:59Z"), "the statement's ended is not"),
    Forgery("another head", said(head="0" * 64), "the statement's head is not"),
    Forgery("fewer events", said(events=3), "the statement's events is not"),
    Forgery("an older commit as subject", subject("base", digest={"gitCommit": "0" * 40}), "base is not the one that was signed"),
    Forgery("another system as subject", subject("toplevel", digest={"sha256": "0" * 64}), "toplevel is not the one that was signed"),
    Forgery("another ledger as subject", subject("ledger.ndjson", digest={"sha256": "0" * 64}), "ledger.ndjson is not the one that was signed"),
    Forgery("a subject renamed", subject("secrets", name="base"), "the signed statement names something twice"),
    Forgery("a file edited and left out", _moved_file, "junit.xml is not in the signed statement"),
)

_DRAWINGS: Final = (
    Forgery("junit renames a scenario", edited("junit.xml", "Secrets hold secrets", "Secrets hold all"), f"junit.xml leaves out {FIRST}"),
    Forgery("junit drops a case", _dropped_case, f"junit.xml leaves out {FIRST}"),
    Forgery("junit hides a failure", _hidden_failure, f"junit.xml does not tell what the ledger tells of {LAST}", "failed"),
    Forgery("junit counts no failure", edited("junit.xml", 'failures="1"', 'failures="0"'), "junit.xml counts 0 failures", "failed"),
    Forgery("junit with a declaration", edited("junit.xml", "<testsuites", "<!DOCTYPE x><testsuites"), "a declaration has no place there"),
    Forgery("page shows PASSED", edited("report.html", ">FAILED</strong>", ">PASSED</strong>"), "report.html shows another verdict", "failed"),
    Forgery(
        "page carries PASSED",
        edited("report.html", 'data-verdict="FAILED"', 'data-verdict="PASSED"'),
        "report.html carries another verdict",
        "failed",
    ),
    Forgery("page shows ACCEPTANCE", edited("report.html", ">LAB</strong>", ">ACCEPTANCE</strong>"), "report.html shows another class"),
    Forgery(
        "page hides a failure",
        edited("report.html", '"state">failed', '"state">passed'),
        f"report.html does not tell what the ledger tells of {LAST}",
        "failed",
    ),
    Forgery(
        "page renames a scenario", edited("report.html", f'data-scenario="{FIRST}', f'data-scenario="{FIRST}!'), f"report.html leaves out {FIRST}"
    ),
    Forgery("page of another ledger", edited("report.html", 'data-head="', 'data-head="0'), "report.html carries another head"),
    Forgery(
        "page with a script", edited("report.html", "</main>", "<script>document.title='PASSED'</script></main>"), "could change it while it is read"
    ),
    Forgery("page that acts when loaded", edited("report.html", "<main>", '<main onload="x()">'), "could change it while it is read: main"),
    Forgery("transcript swapped and signed", _anothers_transcript, "transcript.txt was changed or rearranged at byte 0"),
    Forgery(
        "transcript continued and signed", edited("transcript.txt", "--- 0, 1.5 s\n", "--- 0, 1.5 s\nall is well\n"), "transcript.txt was changed"
    ),
)

_THOROUGH: Final = (
    Forgery("made anew with another key", remade(change("site", name="x")), ANOTHER_KEY, trusted=True),
    Forgery("fewer scenarios", remade(without(LAST)), f"the run's list of scenarios is not that of the feature files: {LAST}"),
    Forgery("a scenario renamed", remade(renamed(FIRST, f"{FIRST}, or so")), "the run's list of scenarios is not that of the feature files"),
    Forgery(
        "one turned into an extra", remade(each(listed(lambda es: [{**e, "on_request": True} for e in es]), drop(scenario=LAST))), "the run's list of"
    ),
    Forgery("zero tests", remade(each(listed(lambda _entries: []), lambda es: [e for e in es if "scenario" not in e])), "no scenario ran"),
    Forgery("an older commit", _older_commit, "features/c1_split.feature is not what commit"),
    Forgery(
        "an older checkout's run", _older_files, "the run's list of scenarios is not that of the feature files: c1_split.feature: Each name answers"
    ),
    Forgery("another feature file", remade(change("inventory", files={"c1_split.feature": "0" * 64})), "is not what commit"),
    Forgery("another suite", remade(change("suite", digest="0" * 64)), "the suite that ran is not what commit"),
    Forgery(
        "one not asked for",
        remade(each(drop(scenario=LAST), lambda es: [_unasked(e) for e in es])),
        f"1 of 5 scenarios did not run, {LAST} among them",
    ),
    Forgery("one that never ended", remade(drop(scenario=LAST, phase="teardown")), f"unfinished: {LAST}"),
    Forgery("one that was skipped", remade(lambda es: [{**e, "outcome": "skipped"} if _is(e, LAST, "call") else e for e in es]), f"skipped: {LAST}"),
    Forgery(
        "one expected to fail", remade(lambda es: [{**e, "expected_to_fail": True} if _is(e, LAST, "call") else e for e in es]), f"skipped: {LAST}"
    ),
    Forgery(
        "one without its steps", remade(lambda es: [e for e in es if not (e["kind"].startswith("step") and e["scenario"] == LAST)]), "not every step"
    ),
    Forgery(
        "one nobody wrote",
        remade(insert("machine-gone", "scenario-phase", scenario="c9.feature: All is well", phase="setup", outcome="passed", seconds=0)),
        "in no feature file: c9.feature: All is well",
    ),
    Forgery("a builder as the adversary", remade(change("run-began", role="adversary")), "its class is DEV, and LAB is required", "builder"),
    Forgery("a kept machine as new", remade(change("toplevel", recalled_from="yesterday")), "its class is DEV, and LAB is required"),
    Forgery("a lab as a real site", remade(change("site", site_kind="real")), "its class is LAB, and ACCEPTANCE is required", require="acceptance"),
    Forgery(
        "a container as a virtual machine", remade(change("machine", type="virtual-machine")), "its class is DEV", "container", require="acceptance"
    ),
    Forgery("a machine that stayed", remade(drop(kind="machine-gone")), f"{MACHINE} was not seen to be gone"),
    Forgery("something that stayed", remade(insert("run-ended", "left-behind", items=["volume x"])), "left behind: volume x"),
    Forgery("another image", remade(change("machine", image="2" * 64)), f"{MACHINE} was not made from the declared image"),
    Forgery(
        "another image than declared",
        remade(each(change("machine", image="2" * 64), change("before", declared_image="2" * 64))),
        "the image is not the",
    ),
    Forgery("another key delivered", remade(change("delivered", sha256="0" * 64)), "the key that was delivered is not the bootstrap key"),
    Forgery("no revision of secrets", remade(drop(repository="secrets")), "the revision of secrets is not recorded"),
    Forgery("no system", remade(drop(kind="toplevel")), "not recorded: toplevel"),
    Forgery("an interrupted run", remade(change("run-ended", exit_status=2)), "pytest ended with 2, which the scenarios do not explain"),
    Forgery("events behind the end", remade(lambda es: [*es, {**es[-1], "kind": "approved"}]), "the ledger goes on behind the run's end"),
    Forgery(
        "two beginnings",
        remade(insert("suite", "run-began", run="x", role="adversary", keep="never", reuse=False)),
        "tells of run-began more than once",
    ),
    Forgery("a run of tomorrow", remade(change("run-ended", at="2099-01-01T00:00:00Z")), "it is from the future"),
    Forgery("no number", _second_line(b'"exit_status":0', b'"exit_status":NaN'), "NaN is no JSON"),
    Forgery("a key twice in the ledger", _second_line(b'"exit_status":0', b'"exit_status":2,"exit_status":0'), "a key stands there twice"),
    Forgery("yesterday's", lambda _desk: None, "it is too old", "yesterday", trusted=True),
)


CORPUS: Final = (*_CARELESS, *_OLD_SIGNATURE, *_ENVELOPE, *_STATEMENT, *_DRAWINGS, *_THOROUGH)
