"""The repositories: what is in base, what is in secrets, and how the first consumes the second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_bdd import given, then, when

from cleanroom import activation, canonical, parameters, split, vault
from cleanroom.machine import Machine
from cleanroom.repointing import Repointing
from cleanroom.repository import Repository
from cleanroom.run import Run
from cleanroom.site import Site
from cleanroom.throwaway import Throwaway
from cleanroom.trial import Trial


@given("the secrets repository at the revision under test")
def secrets_repository(secrets: Repository) -> None:
    assert secrets.commit


@given("the base repository at the revision under test")
def base_repository(base: Repository) -> None:
    assert base.commit


@given("the secrets repository's address and the declared credential")
def secrets_address(site: Site) -> None:
    assert site.secrets.url


@then("each of its files is a sops file, the sops rules, or inert text")
def holds_only_secrets(secrets: Repository) -> None:
    split.check_only_secrets(secrets)


@then("each of its files is a plain file: none can be executed, none points elsewhere")
def holds_plain_files(secrets: Repository) -> None:
    split.check_modes(secrets)


@when("each sops file is opened with the bootstrap key", target_fixture="attempts")
def files_are_opened(secrets: Repository, identities: list[vault.Identity], run: Run) -> Sequence[split.Attempt]:
    return split.open_all(secrets, identities, run.redactor)


@then("every value in it was encrypted")
def values_were_encrypted(attempts: Sequence[split.Attempt], secrets: Repository) -> None:
    split.check_all_encrypted(attempts, secrets)


@then("the key opens it and its MAC verifies")
def macs_verify(attempts: Sequence[split.Attempt], secrets: Repository) -> None:
    split.check_authentic(attempts, secrets)


@then("each sops file has exactly the recipients that the sops rules give its path")
def recipients_are_the_rules(secrets: Repository) -> None:
    split.check_recipients(secrets)


@then("the bootstrap key's public half is one of them")
def bootstrap_is_recipient(secrets: Repository, identities: list[vault.Identity]) -> None:
    split.check_bootstrap_recipient(secrets, identities)


@then("base consumes secrets by the declared means, from the declared place")
def base_consumes_secrets(base: Repository, secrets: Repository, site: Site) -> None:
    split.check_declared_means(base, site.secrets)
    split.check_no_copy(base, secrets)


@then("the revision that base has locked is the revision of secrets under test")
def revision_is_locked(base: Repository, secrets: Repository, site: Site) -> None:
    split.check_locked(base, secrets, site.secrets)


@then("the forge refuses a stranger who asks for it")
def stranger_is_refused(site: Site) -> None:
    split.check_stranger_refused(site.secrets, site.forge)


@then("the declared credential fetches it, the revision under test included")
def credential_fetches(site: Site, run: Run, bench: Path) -> None:
    split.check_credential(site.secrets, site.forge, run.redactor, bench)


@then("each instance parameter is defined exactly once in base")
def parameters_defined_once(base: Repository, site: Site) -> None:
    parameters.check_defined_once(base, site.parameter)


@then("no instance parameter is kept in secrets")
def no_parameters_in_secrets(secrets: Repository, identities: list[vault.Identity], run: Run, site: Site) -> None:
    parameters.check_none_in_secrets(split.opened(split.open_all(secrets, identities, run.redactor)), site.parameter, secrets.url)


@when("the domain is changed by one edit in a scratch copy of base", target_fixture="repointing")
def domain_is_changed(trial: Trial, base: Repository, secrets: Repository, site: Site, bench: Path) -> Repointing:
    return Repointing.of(trial, base, secrets, site, bench)


@then("the scratch copy evaluates, to another system")
def evaluates_to_another(repointing: Repointing) -> None:
    repointing.check_another()


@then("the old domain stands nowhere in that system, and the new one does")
def no_old_domain(repointing: Repointing) -> None:
    repointing.check_no_old_domain()


@then("the canonical host runs the system that the flake builds, path and NAR hash of the whole closure")
def canonical_has_not_drifted(canonical_host: Machine, throwaway: Throwaway, base: Repository, site: Site) -> None:
    activation.check_system(throwaway.machine, base, site.base.flake_attribute)
    canonical.check_no_drift(canonical_host, throwaway.machine, base, site.base.flake_attribute)
