"""`cleanroom verify`: a judge who was not there.

Knows: a report folder as docs/evidence.md describes it, how verdict and class follow from the ledger alone, and as much of git and Gherkin as a
list of scenarios takes. One file, the standard library and `cryptography`: it imports nothing of the suite it judges, and `python3 verifier.py DIR`
runs it alone.
Refuses: to believe a folder's own word about its verdict or class, and to let a lower class pass for a higher.

Exit status: 0 the folder holds, 1 it does not, 2 nobody can tell. One line a reason.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import datetime
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

Event = dict[str, Any]
RANK: Final = {"dev": 0, "lab": 1, "acceptance": 2}
PARTS: Final = ("cleanroom", "conftest.py", "features", "fixtures", "lab", "pyproject.toml", "steps")
ON_REQUEST: Final = {"@twice", "@ablation"}
SKEW: Final = datetime.timedelta(minutes=5)
ROUNDING: Final = 0.002
#: Descriptors of the statement that are no files of the folder, and where the ledger tells their digest.
NAMED: Final = (("suite", "suite", "digest"), ("site file", "site", "digest"), ("image", "before", "declared_image"))
LEDGER, ENVELOPE, PUBLIC_KEY = "ledger.ndjson", "evidence.dsse.json", "public.pem"
#: What a broken or hostile file makes of the code that reads it.
MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError, ET.ParseError)


class Findings:
    """What was found: reasons against the folder, questions that nobody can answer, and remarks. `verdict` and `evidence_class` are our own."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.unknown: list[str] = []
        self.notes: list[str] = []
        self.verdict, self.evidence_class = "INCOMPLETE", "DEV"

    @property
    def status(self) -> int:
        return 1 if self.wrong else 2 if self.unknown else 0

    def take(self, what: str, reasons: Iterator[str]) -> None:
        """Add the reasons that a check yields; a file that cannot be read as what it should be is a reason too."""
        try:
            self.wrong.extend(reasons)
        except (OSError, *MALFORMED) as problem:
            self.wrong.append(f"{what} cannot be read: {getattr(problem, 'strerror', '') or f'{type(problem).__name__}: {problem}'}"[:200])


