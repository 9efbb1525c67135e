"""The sizing decision: where it stands, how it is read, and what is applied."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.hypervisor import Instance
from cleanroom.surroundings import sizing

GIB = 2**30
LAB = Path(__file__).parents[2] / "lab" / "site" / "base" / "DECISIONS.md"
MACHINES = frozenset({"canonical", "neighbour"})


def read(text: str) -> dict[str, int]:
    found = sizing.decided(text, file="DECISIONS.md", word="sizing", machines=MACHINES)
    return {name: each.size for name, each in found.items()}


SOUND = {
    "in bold": "**Final sizing.** 4 GiB for `canonical`, 2 GiB for `neighbour`: 6 GiB of 16.",
    "below a heading": "# Decisions\n\n## Final sizing\n\n`canonical` has 4 GiB; `neighbour` has 2GiB.\n\n## Other\n\n`canonical` once had 9 GiB.",
    "in a list": "# Sizing\n\n- `canonical`: 4 GiB\n- `neighbour`: stays as it is, 2 GiB\n",
    "in a table": "# Sizing\n\n| machine | memory |\n|---|---|\n| `canonical` | 6 → 4 GB |\n| `neighbour` | 2 GB |\n",
    "said twice": "# Sizing\n\n`canonical` has 4 GiB. `neighbour` has 2048 MiB. As said, `canonical` has 4GiB.",
    "below a lower heading": "# Sizing\n\n### Numbers\n\n4 GiB for `canonical`, 2 GiB for `neighbour`.",
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_a_decision_is_read_wherever_it_may_stand(text: str) -> None:
    assert read(text) == {"canonical": 4 * GIB, "neighbour": 2 * GIB}


@pytest.mark.parametrize(
    "text",
    ["# Decisions\n\n`canonical` has 4 GiB.", "# Sizings\n\n`canonical` has 4 GiB.", "A paragraph on **sizing**: `canonical` has 4 GiB.", ""],
)
def test_a_size_elsewhere_is_no_decision(text: str) -> None:
    with pytest.raises(CheckFailed, match=r"DECISIONS\.md records the final sizing"):
        read(text)


def test_a_decision_may_name_nobody_and_then_nobody_has_a_size() -> None:
    assert read("**Sizing.** 4 GiB for the canonical host. `neighbour` stays.") == {}


@pytest.mark.parametrize(
    "text",
    [
        "**Sizing.** As before. <!-- 4 GiB for `canonical` -->",
        "# Sizing\n\n~~4 GiB for `canonical`~~ Not decided yet.",
        "# Sizing\n\n| machine | memory |\n|---|---|\n| `canonical` | ~~4 GB~~ |\n",
    ],
)
def test_what_no_reader_sees_or_is_struck_out_is_not_decided(text: str) -> None:
    assert read(text) == {}


def test_a_size_that_replaces_one_that_is_struck_out_counts() -> None:
    assert read("# Sizing\n\n~~6 GiB~~ 4 GiB *for* `canonical`,\n2 GiB for **`neighbour`**.") == {"canonical": 4 * GIB, "neighbour": 2 * GIB}


def test_two_sizes_for_one_machine_are_none() -> None:
    with pytest.raises(CheckFailed, match=r"4\.0 GiB \(line 3\) and 8\.0 GiB \(line 5\)"):
        read("# Sizing\n\n`canonical`: 4 GiB\n\n`canonical`: 8 GiB\n")


def test_the_lab_s_own_decision_is_read() -> None:
    machines = frozenset({"cc-nix-test", "lichen-staging"})
    found = sizing.decided(LAB.read_text(encoding="utf-8"), file="DECISIONS.md", word="sizing", machines=machines)
    assert {name: each.size for name, each in found.items()} == dict.fromkeys(machines, 4 * GIB)


def instance(name: str, limit: str) -> Instance:
    config = {"limits.memory": limit} if limit else {}
    return Instance(name, "container", "Running", datetime.datetime.now(datetime.UTC), config, config)


def test_what_is_recorded_must_be_applied() -> None:
    found = sizing.decided(SOUND["in bold"], file="D.md", word="sizing", machines=MACHINES)
    sizing.check_recorded(found, "canonical", file="D.md")
    sizing.check_applied(found, [instance("canonical", "4GiB"), instance("neighbour", str(2 * GIB)), instance("other", "9GiB")], file="D.md")
    for applied, seen in (("6GiB", r"6\.0 GiB"), ("", "no limits.memory at all")):
        with pytest.raises(CheckFailed, match=rf"canonical has the 4\.0 GiB that D\.md:1 records\n.*{seen}"):
            sizing.check_applied(found, [instance("canonical", applied), instance("neighbour", "2GiB")], file="D.md")


def test_nobody_can_tell_of_a_machine_that_is_not_shown() -> None:
    found = sizing.decided(SOUND["in bold"], file="D.md", word="sizing", machines=MACHINES)
    with pytest.raises(HarnessError, match="no such instance"):
        sizing.check_applied(found, [instance("canonical", "4GiB")], file="D.md")
    with pytest.raises(HarnessError, match="names no canonical host"):
        sizing.check_recorded(found, None, file="D.md")
    with pytest.raises(CheckFailed, match="the final size of `third`"):
        sizing.check_recorded(found, "third", file="D.md")
