"""The secrets: what is declared, what was delivered, what the one key opens, and where nothing of them may lie."""

from __future__ import annotations

from pathlib import Path

from pytest_bdd import given, parsers, then, when

from cleanroom import declared, delivery
from cleanroom.declared import Pair, SopsFile
from cleanroom.documents import library, out_of_band
from cleanroom.guide import Guide
from cleanroom.key_trials import Attempt
from cleanroom.repository import Repository
from cleanroom.run import Run
from cleanroom.sighting import absence
from cleanroom.sighting.machine_sightings import MachinePlaces
from cleanroom.sighting.needles import Needles
from cleanroom.sighting.sightings import GitPlaces, ReportPlaces
from cleanroom.site import Site
from cleanroom.throwaway import Throwaway
from cleanroom.trial import Trial


@when("base's declared secrets are evaluated")
def declared_secrets(pairs: tuple[Pair, ...]) -> None:
    assert pairs


@then("each declared secret has a value in git")
def declared_exist(pairs: tuple[Pair, ...]) -> None:
    declared.check_declared_exist(pairs)


@then("git holds no secret that base does not declare")
def nothing_undeclared(pairs: tuple[Pair, ...], sops_files: tuple[SopsFile, ...]) -> None:
    declared.check_nothing_undeclared(pairs, sops_files)


@then("the secrets that every cc-ci needs are among them")
def required_are_there(pairs: tuple[Pair, ...], site: Site) -> None:
    declared.check_required(pairs, site)


@then("each host's age recipient can open them")
def hosts_can_open(sops_files: tuple[SopsFile, ...], site: Site) -> None:
    declared.check_hosts(sops_files, site.required_secrets.hosts)


@then("the document about secrets names exactly one out-of-band secret, the bootstrap key")
def document_names_one(base: Repository, site: Site) -> None:
    out_of_band.check_one(library.read_one(base, site.base.secrets_document), key_path=site.bootstrap.machine_path)


@then("no file appeared on it between the first look at it and the guide's first command")
def nothing_appeared(run: Run, throwaway: Throwaway) -> None:
    delivery.check_nothing_appeared(run.ledger, throwaway.machine)


@then("each command that the operator ran was watched for what it delivered")
def deliveries_watched(run: Run, guide: Guide) -> None:
    delivery.check_watched(run.ledger, guide)


@then("exactly the bootstrap key was delivered")
def only_key_delivered(run: Run, guide: Guide, site: Site) -> None:
    delivery.check_only_key(run.ledger, guide, key_file=site.bootstrap.key_file, key_path=site.bootstrap.machine_path)


@then("no secret was handed to the guide but what fetches the private repository")
def only_credential_handed(site: Site) -> None:
    delivery.check_handed(site)


@then("each declared secret on the machine equals git's value")
def values_equal(throwaway: Throwaway, pairs: tuple[Pair, ...]) -> None:
    declared.check_values(throwaway.machine, pairs)


@then("each has the owner, the group and the mode that base declares")
def modes_equal(throwaway: Throwaway, pairs: tuple[Pair, ...]) -> None:
    declared.check_modes(throwaway.machine, pairs)


@then("nothing else lies where secrets are decrypted")
def nothing_else(throwaway: Throwaway, pairs: tuple[Pair, ...]) -> None:
    declared.check_nothing_else(throwaway.machine, pairs)


@when(parsers.parse("the machine is activated with {key}"), target_fixture="attempt")
def activated_with(key: str, key_trial: Trial, pairs: tuple[Pair, ...], site: Site) -> Attempt:
    return Attempt.of(key_trial, site.bootstrap.machine_path, pairs, tried_with=key)


@then("the activation is refused, and says that it is for the key")
def activation_refused(attempt: Attempt) -> None:
    attempt.check_refused()
    attempt.check_reason()


@then("no secret is left behind")
def nothing_left(attempt: Attempt) -> None:
    attempt.check_nothing_left()


@then("with the key put back every secret is decrypted again")
def restored(attempt: Attempt) -> None:
    attempt.check_restored()


@given("both repositories with every object of their histories")
def histories(in_git: GitPlaces) -> None:
    absence.check_covered(in_git.histories)