def verify(folder: Path, *, key: Path | None = None, max_age: float = 86400.0, require: str = "acceptance", repo: Path | None = None) -> Findings:
    """Is `folder` the whole, unaltered record of a run that PASSED, of class `require` at least, and ended at most `max_age` seconds ago?"""
    found, story = Findings(), Story()
    if not folder.is_dir():
        found.unknown.append("there is no such folder")
        return found
    if odd := [name for name in _names(folder) if (folder / name).is_symlink() or not (folder / name).is_file()]:
        found.wrong.append(f"{odd[0]} is no plain file")
        return found
    found.take("the ledger", story.read(folder / LEDGER))
    found.take("the ledger", _judge(found, story, require, datetime.timedelta(seconds=max_age)))
    found.take("the evidence", _evidence(found, folder, story, key, require))
    found.take("junit.xml", _junit(folder / "junit.xml", story))
    found.take("report.html", _page(folder / "report.html", story, found))
    found.take("transcript.txt", _transcript(folder / "transcript.txt", story.events))
    found.take("the repository", _features(found, story, repo))
    return found


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _strict(data: bytes) -> dict[str, Any]:
    """A JSON object without what two readers could read differently: UTF-8, no key twice, no NaN."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a key stands there twice")
        return dict(pairs)

    def no_number(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    found = json.loads(data.decode(), object_pairs_hook=once, parse_constant=no_number)
    if not isinstance(found, dict):
        raise TypeError("no JSON object")
    return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Story:
    """A ledger read once, from its first line as far as its chain holds: the facts that verdict and class rest on."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.head = "0" * 64
        self.of: dict[str, list[Event]] = {}
        self.standing: dict[str, bool] = {}
        self.phases: dict[str, list[Event]] = {}
        self.steps: dict[tuple[str, str], list[str]] = {}
        self.last_step = "no step"
        self.recalled = False

    def read(self, path: Path) -> Iterator[str]:
        """Take in a ledger; yields what makes it none. What stands behind a break in the chain is not believed."""
        *lines, rest = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            try:
                self._take(_strict(line), number)
            except MALFORMED as problem:
                yield f"the ledger was changed: line {number} does not follow from the line before ({problem})"[:200]
                return
            self.head = _sha256(line)
        if rest:
            yield f"the ledger is cut short in line {len(lines) + 1}"
        if not self.events or self.events[0]["kind"] != "run-began":
            yield "the ledger does not begin with the run's beginning"
        if self.of.get("run-ended") and self.events[-1]["kind"] != "run-ended":
            yield "the ledger goes on behind the run's end"
        for kind in ("run-began", "suite", "host", "inventory", "selected", "site", "signing", "run-ended"):
            if len(self.of.get(kind, ())) > 1:
                yield f"the ledger tells of {kind} more than once"

    def _take(self, event: Event, number: int) -> None:
        """Add one event; raises one of `MALFORMED` if it does not follow."""
        kind, elapsed = str(event["kind"]), self.events[-1]["t"] if self.events else 0
        if (
            event["prev"] != self.head
            or event["n"] != number - 1
            or not event["t"] >= elapsed
            or not datetime.datetime.fromisoformat(event["at"]).tzinfo
            or (kind == "scenario-phase" and not event["seconds"] >= 0)
        ):
            raise ValueError("its digest, number or time")
        if kind == "hypervisor" and event["action"] == "create":
            self.standing[event["instance"]] = True
        elif kind == "machine-gone":
            self.standing[event["name"]] = False
        elif kind == "scenario-phase":
            self.phases.setdefault(event["scenario"], []).append(event)
        elif kind.startswith("step-"):
            self.steps.setdefault((event["scenario"], kind), []).append(event["step"])
            self.last_step = f"{event['scenario']}, {event['step']}"
        self.recalled |= "recalled_from" in event or kind == "machine-kept"
        self.of.setdefault(kind, []).append(event)
        self.events.append(event)

    def fact(self, kind: str) -> Mapping[str, Any]:
        """The first event of a kind; empty if there is none."""
        return self.of.get(kind, [{}])[0]

    @property
    def planned(self) -> dict[str, bool]:
        """Every scenario that the run knew of, and whether it runs on request only."""
        return {entry["identity"]: entry["on_request"] is True for event in self.of.get("inventory", ()) for entry in event["scenarios"]}

    @property
    def states(self) -> dict[str, str]:
        """What became of each scenario that was asked for or ran: `passed`, `failed`, `error`, `skipped` or `unfinished`."""
        asked = [entry["identity"] for event in self.of.get("selected", ()) for entry in event["scenarios"]]
        return {scenario: _state(self.phases.get(scenario, [])) for scenario in dict.fromkeys([*asked, *self.phases])}

    def seconds(self, scenario: str) -> float:
        return float(sum(event["seconds"] for event in self.phases.get(scenario, ())))

    def doubts(self) -> Iterator[str]:
        """Everything but a failure that stands between this run and PASSED."""
        states, planned, status = self.states, self.planned, self.fact("run-ended").get("exit_status")
        if "run-ended" not in self.of:
            yield f"the run did not end; the last step was: {self.last_step}"
        elif status != (1 if {"failed", "error"} & set(states.values()) else 0):
            yield f"pytest ended with {status}, which the scenarios do not explain"
        if not states:
            yield "no scenario ran"
        for scenario, state in states.items():
            began, passed = (self.steps.get((scenario, kind), []) for kind in ("step-began", "step-passed"))
            if state not in {"passed", "failed"}:
                yield f"{state}: {scenario}"
            elif state == "passed" and (not began or began != passed):
                yield f"not every step was seen to pass: {scenario}"
        yield from (f"in no feature file: {scenario}" for scenario in states if scenario not in planned)
        if left_out := [scenario for scenario, on_request in planned.items() if not on_request and scenario not in states]:
            yield f"{len(left_out)} of {len(planned)} scenarios did not run, {left_out[0]} among them"
        yield from (f"{name} was not seen to be gone" for name, there in self.standing.items() if there)
        yield from (f"left behind: {', '.join(event['items'])}" for event in self.of.get("left-behind", ()) if event["items"])
        yield from self._undeclared()

    def _undeclared(self) -> Iterator[str]:
        """Facts that are missing, or are not what the site declared."""
        settings, commits = self.fact("site").get("settings", {}), {event["repository"]: event["commit"] for event in self.of.get("revision", ())}
        yield from (f"not recorded: {kind}" for kind in ("site", "bootstrap-key", "machine", "toplevel") if kind not in self.of)
        for name in ("base", "secrets"):
            declared = settings.get(name, {}).get("revision", "")
            told = re.fullmatch("[0-9a-f]{40}", commits.get(name, ""))
            if not told or (re.fullmatch("[0-9a-f]{40}", declared) and declared != told[0]):
                yield f"the revision of {name} is not recorded, or not the declared one"
        images = {event["declared_image"] for event in self.of.get("before", ())}
        if (pinned := settings.get("incus", {}).get("image_fingerprint") or next(iter(images), None)) and images != {pinned}:
            yield "the image is not the declared one"
        yield from (f"{event['name']} was not made from the declared image" for event in self.of.get("machine", ()) if event["image"] not in images)
        path, key = settings.get("bootstrap", {}).get("machine_path"), self.fact("bootstrap-key").get("sha256")
        if any(event["path"] == path and event["sha256"] != key for event in self.of.get("delivered", ())):
            yield "the key that was delivered is not the bootstrap key"

    def evidence_class(self, *, complete: bool) -> str:
        """What this run can be evidence of, at most: by what was asked for, and by what happened."""
        began, site, suite = self.fact("run-began"), self.fact("site"), self.fact("suite")
        words = " ".join(word for host in self.of.get("host", ()) for word in host["arguments"])
        warm = self.recalled or re.search(r"--role[ =]builder|--reuse", words)
        if not site or warm or (began["role"], began["keep"], began["reuse"]) != ("adversary", "never", False):
            return "DEV"
        if "lab" in {site["site_kind"], site["settings"].get("kind")}:
            return "LAB"
        types = {event["type"] for event in self.of.get("machine", ())}
        types |= {(e.get("context") or {}).get("type", "") for e in self.of.get("lifecycle", ()) if e["action"] == "instance-created"} - {""}
        able = all(any("qemu" in driver for driver in event["drivers"]) for event in self.of.get("server", [{"drivers": ()}]))
        committed = bool(suite and suite["commit"]) and suite["dirty"] is False
        return "ACCEPTANCE" if complete and committed and able and types == {"virtual-machine"} and "signing" in self.of else "DEV"


