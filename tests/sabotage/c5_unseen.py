"""More of C5's sabotages: what a reader of the claim sees and a judge may overlook, and what git keeps silent about."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from cleanroom import evidence, ledger
from lab.tools import run
from tests import forging
from tests.sabotage.c5 import EXCUSE, FACTS, HALVES, LIMITATION, TODAY, WEAKENED, claim, documented, limited
from tests.sabotage.edits import suite_edit
from tests.sabotage.owner import Owner

_OTHER_SYSTEM = "/nix/store/1fis71w7nrngm3z574whdpsk08cm4sac-nixos-system-another"
_JUDGE = "cleanroom/claim/freshness.py"


def _in_static_half(text: str) -> Callable[[Owner], None]:
    """Something more at the beginning of the claim's static half."""
    return lambda owner: owner.rewrite(owner.review, r"(### Byte-identical closure \(static\)\n\n)", rf"\g<1>{text}\n\n")


def _told_twice(owner: Owner) -> None:
    """The same entry once more, with another class."""
    text = owner.review.read_text()
    entry = text[text.index("## Clean-room run") :]
    owner.review.write_text(f"{text}\n{entry.replace('class LAB', 'class ACCEPTANCE').replace('`LAB`', '`ACCEPTANCE`')}")


def _done_of_the_record(its_class: str) -> Callable[[Owner], None]:
    """A block that says DONE of the record as it is."""
    return lambda owner: documented(f"## DONE\n\nC1 to C7 hold. Run {owner.record.name}: PASSED, class {its_class}.")(owner)


def _done_in_a_better_class(owner: Owner) -> None:
    """A record in which C5 passed with the rest, and a block that says more of it; the entry tells what is so."""
    owner.reseal(forging.completed)
    owner.review.write_text(owner.review.read_text().replace("INCOMPLETE", "PASSED"))
    _done_of_the_record("ACCEPTANCE")(owner)


def _boasting_statement(owner: Owner) -> None:
    """The record's own statement, but for the tests that it says passed, signed again."""
    path = owner.record / evidence.ENVELOPE
    statement = json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))
    passed = statement["predicate"]["passedTests"]
    statement["predicate"]["passedTests"] = ["c5_honest_evidence.feature: The claim has both halves", *passed]
    path.write_text(json.dumps(evidence.envelope(json.dumps(statement).encode(), owner.signer)))


def _garbled_record(owner: Owner) -> None:
    """The record's ledger, chained anew, without anybody's role; digest and signature are right."""
    ledger_file, path = owner.record / ledger.NAME, owner.record / evidence.ENVELOPE
    forging.chain(ledger_file, [{name: value for name, value in event.items() if name != "role"} for event in ledger.read(ledger_file)])
    statement = json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))
    (subject,) = (subject for subject in statement["subject"] if subject["name"] == ledger.NAME)
    subject["digest"]["sha256"] = hashlib.sha256(ledger_file.read_bytes()).hexdigest()
    path.write_text(json.dumps(evidence.envelope(json.dumps(statement).encode(), owner.signer)))


def _softened_in_silence(suite: Path) -> None:
    """An edit of what judges, in a file that git was told not to look at."""
    suite_edit(_JUDGE, "_SKEW_SECONDS = 120.0", "_SKEW_SECONDS = 1e8")(suite)
    run("git", "-C", suite, "update-index", "--skip-worktree", _JUDGE)


def _stranger_in_silence(suite: Path) -> None:
    """A plugin of pytest's beside the feature files, which git was told to ignore."""
    (suite / "features" / "conftest.py").write_text("def pytest_itemcollected(item):\n    pass\n")
    (suite / ".git" / "info" / "exclude").write_text("conftest.py\n")


