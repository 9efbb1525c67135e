"""The ledger: what is written stays readable after any crash, and shows every later change."""

from __future__ import annotations

import datetime
import json
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.errors import HarnessError
from cleanroom.ledger import BEGINNING, Event, Ledger, head, read
from cleanroom.redact import Redactor, Secret

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


@pytest.fixture
def written(ledger: Ledger) -> Path:
    """A ledger file of five events."""
    for number in range(5):
        ledger.record("tick", number=number, text="é")
    ledger.close()
    return ledger.path


def broken_at(path: Path) -> int:
    """The line at which reading the ledger fails."""
    with pytest.raises(HarnessError, match="changed after it was written") as caught:
        read(path)
    named = re.fullmatch(rf"{re.escape(str(path))}:(\d+)", caught.value.where)
    assert named
    return int(named[1])


def test_what_was_recorded_is_read_back(ledger: Ledger) -> None:
    recorded = [ledger.record("one", fact=1), ledger.record("two", nested={"list": [1, None, "ü"]})]
    assert read(ledger.path) == ledger.events == recorded
    assert [event["n"] for event in recorded] == [0, 1]
    assert recorded[0]["prev"] == BEGINNING
    assert all(datetime.datetime.fromisoformat(event["at"]).utcoffset() == datetime.timedelta(0) for event in recorded)


def test_an_event_can_be_read_the_moment_it_is_recorded(ledger: Ledger) -> None:
    for number in range(3):
        ledger.record("tick")
        assert len(read(ledger.path)) == number + 1


def test_the_head_is_the_digest_that_the_next_line_would_follow(ledger: Ledger) -> None:
    ledger.record("one")
    head = ledger.head
    assert ledger.record("two")["prev"] == head


@settings(max_examples=15)
@given(facts=st.lists(st.dictionaries(st.from_regex(r"[a-z]{5,8}", fullmatch=True), JSON), min_size=1, max_size=4))
def test_any_fact_survives_the_way_through_the_file(tmp_path_factory: pytest.TempPathFactory, facts: list[dict[str, object]]) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"), Redactor())
    for fact in facts:
        ledger.record("fact", **fact)
    ledger.close()
    assert [{key: event[key] for key in fact} for event, fact in zip(read(ledger.path), facts, strict=True)] == facts


@pytest.mark.parametrize("name", ["n", "t", "at", "prev"])
def test_a_fact_cannot_overwrite_the_frame(ledger: Ledger, name: str) -> None:
    with pytest.raises(HarnessError, match=f"may not be called {name}\n"):
        ledger.record("forged", **{name: "forged"})
    assert read(ledger.path) == ledger.events == []


def test_a_folder_holds_one_ledger(ledger: Ledger) -> None:
    with pytest.raises(HarnessError, match="cannot begin a ledger"):
        Ledger(ledger.path.parent, Redactor())


def test_nothing_is_recorded_after_the_end(ledger: Ledger) -> None:
    ledger.record("one")
    ledger.close()
    ledger.close()
    with pytest.raises(HarnessError, match="cannot append"):
        ledger.record("two")
    assert [event["kind"] for event in read(ledger.path)] == ["one"]
    assert [event["kind"] for event in ledger.events] == ["one"]


def test_a_last_line_cut_short_at_any_byte_is_dropped(written: Path) -> None:
    whole = written.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for length in range(last, len(whole)):
        written.write_bytes(whole[:length])
        assert [event["number"] for event in read(written)] == [0, 1, 2, 3]


@pytest.mark.parametrize("rest", [b"{", b"\x00", b" ", b"\r", b'{"prev":'])
def test_behind_the_end_of_a_run_nothing_can_be_cut_short(ledger: Ledger, rest: bytes) -> None:
    ledger.record("run-began")
    ledger.record("run-ended", exit_status=0)
    whole = ledger.path.read_bytes()
    assert [event["kind"] for event in read(ledger.path)] == ["run-began", "run-ended"]
    ledger.path.write_bytes(whole + rest)
    with pytest.raises(HarnessError, match="this line follows the run's end") as caught:
        read(ledger.path)
    assert caught.value.where == f"{ledger.path}:3"


def test_no_event_follows_the_end_of_a_run_even_if_the_chain_holds(ledger: Ledger) -> None:
    ledger.record("run-began")
    ledger.record("run-ended", exit_status=0)
    ledger.record("step-passed")
    assert broken_at(ledger.path) == 3


def test_any_byte_changed_before_the_last_line_is_found(written: Path) -> None:
    whole = written.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for position in range(last):
        changed = bytearray(whole)
        changed[position] ^= 1
        written.write_bytes(changed)
        line = whole[:position].count(b"\n") + 1
        assert broken_at(written) in {line, line + 1}


