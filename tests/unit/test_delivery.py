"""What was delivered, judged from the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cleanroom import declared, delivery, repository
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.guide import parse
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine
from cleanroom.sighting.machine_files import File
from cleanroom.site import Site
from cleanroom.tables.git import Credential
from tests.unit.sites import write

GUIDE = parse("```sh operator\nscp $BOOTSTRAP_KEY root@$MACHINE:/key\n```\n\n```sh\nrebuild\n```\n", file="docs/install.md", within=60)
KEY = b"AGE-SECRET-KEY-1TEST\n"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "bootstrap.txt"
    path.write_bytes(KEY)
    return path


def watched(ledger: Ledger, **delivered: bytes) -> None:
    for path, content in delivered.items():
        digest = hashlib.sha256(content).hexdigest()
        ledger.record("delivered", by="docs/install.md:2", number=1, path=f"/{path}", bytes=len(content), sha256=digest)
    ledger.record("delivery-watched", number=1, by="docs/install.md:2", files=100, delivered=len(delivered))


def check(ledger: Ledger, key_file: Path) -> None:
    delivery.check_only_key(ledger, GUIDE, key_file=key_file, key_path="/key")


def test_a_machine_s_disks_are_those_beside_its_own_root_and_its_agent_s() -> None:
    root = {"type": "disk", "path": "/", "pool": "default"}
    agent = {"type": "disk", "source": "agent:config"}
    helper = {"type": "disk", "source": "/srv/helper", "path": "/mnt"}
    volume = {"type": "disk", "source": "volume", "pool": "default", "path": "/data"}
    devices = {"root": root, "agent": agent, "volume": volume, "helper": helper, "eth0": {"type": "nic"}}
    hypervisor = cast(Hypervisor, SimpleNamespace(look=lambda path: {"expanded_devices": devices} if path == "instances/throwaway" else {}))
    assert delivery.disks(hypervisor, "throwaway") == ["helper (/srv/helper at /mnt)", "volume (volume at /data)"]
    assert delivery.disks(hypervisor, "another") == []


def test_the_key_and_nothing_else(ledger: Ledger, key_file: Path) -> None:
    watched(ledger, key=KEY)
    check(ledger, key_file)


def test_a_delivery_that_nobody_watched_cannot_be_judged(ledger: Ledger, key_file: Path) -> None:
    with pytest.raises(HarnessError, match="nobody looked"):
        check(ledger, key_file)


def test_a_second_file_is_red_and_named(ledger: Ledger, key_file: Path) -> None:
    watched(ledger, key=KEY, helper=b"more")
    with pytest.raises(CheckFailed, match=r"/helper \(4 bytes, by docs/install\.md:2\)"):
        check(ledger, key_file)


@pytest.mark.parametrize(("appeared", "problem"), [(["/root/helper"], CheckFailed), (None, HarnessError)])
def test_a_file_that_appeared_before_the_guide_began(ledger: Ledger, appeared: list[str] | None, problem: type[Exception]) -> None:
    machine = cast(Machine, SimpleNamespace(name="throwaway", where="throwaway"))
    ledger.record("files-before", machine="another", files=1, folders={}, appeared=["/x"])
    with pytest.raises(HarnessError, match="nobody looked twice"):
        delivery.check_nothing_appeared(ledger, machine)
    ledger.record("files-before", machine="throwaway", files=1, folders={}, appeared=appeared)
    with pytest.raises(problem, match=r"/root/helper|nobody looked twice"):
        delivery.check_nothing_appeared(ledger, machine)


def test_nothing_appeared(ledger: Ledger) -> None:
    ledger.record("files-before", machine="throwaway", files=1, folders={}, appeared=[])
    delivery.check_nothing_appeared(ledger, cast(Machine, SimpleNamespace(name="throwaway", where="throwaway")))


def looked(machine: Machine, blank: set[str], *seen: set[str], paths: tuple[str, ...] = (), record: Callable[..., object]) -> None:
    """Watch the guide's first command: what `look` answers before and after it is `seen`."""
    answers = iter([{path: File(1, "1.0", path, is_link=False) for path in files} for files in seen])

    def look(_machine: Machine, _paths: Sequence[str]) -> tuple[dict[str, File], dict[str, str]]:
        return next(answers), {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "look", look)
        patch.setattr(declared, "digests", lambda _machine, _paths: {})
        watch = delivery.Deliveries(machine, paths, (), record, blank=frozenset(blank))
        with watch.around(GUIDE.commands[0]):
            pass


