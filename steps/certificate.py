"""The certificate: in git, on the machine, in the proxy, and as strangers are served it."""

from __future__ import annotations

import datetime
from pathlib import Path

from pytest_bdd import given, then, when

from cleanroom import certificate, placement, vault
from cleanroom.certificate import Pair
from cleanroom.documents import library, stale
from cleanroom.placement import Removal
from cleanroom.renewal import Renewal
from cleanroom.repository import Repository
from cleanroom.run import Run
from cleanroom.site import Site
from cleanroom.throwaway import Throwaway
from cleanroom.trial import Trial


@given("the certificate and key that git holds")
def gits_pair(pair: Pair) -> None:
    assert pair.chain


@then("key and certificate belong together")
def pair_matches(pair: Pair) -> None:
    pair.check_match()


@then("the key stands in a secret of its own")
def key_stands_apart(pair: Pair) -> None:
    pair.check_apart()


@then("the certificate covers every label under the domain")
def covers_wildcard(pair: Pair, site: Site) -> None:
    pair.check_names(site.domain)


@then("its chain is in order and leads to a trusted authority")
def chain_is_trusted(pair: Pair, site: Site) -> None:
    pair.check_trust(site.domain, site.certificate.trust, now=datetime.datetime.now(datetime.UTC))


@then("it is valid now, and for as many days more as the site demands")
def is_valid(pair: Pair, site: Site) -> None:
    pair.check_time(site.certificate.minimum_days, now=datetime.datetime.now(datetime.UTC))


@then("the certificate files on it are git's bytes")
def files_are_gits(throwaway: Throwaway, site: Site, pair: Pair) -> None:
    placement.check_files(throwaway.machine, site.certificate, pair)


@then("the key's file can be read by its owner and group only")
def key_is_private(throwaway: Throwaway, site: Site) -> None:
    placement.check_key_private(throwaway.machine, site.certificate)


@then("the proxy's swarm secrets carry git's bytes inside the running service")
def proxy_carries_it(throwaway: Throwaway, site: Site, pair: Pair) -> None:
    placement.check_carried(throwaway.machine, site, pair)


@then("every public name, and a random label under the wildcard, serves exactly git's leaf over verified TLS")
def names_serve_gits_leaf(throwaway: Throwaway, site: Site, pair: Pair) -> None:
    certificate.check_all_names(throwaway.machine.ssh.address, site, pair, trust=site.certificate.trust, record=throwaway.machine.record)


@when("the certificate files are deleted and the system is activated again", target_fixture="removal")
def files_are_deleted(trial: Trial, site: Site) -> Removal:
    return Removal.of(trial, site.certificate)


@then("the activation ends well")
def activation_ended_well(removal: Removal) -> None:
    removal.check_activated()


@then("no document tells anyone to bring a certificate")
def documents_ask_for_none(base: Repository, site: Site) -> None:
    paths = (site.certificate.certificate_path, site.certificate.key_path)
    stale.check_brings_no_certificate(library.read_all(base, site.base.documents), paths)


@when(
    "a new certificate, from an authority made for this rehearsal, is committed to a scratch copy of secrets and the machine is rebuilt from it",
    target_fixture="renewal",
)
def certificate_is_renewed(
    trial: Trial, base: Repository, secrets: Repository, plaintext: vault.Opened, site: Site, bench: Path, run: Run
) -> Renewal:
    return Renewal.of(trial, base, secrets, plaintext, site, bench, run.redactor)


@then("every public name, and a random label, serves exactly the new leaf, verified against that authority alone")
def names_serve_new_leaf(renewal: Renewal) -> None:
    renewal.check_new_leaf()


@then("a rebuild from git brings back git's system, files and leaf")
def way_back(renewal: Renewal) -> None:
    renewal.check_way_back()
