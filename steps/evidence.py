"""The evidence: what the site's owner claims, the signed record that bears it out, and whether either was softened."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from pytest_bdd import given, then

from cleanroom import suite
from cleanroom.claim import done, evidence_document, forbidden, freshness, limitations, record, site_documents, unweakened
from cleanroom.claim.evidence_document import LIVE, STATIC, Entry
from cleanroom.claim.limitations import Admitted
from cleanroom.claim.record import Record
from cleanroom.repository import Repository
from cleanroom.run import Run
from cleanroom.site import Site


@given("the site's evidence document, and the signed record of the run that it refers to")
def document_and_record(entry: Entry, signed_record: Record) -> None:
    assert entry.run == signed_record.run


@given("all of the site's documents")
def all_documents(told: Mapping[str, bytes]) -> None:
    assert told


@then("the document claims a byte-identical closure, and in the record the canonical host had not drifted")
def static_half(entry: Entry, signed_record: Record) -> None:
    evidence_document.check_half(entry, STATIC, signed_record)


@then("the document claims a rebuild in the clean room, and in the record every scenario of it passed")
def live_half(entry: Entry, signed_record: Record) -> None:
    evidence_document.check_half(entry, LIVE, signed_record)


@then("each fact is stated in the document once, and none is missing")
def stated_once(entry: Entry) -> None:
    evidence_document.check_stated_once(entry)


@then("each stated fact equals the record's")
def facts_equal(entry: Entry, signed_record: Record) -> None:
    evidence_document.check_facts(entry, signed_record)


@then("whatever else in it looks like a fact stands in the record")
def prose_is_true(entry: Entry, signed_record: Record) -> None:
    evidence_document.check_prose(entry, signed_record)


@then("the commands that it shows are those that ran, in their order")
def commands_ran(entry: Entry, signed_record: Record) -> None:
    evidence_document.check_commands(entry, signed_record)


@then("whoever says DONE names a run, and its signed record bears that out")
def done_is_borne_out(told: Mapping[str, bytes], site: Site) -> None:
    done.check(site_documents.prose(told), lambda run: record.open_record(*site_documents.record_folder(site, run)))


@then("none of them says that a rebuild is infeasible by design, in whatever words, nor any other forbidden phrase")
def nothing_forbidden(told: Mapping[str, bytes], site: Site) -> None:
    forbidden.check_nowhere(told, site.evidence.forbidden_phrases)


@then("the evidence document says what its limitations are, or that there are none")
def limitations_are_said(entry: Entry) -> None:
    assert limitations.of_section(entry.section, entry.file).where


@then("each limitation has a narrow scope, a reason, the most that was tested, and a sign-off with name and date")
def limitations_are_narrow(admitted: tuple[Admitted, ...], site: Site) -> None:
    limitations.check_complete(admitted, today=datetime.datetime.now(datetime.UTC).date(), whole=site_documents.whole(site))


@then("no limitation has host-key binding, DNS or certificates for its reason")
def no_old_excuse(admitted: tuple[Admitted, ...]) -> None:
    limitations.check_no_old_excuse(admitted)


@then("the record is of this site, and younger than the site allows")
def record_is_young(signed_record: Record, site: Site) -> None:
    freshness.check_site(signed_record, site)
    freshness.check_age(signed_record, max_age=site.evidence.max_age, now=datetime.datetime.now(datetime.UTC))


@then("the record is of a cold start in the adversary's role")
def record_is_cold(signed_record: Record) -> None:
    freshness.check_cold(signed_record)


@then("the record's revisions are those now at the head of both repositories")
def record_is_of_the_heads(signed_record: Record, base: Repository, secrets: Repository, site: Site) -> None:
    freshness.check_heads(signed_record, base, secrets, site)


@then("the feature files, and all that judges by them, are as a commit has them")
def suite_is_committed() -> None:
    unweakened.check_suite(suite.root())


@then("the record was made with these very feature files, under the site's terms as they stand")
def record_is_of_these(signed_record: Record, site: Site) -> None:
    unweakened.check_same_features(signed_record, unweakened.features())
    unweakened.check_named_commit(signed_record, suite.root())
    unweakened.check_terms(signed_record, site)


@then("in the record every scenario but those about evidence passed, none left out, skipped or expected to fail")
def record_is_whole(signed_record: Record) -> None:
    unweakened.check_all_passed(signed_record, unweakened.features())


@then("the stand-alone verifier finds nothing else against the record")
def record_verifies(signed_record: Record, site: Site) -> None:
    _folder, trusted_key = site_documents.record_folder(site, signed_record.run)
    unweakened.check_verified(signed_record, trusted_key, suite.root())


@then("of this run, as far as it went, nothing was skipped or expected to fail")
def run_is_not_weakened(run: Run) -> None:
    unweakened.check_this_run(run, unweakened.features())