def _state(phases: Sequence[Event]) -> str:
    outcomes = [event["outcome"] for event in phases]
    if "failed" in outcomes:
        return "failed" if any(event["outcome"] == "failed" and event.get("trouble") == "check" for event in phases) else "error"
    if "skipped" in outcomes or any(event.get("expected_to_fail") for event in phases):
        return "skipped"
    whole = [event["phase"] for event in phases] == ["setup", "call", "teardown"] and outcomes == ["passed"] * 3
    return "passed" if whole else "unfinished"


def _judge(found: Findings, story: Story, require: str, most: datetime.timedelta) -> Iterator[str]:
    """Verdict, class and age, and whether they will do."""
    failed, doubts = [scenario for scenario, state in story.states.items() if state == "failed"], list(story.doubts())
    found.verdict = "FAILED" if failed else "INCOMPLETE" if doubts or found.wrong else "PASSED"
    found.evidence_class = story.evidence_class(complete=not doubts and not found.wrong)
    yield from (f"failed: {scenario}" for scenario in failed)
    yield from doubts
    if RANK[found.evidence_class.lower()] < RANK[require]:
        yield f"its class is {found.evidence_class}, and {require.upper()} is required"
    for event in story.of.get("run-ended", ()):
        ended, now = datetime.datetime.fromisoformat(event["at"]), datetime.datetime.now(datetime.UTC)
        if not -SKEW <= now - ended <= most:
            yield f"it is {'too old' if ended < now else 'from the future'}: the run ended at {ended:%Y-%m-%d %H:%M} UTC"


