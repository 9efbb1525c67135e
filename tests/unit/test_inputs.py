"""The closed list of what entered the machine, made and judged from the ledger."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cleanroom import inputs
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.guide import parse
from cleanroom.inputs import Input
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine

GUIDE = parse("```sh operator\nscp $BOOTSTRAP_KEY root@$MACHINE:/key\n```\n\n```sh\nrebuild\n```\n", file="docs/install.md", within=60)
NAME = "throwaway"
SOURCE = {"name": "base", "path": "/nix/store/a-source", "hash": "sha256-AAAA", "revision": "abc", "bytes": 10}


def machine(*, sent: int = 35) -> Machine:
    return cast(Machine, SimpleNamespace(name=NAME, where=NAME, ssh=SimpleNamespace(sent=sent)))


def write(ledger: Ledger, *, relayed: int = 5000, unaccounted: tuple[str, ...] = (), paths: int = 3, without: str = "") -> None:
    """A run's ledger, as far as it tells of what entered."""
    events: list[tuple[str, dict[str, Any]]] = [
        ("hypervisor", {"action": "create", "instance": NAME, "keys": ["limits.memory"], "bytes": 30, "sha256": "c"}),
        ("hypervisor", {"action": "push", "instance": NAME, "path": "/root/.ssh/authorized_keys", "bytes": 99, "sha256": "k"}),
        ("machine", {"name": NAME, "image": "f00d", "image_bytes": 1000}),
        ("guide-variables", {"machine": NAME, "names": [], "secrets": {"FORGE_TOKEN": 40}}),
        ("command", {"machine": NAME, "purpose": "guide", "argv": ["bash"], "sent": 20}),
        ("command", {"machine": NAME, "purpose": "probe", "argv": ["cat", "x"], "sent": 15}),
        ("command", {"machine": "another", "purpose": "probe", "argv": ["cat"], "sent": 1000}),
        ("guide-command", {"number": 1, "where": "docs/install.md:2", "place": "operator", "command": "scp"}),
        ("delivered", {"by": "docs/install.md:2", "number": 1, "path": "/key", "bytes": 189, "sha256": "d"}),
        ("relayed", {"of": "guide", "number": 1, "where": "docs/install.md:2", "port": 4000, "bytes": relayed}),
        ("relayed", {"of": "trial", "number": 1, "where": "docs/install.md:2", "port": 4001, "bytes": 10**9}),
        ("guide-command", {"number": 2, "where": "docs/install.md:6", "place": "machine", "command": "rebuild"}),
    ]
    stock = {"machine": NAME, "paths": paths, "for_the_system": 2, "built_beside": [], "sources": [SOURCE], "unaccounted": list(unaccounted)}
    cache = {"cache.example-1": {"count": 2, "bytes": 20, "sha256": "g"}}
    events.append(("stock", {**stock, "caches": cache, "images": [{"name": "traefik:3", "digest": "sha256:i"}]}))
    for kind, fields in events:
        if kind != without:
            ledger.record(kind, **fields)


def test_each_way_in_has_its_entries(ledger: Ledger) -> None:
    write(ledger)
    found = inputs.listing(ledger, machine(), GUIDE)
    inputs.check_told(found)
    assert [(entry.by, entry.way, entry.bytes) for entry in found] == [
        ("the hypervisor", "image", 1000),
        ("the suite", "configuration", 30),
        ("the suite", "files API", 99),
        ("the suite", "SSH", 20),
        ("the suite", "SSH", 15),
        ("docs/install.md:2", "typed at the operator's side", 3),
        ("docs/install.md:6", "typed at the machine's side", 7),
        ("docs/install.md", "variable of the guide's shell", 40),
        ("docs/install.md:2", "file", 189),
        ("docs/install.md:2", "SSH of the guide's own", 5000),
        ("docs/install.md", "fetched by Nix", 10),
        ("docs/install.md", "binary cache", 20),
        ("docs/install.md", "registry", None),
    ]
    assert [event["what"] for event in ledger.of("input")] == [entry.what for entry in found]


def test_a_secret_variable_is_told_by_name_and_length_only(ledger: Ledger) -> None:
    write(ledger)
    entry = next(entry for entry in inputs.listing(ledger, machine(), GUIDE) if "FORGE_TOKEN" in entry.what)
    assert (entry.bytes, entry.sha256) == (40, None)


@pytest.mark.parametrize("kind", ["machine", "guide-variables", "stock"])
def test_a_gap_in_the_record_is_no_list(ledger: Ledger, kind: str) -> None:
    write(ledger, without=kind)
    with pytest.raises(HarnessError, match=f"the ledger has no `{kind}`"):
        inputs.listing(ledger, machine(), GUIDE)


def test_a_stock_that_could_not_be_taken_is_told(ledger: Ledger) -> None:
    write(ledger, without="stock")
    ledger.record("stock", machine=NAME, trouble="nix did not answer")
    with pytest.raises(HarnessError, match="nix did not answer"):
        inputs.listing(ledger, machine(), GUIDE)


def test_channels_that_carried_what_is_listed(ledger: Ledger) -> None:
    write(ledger)
    inputs.check_channels(ledger, machine())


def test_bytes_of_ours_that_no_command_accounts_for_are_our_own_trouble(ledger: Ledger) -> None:
    write(ledger)
    with pytest.raises(HarnessError, match="carried 7 bytes that no command accounts for"):
        inputs.check_channels(ledger, machine(sent=42))


def test_bytes_of_the_guides_that_arrive_in_no_file_are_red(ledger: Ledger) -> None:
    write(ledger, relayed=200_000)
    with pytest.raises(CheckFailed, match="200000 bytes went to the machine, 189 arrived in files") as caught:
        inputs.check_channels(ledger, machine())
    assert caught.value.where == "docs/install.md:2"


def test_a_path_in_the_store_that_came_from_nowhere_is_red(ledger: Ledger) -> None:
    write(ledger, unaccounted=("/nix/store/x-smuggled",))
    with pytest.raises(CheckFailed, match="x-smuggled"):
        inputs.check_store(ledger, machine())


def test_a_store_that_gained_nothing_proves_nothing(ledger: Ledger) -> None:
    write(ledger, paths=0)
    with pytest.raises(HarnessError, match="nothing was built"):
        inputs.check_store(ledger, machine())


@pytest.mark.parametrize("entry", [Input("", "SSH", "x", 1, "d"), Input("a", "", "x", 1, "d"), Input("a", "b", "c", 1, None)])
def test_an_entry_that_says_too_little_is_refused(entry: Input) -> None:
    with pytest.raises(HarnessError, match="not told in full"):
        inputs.check_told([entry])


def test_an_empty_list_is_no_list() -> None:
    with pytest.raises(HarnessError, match="empty"):
        inputs.check_told([])
