"""Following a guide: both sides, one shell each, a real sshd between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

import pytest

from cleanroom import conduct, installation
from cleanroom.errors import CheckFailed
from cleanroom.guide import Command, Guide, parse
from cleanroom.installation import Follower, Installation
from cleanroom.ledger import Ledger
from cleanroom.machine import Machine
from cleanroom.redact import Redactor, Secret
from cleanroom.ssh import KeyPair
from tests.unit.loopback import Sshd

TOKEN = "t0ken-of-the-guide"


class Scene:
    """A follower on a machine that is this one behind sshd, with all it told."""

    def __init__(self, sshd: Sshd, ledger: Ledger, folder: Path) -> None:
        self.ledger = ledger
        self.sshd = sshd
        self.key = folder / "machine" / "key.txt"
        self.key.parent.mkdir()
        (folder / "bootstrap.txt").write_text("the key\n")
        self.transcript = ""
        self.said: list[str] = []
        self.around: list[str] = []
        token = Secret(TOKEN, name="token")
        ledger.redactor.add(token)
        self.follower = Follower(
            machine=Machine("throwaway", sshd.client(ledger.record, key=sshd.admit(KeyPair.generate("run"))), ledger.record),
            variables={"COLOUR": "green", "BOOTSTRAP_KEY": str(folder / "bootstrap.txt")},
            secrets={"TOKEN": token},
            key_path=str(self.key),
            scratch=folder,
            record=ledger.record,
            transcript=self._transcribe,
            alive=lambda command, _elapsed, line: self.said.append(f"{command.number}: {line}"),
            around=self._around,
        )

    def _transcribe(self, text: str) -> None:
        self.transcript += text

    @contextmanager
    def _around(self, command: Command) -> Iterator[None]:
        self.around.append(f"before {command.number}")
        yield
        self.around.append(f"after {command.number}")

    def guide(self, markdown: str) -> Guide:
        text = dedent(markdown).lstrip("\n").replace("@PORT", str(self.sshd.port)).replace("@USER", self.sshd.user).replace("@KEY", str(self.key))
        return parse(text, file="docs/install.md", within=20)

    def follow(self, markdown: str) -> Installation:
        return self.follower.follow(self.guide(markdown))


@pytest.fixture
def scene(sshd: Sshd, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(installation, "_REMOTE_FOLDER", str(tmp_path / "guide"))
    return Scene(sshd, ledger, tmp_path)


GUIDE = """
    ```sh
    cd /usr; where=$PWD
    ```

    ```sh operator
    here=$(mktemp)
    scp -q -P @PORT $BOOTSTRAP_KEY @USER@$MACHINE:@KEY
    ```

    ```sh
    echo $where $PWD $COLOUR
    ```

    ```sh operator status=4
    rm $here; ssh -p @PORT @USER@$MACHINE 'exit 4'
    ```
