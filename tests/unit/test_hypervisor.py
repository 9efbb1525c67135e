"""Incus, through a server that answers like it: what is asked, what is made of the answers, and what is never sent."""

from __future__ import annotations

import contextlib
import datetime
import gc
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanroom import marks
from cleanroom.errors import BadInput, HarnessError, NotOurs, OutOfReach, OutOfTime
from cleanroom.hypervisor import Hypervisor
from cleanroom.incus.door import unix_endpoint
from tests.unit.incus import IMAGE, Incus, on_socket
from tests.unit.notes import Notes

NAME = "throwaway"

MARK = marks.marks("20261124-021500-3fa9c1")


Connect = Callable[..., Hypervisor]


@pytest.fixture
def connect(incus: Incus, notes: Notes) -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:

        def connected(**changes: Any) -> Hypervisor:
            hypervisor = Hypervisor.connect(incus.settings(**changes), record=notes.record)
            stack.callback(hypervisor.client.api.session.close)
            return hypervisor

        yield connected


@pytest.fixture
def hypervisor(connect: Connect) -> Hypervisor:
    return connect()


def test_the_server_is_looked_at_before_anything_else(incus: Incus, hypervisor: Hypervisor) -> None:
    server = hypervisor.server()
    assert (server.version, server.makes_virtual_machines) == ("6.0.4", True)
    assert abs((datetime.datetime.now(datetime.UTC) - server.clock).total_seconds()) < 5
    assert incus.changes() == []


def test_a_server_that_does_not_trust_us_is_out_of_reach(incus: Incus, connect: Connect) -> None:
    incus.auth = "untrusted"
    with pytest.raises(OutOfReach, match="does not trust us"):
        connect()


def test_a_server_that_is_not_incus_is_bad_input(incus: Incus, connect: Connect) -> None:
    incus.environment["server"] = "lxd"
    with pytest.raises(BadInput, match="expected an Incus server, found lxd"):
        connect()


def test_a_project_that_is_not_there_is_told(connect: Connect) -> None:
    with pytest.raises(HarnessError, match="knows no project"):
        connect(project="theirs")


def test_an_endpoint_that_nobody_serves_is_told_plainly(tmp_path: Path, connect: Connect) -> None:
    with pytest.raises(OutOfReach, match="no Incus socket"):
        connect(endpoint=unix_endpoint(tmp_path / "none.socket"))
    with pytest.raises(BadInput, match="expected https"):
        connect(endpoint=str(tmp_path / "unix.socket"))
    with pytest.raises(BadInput, match=r"cannot read incus\.client_certificate"):
        connect(endpoint="https://127.0.0.1:1")


@pytest.mark.parametrize(
    ("driver", "changes", "kind"),
    [
        ("lxc | qemu", {}, "virtual-machine"),
        ("qemu", {}, "virtual-machine"),
        ("lxc", {"fall_back_to_container": True}, "container"),
        ("lxc | qemu", {"fall_back_to_container": True}, "virtual-machine"),
        ("lxc", {"type": "container"}, "container"),
    ],
)
def test_the_kind_of_machine_is_what_the_site_wants_and_the_server_can(
    incus: Incus, connect: Connect, driver: str, changes: dict[str, Any], kind: str
) -> None:
    incus.environment["driver"] = driver
    assert connect(**changes).instance_type() == kind


def test_a_server_without_virtual_machines_is_refused_unless_the_site_says_otherwise(incus: Incus, connect: Connect) -> None:
    incus.environment["driver"] = "lxc"
    with pytest.raises(BadInput, match="cannot make virtual machines"):
        connect().instance_type()


@pytest.mark.parametrize("image", ["base", IMAGE, IMAGE[:12]])
def test_an_image_is_found_by_alias_or_fingerprint(connect: Connect, image: str) -> None:
    assert connect(image=image).image_fingerprint() == IMAGE


def test_an_image_that_is_not_there_is_bad_input(connect: Connect) -> None:
    with pytest.raises(BadInput, match="no image nothing in project ours"):
        connect(image="nothing").image_fingerprint()


