"""What base declares, what git holds, and what a machine has of it."""

from __future__ import annotations

import getpass
import grp
import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyrage
import pytest

from cleanroom import declared, vault
from cleanroom.declared import Declared, Pair, SopsFile
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.machine import Machine
from cleanroom.site import Site
from tests.unit.loopback import Sshd
from tests.unit.notes import Notes
from tests.unit.sites import write

IDENTITY = pyrage.x25519.Identity.generate()
HOST = str(IDENTITY.to_public())
REQUIRED = ("tls/cert", "tls/key", "webhook/hmac", "drone/id", "drone/secret", "drone/rpc")


def sops_file(tree: dict[str, Any], form: vault.Form = vault.Form.YAML) -> SopsFile:
    data = vault.encrypt(tree, recipients=[HOST], form=form)
    opened = vault.open_bytes(data, form, identities=[vault.identity_of(str(IDENTITY))])
    return SopsFile(f"secrets/all.{form.value}", hashlib.sha256(data).hexdigest(), opened)


FILE = sops_file({"tls": {"cert": "c", "key": "k"}, "webhook": {"hmac": "h"}, "drone": {"id": "i", "secret": "s", "rpc": "r"}})


def secret(name: str, **changes: Any) -> Declared:
    usual = Declared(name, name, f"/run/secrets/{name}", 0o400, "root", "root", "/nix/store/x-source/secrets/all.yaml", "yaml")
    return replace(usual, **changes)


PAIRS = tuple(Pair(secret(name), FILE) for name in REQUIRED)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    required = {"drone_client_id": "drone/id", "drone_client_secret": "drone/secret", "drone_rpc_secret": "drone/rpc"}
    return Site.load(write(tmp_path, {"required_secrets": required}))


def test_declared_is_present_and_present_is_declared(site: Site) -> None:
    declared.check_declared_exist(PAIRS)
    declared.check_nothing_undeclared(PAIRS, [FILE])
    declared.check_required(PAIRS, site)
    declared.check_hosts([FILE], [HOST])


def test_a_declared_secret_that_git_lacks_is_red() -> None:
    with pytest.raises(CheckFailed, match="registry is in git"):
        declared.check_declared_exist([*PAIRS, Pair(secret("registry"), FILE)])


def test_a_secret_that_nobody_declares_is_red() -> None:
    with pytest.raises(CheckFailed, match=r"undeclared: secrets/all\.yaml: drone/rpc"):
        declared.check_nothing_undeclared(PAIRS[:-1], [FILE])
    with pytest.raises(CheckFailed, match="undeclared"):
        declared.check_nothing_undeclared(PAIRS, [FILE, sops_file({"token": "x"}, vault.Form.JSON)])


@pytest.mark.parametrize("missing", REQUIRED)
def test_each_required_secret_is_required(site: Site, missing: str) -> None:
    with pytest.raises(CheckFailed, match=missing):
        declared.check_required([each for each in PAIRS if each.declared.name != missing], site)


def test_a_site_that_does_not_say_which_is_which_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="Drone OAuth client id"):
        declared.check_required(PAIRS, Site.load(write(tmp_path)))
    with pytest.raises(HarnessError, match="names no host"):
        declared.check_hosts([FILE], [])


def test_a_registry_credential_is_required_where_the_site_has_one(tmp_path: Path, site: Site) -> None:
    named = {**site.required_secrets.model_dump(), "registry": ("registry/password",)}
    with pytest.raises(CheckFailed, match="registry/password"):
        declared.check_required(
            PAIRS, Site.load(write(tmp_path, {"required_secrets": {k: list(v) if isinstance(v, tuple) else v for k, v in named.items()}}))
        )


def test_a_host_that_cannot_open_a_file_is_red() -> None:
    stranger = str(pyrage.x25519.Identity.generate().to_public())
    with pytest.raises(CheckFailed, match=stranger):
        declared.check_hosts([FILE], [HOST, stranger])


def test_a_whole_file_stands_for_everything_in_it() -> None:
    whole = Pair(secret("all", key=""), FILE)
    declared.check_nothing_undeclared([whole], [FILE])
    declared.check_declared_exist([whole])
    with pytest.raises(HarnessError, match="not one value"):
        whole.value()
    binary = sops_file({"data": b"\0\1"}, vault.Form.BINARY)
    assert Pair(secret("blob", key="blob", format="binary"), binary).value().reveal() == b"\0\1"