@then("no decrypted value lies in base's files")
def values_not_in_base(needles: Needles, in_git: GitPlaces) -> None:
    absence.check_absent(needles.values, in_git.base_files)


@then("no decrypted value lies in any object of either repository")
def values_not_in_histories(needles: Needles, in_git: GitPlaces) -> None:
    absence.check_absent(needles.values, in_git.histories)


@then("the bootstrap key and the fetch credential lie in no object of either repository")
def key_not_in_histories(needles: Needles, in_git: GitPlaces) -> None:
    absence.check_absent(needles.key, in_git.histories)
    absence.check_absent(needles.credential, in_git.histories)


@then("no decrypted value lies in its Nix store, derivations included")
def values_not_in_store(needles: Needles, on_machine: MachinePlaces) -> None:
    absence.check_absent(needles.values, on_machine.store)


@then("no decrypted value lies in its journal")
def values_not_in_journal(needles: Needles, on_machine: MachinePlaces) -> None:
    absence.check_absent(needles.values, on_machine.journal)


@then("no decrypted value lies in swarm specs or container environments")
def values_not_in_specs(needles: Needles, on_machine: MachinePlaces) -> None:
    absence.check_absent(needles.values, on_machine.specs)


@then("no decrypted value lies in command lines of running processes")
def values_not_in_processes(needles: Needles, on_machine: MachinePlaces) -> None:
    absence.check_absent(needles.values, on_machine.processes)


@then("no decrypted value lies in any other file, but for the site's named exceptions")
def values_not_in_files(needles: Needles, on_machine: MachinePlaces, site: Site) -> None:
    absence.check_only_where_allowed(needles.values, site.leaks.values, on_machine.files, table="values")


@then("no decrypted value lies in the suite's own reports")
def values_not_in_reports(needles: Needles, in_reports: ReportPlaces, tmp_path: Path) -> None:
    absence.check_absent(needles.values, in_reports.reports(tmp_path))


@then("the bootstrap key and the fetch credential lie in none of them")
def key_not_in_reports(needles: Needles, in_reports: ReportPlaces, tmp_path: Path) -> None:
    reports = in_reports.reports(tmp_path)
    absence.check_absent(needles.key, reports)
    absence.check_absent(needles.credential, reports)


@then("each place was listed by one means and scanned by another, and both met the same")
def searches_covered(in_git: GitPlaces, on_machine: MachinePlaces, in_reports: ReportPlaces, tmp_path: Path) -> None:
    absence.check_covered(in_git.base_files, in_git.histories, *on_machine.all(), in_reports.reports(tmp_path))


@then("each decrypted value was searched for, or is listed as not checked")
def values_accounted(run: Run, needles: Needles, in_git: GitPlaces) -> None:
    absence.check_accounted(run.ledger, needles.values, in_git.histories)


@then("no token of the DNS provider lies in base's files or in any object of either repository")
def dns_token_not_in_git(needles: Needles, in_git: GitPlaces) -> None:
    absence.check_absent(needles.dns_token, in_git.base_files, in_git.histories)


@then("no token of the DNS provider lies on the machine")
def dns_token_not_on_machine(needles: Needles, on_machine: MachinePlaces) -> None:
    absence.check_absent(needles.dns_token, *on_machine.all())


@then("the fetch credential lies in no file, store path, journal entry, spec or process of the machine")
def credential_not_on_machine(needles: Needles, on_machine: MachinePlaces) -> None:
    absence.check_absent(needles.credential, *on_machine.all())


@then("it lies in no file of base, the lock file included")
def credential_not_in_base(needles: Needles, in_git: GitPlaces) -> None:
    absence.check_absent(needles.credential, in_git.base_files)


@then("the bootstrap key lies nowhere but at its documented path")
def key_nowhere_else(needles: Needles, on_machine: MachinePlaces) -> None:
    absence.check_absent(needles.key, *on_machine.all())


@then("no other private key lies outside the decrypted secrets, but for the site's named exceptions")
def private_keys_where_allowed(needles: Needles, on_machine: MachinePlaces, site: Site) -> None:
    absence.check_only_where_allowed(needles.private_keys, site.leaks.private_keys, *on_machine.all(), table="private_keys")