def test_instances_are_told_with_what_proves_them_new(incus: Incus, hypervisor: Hypervisor) -> None:
    incus.instance("neighbour")["expanded_config"] = {"limits.memory": "4GiB"}
    found = hypervisor.instance("neighbour")
    assert found is not None
    assert (found.uuid, found.image, found.is_running, found.expanded) == ("uuid-neighbour", IMAGE, True, {"limits.memory": "4GiB"})
    assert [instance.name for instance in hypervisor.instances()] == ["neighbour"]
    assert hypervisor.instance("nobody") is None


@pytest.mark.parametrize(("status", "running"), [("Running", True), ("Ready", True), ("Stopped", False), ("Frozen", False), ("Error", False)])
def test_what_runs_is_told_by_its_status(incus: Incus, hypervisor: Hypervisor, status: str, running: bool) -> None:  # noqa: FBT001 - a table
    incus.instance("x")["status"] = status
    found = hypervisor.instance("x")
    assert found is not None
    assert found.is_running is running


def test_an_address_is_the_machine_s_own_and_ipv4_first(incus: Incus, hypervisor: Hypervisor) -> None:
    incus.instance(NAME)
    assert hypervisor.address(NAME) == "10.0.0.2"
    assert incus.network is not None
    incus.network["docker0"] = {"addresses": [{"family": "inet", "scope": "global", "address": "172.17.0.1"}]}
    incus.network["eth0"]["addresses"] = [incus.network["eth0"]["addresses"][0]]
    assert hypervisor.address(NAME) == "fd00::2"
    incus.network = {}
    assert hypervisor.address(NAME) is None
    incus.network = None
    assert hypervisor.address(NAME) is None


def test_a_throwaway_is_asked_for_as_the_site_says(incus: Incus, connect: Connect, notes: Notes) -> None:
    connect(memory="512MiB", config={"user.owner": "ci"}, profiles=["default", "net"]).create(NAME, kind="container", config={"user.x": "y", **MARK})
    asked = next(asked for asked in incus.asked if asked.method == "POST")
    assert asked.query == {"project": "ours"}
    assert asked.body == {
        "name": NAME,
        "type": "container",
        "start": True,
        "source": {"type": "image", "fingerprint": IMAGE},
        "profiles": ["default", "net"],
        "config": {"limits.memory": str(512 * 2**20), "user.owner": "ci", "user.x": "y", **MARK},
    }
    told = json.dumps(asked.body["config"], sort_keys=True).encode()
    assert notes[-1] == {
        "n": 0,
        "kind": "hypervisor",
        "action": "create",
        "instance": NAME,
        "expects": ["instance-created", "instance-started"],
        "allows": ["instance-ready"],
        "keys": sorted(asked.body["config"]),
        "bytes": len(told),
        "sha256": hashlib.sha256(told).hexdigest(),
    }


OF_ONE_KIND = {
    "cpus": 2,
    "secure_boot": False,
    "config": {"user.owner": "ci"},
    "container_config": {"security.nesting": "true"},
    "virtual_machine_config": {"security.csm": "false"},
}


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("virtual-machine", {"security.secureboot": "false", "security.csm": "false"}),
        ("container", {"security.nesting": "true"}),
    ],
)
def test_each_kind_of_machine_gets_its_own_keys_and_not_the_other_s(incus: Incus, connect: Connect, kind: str, own: dict[str, str]) -> None:
    connect(**OF_ONE_KIND).create(NAME, kind=kind, config=MARK)
    body = next(asked.body for asked in incus.asked if asked.method == "POST")
    assert body["type"] == kind
    assert body["config"] == {"limits.memory": str(4 * 2**30), "limits.cpu": "2", "user.owner": "ci", **MARK, **own}
    assert "devices" not in body


def test_without_a_word_on_secure_boot_incus_own_rule_holds(incus: Incus, connect: Connect) -> None:
    connect().create(NAME, kind="virtual-machine", config=MARK)
    assert next(asked.body for asked in incus.asked if asked.method == "POST")["config"] == {"limits.memory": str(4 * 2**30), **MARK}