@pytest.fixture
def decrypted(tmp_path: Path, sshd: Sshd, notes: Notes) -> tuple[Machine, Pair]:
    """A machine that has one secret, as sops-nix leaves it: a link to a file of its own."""
    (tmp_path / "generation").write_bytes(b"r")
    (tmp_path / "generation").chmod(0o440)
    (tmp_path / "link").symlink_to("generation")
    sops = tmp_path / "all.yaml"
    sops.write_bytes(b"sealed")
    group = grp.getgrgid(os.getgid()).gr_name
    wanted = secret("drone/rpc", path=str(tmp_path / "link"), mode=0o440, owner=getpass.getuser(), group=group, file=str(sops))
    file = replace(FILE, digest=hashlib.sha256(b"sealed").hexdigest())
    return Machine("here", sshd.client(notes.record), notes.record), Pair(wanted, file)


def test_a_secret_on_the_machine_is_gits_with_owner_and_mode(decrypted: tuple[Machine, Pair]) -> None:
    machine, pair = decrypted
    declared.check_values(machine, [pair])
    declared.check_modes(machine, [pair])
    by_number = replace(pair, declared=replace(pair.declared, owner=str(os.getuid()), group=str(os.getgid())))
    declared.check_modes(machine, [by_number])


def test_a_secret_belongs_to_the_file_of_the_same_bytes(decrypted: tuple[Machine, Pair]) -> None:
    machine, pair = decrypted
    assert declared.pair(machine, [pair.declared], [FILE, pair.file]) == (pair,)
    with pytest.raises(CheckFailed, match="no sops file of secrets"):
        declared.pair(machine, [pair.declared], [FILE])


@pytest.mark.parametrize(
    ("change", "told"),
    [({"mode": 0o400}, "mode 0440"), ({"owner": "nobody"}, "of nobody:"), ({"group": "4711"}, ":4711"), ({"path": "/nowhere"}, "nothing is there")],
)
def test_another_owner_group_or_mode_is_red(decrypted: tuple[Machine, Pair], change: dict[str, Any], told: str) -> None:
    machine, pair = decrypted
    with pytest.raises(CheckFailed, match=told):
        declared.check_modes(machine, [replace(pair, declared=replace(pair.declared, **change))])


def test_another_value_is_red_and_not_shown(decrypted: tuple[Machine, Pair]) -> None:
    machine, pair = decrypted
    path = Path(pair.declared.path)
    path.chmod(0o640)
    path.write_bytes(b"something quite different")
    with pytest.raises(CheckFailed, match="holds git's drone/rpc") as caught:
        declared.check_values(machine, [pair])
    assert "different" not in str(caught.value)
    path.unlink()
    with pytest.raises(CheckFailed, match="nothing is there"):
        declared.check_values(machine, [pair])


@pytest.mark.parametrize(
    ("found", "strange"),
    [
        ([], []),
        (["/run/secrets.d/2/drone/rpc", "/run/secrets.d/1/drone/rpc", "/run/secrets-for-users.d/1/root"], []),
        (["/run/secrets.d/age-keys.txt", "/run/secrets.d/2/rendered/drone.env"], []),
        (["/run/secrets.d/2/drone/rpc", "/run/secrets.d/2/key.txt"], ["/run/secrets.d/2/key.txt"]),
        (["/run/secrets.d/2/age-keys.txt", "/run/secrets.d/drone/rpc"], ["/run/secrets.d/2/age-keys.txt", "/run/secrets.d/drone/rpc"]),
    ],
    ids=["nothing", "declared, in any generation", "sops-nix's own", "a copy of the key", "in another place"],
)
def test_nothing_else_lies_where_secrets_are_decrypted(found: list[str], strange: list[str]) -> None:
    def probe(program: str, *_arguments: str, ok: object) -> SimpleNamespace:
        assert ok == (0, 1)
        if program == "readlink":
            return SimpleNamespace(text="/run/secrets.d/2/drone/rpc\n/run/secrets-for-users.d/1/root\n/var/lib/elsewhere")
        return SimpleNamespace(stdout="".join(f"{path}\0" for path in found).encode())

    machine = cast(Machine, SimpleNamespace(where="there", probe=probe))
    if not strange:
        declared.check_nothing_else(machine, PAIRS)
        return
    with pytest.raises(CheckFailed, match=re.escape(f"undeclared: {', '.join(strange)}")):
        declared.check_nothing_else(machine, PAIRS)
