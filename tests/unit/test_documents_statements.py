"""Required statements and preconditions: made, denied, scattered, smuggled."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.documents import model, preconditions, statements
from cleanroom.documents.library import Library, load
from cleanroom.documents.reading import read
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.site import Site
from cleanroom.tables.documents import Documents, Statement
from tests.unit.sites import write
from tests.unit.trees import Tree

FROM_GIT = Statement(id="x", says="the certificate comes from git", document="guide", words=("certificate", "(from git|in git)"))
HEADINGS = Documents().preconditions


def library(markdown: str) -> Library:
    return Library({"docs/install.md": read(markdown, file="docs/install.md")}, {"guide": "docs/install.md"})


def check(markdown: str, statement: Statement = FROM_GIT) -> None:
    statements.check_made(library(markdown), [statement])


@pytest.mark.parametrize(
    "text",
    [
        "The certificate comes from git.",
        "The *cert*ificate comes\nfrom `git`.",
        "- the certificate: from git",
        "| what | where |\n|---|---|\n| certificate | in git |",
        "> The certificate is in git.",
    ],
)
def test_a_statement_that_is_made(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("The certificate is here. The rest is in git.", "nearest to it"),
        ("The certificate.\n\nIn git.", "nearest to it"),
        ("- the certificate\n- in git", "nearest to it"),
        ("| certificate | here |\n|---|---|\n| key | in git |", "nearest to it"),
        ("The certificate is not in git.", "denied, doubted or asked"),
        ("Is the certificate in git?", "denied, doubted or asked"),
        ("## The certificate is in git\n\nText.", "no sentence has any"),
        ("Text.\n\n<!-- The certificate is in git. -->", "no sentence has any"),
        ("Text.\n\n```text\nThe certificate is in git.\n```", "no sentence has any"),
        ("Text. ~~The certificate is in git.~~", "no sentence has any"),
        ("Text.\n\n## History\n\nThe certificate is in git.", "no sentence has any"),
        ("Text.\n\n## Planned\n\nThe certificate is in git.", "no sentence has any"),
        ("Text.\n\n## Roadmap\n\n### Certificate\n\nThe certificate is in git.", "no sentence has any"),
        ("```sh\nls\n```", "no sentence at all"),
    ],
)
def test_a_statement_that_is_not_made_is_told_with_what_comes_nearest(text: str, seen: str) -> None:
    with pytest.raises(CheckFailed, match="the certificate comes from git") as caught:
        check(text)
    assert seen in caught.value.seen


def test_a_section_binds_a_statement() -> None:
    bound = FROM_GIT.model_copy(update={"section": ("certificate",)})
    check("## The certificate\n\nThe certificate is in git.\n", bound)
    with pytest.raises(CheckFailed, match="no sentence at all under a heading"):
        check("## Other\n\nThe certificate is in git.\n", bound)


def test_all_that_is_lacking_is_told_at_once() -> None:
    other = FROM_GIT.model_copy(update={"id": "y", "says": "the moon is round", "words": ("moon", "round")})
    with pytest.raises(CheckFailed, match=r"does not say: the moon is round \(y\)"):
        statements.check_made(library("Text."), [FROM_GIT, other])


def test_nothing_demanded_or_no_such_document_cannot_be_judged() -> None:
    with pytest.raises(HarnessError, match="no statement is demanded"):
        statements.check_made(library("Text."), [])
    with pytest.raises(HarnessError, match="names no document `plan`"):
        check("Text.", FROM_GIT.model_copy(update={"document": "plan"}))


def test_a_sites_statement_takes_a_defaults_place() -> None:
    own = FROM_GIT.model_copy(update={"id": "guide-renewal"})
    merged = model.statements([own, FROM_GIT])
    assert len(merged) == len(model.STATEMENTS) + 1
    assert own in merged


def guide(entries: str, *, before: str = "Three things:", after: str = "") -> str:
    return f"# Install\n\nText.\n\n## Before you begin\n\n{before}\n\n{entries}\n\n{after}\n\n## 1. Rebuild\n\nYou need patience.\n"


THREE = "1. **DNS**: names lead to the gateway.\n2. **Gateway**: passes TLS on.\n3. **The bootstrap age key**: you hold it.\n"


def preconditions_of(markdown: str) -> None:
    document = read(markdown, file="docs/install.md")
    preconditions.check_exact(document, HEADINGS)
    preconditions.check_nothing_beside(document, HEADINGS)


@pytest.mark.parametrize(
    "markdown",
    [
        guide(THREE),
        guide("- DNS records: a\n- the gateway\n- the recovery key, in your hand\n"),
        guide("- DNS and gateway\n- the age key file\n"),
        guide("- DNS: `a` points to it\n- The gateway passes TLS through by SNI\n- The age key is in your hand\n"),
        guide("| what | how |\n|---|---|\n| wildcard DNS | a |\n| TLS gateway | b |\n| age key | c |\n"),
        guide(THREE).replace("## Before you begin", "## Prerequisites"),
        guide(THREE, before="Three things must be true; nothing else is needed."),
        guide(THREE, after="You work at your own desk."),
        guide(THREE, after="## What you need to know\n\n- it takes ten minutes\n\n## If you need help\n\n- Ada"),
        guide(THREE.replace("passes TLS on.", "passes TLS on and holds no certificate.")),
        guide(THREE.replace("you hold it.", "you hold it.\n   - at `x`\n   - readable by you")),
    ],
)
def test_the_three_and_nothing_else(markdown: str) -> None:
    preconditions_of(markdown)


@pytest.mark.parametrize(
    ("markdown", "seen"),
    [
        (guide(THREE + "4. **An account at the registry**.\n"), "An account at the registry"),
        (guide(THREE + "4. **A certificate**: for the domain.\n"), "A certificate"),
        (guide(THREE.replace("**DNS**", "**DNS and a registry account**")), "DNS and a registry account"),
        (guide(THREE.replace("**The bootstrap age key**", "**The host key**")), "The host key"),
        (guide(THREE.replace("3. **The bootstrap age key**: you hold it.\n", "")), "age key"),
        (guide(THREE + "4. **DNS**: again.\n"), "again"),
        (guide(THREE + "4. The registry passes you in.\n"), "The registry"),
        (guide("You have DNS, gateway and the age key."), "prose alone"),
        (guide(THREE).replace("## Before you begin", "## Well then"), "no heading says"),
        (guide(THREE, after="You also need an account at the registry."), "You also need an account"),
        (guide(THREE.replace("passes TLS on.", "passes TLS on. Make sure that the registry is reachable.")), "Make sure"),
        (guide(THREE, after="A certificate is required."), "A certificate is required"),
        (guide(THREE, after="If nothing is there, you need a token."), "you need a token"),
        (guide(THREE + "   - an account at the registry\n"), "an account at the registry"),
        (guide(THREE.replace("you hold it.", "you hold it; a registry's password as well.")), "password as well"),
        (guide(THREE, after="Bring the licence.\n\n"), "Bring the licence"),
        (guide(THREE, after="## What else you need\n\n- a mirror of the registry"), "a mirror of the registry"),
        (guide(THREE, after="## Requirements\n\n- 64 GiB"), "64 GiB"),
    ],
)
def test_a_further_precondition_or_a_missing_one_is_told(markdown: str, seen: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        preconditions_of(markdown)
    assert seen in f"{caught.value.seen} {caught.value.where}"


FILES = dict.fromkeys(("docs/install.md", "docs/secrets.md", "docs/architecture.md", "DECISIONS.md"), "# D\n\nText.\n")
PLAN = "# Plan\n\n## Certificate\n\nA.\n\n## Schedule\n\nDrop the certificate file.\n\n## Secrets\n\nB.\n"


def test_of_a_plan_the_sections_count(tmp_path: Path) -> None:
    base = Tree(tmp_path / "base").commit({**FILES, "docs/plan.md": PLAN})
    shelf = load(Site.load(write(tmp_path, {"documents.plan": "docs/plan.md"})), base)
    assert [piece.text for piece in shelf.part("plan").pieces] == ["Certificate", "A.", "Secrets", "B."]
    assert "docs/plan.md" not in shelf.outside


def test_a_plan_on_this_side(tmp_path: Path) -> None:
    base = Tree(tmp_path / "base").commit(FILES)
    site = Site.load(write(tmp_path, {"documents.plan_file": "plan.md"}))
    with pytest.raises(BadInput, match="cannot read the plan"):
        load(site, base)
    (tmp_path / "plan.md").write_text(PLAN)
    assert load(site, base).outside == {"plan.md"}


def test_a_plan_that_speaks_of_neither_is_red(tmp_path: Path) -> None:
    base = Tree(tmp_path / "base").commit({**FILES, "docs/plan.md": "# Plan\n\n## Schedule\n\nA.\n"})
    with pytest.raises(CheckFailed, match="the plan has sections"):
        load(Site.load(write(tmp_path, {"documents.plan": "docs/plan.md"})), base)


def test_a_document_that_is_missing_is_red(tmp_path: Path) -> None:
    base = Tree(tmp_path / "base").commit({**FILES, "docs/secrets.md": "<!-- -->"})
    with pytest.raises(CheckFailed, match=r"base has the document docs/secrets\.md"):
        load(Site.load(write(tmp_path)), base)