def test_a_root_disk_gets_its_size_and_keeps_what_its_profile_says(incus: Incus, connect: Connect) -> None:
    other = {"type": "disk", "path": "/data", "source": "/data"}
    incus.profiles = {
        "default": {"devices": {"root": {"type": "disk", "path": "/", "pool": "old"}, "eth0": {"type": "nic", "network": "br0"}}},
        "fast": {"devices": {"root": {"type": "disk", "path": "/", "pool": "nvme", "io.bus": "nvme"}, "data": other}},
    }
    connect(root_size="20GiB", profiles=["default", "fast"]).create(NAME, kind="virtual-machine", config=MARK)
    body = next(asked.body for asked in incus.asked if asked.method == "POST")
    assert body["devices"] == {"root": {"type": "disk", "path": "/", "pool": "nvme", "io.bus": "nvme", "size": str(20 * 2**30)}}


@pytest.mark.parametrize("profiles", [{"default": {"devices": {}}}, {"default": {}}, {}], ids=["no disk", "no device", "no profile"])
def test_a_root_disk_that_nobody_declares_cannot_be_sized(incus: Incus, connect: Connect, profiles: dict[str, Any]) -> None:
    incus.profiles = profiles
    with pytest.raises(HarnessError, match=r"no profile declares a root disk|knows no profile default"):
        connect(root_size="20GiB").create(NAME, kind="virtual-machine", config=MARK)
    assert incus.changes() == []


@pytest.mark.parametrize(("processes", "answers"), [(12, True), (-1, False), (0, False)])
def test_files_can_be_exchanged_once_somebody_inside_answers(incus: Incus, hypervisor: Hypervisor, processes: int, answers: bool) -> None:  # noqa: FBT001 - a table
    incus.instance(NAME)
    incus.processes = processes
    assert hypervisor.answers_inside(NAME) is answers


def test_a_name_that_is_taken_is_neither_adopted_nor_deleted(incus: Incus, hypervisor: Hypervisor) -> None:
    incus.instance(NAME)
    with pytest.raises(HarnessError, match="exists already"):
        hypervisor.create(NAME, kind="container", config=MARK)
    with pytest.raises((NotOurs, OutOfTime)):
        hypervisor.delete(NAME, within=0.1)
    assert incus.changes() == []
    assert NAME in incus.instances


def test_what_incus_says_when_it_cannot_is_told_and_taken_back(incus: Incus, hypervisor: Hypervisor, notes: Notes) -> None:
    incus.failures = ["No space left on pool"]
    with pytest.raises(HarnessError, match="No space left on pool"):
        hypervisor.create(NAME, kind="container", config=MARK)
    assert [(note["action"], note.get("expects") or note.get("withdraws")) for note in notes] == [
        ("create", ["instance-created", "instance-started"]),
        ("create failed", ["instance-created", "instance-started"]),
    ]
    incus.instance(NAME)
    hypervisor.delete(NAME)  # whatever became of it: it was asked for by this run
    assert incus.instances == {}


def test_an_operation_that_never_ends_meets_its_limit(incus: Incus, connect: Connect) -> None:
    incus.stuck = True
    with pytest.raises(OutOfTime, match=f"{NAME} to be created; last seen: Running"):
        connect(create_within="0.3s").create(NAME, kind="container", config=MARK)


@pytest.fixture
def made(incus: Incus, hypervisor: Hypervisor, notes: Notes) -> Hypervisor:
    """With a throwaway of ours, and nothing noted yet."""
    hypervisor.create(NAME, kind="container", config=MARK)
    incus.asked.clear()
    notes.clear()
    return hypervisor


def test_a_restart_is_orderly(incus: Incus, made: Hypervisor, notes: Notes) -> None:
    made.restart(NAME, within=5)
    assert [(asked.path, asked.body) for asked in incus.asked if asked.method == "PUT"] == [
        (f"/1.0/instances/{NAME}/state", {"action": "restart", "timeout": 5, "force": False})
    ]
    assert notes[0]["expects"] == ["instance-restarted"]


