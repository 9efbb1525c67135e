"""What may be said of a run, and that nothing stronger is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cleanroom import claims, inventory, verdict
from cleanroom.facts import STATIC
from cleanroom.ledger import Event
from tests.unit import ledgers
from tests.unit.overclaim import overclaims

FEATURES = Path(__file__).parents[2] / "features"
GOLDEN = Path(__file__).parent / "golden"


def without(events: list[Event], kind: str) -> list[Event]:
    return ledgers.chained(
        {key: value for key, value in event.items() if key not in {"prev", "n", "at", "t"}} for event in events if event["kind"] != kind
    )


C5_TOO = tuple(file.replace("c5_chapter", "c5_honest_evidence") for file in ledgers.CHAPTERS)

RUNS: dict[str, list[Event]] = {
    "real and green": ledgers.green(kind="real"),
    "lab and green": ledgers.green(),
    "real, unsigned": without(ledgers.green(kind="real"), "signing"),
    "real, no machine": without(ledgers.green(kind="real"), "machine"),
    "real, warm": ledgers.green(kind="real", reuse=True),
    "lab, builder": ledgers.green(role="builder"),
    "lab, a chapter missing": ledgers.green(files=ledgers.CHAPTERS[:-1]),
    "real, a chapter missing": ledgers.green(kind="real", files=ledgers.CHAPTERS[1:]),
    "no site": without(ledgers.green(), "site"),
    "not seen to be gone": without(ledgers.green(kind="real"), "machine-gone"),
    "not ended": without(ledgers.green(kind="real"), "run-ended"),
    "nobody knows what there was": without(ledgers.green(), "inventory"),
    "failed": ledgers.mixed(),
    "nothing": [],
}
RUN_NAMES = sorted(RUNS)


def all_but_c5(**changed: Any) -> list[Event]:
    """A run of a site that has no evidence yet to be judged: everything passed, but C5 could not."""
    name = "c5_honest_evidence.feature: It holds"
    red = {"outcome": "failed", **ledgers.HARNESS, **changed}
    plain = [{key: value for key, value in event.items() if key not in {"prev", "n", "at", "t"}} for event in ledgers.green(files=C5_TOO)]
    return ledgers.chained({**event, **red} if event.get("scenario") == name and event.get("phase") == "call" else event for event in plain)


def told(events: list[Event]) -> dict[str, str]:
    return {"REVIEW.md": claims.review(events), "STATUS.md": claims.status(events), "sentence": claims.sentence(events)}


@pytest.mark.parametrize("name", RUN_NAMES)
def test_no_sentence_is_stronger_than_its_verdict(name: str) -> None:
    judged = verdict.judge(RUNS[name])
    for text in told(RUNS[name]).values():
        assert overclaims(text, word=judged.word, evidence_class=judged.evidence_class) == []


@pytest.mark.parametrize(("trouble", "word"), [({}, "INCOMPLETE"), (ledgers.CHECK, "FAILED")], ids=["cannot tell", "does not hold"])
def test_what_holds_but_for_c5_is_said_with_that_exception_every_time(trouble: dict[str, Any], word: str) -> None:
    events = all_but_c5(**trouble)
    assert verdict.judge(events).word == word
    for text in told(events).values():
        claiming = [paragraph for paragraph in text.split("\n") if overclaims(paragraph, word=word, evidence_class="LAB")]
        assert all("C5 does not hold" in paragraph and paragraph.startswith("LAB: ") for paragraph in claiming)
        assert overclaims(text, word="PASSED", evidence_class="LAB") == []
    assert claims.status(events).startswith("## Not done\n")


@pytest.mark.parametrize("name", ["real and green", "lab and green"])
def test_nor_is_one_when_any_single_event_is_missing(name: str) -> None:
    whole = [{key: value for key, value in event.items() if key not in {"prev", "n", "at", "t"}} for event in RUNS[name]]
    for missing in range(len(whole)):
        events = ledgers.chained([*whole[:missing], *whole[missing + 1 :]])
        judged = verdict.judge(events)
        for text in told(events).values():
            assert overclaims(text, word=judged.word, evidence_class=judged.evidence_class) == [], whole[missing]["kind"]
        assert claims.status(events).startswith("## DONE") <= (judged.word == "PASSED"), whole[missing]["kind"]


@pytest.mark.parametrize("name", RUN_NAMES)
def test_done_is_said_of_nothing_but_a_whole_cold_green_run(name: str) -> None:
    heading = claims.status(RUNS[name]).splitlines()[0]
    assert heading == {"real and green": "## DONE", "lab and green": "## DONE (LAB)"}.get(name, "## Not done")
    assert (claims.lacking(RUNS[name]) == []) is heading.startswith("## DONE")


def test_what_is_missing_for_done_is_named() -> None:
    assert "- C7 has no scenario that ran" in claims.status(RUNS["lab, a chapter missing"])
    assert "- its class is DEV, because nobody signed it" in claims.status(RUNS["real, unsigned"])
    assert "- its class is DEV, because it was not a cold run in the adversary's role" in claims.status(RUNS["lab, builder"])
    assert "failed: c4\\_cleanroom.feature: Breaks \\<here\\> & now" in claims.status(RUNS["failed"])


@pytest.mark.parametrize(("name", "run"), [("lab", "lab and green"), ("failed", "failed"), ("real", "real and green")])
def test_the_files_are_the_golden_ones(name: str, run: str) -> None:
    assert claims.review(RUNS[run]) == (GOLDEN / f"review-{name}.md").read_text()
    assert claims.status(RUNS[run]) == (GOLDEN / f"status-{name}.md").read_text()


def test_the_static_half_is_the_scenario_that_compares_the_canonical_host() -> None:
    assert STATIC in [planned.identity for planned in inventory.read(FEATURES).scenarios]
    scenario = ledgers.planned(STATIC.split(": ")[1], STATIC.split(": ")[0])
    whole = [*ledgers.beginning([scenario]), *ledgers.passing(STATIC, "Then it runs it"), *ledgers.ending()]
    assert "LAB: the canonical host ran the system that the flake builds" in claims.review(ledgers.chained(whole))
    red = [*ledgers.beginning([scenario]), ledgers.phase(STATIC, "setup", "failed", **ledgers.CHECK), *ledgers.ending(1)]
    assert "LAB: nothing is claimed; the comparison with the canonical host: failed; the run: FAILED." in claims.review(ledgers.chained(red))
    assert "the comparison with the canonical host: not run; the run: PASSED." in claims.review(RUNS["lab and green"])


@pytest.mark.parametrize("name", RUN_NAMES)
def test_an_entry_gives_back_what_it_says(name: str) -> None:
    judged, entry = verdict.judge(RUNS[name]), claims.read(claims.review(RUNS[name]))
    assert (entry.facts["Verdict"], entry.facts["Class"]) == (judged.word, judged.evidence_class)
    assert len(entry.facts) == 18
    assert set(entry.facts) == {
        line.split("`")[1]
        for line in (FEATURES.parent / "docs/evidence.md").read_text().splitlines()
        if line.startswith("| `") and line.count("|") == 4
    }
    if name != "nothing":
        assert entry.facts["Toplevel"] == "/nix/store/abc-nixos-system-small"
        assert entry.facts["Guide commands"] == str(len(entry.commands)) == "2"
        assert entry.commands[1] == ("docs/install.md:20", "nixos-rebuild \\\n  switch")


@pytest.mark.parametrize("name", ["", " ", "\n\t"])
def test_a_fact_of_nothing_but_blanks_is_unknown(name: str) -> None:
    events = [{**event, **({"name": name} if event["kind"] == "site" else {})} for event in ledgers.green()]
    assert "| Site | unknown |" in claims.review(events)


def test_the_last_of_several_entries_counts() -> None:
    older, newer = claims.review(RUNS["failed"]), claims.review(RUNS["lab and green"])
    assert claims.read(f"# Review\n\nwords\n\n{older}\n{newer}").facts["Verdict"] == "PASSED"
    assert claims.read("# Review\n\nnothing of ours\n") == claims.Entry({}, ())


@pytest.mark.parametrize(
    ("sentence", "word", "evidence_class"),
    [
        ("cc-ci can be reproduced.", "INCOMPLETE", "LAB"),
        ("Every scenario passed.", "FAILED", "LAB"),
        ("Every scenario passed.", "PASSED", "LAB"),
        ("## DONE", "PASSED", "LAB"),
        ("## DONE", "INCOMPLETE", "ACCEPTANCE"),
        ("The rebuild works on any machine.", "PASSED", "DEV"),
        ("LAB: this is ACCEPTANCE evidence.", "PASSED", "LAB"),
        ("The closure is byte-identical.", "FAILED", "ACCEPTANCE"),
        ("The site was rebuilt and is healthy.", "INCOMPLETE", "DEV"),
        ("All requirements are met.", "PASSED", "LAB"),
        ("C1 to C7 hold.", "FAILED", "LAB"),
        ("Live rebuild confirmed.", "INCOMPLETE", "LAB"),
    ],
)
def test_the_linter_catches_what_is_too_strong(sentence: str, word: str, evidence_class: str) -> None:
    assert overclaims(sentence, word=word, evidence_class=evidence_class)


WHO = ("The site", "Every scenario", "cc-ci", "The rebuild", "Each chapter from C1 to C7", "The certificate")
SUCCEEDS = (
    *(
        "holds",
        "has passed",
        "is verified",
        "is healthy",
        "works",
        "was rebuilt",
        "is byte-identical",
        "is reproducible",
        "was accepted",
        "is proven",
    ),
    *(
        "is complete",
        "succeeded",
        "is safe",
        "is guaranteed",
        "is green",
        "met what was asked",
        "became cc-ci",
        "satisfies all",
        "is confirmed",
        "is done",
    ),
)
FORBIDDEN = [(word, kind) for word in ("FAILED", "INCOMPLETE") for kind in ("ACCEPTANCE", "LAB", "DEV")] + [("PASSED", "LAB"), ("PASSED", "DEV")]


def test_no_way_of_saying_that_all_is_well_escapes_the_linter() -> None:
    escaped = [
        (who, succeeds, word, kind)
        for who in WHO
        for succeeds in SUCCEEDS
        for word, kind in FORBIDDEN
        if not overclaims(f"{who} {succeeds}.", word=word, evidence_class=kind)
    ]
    assert escaped == []


@pytest.mark.parametrize(
    ("sentence", "word", "evidence_class"),
    [
        ("On cc-ci, 60 scenarios ran and passed.", "PASSED", "ACCEPTANCE"),
        ("LAB: 60 scenarios ran and passed.", "PASSED", "LAB"),
        ("2 of 60 scenarios failed.", "FAILED", "LAB"),
        ("Nothing is decided.", "INCOMPLETE", "DEV"),
        ("It is no proof for a virtual machine.", "PASSED", "LAB"),
    ],
)
def test_the_linter_lets_honest_words_pass(sentence: str, word: str, evidence_class: str) -> None:
    assert not overclaims(sentence, word=word, evidence_class=evidence_class)
