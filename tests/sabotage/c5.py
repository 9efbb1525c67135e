"""C5's sabotages: how somebody would claim more than was proven, or have it proven by less."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cleanroom import signing
from cleanroom.ledger import Event
from tests import forging
from tests.sabotage.bench import C5, Sabotage
from tests.sabotage.edits import base, suite_edit
from tests.sabotage.owner import Owner

HALVES = "The claim has both halves"
FACTS = "Every fact is the record's"
EXCUSE = "The old excuse is gone"
LIMITATION = "A limitation is narrow, and somebody answers for it"
TODAY = "The evidence is of today"
WEAKENED = "Nothing was weakened"

_DRIFT = "c1_secrets_split.feature: The canonical host has not drifted"
_REBOOT = "c4_cleanroom.feature: It survives a reboot"
_ENDPOINTS = "c4_cleanroom.feature: The public endpoints answer"
_NO_RECORD = dict.fromkeys((HALVES, FACTS, TODAY, WEAKENED), "without a record nothing can be compared with it")
_NO_CLAIM = {**_NO_RECORD, LIMITATION: "without an entry there is no section in it"}
_OTHER_FACTS = {FACTS: "the document still tells the true story"}


def _without(mapping: Mapping[str, str], title: str) -> dict[str, str]:
    return {key: why for key, why in mapping.items() if key != title}


def _limitation(owner: Owner, *, scope: str, reason: str, tested: str, signed_off: str) -> None:
    head = "| scope | reason | most that was tested | signed off |\n|---|---|---|---|\n"
    row = f"| {scope} | {reason} | {tested} | {signed_off} |"
    owner.rewrite(owner.review, r"(?s)(### Limitations\n\n).*\Z", rf"\g<1>{head}{row}\n")


def limited(**cells: str) -> Callable[[Owner], None]:
    good = {
        "scope": "`drone.service` on ARM",
        "reason": "there is no ARM hardware in this project",
        "tested": "the unit evaluates and builds",
        "signed_off": "Ada Lovelace, 2026-01-01",
    }
    return lambda owner: _limitation(owner, **{**good, **cells})


def _older(hours: float) -> forging.Edit:
    """Every moment of the record, so many hours earlier."""
    return lambda events: [{key: _earlier(value, hours) for key, value in event.items()} for event in events]


def _earlier(value: Any, hours: float) -> Any:
    if not isinstance(value, str) or not value[:4].isdigit() or "T" not in value[:11]:
        return value
    try:
        moment = datetime.datetime.fromisoformat(value) - datetime.timedelta(hours=hours)
    except ValueError:
        return value
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _at_another_commit(repository: str) -> forging.Edit:
    def is_its(event: Event) -> bool:
        return (event["kind"], event.get("repository")) == ("revision", repository)

    return lambda events: [{**event, "commit": "f" * 40} if is_its(event) else event for event in events]


def _dropped(scenario: str) -> forging.Edit:
    """The scenario was neither planned nor asked for, and nobody ran it."""

    def edit(events: list[Event]) -> list[Event]:
        kept = [event for event in events if event.get("scenario") != scenario]
        lists = {"inventory", "selected"}
        return [
            {**event, "scenarios": [each for each in event["scenarios"] if each["identity"] != scenario]} if event["kind"] in lists else event
            for event in kept
        ]

    return edit


def _told_as(scenario: str, **fields: Any) -> forging.Edit:
    def edit(events: list[Event]) -> list[Event]:
        return [{**event, **fields} if (event.get("scenario"), event.get("phase")) == (scenario, "call") else event for event in events]

    return edit


def _signed_by_another(owner: Owner) -> None:
    stranger = signing.make(owner.folder / "stranger.pem")
    owner.reseal(forging.changed("signing", keyid=stranger.keyid, public=stranger.public), stranger)


def _edited_after_signing(owner: Owner) -> None:
    owner.rewrite(owner.record / "ledger.ndjson", '"role":"adversary"', '"role":"adversery"')


def _moved(owner: Owner) -> None:
    owner.state("Run", "20990101-000000-abcdef")
    owner.record.rename(owner.record.with_name("20990101-000000-abcdef"))


def _unsigned(owner: Owner) -> None:
    (owner.record / "evidence.dsse.json").unlink()


def _softly(mark: str) -> Callable[[Path], None]:
    """A hook, committed, that marks one scenario."""
    marks = f"[item.add_marker({mark}) for item in items if 'excuse' in item.name]"
    hook = f"\n\n@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems(items):\n    {marks}\n"
    return suite_edit("fixtures/evidence.py", "\n\n@pytest.fixture", f"{hook}\n\n@pytest.fixture", commit=True)


def documented(text: str) -> Callable[[Owner], None]:
    """A sentence in a document of the owner's that is no part of his claim."""

    def edit(owner: Owner) -> None:
        status = owner.folder / "STATUS.md"
        status.write_text(f"{status.read_text()}\n{text}\n")

    return edit