def test_a_file_is_pushed_owned_by_root_and_recorded_as_a_delivery(incus: Incus, made: Hypervisor, notes: Notes) -> None:
    made.push_file(NAME, "/root/.ssh", b"", mode=0o700, kind="directory")
    made.push_file(NAME, "/root/.ssh/authorized_keys", b"ssh-ed25519 AAAA\n", mode=0o600)
    folder, file = (asked for asked in incus.asked if asked.method == "POST")
    assert [folder.headers[f"x-incus-{key}"] for key in ("type", "mode", "uid", "gid")] == ["directory", "0700", "0", "0"]
    assert [file.headers[f"x-incus-{key}"] for key in ("type", "mode", "uid", "gid")] == ["file", "0600", "0", "0"]
    assert incus.files["/root/.ssh/authorized_keys"] == b"ssh-ed25519 AAAA\n"
    assert [(note["path"], note["bytes"], note["expects"]) for note in notes] == [
        ("/root/.ssh", 0, []),
        ("/root/.ssh/authorized_keys", 17, ["instance-file-pushed /root/.ssh/authorized_keys"]),
    ]


def test_a_file_is_read_as_it_is(incus: Incus, made: Hypervisor, notes: Notes) -> None:
    incus.files["/etc/key.pub"] = b'{"type": "error"}'
    assert made.read_file(NAME, "/etc/key.pub") == b'{"type": "error"}'
    assert notes[0]["expects"] == ["instance-file-retrieved /etc/key.pub"]
    with pytest.raises(HarnessError, match="/etc/none"):
        made.read_file(NAME, "/etc/none")
    assert notes[-1]["withdraws"] == ["instance-file-retrieved /etc/none"]


def test_a_mark_changes_nothing_but_itself(incus: Incus, made: Hypervisor) -> None:
    made.set_config(NAME, {"user.cleanroom.heartbeat": "now"})
    assert [(asked.method, asked.body) for asked in incus.asked] == [("PATCH", {"config": {"user.cleanroom.heartbeat": "now"}})]


@pytest.mark.parametrize("status", ["Running", "Frozen", "Error", "Stopped"])
def test_a_deletion_is_done_when_the_machine_is_seen_to_be_gone(incus: Incus, made: Hypervisor, status: str) -> None:
    incus.instances[NAME]["status"] = status
    made.delete(NAME)
    assert incus.instances == {}
    assert incus.changes() == ([("PUT", f"/1.0/instances/{NAME}/state")] if status != "Stopped" else []) + [("DELETE", f"/1.0/instances/{NAME}")]
    assert (incus.asked[-1].method, incus.asked[-1].path) == ("GET", f"/1.0/instances/{NAME}")


def test_a_machine_that_is_gone_already_is_deleted(incus: Incus, made: Hypervisor) -> None:
    incus.instances.clear()
    made.delete(NAME)
    assert incus.changes() == []


def test_a_deletion_that_is_refused_is_tried_again(incus: Incus, made: Hypervisor) -> None:
    incus.failures = ["busy", "busy"]
    made.delete(NAME)
    assert incus.instances == {}


def test_a_deletion_that_is_always_refused_is_raised_with_the_reason(incus: Incus, made: Hypervisor) -> None:
    incus.failures = ["the pool is busy"] * 100
    with pytest.raises(OutOfTime, match="the pool is busy"):
        made.delete(NAME, within=0.3)
    assert NAME in incus.instances


def test_what_this_run_did_not_make_is_never_asked_to_change(incus: Incus, made: Hypervisor, notes: Notes) -> None:
    incus.instance("neighbour")
    acts: list[Callable[[], object]] = [
        lambda: made.restart("neighbour", within=1),
        lambda: made.push_file("neighbour", "/x", b"", mode=0o600),
        lambda: made.set_config("neighbour", {}),
        lambda: made.delete("neighbour", within=0.1),
    ]
    for act in acts:
        with pytest.raises(HarnessError, match="did not make instance neighbour"):
            act()
    assert incus.changes() == []
    assert {note["action"].endswith("failed") for note in notes[1::2]} == {True}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pylxd forgets the socket on which nobody answered
def test_a_server_that_goes_away_is_out_of_reach(tmp_path: Path, notes: Notes) -> None:
    with on_socket(tmp_path) as incus:
        hypervisor = Hypervisor.connect(incus.settings(), record=notes.record)
    hypervisor.client.api.session.close()
    hypervisor.client.api.session.patience = 0.0
    (tmp_path / "unix.socket").unlink(missing_ok=True)
    with pytest.raises(OutOfReach, match="does not answer"):
        hypervisor.instances()
    gc.collect()