def test_a_last_line_that_is_no_event_is_found(written: Path) -> None:
    for garbage in (b"{}", b"[]", b"null", b"garbage", b"\xff", b"", b'{"prev": "0", "n": 5}'):
        whole = written.read_bytes()
        written.write_bytes(whole + garbage + b"\n")
        assert broken_at(written) == 6
        written.write_bytes(whole)


@pytest.mark.parametrize("line", range(4))
def test_a_dropped_line_is_found_where_it_is_missing(written: Path, line: int) -> None:
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
    assert broken_at(written) == line + 1


@pytest.mark.parametrize("line", range(4))
def test_swapped_lines_are_found(written: Path, line: int) -> None:
    lines = written.read_bytes().splitlines(keepends=True)
    lines[line : line + 2] = reversed(lines[line : line + 2])
    written.write_bytes(b"".join(lines))
    assert broken_at(written) == line + 1


@pytest.mark.parametrize("line", range(5))
def test_a_repeated_line_is_found(written: Path, line: int) -> None:
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join(lines[: line + 1] + lines[line:]))
    assert broken_at(written) == line + 2


def test_a_line_of_another_ledger_is_found(written: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Ledger(tmp_path_factory.mktemp("other"), Redactor())
    for number in range(5):
        other.record("tick", number=number, text="other")
    other.close()
    lines, strange = written.read_bytes().splitlines(keepends=True), other.path.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join([*lines[:2], strange[2], *lines[3:]]))
    assert broken_at(written) == 3


def test_an_empty_ledger_has_no_events(tmp_path: Path) -> None:
    (tmp_path / "ledger.ndjson").touch()
    assert read(tmp_path / "ledger.ndjson") == []


def test_no_secret_reaches_the_file_or_the_memory(tmp_path: Path) -> None:
    redactor = Redactor()
    secret = Secret("hunter2-and-more", name="password")
    redactor.add(secret)
    ledger = Ledger(tmp_path, redactor)
    event = ledger.record("oops", text=f"it is {secret.text()}!", object=secret, deep=[{secret.text(): [secret.reveal()]}], path=Path(secret.text()))
    ledger.close()
    assert secret.text() not in ledger.path.read_text() + json.dumps(ledger.events)
    assert event["text"] == "it is [secret password]!"


def test_listeners_hear_each_event_as_it_was_written(ledger: Ledger) -> None:
    heard: list[Event] = []
    ledger.record("before")
    ledger.listen(heard.append)
    event = ledger.record("after")
    assert heard == [event]


def test_a_listener_may_record(ledger: Ledger) -> None:
    def echo(event: Event) -> None:
        if event["kind"] == "call":
            ledger.record("echo", of=event["n"])

    ledger.listen(echo)
    ledger.record("call")
    assert [event["kind"] for event in read(ledger.path)] == ["call", "echo"]


def test_threads_may_record_at_once(ledger: Ledger) -> None:
    threads = [threading.Thread(target=lambda name=name: [ledger.record(name) for _ in range(100)]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(ledger.path)) == 400
    assert [event["n"] for event in ledger.events] == list(range(400))


def test_events_are_found_by_kind(ledger: Ledger) -> None:
    for kind in ("a", "b", "a", "c"):
        ledger.record(kind)
    assert [event["n"] for event in ledger.of("a", "c")] == [0, 2, 3]


def test_half_a_surrogate_pair_is_kept_and_does_not_break_the_chain(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Redactor())
    ledger.record("name", path=os.fsdecode(b"/srv/\xff"))
    ledger.record("after")
    ledger.close()
    assert read(ledger.path)[0]["path"] == os.fsdecode(b"/srv/\xff")
    assert head(read(ledger.path)) == head(ledger.events) == ledger.head
    assert head([]) == BEGINNING


def test_the_first_event_follows_sixty_four_zeros_and_a_clock_that_begins_with_the_run(ledger: Ledger) -> None:
    event = ledger.record("tick")
    assert event["prev"] == "0" * 64
    assert 0 <= event["t"] < 60
    assert event["t"] == round(event["t"], 3)


def test_the_file_holds_text_as_it_is(written: Path) -> None:
    assert "é".encode() in written.read_bytes()


def test_whoever_writes_is_known_while_he_does_and_not_afterwards(tmp_path: Path) -> None:
    """An interrupt between the line and the digest of it would break the chain."""
    seen: list[set[int]] = []

    class Watching(Redactor):
        def clean_data(self, data: object) -> object:
            seen.append(set(ledger.writers))
            return super().clean_data(data)

    ledger = Ledger(tmp_path, Watching())
    ledger.record("tick")
    with pytest.raises(HarnessError):
        ledger.record("tick", kind_of="x", n=1)
    ledger.close()
    assert seen == [{threading.get_ident()}]
    assert ledger.writers == set()


def test_what_was_written_is_on_the_disk_once_it_is_closed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    synchronised: list[int] = []
    monkeypatch.setattr("cleanroom.ledger.os.fsync", synchronised.append)
    ledger.close()
    ledger.close()
    assert len(synchronised) == 1
