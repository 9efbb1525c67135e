"""Limitations: narrow, answered for, and never the old excuse."""

from __future__ import annotations

import datetime

import pytest

from cleanroom.claim import limitations
from cleanroom.claim.limitations import Admitted
from cleanroom.claim.sections import document
from cleanroom.errors import CheckFailed

TODAY = datetime.date(2026, 11, 26)
GOOD = {
    "scope": "`drone-runner-arm64.service` on the throwaway",
    "reason": "there is no ARM hardware in this project",
    "most that was tested": "the unit's file evaluates and builds",
    "signed off": "Ada Lovelace, 2026-11-25",
}


def table(**changes: str) -> str:
    row = {**GOOD, **{key.replace("_", " "): value for key, value in changes.items()}}
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (list(row), ["---"] * len(row), list(row.values())))


def read(text: str) -> tuple[Admitted, ...]:
    return limitations.of_documents({"REVIEW.md": f"# Review\n\n## Limitations\n\n{text}\n"})


def judge(text: str) -> None:
    found = read(text)
    limitations.check_complete(found, today=TODAY)
    limitations.check_no_old_excuse(found)


@pytest.mark.parametrize("text", ["None.", "None", "none", "There are none."])
def test_none_can_be_said(text: str) -> None:
    assert [section.limitations for section in read(text)] == [()]
    judge(text)


def test_a_narrow_limitation_is_one() -> None:
    judge(table())
    assert read(table())[0].limitations[0].where == "REVIEW.md:7"


@pytest.mark.parametrize("scope", ["`*`", "`/`", "`c4_cleanroom.feature`", "`cc-ci`", "cc-ci.", "`nixosConfigurations.cc-ci`"])
def test_what_is_all_of_it_is_no_narrow_scope(scope: str) -> None:
    with pytest.raises(CheckFailed, match="one thing that can be pointed at"):
        limitations.check_complete(read(table(scope=scope)), today=TODAY, whole=frozenset({"cc-ci", "nixosConfigurations.cc-ci"}))


def test_a_scenario_is_a_narrow_scope() -> None:
    judge(table(scope="`c4_cleanroom.feature: It survives a reboot`"))
    limitations.check_complete(read(table(scope="the kernel of `cc-ci`")), today=TODAY, whole=frozenset({"cc-ci"}))


@pytest.mark.parametrize("tested", ["nothing at all was tested", "it was not tested at all", "none of it was ever"])
def test_nothing_in_more_words_is_nothing(tested: str) -> None:
    with pytest.raises(CheckFailed, match="the most that was tested"):
        judge(table(most_that_was_tested=tested))


def test_what_was_tested_may_be_said_by_what_was_not() -> None:
    judge(table(most_that_was_tested="nothing beyond evaluating and building it"))
    judge(table(most_that_was_tested="it boots; a reboot was not tested"))


@pytest.mark.parametrize("name", ["root", "CI", "Claude", "an AI agent"])
def test_a_program_answers_for_nothing(name: str) -> None:
    with pytest.raises(CheckFailed, match="signed off by a person"):
        judge(table(signed_off=f"{name}, 2026-11-25"))


def test_an_excuse_is_seen_through_what_nobody_sees() -> None:
    with pytest.raises(CheckFailed, match="excused by DNS"):
        judge(table(reason="the D\u200bN\u00adS there is not ours to change"))


def test_columns_may_stand_in_any_order() -> None:
    row = dict(reversed(GOOD.items()))
    judge("\n".join(f"| {' | '.join(cells)} |" for cells in (list(row), ["---"] * 4, list(row.values()))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "None, except that the live rebuild was not tried.",
        "None.\n\nBut see the annex.",
        "- a live rebuild",
        "A live rebuild was not tried.",
        "| scope | reason |\n|---|---|\n| a | b |",
        "| scope | reason | most that was tested | signed off |\n|---|---|---|---|",
        f"{table()}\n\nAnd some more that we did not write down.",
        f"{table()}\n\n{table()}",
        f"None.\n\n{table()}",
        "<!-- None. -->",
        "None.\n\n<p>\nThe live rebuild was not tried.\n</p>",
    ],
)
def test_silence_and_prose_are_no_limitations(text: str) -> None:
    with pytest.raises(CheckFailed, match="limitations are one table"):
        judge(text)


@pytest.mark.parametrize(
    "scope",
    [
        "", "-", "n/a", "everything", "the live rebuild", "a live rebuild", "the rebuild of `cc-ci`", "rebuilding", "D8",
        "C4", "C1.8", "all services", "the whole host",
        "the machine", "the server", "production",
        "`cc-ci`, `drone` etc", "various units", "the clean-room rebuild", "reproducibility", "some units",
        "any host but cc-nix-test", "re-installation of x.service",
    ],
)  # fmt: skip
def test_a_broad_scope(scope: str) -> None:
    with pytest.raises(CheckFailed, match="one thing that can be pointed at"):
        judge(table(scope=scope))