HOME = {"/etc/hosts", "/run/systemd/a"}


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({"/run/keys/registry"}, ["/run/keys/registry"]),
        ({"/dev/shm/secret"}, ["/dev/shm/secret"]),  # noqa: S108 - looked for
        ({"/run/secret"}, ["/run/secret"]),
        ({"/run/systemd/b", "/run/user/0/bus", "/run/cleanroom-guide/1"}, []),
        ({"/run/systemd/key"}, ["/run/systemd/key"]),
    ],
    ids=["a folder of its own", "shared memory", "no folder", "the machine's own", "the site's own path"],
)
def test_what_is_brought_into_memory_is_told(ledger: Ledger, new: set[str], told: list[str]) -> None:
    machine = cast(Machine, SimpleNamespace(name="throwaway", where="throwaway"))
    looked(machine, HOME, HOME, HOME | new, paths=("/run/systemd/key",), record=ledger.record)
    assert [event["path"] for event in ledger.of("delivered")] == told


def test_what_comes_into_memory_by_itself_before_the_guide_is_passed_over_but_at_the_site_s_paths(ledger: Ledger) -> None:
    machine = cast(Machine, SimpleNamespace(name="throwaway", where="throwaway"))
    now = HOME | {"/run/late", "/tmp/x", "/run/site/key", "/root/helper"}  # noqa: S108 - looked for
    looked(machine, HOME, now, now, paths=("/run/site/key",), record=ledger.record)
    assert next(iter(ledger.of("files-before")))["appeared"] == ["/root/helper", "/run/site/key"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Its guide is handed the forge's token, and something else."""
    monkeypatch.setenv("FORGE_TOKEN", "the forge's")
    monkeypatch.setenv("ANOTHER", "another")
    return Site.load(write(tmp_path, {"guide.secrets": {"TOKEN": {"env": "FORGE_TOKEN"}, "MORE": {"env": "ANOTHER"}}}))


def test_a_secret_variable_that_fetches_nothing_is_red(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "refusal", lambda *_args, **_more: "denied")
    with pytest.raises(CheckFailed, match="MORE, with which the forge lets nobody in"):
        delivery.check_handed(site)


def test_another_credential_of_the_forge_may_be_handed_over(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Credential] = []
    monkeypatch.setattr(repository, "refusal", lambda _url, **more: asked.append(more["credential"]))
    delivery.check_handed(site)
    assert [each.token.load("it").text() for each in asked if each.token is not None] == ["another"]


def test_beside_a_deploy_key_nobody_can_tell_what_a_variable_is_for(site: Site, tmp_path: Path) -> None:
    (tmp_path / "deploy").write_text("the forge's\n")
    secrets = site.secrets.model_copy(update={"credential": Credential(deploy_key=tmp_path / "deploy")})
    with pytest.raises(HarnessError, match=r"what the guide's \$MORE is for"):
        delivery.check_handed(site.model_copy(update={"secrets": secrets}))


def test_nothing_at_all_is_red(ledger: Ledger, key_file: Path) -> None:
    watched(ledger)
    with pytest.raises(CheckFailed, match="nothing"):
        check(ledger, key_file)


def test_another_key_in_its_place_is_red(ledger: Ledger, key_file: Path) -> None:
    watched(ledger, key=KEY.replace(b"TEST", b"ELSE"))
    with pytest.raises(CheckFailed, match="byte for byte"):
        check(ledger, key_file)
