from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lab
from cleanroom.site import Site
from cleanroom.wait import Waiting, wait_until
from lab import hosts, leftovers
from lab.daemon import Incus
from lab.names import CANONICAL_HOST, IMAGE, NEIGHBOUR
from lab.state import HERE, State
from lab.tools import environment


def test_up_twice_does_nothing_the_second_time(state: State) -> None:
    lines: list[str] = []
    path = lab.up(lines.append)
    assert [line for line in lines if line.startswith("lab:")] == []
    assert Site.load(path).kind == "lab"
    assert path == state.site_file


def test_status_tells_of_every_part(state: State) -> None:
    parts = lab.status()
    assert parts[CANONICAL_HOST] == parts[NEIGHBOUR] == "running"
    assert parts["image"] == "there"
    assert parts["site file"] == str(state.site_file)
    assert not [name for name, text in parts.items() if text.startswith("not ")]


def test_a_second_lab_whose_daemon_was_killed_leaves_nothing(state: State, incus: Incus, elsewhere: State) -> None:
    others = {name: text for name, text in hosts.instances(incus).items() if name in {CANONICAL_HOST, NEIGHBOUR}}
    with elsewhere.locked(wait=0):
        second = Incus(elsewhere)
        second.start()
        second.furnish()
        second("image", "import", _image_file(state, incus), "--alias", IMAGE)
        hosts.make_neighbour(second)
    assert hosts.instances(second) == {NEIGHBOUR: "Running"}
    assert leftovers.link_exists(elsewhere)
    assert leftovers.mounts(elsewhere)
    pid = second.service.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    lab.down(print)
    assert leftovers.what_is_left(elsewhere) == []
    assert _mentions(str(elsewhere.folder)) == []
    assert hosts.instances(incus).items() >= others.items(), "the first lab must not have noticed"


def test_up_interrupted_in_its_middle_can_be_taken_down(elsewhere: State) -> None:
    env = environment(CLEANROOM_LAB=str(elsewhere.folder))
    # A shell's background job begins with SIGINT ignored, and so would everything below it.
    program = "import lab, signal; signal.signal(signal.SIGINT, signal.default_int_handler); lab.up(print)"
    with subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True, env=env, cwd=HERE.parent) as process:
        assert process.stdout is not None
        assert any(line.startswith("lab: root ...") for line in process.stdout), "it ended before the image was begun"
        wait_until(lambda: bool(_mentions(f"{elsewhere.scratch}/root.tar")) or Waiting("not yet"), what="the image to be begun", within=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT
    assert _mentions(f"{elsewhere.scratch}/") == [], "what it started must have ended with it"
    lab.down(print)
    assert leftovers.what_is_left(elsewhere) == []


def test_down_of_a_lab_that_is_not_there_is_no_mistake(elsewhere: State) -> None:
    lines: list[str] = []
    lab.down(lines.append)
    assert lines == ["the lab is not there"]
    assert not elsewhere.folder.exists()


@pytest.mark.usefixtures("state")
def test_the_bridge_is_no_way_out_and_writes_no_firewall_rule(incus: Incus) -> None:
    config = incus.ask(f"/1.0/networks/{incus.state.bridge}")["config"]
    assert {config[key] for key in ("ipv4.nat", "ipv4.firewall", "ipv4.routing")} == {"false"}
    assert "a rule of the firewall" not in leftovers.what_is_left(incus.state)


def _image_file(state: State, incus: Incus) -> Path:
    return state.incus / "images" / str(incus.ask(f"/1.0/images/aliases/{IMAGE}")["target"])


def _mentions(word: str) -> list[str]:
    """Processes that name `word`, by a look of our own; this one and its parents aside."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(f"{entry.name} {line}")
    return found