def _evidence(found: Findings, folder: Path, story: Story, key: Path | None, require: str) -> Iterator[str]:
    """Somebody signed that this folder is what it is. Of the statement nothing is read before its signature is seen to be genuine."""
    if not (folder / ENVELOPE).exists():
        if "signing" in story.of:
            yield "the signature was taken away: the ledger names a key, and there is no envelope"
        else:
            found.unknown.append("unsigned: nobody vouches for this run")
        return
    if key is None:
        (found.unknown if require == "acceptance" else found.notes).append("nobody can say who signed: --key names the public key that you trust")
    public = _public_key(key or folder / PUBLIC_KEY)
    if public is None:
        (found.wrong if key is None else found.unknown).append(f"{key or PUBLIC_KEY} is no Ed25519 public key")
        return
    envelope = _strict((folder / ENVELOPE).read_bytes())
    kind, payload = str(envelope["payloadType"]).encode(), base64.b64decode(envelope["payload"], validate=True)
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    genuine = 0
    for signature in envelope["signatures"]:
        with contextlib.suppress(InvalidSignature):
            public.verify(base64.b64decode(signature["sig"], validate=True), message)
            genuine += 1
    if not genuine:
        yield "no signature is genuine: the statement was changed, or signed with another key"
        return
    if story.fact("signing").get("keyid") != _sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)):
        yield "the ledger names another key than the one that signed"
    if (folder / PUBLIC_KEY).read_bytes() != public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo):
        yield f"{PUBLIC_KEY} is not the key that signed"
    if kind != b"application/vnd.in-toto+json":
        yield f"what was signed is no in-toto statement but {envelope['payloadType']}"
    else:
        yield from _statement(_strict(payload), folder, story, found)


def _public_key(path: Path) -> Ed25519PublicKey | None:
    with contextlib.suppress(OSError, ValueError, UnsupportedAlgorithm):
        key = load_pem_public_key(path.read_bytes())
        return key if isinstance(key, Ed25519PublicKey) else None
    return None


def _statement(statement: Mapping[str, Any], folder: Path, story: Story, found: Findings) -> Iterator[str]:
    """The statement says what ledger and folder say, no less and no more."""
    if (statement["_type"], statement["predicateType"]) != ("https://in-toto.io/Statement/v1", "https://in-toto.io/attestation/test-result/v0.1"):
        yield "what was signed is not a test result"
        return
    subjects = {event["repository"]: {"gitCommit": event["commit"]} for event in story.of.get("revision", ())}
    subjects |= {"toplevel": {"sha256": story.fact("toplevel")["sha256"]}} if "toplevel" in story.of else {}
    yield from _differences(statement["subject"], {**subjects, LEDGER: {"sha256": _sha256((folder / LEDGER).read_bytes())}})
    known = {f"features/{name}": digest for name, digest in story.fact("inventory").get("files", {}).items()}
    known |= {name: story.fact(kind)[field] for name, kind, field in NAMED if kind in story.of}
    known |= {name: _sha256((folder / name).read_bytes()) for name in _names(folder) if name not in {LEDGER, ENVELOPE}}
    predicate = statement["predicate"]
    yield from _differences(predicate["configuration"], {name: {"sha256": digest} for name, digest in known.items()})
    began, ended, states = story.fact("run-began"), story.fact("run-ended"), story.states
    facts = {"format": 1, "run": began.get("run"), "verdict": found.verdict, "class": found.evidence_class, "began": began.get("at")}
    facts |= {"ended": ended.get("at"), "signing": story.fact("signing").get("keyid"), "events": len(story.events), "head": story.head}
    facts |= {"result": "PASSED" if found.verdict == "PASSED" else "FAILED"}
    facts |= {
        "passedTests": [name for name in states if states[name] == "passed"],
        "failedTests": [name for name in states if states[name] != "passed"],
    }
    said = {**predicate["cleanroom"], **predicate}
    yield from (f"the statement's {name} is not what the ledger gives: {str(said[name])[:60]}" for name in facts if said[name] != facts[name])


