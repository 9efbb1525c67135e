"""Who says DONE says it of a run that was recorded, and of no better one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom import claims
from cleanroom.claim import done, recorded
from cleanroom.claim.record import Record
from cleanroom.errors import CheckFailed
from cleanroom.ledger import Event
from tests import forging
from tests.unit import claim

#: Everything, C5 among it.
PASSED = forging.completed(claim.events())


def check(text: str, *, events: list[Event] = PASSED) -> None:
    def record_of(run: str) -> Record:
        if run != claim.RUN:
            raise CheckFailed("the record that the document names is kept", seen="nothing", where=run)
        return Record(Path("r"), {}, events)

    done.check({"README.md": "# Us\n", "STATUS.md": f"# Status\n\n{text}\n"}, record_of)


def test_what_the_suite_writes_holds() -> None:
    block = claims.status(PASSED)
    assert block.startswith("## DONE (LAB)")
    check(block)
    check(claims.status(claim.events()), events=claim.events())


@pytest.mark.parametrize(
    "text",
    [
        "## Done\n\nC1 to C7, some day.",
        "## DONE\n\nThe new logo.",
        "C1 to C7 hold.",
        "<!--\n## DONE\n\nC1 to C7 hold.\n-->",
        "## ABANDONED\n\nC1 to C7.",
    ],
)
def test_what_does_not_say_it(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("## DONE\n\nC1 to C7 hold, cold.", "no run"),
        ("## DONE\n\nC1\u2013C7 hold.", "no run"),
        ("## DONE: D8", "no run"),
        ("## DONE\n\n| what | by |\n|---|---|\n| clean-room rebuild | me |", "no run"),
        (f"## DONE\n\nRuns {claim.RUN} and 20261125-084533-ad23c8.", "20261125-084533-ad23c8, "),
        ("## DONE\n\nRun 20261125-084533-ad23c8: PASSED.", "nothing"),
        (f"## DONE\n\nRun {claim.RUN}: PASSED, class ACCEPTANCE.", "ACCEPTANCE"),
        (f"## DONE\n\nRun {claim.RUN}: PASSED, class LAB, as good as ACCEPT\u200bANCE.", "ACCEPTANCE, LAB"),
        (f"## DONE\n\nRun {claim.RUN}: PASSED.", "no class"),
    ],
)
def test_what_nothing_bears_out(text: str, seen: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        check(text)
    assert seen in caught.value.seen


@pytest.mark.parametrize(
    ("events", "told"), [(claim.events(), "INCOMPLETE, not asked for"), (recorded.but_for_own(claim.events()), "no scenario of C5")]
)
def test_a_run_that_did_not_pass_is_not_done(events: list[Event], told: str) -> None:
    with pytest.raises(CheckFailed, match=rf"(?s)DONE is said of a run that PASSED.*{told}.*STATUS\.md:3"):
        check(f"## DONE (LAB)\n\nC1 to C7 hold. Run {claim.RUN}: PASSED, class LAB.", events=events)
