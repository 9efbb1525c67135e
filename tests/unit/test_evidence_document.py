"""What a site's owner claims, fact by fact, against the record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanroom import claims
from cleanroom.claim import evidence_document
from cleanroom.claim.evidence_document import LIVE, STATIC, Entry, newest
from cleanroom.claim.record import Record
from cleanroom.errors import CheckFailed
from tests import forging
from tests.unit import claim


@pytest.fixture
def record() -> Record:
    return Record(Path("records") / claim.RUN, {}, claim.events())


def entry(markdown: str) -> Entry:
    return newest(markdown, file="REVIEW.md")


def with_more(prose: str) -> str:
    """A true claim with something more in it: in the static half if it is a block of code, which in the live half would be a command."""
    heading = "### Clean-room rebuild" if prose.startswith("```") else "### Limitations"
    return claim.review().replace(heading, f"{prose}\n\n{heading}", 1)


def judge(markdown: str, record: Record) -> None:
    """Everything that C5.1 and C5.2 say."""
    found = entry(markdown)
    for half in (STATIC, LIVE):
        evidence_document.check_half(found, half, record)
    evidence_document.check_stated_once(found)
    evidence_document.check_facts(found, record)
    evidence_document.check_prose(found, record)
    evidence_document.check_commands(found, record)


def test_a_true_claim_holds(record: Record) -> None:
    judge(claim.review(), record)


def test_what_the_suite_writes_of_a_run_holds(record: Record) -> None:
    judge(f"# Review\n\n{claims.review(record.events)}", record)


def test_what_the_suite_writes_of_a_run_that_failed_claims_nothing() -> None:
    events = [{**event, "outcome": "failed", "trouble": "check"} if event["kind"] == "scenario-phase" else event for event in claim.events()]
    with pytest.raises(CheckFailed, match="it says that nothing is claimed"):
        judge(f"# Review\n\n{claims.review(events)}", Record(Path("r"), {}, events))


def test_facts_may_be_abbreviated_but_not_too_much(record: Record) -> None:
    judge(claim.review(Base_revision=claim.BASE[:12], Image=claim.IMAGE[:16] + "…", Began="2026-11-26T08:45:33Z"), record)
    with pytest.raises(CheckFailed, match=r"Base revision|base revision is given as"):
        judge(claim.review(Base_revision=claim.BASE[:11]), record)


@pytest.mark.parametrize("label", claim.FACTS)
def test_every_fact_must_be_stated(record: Record, label: str) -> None:
    with pytest.raises(CheckFailed, match=r"is not stated|names the run"):
        judge("".join(line for line in claim.review().splitlines(keepends=True) if not line.startswith(f"| {label} |")), record)


@pytest.mark.parametrize("label", [label for label in claim.FACTS if label != "Run"])
def test_every_fact_must_be_the_records(record: Record, label: str) -> None:
    value = claim.FACTS[label]
    other = value[:-1] + ("1" if value[-1] != "1" else "2")
    with pytest.raises(CheckFailed, match="equals the signed record's"):
        judge(claim.review(**{label.replace(" ", "_"): other}), record)


def test_a_fact_that_is_stated_twice(record: Record) -> None:
    twice = claim.review().replace("| Role | `adversary` |", "| Role | `adversary` |\n| role | `adversary` |")
    with pytest.raises(CheckFailed, match="`role` is stated 2 times"):
        judge(twice, record)


def test_a_label_that_nobody_knows(record: Record) -> None:
    with pytest.raises(CheckFailed, match="nobody knows a fact called `Weather`"):
        judge(claim.review(Weather="fine"), record)


def test_a_fact_in_a_comment_is_not_stated(record: Record) -> None:
    hidden = claim.review().replace(f"| Machine UUID | `{claim.UUID}` |", f"| Machine UUID | <!-- {claim.UUID} --> |")
    with pytest.raises(CheckFailed, match="machine UUID is given as ``"):
        judge(hidden, record)


@pytest.mark.parametrize("half", ["### Byte-identical closure (static)", "### Clean-room rebuild (live)"])
def test_half_of_the_claim_is_missing(record: Record, half: str) -> None:
    with pytest.raises(CheckFailed, match="the claim has one section"):
        judge(claim.review().replace(half, "### Something else"), record)


def test_a_half_that_is_there_twice(record: Record) -> None:
    with pytest.raises(CheckFailed, match="seen:     2, in lines"):
        judge(claim.review() + "\n### Clean-room rebuild (live)\n\nAgain.\n", record)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LAB: the canonical host ran", "LAB: nothing is claimed: it ran"),
        (f": {claim.SYSTEM}, {claim.NAR_SRI}", ""),
        (f", {claim.NAR_SRI}", ""),
    ],
)
def test_a_half_that_claims_nothing(record: Record, old: str, new: str) -> None:
    with pytest.raises(CheckFailed, match="claims it, and shows the system's store path and its NAR hash"):
        judge(claim.review().replace(old, new), record)


@pytest.mark.parametrize(
    ("scenario", "half"),
    [("c1_secrets_split.feature: The canonical host has not drifted", STATIC), ("c4_cleanroom.feature: It survives a reboot", LIVE)],
)
def test_a_half_that_the_record_does_not_bear_out(scenario: str, half: str) -> None:
    events = [{**event, "outcome": "failed", "trouble": "check"} if event.get("scenario") == scenario else event for event in claim.events()]
    with pytest.raises(CheckFailed, match=f"(?s){scenario}.*seen:     failed"):
        evidence_document.check_half(entry(claim.review()), half, Record(Path("r"), {}, events))


def test_a_half_that_was_not_asked_for() -> None:
    gone = forging.without(lambda event: str(event.get("scenario", "")).startswith("c4_"))
    events = [
        {**event, "scenarios": [each for each in event["scenarios"] if not each["identity"].startswith("c4_")]}
        if event["kind"] == "selected"
        else event
        for event in gone(claim.events())
    ]
    with pytest.raises(CheckFailed, match="was not asked for"):
        evidence_document.check_half(entry(claim.review()), LIVE, Record(Path("r"), {}, events))


@pytest.mark.parametrize(
    "prose",
    [
        "It ran on c1efabe71234.",
        "The system was /nix/store/49jhqm51g82f2rz1gl37sfijsbj87xsd-nixos-system-cc-ci.",
        "Begun 2026-11-25 08:45, it took an hour.",
        "The machine was ca604297-a87b-43cc-a75b-92614b973a17.",
        "See also run 20261125-084533-ad23c8.",
        "The hash was sha256-AAPQq2SYIdtU7E3GaMY0ieoXc4yhcn7SY4ojDt5gXj8=.",
        "| extra | seen |\n|---|---|\n| uuid | ca604297-a87b-43cc-a75b-92614b973a17 |",
        "#### On c1efabe71234\n\nnothing",
        "<p>It ran on c1efabe71234.</p>",
        "It PASSED.",
        "This is of class ACCEPTANCE.",
        "<b>\nACCEPTANCE\n</b>",
        "It was a virtual machine.",
        "```\n/nix/store/49jhqm51g82f2rz1gl37sfijsbj87xsd-nixos-system-cc-ci\n```",
        "| Class | ACCEPTANCE |\n|---|---|\n| that is | the highest |",
        f"Its certificate is {':'.join(['AB'] * 32)}.",
        "The hash was sha256:0c5b8vw40dy178xlpddw65q9gf1h2186jcc3p4swinwggbllv8mk.",
        "This is ACCEPT\u200bANCE.",
        "<p>\nIt PASS&#69;D.\n</p>",
        "<p>\nOf class ACCEPT<b>ANCE</b>.\n</p>",
        "It ran on c1ef\u00adabe7\u00ad1234.",
        "It \uff30\uff21\uff33\uff33\uff25\uff24.",
    ],
)
def test_a_fact_in_prose_that_the_record_does_not_have(record: Record, prose: str) -> None:
    with pytest.raises(CheckFailed, match="stands in the signed record"):
        judge(with_more(prose), record)


def test_the_heading_claims_no_more_than_the_record(record: Record) -> None:
    for old, new in (("INCOMPLETE, class LAB", "PASSED, class LAB"), ("INCOMPLETE, class LAB", "INCOMPLETE, class ACCEPTANCE")):
        with pytest.raises(CheckFailed, match=r"and the (?:verdict|class) was"):
            judge(claim.review().replace(old, new), record)


def test_prose_may_repeat_the_record(record: Record) -> None:
    colons = ":".join(re.findall("..", claim.FACTS["Certificate fingerprint"].upper()))
    prose = f"Begun 2026-11-26T08:45:33 on {claim.UUID}, for {claim.BASE[:10]}: 56 of 62, and a decade of effort. Certificate: {colons}."
    judge(with_more(prose), record)
    judge(with_more(f"```sh\ncleanroom verify reports/{claim.RUN} --require lab\n```"), record)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("umask 077", "umask 022", "umask 077"),
        ("GIT_CONFIG_COUNT=1 \\\n  ", "", "GIT_CONFIG_COUNT=1"),
        ("  nixos-rebuild switch", "  nixos-rebuild switch --impure", "nixos-rebuild switch --flake"),
    ],
)
def test_a_command_that_did_not_run(record: Record, old: str, new: str, told: str) -> None:
    with pytest.raises(CheckFailed, match=f"(?s)the command that ran has the line.*{told}"):
        judge(claim.review().replace(old, new), record)


def test_a_command_is_left_out_or_added(record: Record) -> None:
    with pytest.raises(CheckFailed, match="the commands that ran, 2 of them"):
        judge(claim.review().replace("### Limitations", "```sh\nreboot\n```\n\n### Limitations"), record)
    first = f"```sh\n{claim.COMMANDS[0]}\n```"
    with pytest.raises(CheckFailed, match="the commands that ran, 2 of them"):
        judge(claim.review().replace(first, ""), record)


def test_commands_in_another_order(record: Record) -> None:
    one, other = claim.COMMANDS
    swapped = claim.review().replace(one, "@").replace(other, one).replace("@", other)
    with pytest.raises(CheckFailed, match="the command that ran has the line"):
        judge(swapped, record)


def test_of_several_entries_the_newest_counts(record: Record) -> None:
    older = claim.review(Run="20261125-084533-ad23c8", Base_revision="f" * 40).replace("# Review\n", "")
    for text in (claim.review() + older, "# Review\n" + older + claim.review().replace("# Review\n", "")):
        assert entry(text).run == claim.RUN
        judge(text, record)


def test_one_run_told_of_twice(record: Record) -> None:
    other = claim.review().replace("# Review\n", "").replace("class LAB", "class ACCEPTANCE")
    with pytest.raises(CheckFailed, match=f"(?s)each run is told of in one entry.*run {claim.RUN} in 2, in lines 3, "):
        judge(claim.review() + other, record)


def test_the_static_half_shows_the_records_own_system(record: Record) -> None:
    other = f"/nix/store/{'0' * 32}-nixos-system-another"
    events = [*record.events, {**record.events[-1], "kind": "note", "path": other}]
    text = re.sub(r"(?s)(### Byte-identical.*?)/nix/store/[^\s:,`]+", rf"\1{other}", claim.review(), count=1)
    with pytest.raises(CheckFailed, match="shows the system's store path"):
        evidence_document.check_half(entry(text), STATIC, Record(Path("r"), {}, events))


def test_an_older_entry_without_a_run_hides_nothing() -> None:
    with pytest.raises(CheckFailed, match="names the run that it refers to"):
        entry(claim.review() + "\n## Clean-room run of last year\n\nTrust us.\n")


@pytest.mark.parametrize("text", ["", "# Review\n\nAll is well.\n", "# Review\n\n<!--\n## Clean-room run\n-->\n"])
def test_a_document_without_a_claim(text: str) -> None:
    with pytest.raises(CheckFailed, match="has an entry about a clean-room run"):
        entry(text)


def test_a_run_by_any_other_name_leads_nowhere() -> None:
    with pytest.raises(CheckFailed, match="names the run that it refers to"):
        entry(claim.review(Run="../../etc")).run  # noqa: B018 - it is what raises
