"""The open questions: answered, not answered, answered twice, answered otherwise than the site is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cleanroom.documents import decisions
from cleanroom.documents.reading import Document, read
from cleanroom.errors import CheckFailed
from cleanroom.guide import parse
from cleanroom.site import Site
from tests.unit.sites import write

GUIDE = parse("```sh\nnixos-rebuild switch\n```\n", file="docs/install.md", within=60)
ALL = {
    "consumed": "**Flake input or submodule?** Flake input: a clone alone is whole. A submodule needs a recursive clone.",
    "key": "**How does the key reach a new machine?** The bootstrap age key as it is, over SSH. No new host key has to be made.",
    "fetched": "**How is the private repository fetched?** With a token, read-only. A deploy key would do as well.",
    "sizing": "**Final sizing.** 4 GiB for the canonical host, 4 GiB for a rebuilt machine.",
    "dns": "**DNS as code?** Out of scope.",
}


def document(**changed: str) -> Document:
    return read("# Decisions\n\n" + "\n\n".join({**ALL, **changed}.values()) + "\n", file="DECISIONS.md")


def site(tmp_path: Path, **edits: Any) -> Site:
    return Site.load(write(tmp_path, {"incus.canonical_host": "cc-nix-test", **edits}))


def check(tmp_path: Path, **changed: str) -> None:
    decisions.check_answered(document(**changed))
    decisions.check_agree(document(**changed), site(tmp_path), GUIDE)


SAME = [
    {},
    {"consumed": "## Flake input or submodule?\n\nWe take it in as a flake input rather than as a submodule."},
    {"consumed": "## Secrets are a flake input\n\nAs a flake input the lock names their revision."},
    {"consumed": "## Flake input or submodule?\n\n**As a flake input.** The lock names its revision."},
    {"consumed": "## Submodule?\n\nNot a submodule but a flake input."},
    {"consumed": "- **Submodule or flake input**: flake input"},
    {"consumed": "| question | answer |\n|---|---|\n| flake input or submodule? | flake input |"},
    {"key": "## Bootstrap key and new machines\n\nBy the recovery key, as it is."},
    {"fetched": "## How is `cc-ci-secrets` fetched?\n\nBy a bot's token instead of a deploy key."},
    {"sizing": "## Memory\n\nThe canonical host gets 4 GB. The rebuilt machine 4GB."},
    {"sizing": "## Sizing\n\n`cc-nix-test` gets 4 GiB, a rebuilt machine 4 GiB."},
    {"dns": "## DNS\n\nDNS and gateway as code are out of scope."},
]


@pytest.mark.parametrize("number", range(len(SAME)))
def test_an_answer_may_be_worded_in_many_ways(tmp_path: Path, number: int) -> None:
    check(tmp_path, **SAME[number])


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"consumed": ""}, "no decision about it"),
        ({"consumed": "**Flake input or submodule?**"}, "no decision about it"),
        ({"consumed": "**Flake input or submodule?** TODO"}, "TODO"),
        ({"consumed": "**Flake input or submodule?** To be decided: flake input, probably."}, "To be decided"),
        ({"consumed": "**Flake input or submodule?** Still an open question."}, "open question"),
        ({"consumed": "**Flake input or submodule?** Flake input?"}, "no sentence affirms"),
        ({"consumed": "**Flake input or submodule?** It could be a flake input."}, "no sentence affirms"),
        ({"consumed": "**Flake input or submodule?** Not a flake input."}, "no sentence affirms"),
        ({"consumed": "**Flake input or submodule?** Yes."}, "no sentence affirms"),
        ({"consumed": "**Flake input or submodule?** A flake input and a submodule."}, "at once"),
        ({"dns": "**DNS as code?** Out of scope.\n\n## Submodule\n\nWe have a submodule now."}, "flake-input and submodule at once"),
        ({"key": "## Bootstrap key\n\nOn every new machine."}, "no sentence affirms"),
        ({"key": "**How does the key get there?** Somehow."}, "no decision about it"),
        ({"key": "**How does the key reach a new machine?** Somehow."}, "no sentence affirms"),
        ({"fetched": "**How is the private repository fetched?** By git."}, "no sentence affirms"),
        ({"sizing": "**Final sizing.** Enough."}, "no size"),
        ({"sizing": "**Final sizing.** To be determined, 4 GiB for now."}, "To be determined"),
        ({"dns": "**DNS as code?** It depends."}, "no sentence affirms"),
        ({"dns": "## Superseded\n\n**DNS as code?** Out of scope."}, "no decision about it"),
        ({"dns": "<!-- **DNS as code?** Out of scope. -->"}, "no decision about it"),
    ],
)
def test_what_is_no_answer_is_told(tmp_path: Path, changed: dict[str, str], seen: str) -> None:
    with pytest.raises(CheckFailed, match=r"DECISIONS\.md") as caught:
        check(tmp_path, **changed)
    assert seen in caught.value.seen


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"consumed": "**Flake input or submodule?** A submodule."}, "flake-input"),
        ({"key": "**How does the key reach a new machine?** Each gets a new host key, and everything is encrypted again."}, "the key as it is"),
        ({"fetched": "**How is the private repository fetched?** With a read-only deploy key."}, "a token"),
        ({"dns": "**DNS as code?** In scope: `dns/` holds the zone."}, "out of scope"),
        ({"sizing": "**Final sizing.** 6 GiB for the canonical host, 6 GiB for a rebuilt machine."}, "4.0 GiB"),
        ({"sizing": "**Final sizing.** 4 GiB for whatever is made."}, "cc-nix-test"),
    ],
)
def test_an_answer_that_contradicts_the_site_is_told(tmp_path: Path, changed: dict[str, str], expected: str) -> None:
    decisions.check_answered(document(**changed))
    with pytest.raises(CheckFailed) as caught:
        check(tmp_path, **changed)
    assert expected in caught.value.expected


def test_what_was_not_chosen_is_no_second_answer(tmp_path: Path) -> None:
    check(tmp_path, consumed="## Flake input or submodule?\n\nFlake input.\n\n**Why not a submodule?** Submodules want a recursive clone.")
    check(
        tmp_path,
        consumed="**Flake input or submodule?** Flake input.\n\n## Locking the flake input\n\nThe lock names a commit. The flake input is locked.",
    )


def test_a_guide_that_makes_a_host_key_shows_another_answer(tmp_path: Path) -> None:
    guide = parse("```sh\nssh-keygen -t ed25519 -f /etc/key\n```\n", file="docs/install.md", within=60)
    with pytest.raises(CheckFailed, match=r"a new host key, by the commands of docs/install\.md"):
        decisions.check_agree(document(), site(tmp_path), guide)


def test_a_submodule_is_an_answer_too(tmp_path: Path) -> None:
    changed = document(consumed="**Flake input or submodule?** A submodule.")
    decisions.check_agree(changed, site(tmp_path, **{"secrets.consumed_as": "submodule"}), GUIDE)