@pytest.mark.parametrize(
    "scope",
    [
        "`drone.service`", "docs/install.md:41", "host arm1.ci.example.org",
        "the scenario \u201cTwo strangers agree\u201d", "the machine's `/dev/kvm`",
        "port 2222", "c4_cleanroom.feature: Two strangers agree", "the kernel of `cc-ci-throwaway`: a system container has its host's",
    ],
)  # fmt: skip
def test_a_scope_that_can_be_pointed_at(scope: str) -> None:
    judge(table(scope=scope))


@pytest.mark.parametrize("word", ["", "-", "—", "n/a", "none", "nothing", "TBD", "see above", "as above", "not tested", "it works", "?"])
@pytest.mark.parametrize(("column", "told"), [("reason", "a reason"), ("most_that_was_tested", "the most that was tested")])
def test_a_reason_and_what_was_tested_are_said(column: str, told: str, word: str) -> None:
    with pytest.raises(CheckFailed, match=f"a limitation says {told}"):
        judge(table(**{column: word}))


@pytest.mark.parametrize(
    "signature",
    [
        "", "-", "Ada Lovelace", "2026-11-25", "the operator, 2026-11-25",
        "TBD, 2026-11-25", "the team, 2026-11-25", "A, 2026-11-25", "Ada Lovelace, yesterday",
        "Ada Lovelace, 25.11.2026", "Ada Lovelace, 2026-11-31", "Ada Lovelace, 2026-11-27",
        "approved, by us, 2026-11-25", "Ada Lovelace, 2026-11-25, pending",
    ],
)  # fmt: skip
def test_a_sign_off_has_a_name_and_a_day(signature: str) -> None:
    with pytest.raises(CheckFailed, match="signed off"):
        judge(table(signed_off=signature))


@pytest.mark.parametrize("signature", ["Ada Lovelace, 2026-11-25", "Ada Lovelace (2026-11-26)", "Ada Lovelace 2026-11-25", "Ångström: 2026-01-01"])
def test_ways_to_sign_off(signature: str) -> None:
    judge(table(signed_off=signature))


@pytest.mark.parametrize(
    "reason",
    [
        "host-key binding keeps it from starting",
        "host key binding does not allow it",
        "the secrets open only with the host\u2019s own key",
        "sops is tied to this machine",
        "sops binds the file to one host",
        "each file is encrypted to the SSH key of the canonical host",
        "only that box can decrypt the file",
        "it is bound to the old server",
        "the data is machine-bound by construction",
        "the age key is derived from ssh_host_ed25519_key",
        "our configuration is keyed to the current hardware",
        "another machine is no recipient of it",
        "the identity of the host would have to move",
        "re-encrypting for a new box was too much work",
        "the server's private key never leaves it",
    ],
)
def test_host_key_binding_is_no_reason(reason: str) -> None:
    with pytest.raises(CheckFailed, match="excused by host-key binding"):
        judge(table(reason=reason))


@pytest.mark.parametrize(
    "reason",
    [
        "DNS belongs to the operator",
        "the domain points at the old machine",
        "the A record cannot be moved for a test",
        "name servers are run by somebody else",
        "the TLS certificate was issued to the operator",
        "no cert could be had for it",
        "Let\u2019s Encrypt limits how many there may be",
        "the ACME account is the operator's own",
        "the wildcard is operator-owned",
        "the zone at Gandi is out of our hands",
        "its public name leads elsewhere today",
        "the X.509 chain cannot be made here",
    ],
)
def test_dns_and_certificates_are_no_reason(reason: str) -> None:
    with pytest.raises(CheckFailed, match="excused by DNS or certificates"):
        judge(table(reason=reason))


@pytest.mark.parametrize(
    "reason",
    [
        "the hypervisor found no `/dev/kvm`, so it makes no virtual machines",
        "there is no ARM hardware in this project",
        "the vendor's registry was down on that day",
        "a second throwaway does not fit into 12 GiB",
        "the mail relay takes no messages from test addresses",
    ],
)
def test_an_honest_reason_holds(reason: str) -> None:
    judge(table(reason=reason))


def test_every_document_is_looked_at_and_every_section_of_it() -> None:
    documents = {
        "a.md": "# A\n\n## Known limitations\n\nNone.\n",
        "b.md": "## Limitation\n\nNone.\n\n## Other\n\nx\n\n# Limitations of B\n\nThe rebuild.\n",
    }
    with pytest.raises(CheckFailed, match=r"b\.md:9"):
        limitations.of_documents(documents)


def test_the_claim_itself_says_what_its_limitations_are() -> None:
    with pytest.raises(CheckFailed, match="says once what its limitations are"):
        limitations.of_section(document("## Clean-room run\n\nfine\n"), "REVIEW.md")
    with pytest.raises(CheckFailed, match="2 of them"):
        limitations.of_section(document("## x\n\n### Limitations\n\nNone.\n\n### Limitations\n\nNone.\n"), "REVIEW.md")
    assert limitations.of_section(document("## x\n\n### Limitations\n\nNone.\n"), "REVIEW.md").limitations == ()