"""


@dataclass(frozen=True)
class Followed:
    """What became of the guide above, what the ledger has of it, which log-ins sshd saw meanwhile, and what is left on this side."""

    scene: Scene
    found: Installation
    accepted: list[int]
    left: list[Path]


@pytest.fixture(scope="module")
def followed(sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder = tmp_path_factory.mktemp("followed")
    ledger = Ledger(tmp_path_factory.mktemp("ledger"), Redactor())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "_REMOTE_FOLDER", str(folder / "guide"))
        scene = Scene(sshd, ledger, folder)
        files, logins = set(folder.iterdir()), len(sshd.accepted_ports())
        found = scene.follow(GUIDE)
        yield Followed(scene, found, sshd.accepted_ports()[logins:], sorted(set(folder.iterdir()) - files))
    ledger.close()


def test_a_guide_is_followed_on_both_sides_with_a_shell_each(followed: Followed) -> None:
    found = followed.found
    found.demand_complete()
    assert found.is_complete
    assert found.failed is None
    assert [outcome.status for outcome in found.outcomes] == [0, 0, 0, 0, 4]
    assert found.outcomes[3].stdout == "/usr /usr green\n"
    assert followed.scene.around == [f"{when} {number}" for number in range(1, 6) for when in ("before", "after")]


def test_what_the_ledger_says_of_it_satisfies_its_judge(followed: Followed) -> None:
    ledger, found = followed.scene.ledger, followed.found
    conduct.check_followed(ledger, found.guide)
    conduct.check_only_looked(ledger, found.machine)
    conduct.check_key_bringer(found)
    assert found.key_brought_by is not None
    assert found.key_brought_by.number == 3
    assert [event["after"] for event in ledger.of("key-seen")] == [3]


def test_every_log_in_is_accounted_for_by_its_port(followed: Followed) -> None:
    logins = list(followed.scene.ledger.of("ssh-login"))
    assert sorted(login["port"] for login in logins) == sorted(followed.accepted)
    assert sorted(login["by"] for login in logins) == ["guide", "guide", "suite"]


def test_nothing_of_the_suite_stays_on_either_side(followed: Followed) -> None:
    assert followed.left == []


def test_the_first_command_that_fails_is_the_last_one_that_runs(scene: Scene, tmp_path: Path) -> None:
    found = scene.follow(f"""
        ```sh
        true
        echo on the way; echo it broke >&2; (exit 3)
        touch {tmp_path}/never
        ```
    """)
    assert not (tmp_path / "never").exists()
    assert found.failed is not None
    assert found.failed.command.line == 3
    with pytest.raises(CheckFailed) as caught:
        found.demand_complete()
    assert (caught.value.where, caught.value.seen) == ("docs/install.md:3", "exit status 3; it said last: it broke")
    with pytest.raises(CheckFailed, match="command 2"):
        conduct.check_followed(scene.ledger, found.guide)


def test_a_command_that_meets_its_limit_is_told_so(scene: Scene) -> None:
    found = scene.follow("```sh within=1s\necho so far; sleep 1234\n```\n")
    with pytest.raises(CheckFailed, match=r"still ran after its limit of 1.0 s; it said last: so far"):
        found.demand_complete()
    assert [event["fate"] for event in scene.ledger.of("guide-result")] == ["limit"]


def test_a_command_whose_shell_has_ended_is_told_so(scene: Scene) -> None:
    with pytest.raises(CheckFailed, match=r"command 2 (.|\n)* its shell disappeared"):
        scene.follow("```sh\nexit 0\ntrue\n```\n").demand_complete()


def test_a_guide_s_secret_is_known_to_the_machine_s_shell_alone_and_told_to_nobody(scene: Scene) -> None:
    found = scene.follow("""
        ```sh
        [ "$TOKEN" = t0ken-of-the-guide ] && echo "$TOKEN"
        ```

        ```sh operator
        [ -z "$TOKEN" ]
        ```
    """)
    found.demand_complete()
    assert "[secret token]" in scene.ledger.path.read_text()
    assert TOKEN not in scene.ledger.path.read_text()


def test_the_transcript_has_all_of_both_streams_and_the_ledger_their_end(scene: Scene) -> None:
    scene.follow("```sh\nseq 1 2000; echo err >&2\n```\n")
    assert "\n1\n2\n3\n" in scene.transcript
    assert "command 1 (docs/install.md:2)" in scene.transcript
    assert "err" in scene.transcript
    result = next(scene.ledger.of("guide-result"))
    assert result["stdout"].endswith("1999\n2000\n")
    assert len(result["stdout"]) <= 2000


def test_a_repetition_is_recorded_under_its_own_name(scene: Scene) -> None:
    scene.follower.follow(scene.guide("```sh\ntrue\n```\n"), kind="repetition")
    assert list(scene.ledger.of("guide-command")) == []
    assert [event["number"] for event in scene.ledger.of("repetition-command")] == [1]
    assert {event["purpose"] for event in scene.ledger.of("command")} == {"repetition", "probe"}


def test_a_guide_of_which_a_command_never_ran_is_not_complete(followed: Followed) -> None:
    followed.found.demand_complete()
    cut_short = replace(followed.found, outcomes=followed.found.outcomes[:-1])
    with pytest.raises(CheckFailed, match="every command of the guide runs"):
        cut_short.demand_complete()
