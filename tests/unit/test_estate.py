"""What is left after a run: everything that is there and was not before, unless it is somebody else's own machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cleanroom import marks
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Ledger
from cleanroom.surroundings import estate
from tests.unit.incus import Incus, on_socket
from tests.unit.notes import Notes

DEAD = {**marks.marks("20261124-021500-3fa9c1"), marks.PROCESS: "99999999:never"}


@pytest.fixture
def incus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Incus]:
    monkeypatch.setattr(estate, "_SETTLING_SECONDS", 0.1)
    with on_socket(tmp_path) as server:
        server.instance("neighbour")
        yield server


@pytest.fixture
def hypervisor(incus: Incus, notes: Notes) -> Iterator[Hypervisor]:
    found = Hypervisor.connect(incus.settings(), record=notes.record)
    yield found
    found.client.api.session.close()


def test_nothing_is_left_where_nothing_is_new(hypervisor: Hypervisor, notes: Notes) -> None:
    before = estate.take(hypervisor, notes.record, "before")
    assert estate.left(hypervisor, before, notes.record, kept=()) == []
    first, last = notes.of("estate")
    assert (first["moment"], last["moment"], first["instances"], first["hidden"]) == ("before", "after", ["neighbour"], {})
    assert set(first) >= {"instances", "snapshots", "volumes", "images", "profiles", "networks", "leases", "warnings"}


def network(incus: Incus) -> None:
    incus.lists["networks"].append({"name": "n", "managed": True})
    incus.lists["networks/n/leases"] = []


LEFT: list[tuple[str, Callable[[Incus], object], str]] = [
    ("an instance with our mark", lambda incus: incus.instance("x", **DEAD), "instance x"),
    ("an instance with half of it", lambda incus: incus.instance("x", **{marks.SUITE: "cleanroom"}), "instance x"),
    ("an instance with a name like ours", lambda incus: incus.instance("throwaway-2"), "instance throwaway-2"),
    ("a snapshot", lambda incus: incus.instances["neighbour"].update(snapshots=[{"name": "s"}]), "snapshot neighbour/s"),
    ("a volume", lambda incus: incus.lists["storage-pools/pool/volumes"].append({"type": "custom", "name": "v"}), "volume pool/custom/v"),
    ("an image's volume without its image", lambda incus: incus.lists["storage-pools/pool/volumes"].append({"type": "image", "name": "0"}), "volume"),
    ("an image", lambda incus: incus.lists["images"].append({"fingerprint": "0" * 64}), "image 000"),
    ("a profile", lambda incus: incus.lists["profiles"].append({"name": "p", "devices": {}}), "profile p"),
    ("a network", network, "network n"),
    ("a lease", lambda incus: incus.lists["networks/bridge/leases"].append({"hostname": "h", "hwaddr": "aa:bb"}), "lease bridge/h aa:bb"),
    ("a warning", lambda incus: incus.lists["warnings"].append({"type": "t", "entity_url": "/1.0/instances/x"}), "warning t"),
]


@pytest.mark.parametrize(("make", "told"), [case[1:] for case in LEFT], ids=[case[0] for case in LEFT])
def test_whatever_is_new_is_left(hypervisor: Hypervisor, incus: Incus, notes: Notes, make: Callable[[Incus], object], told: str) -> None:
    before = estate.take(hypervisor, notes.record, "before")
    make(incus)
    items = estate.left(hypervisor, before, notes.record, kept=())
    assert len(items) == 1
    assert items[0].startswith(told)


def test_an_image_brings_its_own_volume_and_an_interface_comes_and_goes(hypervisor: Hypervisor, incus: Incus, notes: Notes) -> None:
    before = estate.take(hypervisor, notes.record, "before")
    incus.lists["storage-pools/pool/volumes"].append({"type": "image", "name": incus.lists["images"][0]["fingerprint"]})
    incus.lists["networks"].append({"name": "veth0", "managed": False})
    assert estate.left(hypervisor, before, notes.record, kept=()) == []


def test_somebody_else_s_new_machine_is_not_ours_and_neither_is_what_belongs_to_it(hypervisor: Hypervisor, incus: Incus, notes: Notes) -> None:
    before = estate.take(hypervisor, notes.record, "before")
    incus.instance("colleague")
    incus.lists["storage-pools/pool/volumes"].append({"type": "container", "name": "colleague"})
    incus.lists["networks/bridge/leases"].append({"hostname": "colleague", "hwaddr": "aa:bb"})
    assert estate.left(hypervisor, before, notes.record, kept=()) == []


def test_a_machine_that_was_kept_on_purpose_is_not_left(hypervisor: Hypervisor, incus: Incus, notes: Notes) -> None:
    before = estate.take(hypervisor, notes.record, "before")
    incus.instance("throwaway", **DEAD)
    incus.lists["storage-pools/pool/volumes"].append({"type": "container", "name": "throwaway"})
    assert estate.left(hypervisor, before, notes.record, kept=["throwaway"]) == []
    assert estate.left(hypervisor, before, notes.record, kept=[]) == ["instance throwaway", "volume pool/container/throwaway"]


def test_what_may_not_be_listed_is_known_by_the_devices_that_name_it(hypervisor: Hypervisor, incus: Incus, notes: Notes) -> None:
    incus.denied |= {"storage-pools", "warnings"}
    before = estate.take(hypervisor, notes.record, "before")
    assert set(before.hidden) == {"warnings"}
    incus.lists["storage-pools/pool/volumes"].append({"type": "custom", "name": "v"})
    assert estate.left(hypervisor, before, notes.record, kept=()) == ["volume pool/custom/v"]


def test_what_cannot_be_seen_any_more_is_left_until_it_can(hypervisor: Hypervisor, incus: Incus, notes: Notes) -> None:
    before = estate.take(hypervisor, notes.record, "before")
    incus.denied.add("profiles")
    told = estate.left(hypervisor, before, notes.record, kept=())
    assert any(line.startswith("profiles: cannot be seen any more") for line in told)


def test_who_did_not_look_twice_cannot_tell(ledger: Ledger) -> None:
    ledger.record("estate", moment="before", hidden={"warnings": "refused"})
    with pytest.raises(HarnessError, match="before and after"):
        estate.check_nothing_left(ledger)
    ledger.record("estate", moment="after", hidden={"warnings": "refused"})
    estate.check_nothing_left(ledger)
    ledger.record("left-behind", items=["volume pool/custom/v"])
    with pytest.raises(CheckFailed, match="volume pool/custom/v"):
        estate.check_nothing_left(ledger)


def test_what_was_hidden_before_and_after_cannot_be_called_gone(ledger: Ledger) -> None:
    for moment in ("before", "after"):
        ledger.record("estate", moment=moment, hidden={"warnings": "refused", "volumes": "refused"})
    with pytest.raises(HarnessError, match="does not show volumes"):
        estate.check_nothing_left(ledger)


KEYS = [
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", True),
    ("-----BEGIN PRIVATE KEY-----\nMC4C\n", True),
    ("text\n-----BEGIN EC PRIVATE KEY-----\n", True),
    (f"# created\nAGE-SECRET-KEY-1{'Q' * 58}\n", True),
    ('{"argv": ["grep", "AGE-SECRET-KEY-1"]}', False),
    ("-----BEGIN CERTIFICATE-----\n", False),
]


@pytest.mark.parametrize(("text", "is_key"), KEYS, ids=[str(number) for number in range(len(KEYS))])
def test_a_key_on_this_side_is_known_by_what_it_holds(tmp_path: Path, text: str, is_key: bool) -> None:  # noqa: FBT001 - a table
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text(text, encoding="utf-8")
    assert bool(estate.keys_on_this_side(tmp_path)) is is_key
    if is_key:
        with pytest.raises(CheckFailed, match="deep/file"):
            estate.check_no_keys([tmp_path])
    else:
        estate.check_no_keys([tmp_path])


def test_where_no_folder_is_nobody_can_tell(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="none of the run's folders"):
        estate.check_no_keys([tmp_path / "gone"])
