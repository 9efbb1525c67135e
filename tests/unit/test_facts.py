"""What a ledger says was tested."""

from __future__ import annotations

from typing import Any

import pytest

from cleanroom.facts import chapters, facts, not_run
from tests.unit import ledgers


def test_everything_is_told_by_the_event_that_holds_it() -> None:
    told = facts(ledgers.green(kind="real"))
    assert (told.run, told.role, told.cold, told.site, told.site_kind) == (ledgers.RUN, "adversary", True, "small", "real")
    assert told.revisions == {"base": ("https://forge/base", "c" * 40), "secrets": ("https://forge/secrets", "e" * 40)}
    assert (told.toplevel, told.nar_hash, told.certificate, told.keyid) == ("/nix/store/abc-nixos-system-small", "9" * 64, "5" * 64, "a" * 64)
    assert told.count == len(ledgers.green(kind="real"))


def test_what_no_event_tells_is_empty() -> None:
    told = facts([])
    assert (told.run, told.began, told.ended, told.toplevel, told.machine, told.guide, told.count) == ("", "", "", "", {}, (), 0)
    assert told.cold is False


def test_of_two_machines_the_one_that_the_guide_was_followed_on_counts() -> None:
    second = [
        ledgers.event("site", name="small", site_kind="lab", digest="d" * 64, settings={"incus": {"throwaway": "throwaway"}}),
        ledgers.event("machine", name="throwaway-2", uuid="other", type="container"),
        ledgers.event("toplevel", machine="throwaway-2", path="/nix/store/other", sha256="8" * 64),
        ledgers.event("machine", name="throwaway", uuid="this", type="container"),
        ledgers.event("toplevel", machine="throwaway", path="/nix/store/this", sha256="7" * 64),
    ]
    told = facts(second)
    assert (told.machine["uuid"], told.toplevel, told.nar_hash) == ("this", "/nix/store/this", "7" * 64)


@pytest.mark.parametrize("warm", [{"role": "builder"}, {"keep": "always"}, {"reuse": True}], ids=["builder", "kept", "reused"])
def test_a_run_that_was_asked_for_otherwise_is_not_cold(warm: dict[str, Any]) -> None:
    assert not facts(ledgers.green(**warm)).cold


def test_nor_is_one_that_recalls_another() -> None:
    assert not facts([*ledgers.green(), ledgers.event("blank", recalled_from="an earlier run")]).cold


def test_a_command_that_ended_otherwise_than_expected_failed() -> None:
    events = [{**event, "status": 7, "fate": "7"} if event["kind"] == "guide-result" and event["number"] == 2 else event for event in ledgers.mixed()]
    assert [command.state for command in facts(events).guide] == ["passed", "failed"]
    assert [command.state for command in facts([event for event in events if event["kind"] != "guide-result"]).guide] == ["unfinished", "unfinished"]


def test_chapters_are_called_as_the_customer_calls_them() -> None:
    assert chapters(ledgers.mixed()) == {ledgers.FILE: "C4 - a blank machine becomes cc-ci by its own guide"}
    untitled = [{**event, "titles": {}} if event["kind"] == "inventory" else event for event in ledgers.mixed()]
    assert chapters(untitled) == {ledgers.FILE: ledgers.FILE}


def test_what_did_not_run_says_whether_it_had_to() -> None:
    assert not_run(ledgers.mixed()) == {
        f"{ledgers.FILE}: {ledgers.UNASKED}": "was not asked for",
        f"{ledgers.FILE}: {ledgers.ON_REQUEST}": "runs on request only, and was not asked for",
    }