def _differences(descriptors: Sequence[Mapping[str, Any]], expected: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    seen = {each["name"]: each["digest"] for each in descriptors}
    if len(seen) != len(descriptors):
        yield "the signed statement names something twice"
    yield from (f"{name} is not in the signed statement" for name in sorted(expected.keys() - seen.keys()))
    yield from (f"{name} is in the signed statement, and not here" for name in sorted(seen.keys() - expected.keys()))
    yield from (f"{name} is not the one that was signed" for name in sorted(seen.keys() & expected.keys()) if seen[name] != expected[name])


def _junit(path: Path, story: Story) -> Iterator[str]:
    """Every scenario once, under its own name, with its outcome and time; one that was not asked for may stand there as skipped."""
    raw = path.read_bytes()
    if b"<!" in raw:
        raise ValueError("a declaration has no place there")
    marks = {"failed": "failure", "error": "error", "unfinished": "error", "skipped": "skipped"}
    wanted = {scenario: marks.get(state, "") for scenario, state in story.states.items()}
    wanted |= dict.fromkeys(story.planned.keys() - wanted.keys(), "skipped")
    root = ET.fromstring(raw)  # noqa: S314 - it holds no declaration
    for case in root.iter("testcase"):
        scenario = f"{str(case.get('classname')).removeprefix('features/')}: {case.get('name')}"
        mark = next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "")
        if wanted.pop(scenario, None) != mark or abs(float(case.get("time", "nan")) - story.seconds(scenario)) > ROUNDING:
            yield f"junit.xml does not tell what the ledger tells of {scenario}"
    yield from (f"junit.xml leaves out {scenario}" for scenario in wanted if scenario in story.states)
    for suite in (root, *root.iter("testsuite")):
        for name, tag in (("tests", ""), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            told = sum(1 for case in suite.iter("testcase") if not tag or case.find(tag) is not None)
            if suite.get(name) != str(told):
                yield f"junit.xml counts {suite.get(name)} {name} in {suite.get('name')}, and tells of {told}"


class _Page(HTMLParser):
    """A page as a flat list: each tag, its attributes, and the text from there to the next tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", {}, []))

    def handle_data(self, data: str) -> None:
        for _tag, _attributes, text in self.tags[-1:]:
            text.append(data)


def _page(path: Path, story: Story, found: Findings) -> Iterator[str]:
    """What the page carries in attributes and what it shows are both what the ledger gives."""
    facts = {"run": story.fact("run-began").get("run"), "verdict": found.verdict, "class": found.evidence_class}
    facts |= {"head": story.head, "events": str(len(story.events))}
    carried: list[dict[str, str | None]] = []
    shown: dict[str | None, list[str]] = {"verdict": [], "class": [], "state": []}
    for tag, told, text in _Page(path.read_bytes().decode()).tags:
        if tag == "html":
            yield from (f"report.html carries another {name} than the ledger gives" for name in facts if told.get(f"data-{name}") != facts[name])
        elif tag in {"script", "iframe", "object", "embed", "base", "form"} or any(name.startswith("on") for name in told):
            yield f"report.html holds what could change it while it is read: {tag}"
        if "data-scenario" in told:
            carried.append(told)
        if (tag, told.get("class")) in {("strong", "verdict"), ("strong", "class"), ("span", "state")}:
            shown[told["class"]].append("".join(text))
    yield from (f"report.html shows another {name} than the ledger gives" for name in ("verdict", "class") if shown[name] != [facts[name]])
    states = story.states
    if len(carried) != len(shown["state"]):
        yield "report.html does not show a state for each scenario"
    for told, state in zip(carried, shown["state"], strict=False):
        scenario = str(told["data-scenario"])
        late = abs(float(told.get("data-seconds") or "nan") - story.seconds(scenario)) > ROUNDING
        if late or [state, told["data-state"]] != [states.pop(scenario, None)] * 2:
            yield f"report.html does not tell what the ledger tells of {scenario}"
    yield from (f"report.html leaves out {scenario}" for scenario in states)


def _transcript(path: Path, events: Sequence[Event]) -> Iterator[str]:
    """Each piece of the transcript is the one whose digest was recorded, and tells of the result before it."""
    raw, at = path.read_bytes() if path.exists() else b"", 0
    command, result = Event(), Event()
    for event in events:
        if event["kind"].endswith("-command"):
            command = event
        elif event["kind"].endswith("-result"):
            result = event
        elif event["kind"] == "transcript":
            piece, at = raw[at : at + event["bytes"]], at + event["bytes"]
            if _sha256(piece) != event["sha256"]:
                yield f"transcript.txt was changed or rearranged at byte {at - event['bytes']}"
                return
            first, last = f"--- command {result['number']} ({command['where']}): ", piece.decode().rstrip("\n").rpartition("\n")[2]
            if not piece.startswith(first.encode()) or not last.startswith(f"--- {result['fate']}, "):
                yield f"transcript.txt tells otherwise than the ledger of {command['where']}"
    if at != len(raw):
        yield "transcript.txt holds more than the guide's commands said"


def _features(found: Findings, story: Story, given: Path | None) -> Iterator[str]:
    """The feature files at the suite's commit are those that ran, and hold exactly the scenarios that the run knew of."""
    repo, suite = given or Path(__file__).resolve().parents[1], story.fact("suite")
    commit = str(suite.get("commit"))
    if not re.fullmatch("[0-9a-f]{40,64}", commit) or _git(repo, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        why = "the suite was no checkout" if commit == "None" else f"the suite's commit {commit[:12]} is not in {repo}"
        (found.unknown if given else found.notes).append(f"the scenarios were not compared with the feature files: {why}")
        return
    files = _tree(repo, commit)
    features = {name.removeprefix("features/"): raw for name, raw in files.items() if name.startswith("features/") and name.endswith(".feature")}
    digests = {name: _sha256(raw) for name, raw in features.items()}
    for name, _ in sorted(digests.items() ^ story.fact("inventory").get("files", {}).items()):
        yield f"features/{name} is not what commit {commit[:12]} has"
    planned = {identity: on_request for name, raw in features.items() for identity, on_request in _scenarios(name, raw.decode())}
    for identity, _ in sorted(planned.items() ^ story.planned.items())[:1]:
        yield f"the run's list of scenarios is not that of the feature files: {identity}"
    lines = "".join(f"{_sha256(raw)}  {name}\n" for name, raw in sorted(files.items()))
    if suite["dirty"]:
        found.notes.append(f"the suite that ran had changes that are not in commit {commit[:12]}")
    elif _sha256(lines.encode()) != suite["digest"]:
        yield f"the suite that ran is not what commit {commit[:12]} has"


def _git(repo: Path, *words: str, stdin: bytes = b"") -> bytes | None:
    """What git answers; None if it fails. Nobody's configuration takes part."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}
    argv = ["git", "-c", f"safe.directory={repo.resolve()}", "-C", str(repo), *words]
    done = subprocess.run(argv, env=environment, input=stdin, capture_output=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else None


def _tree(repo: Path, commit: str) -> dict[str, bytes]:
    """The suite's files at a commit, by path."""
    entries = [line.partition(b"\t") for line in (_git(repo, "ls-tree", "-r", "-z", commit, "--", *PARTS) or b"").split(b"\0")]
    names = {path.decode(): head.split()[2] for head, _, path in entries if head[:2] == b"10"}
    answer, at, files = _git(repo, "cat-file", "--batch", stdin=b"\n".join(names.values()) + b"\n") or b"", 0, {}
    for name in names:
        begins = answer.index(b"\n", at) + 1
        ends = begins + int(answer[at:begins].split()[2])
        files[name], at = answer[begins:ends], ends + 1
    return files


_DEPTH: Final = {"Feature": 0, "Rule": 1} | dict.fromkeys(("Background", "Scenario", "Example", "Scenario Outline", "Scenario Template"), 2)


def _scenarios(file: str, text: str) -> Iterator[tuple[str, bool]]:
    """Each scenario, or row of an outline, of a feature file, and whether it runs on request: as much of Gherkin as that takes."""
    quote, title, row, tags = "", None, "", set[str]()  # `row`: the part of a table that comes next
    over = [tags, tags, tags, tags]  # the tags of the feature, rule, scenario and examples that a line is in
    for line in itertools.chain(map(str.strip, text.splitlines()), ["Feature:"]):
        word, colon, rest = line.partition(":")
        if quote or line.startswith(('"""', "```")):
            quote = "" if quote and line.startswith(quote) else quote or line[:3]
        elif line.startswith("@"):
            tags = tags | set(re.sub(r"\s#.*", "", line).split())
        elif colon and word in _DEPTH:
            if title is not None and not row:
                yield f"{file}: {title}", bool(ON_REQUEST & set().union(*over))
            over = [*over[: _DEPTH[word]], tags, set(), set(), set()]
            title, row, tags = (rest.strip() if word not in {"Feature", "Rule", "Background"} else None), "", set()
        elif colon and word in {"Examples", "Scenarios"}:
            over, row, tags = [*over[:3], tags], "head", set()
        elif line.startswith("|") and row:
            cells = [cell.strip() for cell in re.findall(r"((?:\\.|[^|\\])*)\|", line[1:])]
            values = re.sub(r"\\([n|\\])", lambda sign: sign[1].replace("n", "\n"), " | ".join(cells))
            if row == "body":
                yield f"{file}: {title} [{values}]", bool(ON_REQUEST & set().union(*over))
            row = "body"


def register(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the sub-command to the suite's own program."""
    _arguments(commands.add_parser("verify", help="judge a report folder, offline"))


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Exit status: 0 the folder holds, 1 it does not, 2 nobody can tell. One line a reason."
    parser.add_argument("folder", metavar="DIR", type=Path, help="a run's report folder")
    parser.add_argument("--key", metavar="PUB", type=Path, help="public key (PEM) that you trust; without it nobody can say who signed")
    parser.add_argument("--max-age", metavar="24h", type=_duration, default="24h", help="how long ago the run may have ended (90m, 24h, 30d)")
    parser.add_argument("--require", choices=list(RANK), default="acceptance", help="the lowest class that will do")
    parser.add_argument("--repo", metavar="PATH", type=Path, help="git repository of the suite (default: the checkout that this program lies in)")
    parser.set_defaults(run=run)


def _duration(text: str) -> float:
    if not (found := re.fullmatch(r"(\d{1,6})([smhd])", text)):
        raise argparse.ArgumentTypeError("expected a duration such as 90m, 24h or 30d")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def run(options: argparse.Namespace) -> int:
    """Judge one folder and say why; returns the exit status."""
    found = verify(options.folder, key=options.key, max_age=options.max_age, require=options.require, repo=options.repo)
    given = f"{found.verdict}, class {found.evidence_class}"
    lines = [(f"it holds: {given}", f"it does not hold; its ledger gives {given}", f"nobody can tell; its ledger gives {given}")[found.status]]
    told = (("does not hold", found.wrong), ("cannot tell", found.unknown), ("note", found.notes))
    for line in [*lines, *(f"{label}: {reason}" for label, reasons in told for reason in reasons)]:
        sys.stdout.write("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line) + "\n")
    return found.status


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a folder without the suite around."""
    parser = argparse.ArgumentParser(prog="verifier.py")
    _arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
