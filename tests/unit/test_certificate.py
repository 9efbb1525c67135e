"""Certificates: a pair judged as git has it, and handshakes with real TLS servers on loopback."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from cleanroom import certificate, renewal
from cleanroom.certificate import Pair
from cleanroom.errors import BadInput, CheckFailed
from cleanroom.redact import Secret
from cleanroom.site import Site
from cleanroom.tables.serving import Certificate
from tests.unit.authority import Authority, tls_server
from tests.unit.sites import write

DOMAIN = "ci.example.org"
ADDRESS = "127.0.0.1"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def pair_of(authority: Authority, *names: str) -> Pair:
    issued = authority.issue(*names)
    return certificate.pair("tls", Secret(issued.certificate.read_bytes(), name="tls"), Secret(issued.key.read_bytes(), name="key"))


def rehearsed(*, now: datetime.datetime = NOW) -> tuple[Secret, Secret, bytes]:
    return renewal.issue(DOMAIN, now=now)


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[Pair, Path]:
    """A pair in good order, and the bundle that trusts it."""
    chain, key, bundle = rehearsed()
    (tmp_path / "trust.pem").write_bytes(bundle)
    return certificate.pair("tls", chain, key), tmp_path / "trust.pem"


def test_a_good_pair_holds_in_every_respect(trusted: tuple[Pair, Path]) -> None:
    good, trust = trusted
    good.check_match()
    good.check_names(DOMAIN)
    good.check_trust(DOMAIN, trust, now=NOW)
    good.check_time(0, now=NOW)


def test_key_and_certificate_of_different_renewals_are_told() -> None:
    (chain, _, _), (_, key, _) = rehearsed(), rehearsed()
    with pytest.raises(CheckFailed, match="belong together"):
        certificate.pair("tls", chain, key).check_match()


@pytest.mark.parametrize("names", [(DOMAIN,), (f"drone.{DOMAIN}",), ("*.example.org",), (f"*.other.{DOMAIN}",)])
def test_a_certificate_that_does_not_cover_every_label_is_told(authority: Authority, names: tuple[str, ...]) -> None:
    with pytest.raises(CheckFailed, match=rf"SAN has \*\.{DOMAIN}"):
        pair_of(authority, *names).check_names(DOMAIN)


def test_the_chain_must_be_in_order(authority: Authority, tmp_path: Path) -> None:
    chain, key, bundle = rehearsed()
    trust = tmp_path / "trust.pem"
    trust.write_bytes(bundle)
    leaf = chain.reveal().removesuffix(bundle)
    certificate.pair("tls", chain, key).check_trust(DOMAIN, trust, now=NOW)
    stranger = authority.bundle.read_bytes()
    with pytest.raises(CheckFailed, match="chain is in order"):
        certificate.pair("tls", Secret(leaf + stranger + bundle, name="tls"), key).check_trust(DOMAIN, trust, now=NOW)
    with pytest.raises(CheckFailed, match="leads to a trusted authority"):
        certificate.pair("tls", chain, key).check_trust(DOMAIN, authority.bundle, now=NOW)


@pytest.mark.parametrize("now", [NOW - 10 * DAY, NOW + 10 * DAY])
def test_a_certificate_out_of_its_time_is_told_as_that_and_not_as_untrusted(trusted: tuple[Pair, Path], now: datetime.datetime) -> None:
    pair, trust = trusted
    pair.check_trust(DOMAIN, trust, now=now)
    with pytest.raises(CheckFailed, match="inside the validity window"):
        pair.check_time(0, now=now)


def test_a_certificate_that_ends_too_soon_is_told(authority: Authority) -> None:
    with pytest.raises(CheckFailed, match=r"(89|90) days"):
        pair_of(authority, f"*.{DOMAIN}").check_time(91, now=NOW)


def test_an_intermediate_that_ends_too_soon_is_told(authority: Authority) -> None:
    pair = pair_of(authority, f"*.{DOMAIN}")
    chain, _, _ = rehearsed()
    lived = dataclasses.replace(pair, chain=(*pair.chain, *x509.load_pem_x509_certificates(chain.reveal())[1:]))
    pair.check_time(30, now=NOW)
    with pytest.raises(CheckFailed, match=r"[01] days: CN=cleanroom rehearsal"):
        lived.check_time(30, now=NOW)


def test_a_private_key_behind_the_chain_is_told_without_showing_it() -> None:
    chain, key, _ = rehearsed()
    certificate.pair("tls", chain, key).check_apart()
    with pytest.raises(CheckFailed, match="holds no private key"):
        certificate.pair("tls", Secret(chain.reveal() + key.reveal(), name="tls"), key).check_apart()


@pytest.mark.parametrize(("spoilt", "expected"), [("tls", "PEM certificate chain"), ("key", "PEM private key")])
def test_what_is_no_pem_is_told_without_showing_it(spoilt: str, expected: str) -> None:
    chain, key, _ = rehearsed()
    values = {"tls": chain, "key": key, spoilt: Secret("/root/privkey.pem: a path, stored instead of the file", name=spoilt)}
    with pytest.raises(CheckFailed, match=expected) as caught:
        certificate.pair("tls", values["tls"], values["key"])
    assert "/root" not in str(caught.value)


def test_a_secret_that_git_does_not_hold_is_told() -> None:
    settings = Certificate(certificate="tls/cert", key="tls/key", certificate_path="/c", key_path="/k")
    chain, _, _ = rehearsed()
    with pytest.raises(CheckFailed, match="git holds a secret tls/key"):
        certificate.of_secrets(settings, {"tls/cert": chain})


def test_a_trust_store_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="trust store"):
        certificate.authorities(tmp_path / "none.pem")


Shown = Callable[..., AbstractContextManager[int]]


@pytest.fixture
def serving(authority: Authority) -> Shown:
    @contextmanager
    def serve(*names: str, by: Authority = authority) -> Iterator[int]:
        with tls_server(BaseHTTPRequestHandler, by.issue(*names), (ADDRESS, 0)) as server:
            yield port_of(server)

    return serve


def port_of(server: ThreadingHTTPServer) -> int:
    return int(server.server_address[1])


def test_a_verified_handshake_shows_the_leaf(authority: Authority, serving: Shown) -> None:
    with serving(f"*.{DOMAIN}") as port:
        shown = certificate.handshake(ADDRESS, f"drone.{DOMAIN}", trust=authority.bundle, port=port)
    assert shown.version in {"TLSv1.2", "TLSv1.3"}
    assert certificate.dns_names(shown.leaf) == [f"*.{DOMAIN}"]


@pytest.mark.parametrize("names", [("TRAEFIK-DEFAULT-CERT",), ("other.example",), (f"*.sub.{DOMAIN}",)])
def test_another_certificate_is_told_with_whose_it_is(tmp_path: Path, authority: Authority, serving: Shown, names: tuple[str, ...]) -> None:
    with serving(*names, by=Authority(tmp_path / "own")) as port, pytest.raises(CheckFailed, match="a verified TLS handshake") as caught:
        certificate.handshake(ADDRESS, f"drone.{DOMAIN}", trust=authority.bundle, port=port)
    assert "the certificate is" in caught.value.seen


def test_nobody_listening_is_the_site_s_failure(authority: Authority, serving: Shown) -> None:
    with serving(f"*.{DOMAIN}") as port:
        pass
    with pytest.raises(CheckFailed, match="refused"):
        certificate.handshake(ADDRESS, f"drone.{DOMAIN}", trust=authority.bundle, port=port)


def test_a_random_label_is_one_that_nobody_has() -> None:
    assert certificate.random_label() != certificate.random_label()


@pytest.mark.parametrize(("every", "holds"), [(7, False), (1000, True)])
def test_a_name_that_serves_the_leaf_only_now_and_then_does_not_serve_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, every: int, holds: bool
) -> None:
    """One visitor in seven is shown another certificate: there are rounds in which nobody is."""
    ours, other = (certificate.pair("tls", *rehearsed()[:2]) for _ in range(2))
    asked = itertools.count(1)

    def handshake(_address: str, host: str, **_: object) -> certificate.Handshake:
        return certificate.Handshake(host, "TLSv1.3", (other if next(asked) % every == 0 else ours).leaf)

    monkeypatch.setattr(certificate, "handshake", handshake)
    site = Site.load(write(tmp_path, {"service.0.within": "1s"}))
    with nullcontext() if holds else pytest.raises(CheckFailed, match="a verified TLS handshake with the leaf of tls"):
        certificate.check_all_names(ADDRESS, site, ours, trust=None)
