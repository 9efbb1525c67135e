"""Ten thousand accidents to a green ledger, and some hundreds to its folder: none is taken for a pass, and a cut names the last step."""

from __future__ import annotations

import datetime
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanroom import ledger, verdict, verifier
from cleanroom.errors import HarnessError
from cleanroom.verifier import Findings, Story
from tests.forgeries import genuine
from tests.forgeries.genuine import Genuine

ROUNDS = 10
#: So many mutations of the ledger in each round.
MUTATIONS = 1000
ACCIDENTS = 30

Mutation = Callable[[random.Random, bytes], bytes]


def lines_of(raw: bytes) -> list[bytes]:
    """Line feeds alone end a line: what else `splitlines` takes for an end may be part of the noise."""
    return [line for line in re.split(rb"(?<=\n)", raw) if line]


def cut(chance: random.Random, raw: bytes) -> bytes:
    return raw[: chance.randrange(len(raw))]


def cut_after_a_line(chance: random.Random, raw: bytes) -> bytes:
    lines = lines_of(raw)
    return b"".join(lines[: chance.randrange(len(lines))])


def flip_a_bit(chance: random.Random, raw: bytes) -> bytes:
    at, bit = chance.randrange(len(raw)), 1 << chance.randrange(8)
    return raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]


def swap_lines(chance: random.Random, raw: bytes) -> bytes:
    lines = lines_of(raw)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def swap_stretches(chance: random.Random, raw: bytes) -> bytes:
    lines = lines_of(raw)
    a, b, c = sorted(chance.sample(range(len(lines) + 1), 3))
    return b"".join([*lines[:a], *lines[b:c], *lines[a:b], *lines[c:]])


def repeat_a_line(chance: random.Random, raw: bytes) -> bytes:
    lines = lines_of(raw)
    at = chance.randrange(len(lines))
    return b"".join([*lines[: at + 1], lines[at], *lines[at + 1 :]])


def repeat_a_stretch(chance: random.Random, raw: bytes) -> bytes:
    a, b = sorted(chance.sample(range(len(raw)), 2))
    return raw[:b] + raw[a:b] + raw[b:]


def drop_a_line(chance: random.Random, raw: bytes) -> bytes:
    lines = lines_of(raw)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def drop_a_stretch(chance: random.Random, raw: bytes) -> bytes:
    a, b = sorted(chance.sample(range(len(raw)), 2))
    return raw[:a] + raw[b:]


def put_in_noise(chance: random.Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + chance.randbytes(chance.randint(1, 20)) + raw[at:]


def add_noise(chance: random.Random, raw: bytes) -> bytes:
    return raw + chance.randbytes(chance.randint(1, 20))


def add_half_a_line(chance: random.Random, raw: bytes) -> bytes:
    line = chance.choice(lines_of(raw))
    return raw + line[: chance.randrange(1, len(line))]


KINDS: tuple[Mutation, ...] = (
    *(cut, cut_after_a_line, flip_a_bit, swap_lines, swap_stretches),
    *(repeat_a_line, repeat_a_stretch, drop_a_line, drop_a_stretch, put_in_noise),
    *(add_noise, add_half_a_line),
)


@pytest.fixture(scope="module")
def green(tmp_path_factory: pytest.TempPathFactory) -> Genuine:
    return genuine.make(tmp_path_factory.mktemp("green"))


def by_the_chain_alone(path: Path) -> Findings:
    """What the ledger by itself gives: no signature, no digest from elsewhere."""
    story, found = Story(), Findings()
    found.take("the ledger", story.read(path))
    found.take("the ledger", verifier._judge(found, story, "dev", datetime.timedelta(days=1)))
    return found


def passes_with_the_suite(path: Path) -> bool:
    """What the suite's own reader and judge make of it."""
    try:
        return verdict.judge(ledger.read(path)).word == "PASSED"
    except (HarnessError, LookupError, TypeError, ValueError):  # what cannot be read is no pass
        return False


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_mutation_of_a_green_ledger_passes(number: int, green: Genuine, tmp_path: Path) -> None:
    chance = random.Random(number)  # noqa: S311 - accidents, no secrets
    copy = green.copy(tmp_path / "copy")
    path, raw = copy.folder / ledger.NAME, (green.folder / ledger.NAME).read_bytes()
    assert by_the_chain_alone(path).status == 0
    only_by_signature = 0
    for turn in range(MUTATIONS):
        mutate = KINDS[turn % len(KINDS)]
        mutated = mutate(chance, raw)
        if mutated == raw:
            continue
        path.write_bytes(mutated)
        found = by_the_chain_alone(path)
        if found.status == 0 or passes_with_the_suite(path):
            # No line follows the last: that it was changed is seen by the signed digest alone.
            assert lines_of(mutated)[:-1] == lines_of(raw)[:-1], mutate.__name__
            only_by_signature += 1
            found = verifier.verify(copy.folder, key=green.public, require="dev", repo=green.repository)
        assert found.status == 1, mutate.__name__
        if mutate in {cut, cut_after_a_line}:
            assert found.verdict == "INCOMPLETE"
            assert f"the run did not end; the last step was: {last_step(mutated)}" in found.wrong
    assert only_by_signature < MUTATIONS / 20


def last_step(raw: bytes) -> str:
    """Of the whole lines, the last that tells of a step."""
    events = [json.loads(line) for line in raw.split(b"\n")[:-1]]
    return next((f"{event['scenario']}, {event['step']}" for event in reversed(events) if event["kind"].startswith("step-")), "no step")


@pytest.mark.parametrize("number", range(4))
def test_no_accident_to_the_folder_passes(number: int, green: Genuine, tmp_path: Path) -> None:
    chance = random.Random(number)  # noqa: S311 - accidents, no secrets
    for turn in range(ACCIDENTS):
        copy = green.copy(tmp_path / str(turn))
        files = [path for path in sorted(copy.folder.rglob("*")) if path.is_file()]
        path = chance.choice(files)
        raw = path.read_bytes()
        mutated = chance.choice((cut, flip_a_bit, repeat_a_stretch, drop_a_stretch, put_in_noise))(chance, raw)
        assert mutated != raw
        path.write_bytes(mutated)
        found = verifier.verify(copy.folder, key=green.public, require="lab", repo=green.repository)
        assert found.status == 1 or harmless(path, raw, mutated), path.name


def harmless(path: Path, raw: bytes, mutated: bytes) -> bool:
    """An envelope whose payload and signature are what they were: its white space and the hint of whose key it is are nobody's concern."""
    if path.name != "evidence.dsse.json":
        return False
    was, now = json.loads(raw), json.loads(mutated)
    return bool(
        (was["payload"], was["payloadType"]) == (now["payload"], now["payloadType"]) and was["signatures"][0]["sig"] == now["signatures"][0]["sig"]
    )
