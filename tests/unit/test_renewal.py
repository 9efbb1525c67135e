"""The rehearsal's own certificate, and the sops file that carries it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from cleanroom import certificate, renewal, vault
from cleanroom.errors import BadInput
from cleanroom.redact import Secret
from tests.unit.trees import identity, sops_file

NOW = datetime.datetime.now(datetime.UTC)
KEY, HOST = identity(), identity()
VALUES = {"tls": {"cert": "old\n", "key": "old key\n"}, "drone": {"rpc": "a secret"}}


def opened(data: bytes, *identities: vault.Identity) -> vault.Opened:
    return vault.open_bytes(data, vault.Form.YAML, identities=identities)


def test_what_is_issued_is_verified_against_its_own_authority_alone(tmp_path: Path) -> None:
    chain, key, authority = renewal.issue("ci.example.org", now=NOW)
    trust = tmp_path / "trust.pem"
    trust.write_bytes(authority)
    pair = certificate.pair("tls", chain, key)
    pair.check_match()
    pair.check_names("ci.example.org")
    pair.check_trust("ci.example.org", trust, now=NOW)
    pair.check_time(0, now=NOW)


def test_each_rehearsal_has_a_pair_of_its_own() -> None:
    assert renewal.issue("ci.example.org", now=NOW)[1] != renewal.issue("ci.example.org", now=NOW)[1]


@pytest.mark.parametrize("form", [vault.Form.YAML, vault.Form.JSON])
def test_a_file_is_rewritten_for_the_same_recipients(form: vault.Form) -> None:
    before = vault.open_bytes(sops_file(VALUES, KEY, HOST, form=form), form, identities=[KEY])
    data = renewal.rewritten(before, {"tls/cert": Secret("new\n", name="cert")}, form, where="secrets")
    after = vault.open_bytes(data, form, identities=[HOST])
    assert after.recipients == before.recipients
    assert {name: value.text() for name, value in after.values.items()} == {"tls/cert": "new\n", "tls/key": "old key\n", "drone/rpc": "a secret"}


def test_what_cannot_be_rewritten_as_it_was_is_refused() -> None:
    with pytest.raises(BadInput, match="port is no text"):
        renewal.rewritten(opened(sops_file({**VALUES, "port": 443}, KEY), KEY), {}, vault.Form.YAML, where="secrets")
