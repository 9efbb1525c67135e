"""The parts of the judge who was not there, each by itself: what makes a state, a transcript, a list of scenarios."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from cleanroom import inventory, verifier
from cleanroom.ledger import Event

WHOLE = ("setup", "call", "teardown")


def phases(*outcomes: str, **more: Any) -> list[Event]:
    return [{"phase": phase, "outcome": outcome, **more} for phase, outcome in zip(WHOLE, outcomes, strict=False)]


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (phases("passed", "passed", "passed"), "passed"),
        (phases("passed", "failed", "passed", trouble="check"), "failed"),
        (phases("passed", "passed", "failed", trouble="check"), "failed"),
        (phases("passed", "failed", "passed"), "error"),
        (phases("passed", "failed", "passed", trouble="crash"), "error"),
        ([*phases("passed", trouble="check"), *phases("failed")], "error"),
        (phases("passed", "failed", "skipped", trouble="check"), "failed"),
        (phases("passed", "skipped", "passed"), "skipped"),
        (phases("skipped"), "skipped"),
        (phases("passed", "passed", "passed", expected_to_fail=True), "skipped"),
        (phases("passed", "passed"), "unfinished"),
        (phases("passed", "rerun", "passed"), "unfinished"),
        (phases("passed", "passed", "passed")[::-1], "unfinished"),
        (phases("passed", "passed", "passed") * 2, "unfinished"),
        ([], "unfinished"),
    ],
)
def test_a_state_is_what_the_phases_say_together(told: list[Event], state: str) -> None:
    assert verifier._state(told) == state


PIECE = b"--- command 1 (docs/install.md:9): \necho\noutput\n--- 0, 1.5 s\n"


def transcript(piece: bytes, **result: Any) -> list[Event]:
    return [
        {"kind": "guide-command", "number": 1, "where": "docs/install.md:9"},
        {"kind": "guide-result", "number": 1, "fate": "0", **result},
        {"kind": "transcript", "bytes": len(piece), "sha256": hashlib.sha256(piece).hexdigest()},
    ]


@pytest.mark.parametrize(
    ("piece", "result", "wrong"),
    [
        (PIECE, {}, []),
        (PIECE, {"fate": "1"}, ["transcript.txt tells otherwise than the ledger of docs/install.md:9"]),
        (PIECE, {"number": 2}, ["transcript.txt tells otherwise than the ledger of docs/install.md:9"]),
        (PIECE.replace(b"install.md:9", b"install.md:8"), {}, ["transcript.txt tells otherwise than the ledger of docs/install.md:9"]),
        (PIECE.replace(b"--- 0, ", b"--- 0 or so, "), {}, ["transcript.txt tells otherwise than the ledger of docs/install.md:9"]),
        (b"\n" + PIECE, {}, ["transcript.txt tells otherwise than the ledger of docs/install.md:9"]),
    ],
)
def test_each_piece_begins_with_its_command_and_ends_with_its_fate(piece: bytes, result: dict[str, Any], wrong: list[str], tmp_path: Path) -> None:
    (tmp_path / "transcript.txt").write_bytes(piece)
    assert list(verifier._transcript(tmp_path / "transcript.txt", transcript(piece, **result))) == wrong


def test_a_transcript_is_read_from_where_the_last_piece_ended(tmp_path: Path) -> None:
    path = tmp_path / "transcript.txt"
    path.write_bytes(PIECE + PIECE)
    assert list(verifier._transcript(path, transcript(PIECE) * 2)) == []
    assert list(verifier._transcript(path, transcript(PIECE))) == ["transcript.txt holds more than the guide's commands said"]
    path.write_bytes(PIECE + PIECE.replace(b"output", b"OUTPUT"))
    assert list(verifier._transcript(path, transcript(PIECE) * 2)) == [f"transcript.txt was changed or rearranged at byte {len(PIECE)}"]


RULES = """\
@c1
Feature: Tags are inherited

  @twice
  Rule: On request

    Example: One
      Then it holds

    Scenario Template: Two
      Then it holds <x>

      Examples:
        | x |
        | 1 |

      @ablation
      Scenarios: others
        | x |
        | 2 |
        | 3 |

  Rule: Not on request

    Background:
      Given something

    Scenario: Three
      Then it holds

    @ablation
    Scenario: Four
      Then it holds

    Example: Four and a half
      Then it holds

    @twice
    Example: Four and three quarters
      Then it holds

    Scenario Outline: Five
      Then it holds <x>

      Examples:
        | x |
        | 4 |

      @twice
      Examples:
        | x |
        | 5 |

      Examples:
        | x |
        | 6 |

    Scenario: Six
      Then it holds

    @ablation
    Scenario Outline: Seven
      Then it holds <x>

      Scenarios:
        | x |
        | 7 |

    Scenario Template: Eight
      Then it holds <x>

      Scenarios:
        | x |
        | 8 |
"""


@pytest.mark.parametrize("tagged", ["Feature: A", "Rule: B", "Example: C", "Scenarios: D"])
def test_a_tag_reaches_everything_below_it(tagged: str, tmp_path: Path) -> None:
    lines = ["Feature: A", "Rule: B", "Example: C", "Then it holds <x>", "Scenarios: D", "| x |", "| 1 |", "Rule: E", "Example: F", "Then it holds"]
    text = "\n".join(f"@twice\n{line}" if line == tagged else line for line in lines)
    (tmp_path / "tags.feature").write_text(text)
    official = {each.identity: each.is_on_request for each in inventory.read(tmp_path).scenarios}
    assert dict(verifier._scenarios("tags.feature", text)) == official == {"tags.feature: C [1]": True, "tags.feature: F": tagged == "Feature: A"}


def test_tags_reach_as_far_as_the_official_parser_says(tmp_path: Path) -> None:
    (tmp_path / "tags.feature").write_text(RULES)
    official = {each.identity: each.is_on_request for each in inventory.read(tmp_path).scenarios}
    assert dict(verifier._scenarios("tags.feature", RULES)) == official
    assert [identity for identity, on_request in official.items() if not on_request] == [
        *("tags.feature: Three", "tags.feature: Four and a half", "tags.feature: Five [4]", "tags.feature: Five [6]"),
        *("tags.feature: Six", "tags.feature: Eight [8]"),
    ]


@pytest.mark.parametrize("tail", ["", "\n", '<strong class="verdict"', "<!-- PASSED", "PASSED"])
def test_what_is_no_whole_tag_shows_nothing(tail: str) -> None:
    page = verifier._Page(f'<strong class="verdict">FAILED</strong>{tail}')
    assert next((tag, "".join(text)) for tag, _, text in page.tags) == ("strong", "FAILED")
    assert [tag for tag, *_ in page.tags] == ["strong", "/strong"]