def claim(name: str, story: str, edit: Callable[[Owner], None], reddens: dict[str, str], **more: Any) -> Sabotage:
    return Sabotage(name=name, story=story, reddens=reddens, feature=C5, own_site=True, static=True, claim=edit, **more)


def _fact(name: str, label: str, value: str) -> Sabotage:
    return claim(f"fact-{name}", f"the document gives another {label}", lambda owner: owner.state(label, value), {FACTS: f"is given as `{value}`"})


def _record(name: str, story: str, edit: forging.Edit, reddens: dict[str, str], **more: Any) -> Sabotage:
    return claim(f"record-{name}", story, lambda owner: owner.reseal(edit), reddens, **more)


SABOTAGES = (
    claim(
        "half-missing",
        "the claim has no static half",
        lambda owner: owner.rewrite(owner.review, r"(?s)### Byte-identical closure.*?(?=### )", ""),
        {HALVES: "Byte-identical closure (static)"},
    ),
    claim(
        "half-hidden",
        "the live half stands in a comment",
        lambda owner: owner.rewrite(owner.review, r"(?s)(### Clean-room rebuild \(live\).*?)(?=### )", r"<!--\n\1\n-->\n\n"),
        {HALVES: "Clean-room rebuild (live)", FACTS: "Clean-room rebuild (live)"},
    ),
    _record(
        "drifted",
        "the record says that the canonical host had drifted",
        _told_as(_DRIFT, outcome="failed", trouble="check"),
        {HALVES: "The canonical host has not drifted", WEAKENED: f"{_DRIFT}: failed"},
        may_redden=_OTHER_FACTS,
    ),
    _record(
        "nothing-bears-it-out",
        "no scenario of the record is about drift",
        _dropped(_DRIFT),
        {HALVES: "the record knows what bears out", WEAKENED: f"{_DRIFT}: not asked for"},
        may_redden=_OTHER_FACTS,
    ),
    _fact("run-revision", "Base revision", "0123456789abcdef0123456789abcdef01234567"),
    _fact("uuid", "Machine UUID", "ca604297-a87b-43cc-a75b-92614b973a16"),
    _fact("nar-hash", "NAR hash", "sha256-waPQq2SYIdtU7E3GaMY0ieoXc4yhcn7SY4ojDt5gXj8="),
    _fact("store-path", "Toplevel", "/nix/store/1fis71w7nrngm3z574whdpsk08cm4sac-nixos-system-another"),
    _fact("certificate", "Certificate fingerprint", "ab" * 32),
    _fact("verdict", "Verdict", "PASSED"),
    _fact("class", "Class", "ACCEPTANCE"),
    _fact("kind", "Machine type", "virtual-machine"),
    _fact("began", "Began", "2026-01-01T00:00:00Z"),
    claim(
        "fact-abbreviated",
        "a revision is cut to seven digits",
        lambda owner: owner.rewrite(owner.review, r"(?m)^(\| Base revision \| `[0-9a-f]{7})[0-9a-f]+", r"\1"),
        {FACTS: "base revision is given as"},
    ),
    claim(
        "fact-left-out",
        "the document does not say which machine it was",
        lambda owner: owner.rewrite(owner.review, r"(?m)^\| Machine UUID .*\n", ""),
        {FACTS: "`machine UUID` is not stated"},
    ),
    claim(
        "fact-twice",
        "the document states the class twice, one of them true",
        lambda owner: owner.rewrite(owner.review, r"(?m)^(\| Class .*)$", r"\1\n| Class | `ACCEPTANCE` |"),
        {FACTS: "`class` is stated 2 times"},
    ),
    claim(
        "fact-in-prose",
        "a sentence beside the table tells of another machine",
        lambda owner: owner.rewrite(owner.review, r"### Limitations", "Made on ca604297-a87b-43cc-a75b-92614b973a17.\n\n### Limitations"),
        {FACTS: "ca604297-a87b-43cc-a75b-92614b973a17"},
    ),
    claim(
        "heading-boasts",
        "the heading calls the run PASSED, the table does not",
        lambda owner: owner.rewrite(owner.review, r"(?m)^(## Clean-room run \S+): .*$", r"\1: PASSED, class ACCEPTANCE"),
        {FACTS: "`ACCEPTANCE`, and the class was LAB"},
    ),
    claim(
        "command-edited",
        "the document shows another command than the one that ran",
        lambda owner: owner.rewrite(owner.review, r"nixos-rebuild switch --flake", "nixos-rebuild switch --impure --flake"),
        {FACTS: "the command that ran"},
    ),
    claim("phrase-plain", "the old excuse is back", documented("A live rebuild is infeasible by design."), {EXCUSE: "infeasible by design"}),
    claim(
        "phrase-broken",
        "the old excuse, across two lines and in bold",
        documented("A live rebuild is **infeas**ible\nby-design, as was said."),
        {EXCUSE: "infeasible by design"},
    ),
    claim("phrase-commented", "the old excuse, in a comment", documented("<!-- note: infeasible\nby design -->"), {EXCUSE: "infeasible by design"}),
    claim(
        "phrase-reworded",
        "the old excuse in other words",
        documented("A rebuild is impossible by construction."),
        {EXCUSE: "impossible by construction"},
    ),
    Sabotage(
        name="phrase-in-base",
        story="the old excuse stands in a module's comment",
        reddens={EXCUSE: "modules/host.nix"},
        feature=C5,
        options=("-k", "excuse"),
        static=True,
        edit=base("modules/host.nix", "{", "# a live rebuild is infeasible by design\n{", count=1),
    ),
    claim("limitation-broad", "a limitation covers the rebuild itself", limited(scope="the live rebuild"), {LIMITATION: "`the live rebuild`"}),
    claim("limitation-unsigned", "nobody answers for a limitation", limited(signed_off="the operator, 2026-01-01"), {LIMITATION: "the operator"}),
    claim("limitation-untested", "a limitation does not say what was tested", limited(tested="n/a"), {LIMITATION: "the most that was tested"}),
    claim(
        "limitation-host-key",
        "host-key binding in other words",
        limited(reason="its data is sealed to the old server"),
        {LIMITATION: "excused by host-key binding"},
    ),
    claim(
        "limitation-dns",
        "DNS in other words",
        limited(reason="the public name leads to the other machine"),
        {LIMITATION: "excused by DNS or certificates"},
    ),
    claim(
        "limitation-in-prose",
        "a limitation is mentioned in passing",
        lambda owner: owner.rewrite(owner.review, r"(?s)(### Limitations\n\n).*\Z", r"\1None, but for the reboot.\n"),
        {LIMITATION: "limitations are one table"},
    ),
    claim(
        "limitations-silent",
        "the claim says nothing of its limitations",
        lambda owner: owner.rewrite(owner.review, r"(?s)### Limitations\n.*\Z", ""),
        {LIMITATION: "says once what its limitations are"},
    ),
    _record("stale", "the record is of the day before", _older(25), {TODAY: "hours ago"}, may_redden=_OTHER_FACTS),
    _record(
        "of-another-base", "the record is of another commit of base", _at_another_commit("base"), {TODAY: "the head of base"}, may_redden=_OTHER_FACTS
    ),
    _record(
        "of-other-secrets",
        "the record is of another commit of secrets",
        _at_another_commit("secrets"),
        {TODAY: "the head of secrets"},
        may_redden=_OTHER_FACTS,
    ),
    _record(
        "of-a-builder", "the record is a builder's", forging.changed("run-began", role="builder"), {TODAY: "role builder"}, may_redden=_OTHER_FACTS
    ),
    _record(
        "of-a-kept-machine",
        "the record's machine was kept",
        forging.changed("run-began", keep="always"),
        {TODAY: "keep always"},
        may_redden=_OTHER_FACTS,
    ),
    _record(
        "of-an-older-machine",
        "the record's machine was there before its run",
        forging.changed("machine", created_at="2026-01-01T00:00:00+00:00"),
        {TODAY: "made after its run began"},
        may_redden=_OTHER_FACTS,
    ),
    _record("scenario-dropped", "a scenario was dropped from the record", _dropped(_ENDPOINTS), {WEAKENED: f"{_ENDPOINTS}: not asked for"}),
    _record(
        "scenario-skipped",
        "a scenario was skipped in the record",
        _told_as(_REBOOT, outcome="skipped"),
        {WEAKENED: f"{_REBOOT}: skipped", HALVES: _REBOOT},
        may_redden=_OTHER_FACTS,
    ),
    _record(
        "scenario-expected-to-fail",
        "a scenario was expected to fail in the record",
        _told_as(_REBOOT, outcome="skipped", expected_to_fail=True),
        {WEAKENED: f"{_REBOOT}: expected to fail", HALVES: _REBOOT},
        may_redden=_OTHER_FACTS,
    ),
    _record(
        "other-features",
        "the record was made with another feature file",
        lambda events: [
            {**event, "files": {**event["files"], "c4_cleanroom.feature": "0" * 64}} if event["kind"] == "inventory" else event for event in events
        ],
        {WEAKENED: "different: c4_cleanroom.feature"},
    ),
    _record(
        "softer-suite",
        "the record was made by a suite with uncommitted changes",
        forging.changed("suite", dirty=True),
        {WEAKENED: "no commit tells of"},
    ),
    _record(
        "of-another-suite",
        "the record names a commit that the suite never had",
        forging.changed("suite", commit="f" * 40),
        {WEAKENED: "no commit of this suite"},
    ),
    claim(
        "softer-terms",
        "the site file asks for less than the record was made under",
        lambda owner: owner.rewrite(owner.site_file, r'(?m)^memory_guideline = "12GiB"$', 'memory_guideline = "16GiB"'),
        {WEAKENED: "incus.memory_guideline was"},
    ),
    claim(
        "signed-by-another",
        "the record is signed by somebody's key",
        _signed_by_another,
        {TODAY: "the key that the site trusts"},
        may_redden=_without(_NO_RECORD, TODAY),
    ),
    claim("unsigned", "the record is not signed", _unsigned, {TODAY: "the record is signed"}, may_redden=_without(_NO_RECORD, TODAY)),
    claim(
        "ledger-edited",
        "the ledger was edited after it was signed",
        _edited_after_signing,
        {TODAY: "is the one that was signed"},
        may_redden=_without(_NO_RECORD, TODAY),
    ),
    claim(
        "record-gone",
        "the claim refers to a run that nobody kept",
        lambda owner: owner.state("Run", "20200101-000000-abcdef"),
        {TODAY: "is kept"},
        may_redden=_without(_NO_RECORD, TODAY),
    ),
    claim(
        "record-of-another-run",
        "another run's record lies under the name of the one that is claimed",
        _moved,
        {TODAY: "this is the record of run 20990101-000000-abcdef"},
        may_redden=_without(_NO_RECORD, TODAY),
    ),
    claim(
        "no-claim",
        "the document has no entry",
        lambda owner: owner.rewrite(owner.review, "## Clean-room run", "## Some"),
        {HALVES: "has an entry about a clean-room run"},
        may_redden=_without(_NO_CLAIM, HALVES),
    ),
    claim(
        "feature-weakened",
        "a feature file was made easier, and no commit says so",
        lambda _owner: None,
        {WEAKENED: "features/c4_cleanroom.feature"},
        suite=suite_edit("features/c4_cleanroom.feature", "    And no unit has failed and the system is running\n", ""),
    ),
    claim(
        "feature-weakened-and-committed",
        "a feature file was made easier in a commit, and the record is older than that",
        lambda _owner: None,
        {WEAKENED: "different: c4_cleanroom.feature"},
        suite=suite_edit("features/c4_cleanroom.feature", "    And no unit has failed and the system is running\n", "", commit=True),
    ),
    claim(
        "judge-weakened",
        "what judges was made easier, and no commit says so",
        lambda _owner: None,
        {WEAKENED: "cleanroom/claim/freshness.py"},
        suite=suite_edit("cleanroom/claim/freshness.py", "_SKEW_SECONDS = 120.0", "_SKEW_SECONDS = 1e9"),
    ),
    claim(
        "skip-in-this-run",
        "a scenario of this run is skipped",
        lambda _owner: None,
        {WEAKENED: f"{C5}: {EXCUSE}: skipped"},
        may_redden={EXCUSE: "it is skipped"},
        suite=_softly("pytest.mark.skip(reason='today')"),
    ),
    claim(
        "expected-to-fail-in-this-run",
        "a scenario of this run fails, and is expected to",
        documented("A live rebuild is infeasible by design."),
        {WEAKENED: f"{C5}: {EXCUSE}: expected to fail"},
        may_redden={EXCUSE: "it fails as expected"},
        suite=_softly("pytest.mark.xfail(reason='today')"),
    ),
)