SABOTAGES = (
    claim(
        "phrase-behind-nothing",
        "the old excuse, with an invisible character before it",
        documented("Whoever asks: it is \u2060infeasible by design."),
        {EXCUSE: "infeasible by design"},
    ),
    claim(
        "phrase-contracted",
        "the old excuse as people say it",
        documented("A live rebuild isn't feasible."),
        {EXCUSE: "isn't feasible"},
    ),
    claim(
        "fact-in-a-block",
        "the static half shows another system, in a block of code",
        _in_static_half(f"```\\n{_OTHER_SYSTEM}\\n```"),
        {FACTS: _OTHER_SYSTEM},
    ),
    claim(
        "fact-in-a-head",
        "a table's head boasts of a class that the run has not",
        _in_static_half("| Class | ACCEPTANCE |\\n|---|---|\\n| that is | the highest |"),
        {FACTS: "`ACCEPTANCE`, and the class was LAB"},
    ),
    claim(
        "fact-with-colons",
        "another certificate's fingerprint, as openssl writes it",
        _in_static_half(f"Its certificate is {':'.join(['AB'] * 32)}."),
        {FACTS: "AB:AB:AB"},
    ),
    claim(
        "fact-broken-up",
        "another class, with an invisible character in its middle",
        _in_static_half("This is ACCEPT\u200bANCE."),
        {FACTS: "`ACCEPTANCE`, and the class was LAB"},
    ),
    claim(
        "limitation-of-a-chapter",
        "a limitation covers a whole chapter, by its file's name",
        limited(scope="`c4_cleanroom.feature`"),
        {LIMITATION: "`c4_cleanroom.feature`"},
    ),
    claim(
        "limitation-of-the-server",
        "a limitation covers all of the server, by its name in the flake",
        limited(scope="`cc-ci`"),
        {LIMITATION: "`cc-ci`"},
    ),
    claim(
        "limitation-signed-by-root",
        "a limitation is signed off by an account",
        limited(signed_off="root, 2026-01-01"),
        {LIMITATION: "`root, 2026-01-01`"},
    ),
    claim(
        "limitation-untested-at-length",
        "a limitation says in many words that nothing was tested",
        limited(tested="nothing at all was tested"),
        {LIMITATION: "`nothing at all was tested`"},
    ),
    claim(
        "statement-boasts",
        "the signed statement lists tests as passed that the ledger does not have, C5's first",
        _boasting_statement,
        {WEAKENED: "the statement's passedTests"},
    ),
    claim(
        "record-garbled",
        "the owner signs a ledger that keeps silent about the role",
        _garbled_record,
        {TODAY: "lacks or garbles something (KeyError: 'role')"},
        may_redden=dict.fromkeys((HALVES, FACTS, WEAKENED), "without a record nothing can be compared with it"),
    ),
    claim(
        "done-of-nothing",
        "the owner says DONE, and names no run",
        documented("## DONE\n\nC1 to C7 hold, cold, in the adversary's role."),
        {FACTS: "whoever says DONE names the run"},
    ),
    claim(
        "done-too-early",
        "the owner says DONE of a run that was not asked for everything",
        _done_of_the_record("LAB"),
        {FACTS: "DONE is said of a run that PASSED"},
    ),
    claim(
        "done-in-another-class",
        "the owner says DONE of a run that passed, and calls it ACCEPTANCE",
        _done_in_a_better_class,
        {FACTS: "DONE names the class of its run, LAB"},
    ),
    claim(
        "entry-twice",
        "the same run is told of twice, once truly",
        _told_twice,
        {HALVES: "each run is told of in one entry"},
        may_redden=dict.fromkeys((FACTS, LIMITATION, TODAY, WEAKENED), "nobody knows which entry is the claim"),
    ),
    claim(
        "judge-weakened-in-silence",
        "what judges was made easier, and git was told not to look at it",
        lambda _owner: None,
        {WEAKENED: _JUDGE},
        suite=_softened_in_silence,
    ),
    claim(
        "stranger-ignored",
        "a plugin lies beside the feature files, and git was told to ignore it",
        lambda _owner: None,
        {WEAKENED: "features/conftest.py"},
        suite=_stranger_in_silence,
    ),
)
