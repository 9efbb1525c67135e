"""No forgery holds, and each is refused for its own reason."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom import verifier
from tests.forgeries import forger, genuine
from tests.forgeries.corpus import CORPUS, Forgery
from tests.forgeries.forger import Desk
from tests.forgeries.genuine import Genuine

#: What the forger starts from, by name.
STARTS: dict[str, Callable[[Path], Genuine]] = {
    "lab": genuine.make,
    "failed": lambda place: genuine.make(place, failing=True),
    "builder": lambda place: genuine.make(place, role="builder"),
    "container": lambda place: genuine.make(place, kind="real"),
    "yesterday": lambda place: forger.aged(genuine.make(place), days=1.1),
}


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Genuine]:
    made: dict[str, Genuine] = {}

    def start(name: str) -> Genuine:
        if name not in made:
            place = tmp_path_factory.mktemp(name)
            run = STARTS[name](place)
            made[name] = replace(run, another=genuine.again(run, place / "again").folder)
        return made[name]

    return start


def test_there_are_enough_of_them_and_no_two_of_one_name() -> None:
    assert len(CORPUS) >= 60
    assert len({forgery.name for forgery in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("forgery", CORPUS, ids=[forgery.name for forgery in CORPUS])
def test_a_forgery_is_refused_for_its_own_reason(forgery: Forgery, starts: Callable[[str], Genuine], tmp_path: Path) -> None:
    start = starts(forgery.before)
    forged = start.copy(tmp_path / "forged")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(start.public.read_bytes())
    forgery.forge(Desk(forged.folder, start))
    found = verifier.verify(forged.folder, key=trusted if forgery.trusted else None, require=forgery.require, repo=start.repository)
    assert found.status == 1
    assert any(forgery.reason in reason for reason in found.wrong), found.wrong


HARMLESS: dict[str, Callable[[Desk], object]] = {
    "nothing": lambda _desk: None,
    "no keyid, which is a hint": lambda desk: desk.envelope(lambda envelope: envelope["signatures"][0].pop("keyid")),
    "a keyid that is not ours": lambda desk: desk.envelope(lambda envelope: envelope["signatures"][0].update(keyid="another")),
    "a second signature by somebody else": lambda desk: desk.envelope(lambda e: e["signatures"].append({"keyid": "x", "sig": "A" * 86 + "=="})),
    "another form of the same JSON": lambda desk: desk.envelope(lambda envelope: envelope.update(remark="a reader ignores what it does not know")),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_forgery_holds(name: str, starts: Callable[[str], Genuine], tmp_path: Path) -> None:
    start = starts("lab")
    copy = start.copy(tmp_path / "copy")
    HARMLESS[name](Desk(copy.folder, start))
    found = verifier.verify(copy.folder, key=start.public, require="lab", repo=start.repository)
    assert (found.wrong, found.status) == ([], 0)


def test_every_forgery_that_is_not_signed_with_the_genuine_key_fails_who_trusts_it(starts: Callable[[str], Genuine], tmp_path: Path) -> None:
    start = starts("lab")
    forged = start.copy(tmp_path / "forged")
    Desk(forged.folder, start).remake(lambda events: [json.loads(json.dumps(event).replace("cc-ci-throwaway", "my-throwaway")) for event in events])
    subprocess.run(["mv", str(forged.folder / "journal/cc-ci-throwaway.log"), str(forged.folder / "journal/my-throwaway.log")], check=True)
    Desk(forged.folder, start).reseal(signer=Desk(forged.folder, start).own())
    assert verifier.verify(forged.folder, require="lab", repo=start.repository).status == 0, "a whole forgery holds for who trusts nobody"
    assert verifier.verify(forged.folder, key=start.public, require="lab", repo=start.repository).status == 1
