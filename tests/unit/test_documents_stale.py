"""The abolished model, in every dress in which a document may still tell it - and the new one, which must not be taken for it."""

from __future__ import annotations

import pytest

from cleanroom.documents import stale
from cleanroom.documents.reading import read
from cleanroom.errors import BadInput, CheckFailed, HarnessError

PATHS = ("/var/lib/certs/live/fullchain.pem", "/var/lib/certs/live/privkey.pem")

#: A certificate that somebody brings: also what C2.5 looks for.
BROUGHT = [
    "Drop the certificate into `/var/lib/certs`.",
    "Before you begin, copy the wildcard certificate and its key to the machine.",
    "1. Place fullchain.pem where Traefik finds it.",
    "| step | put the cert on the host |\n|---|---|\n| 2 | - |",
    "| step | what |\n|---|---|\n| 2 | upload the certs |",
    "Do not forget to copy the certificate.",
    "Not only must you copy the certificate.",
    "The certificate is placed there by the operator.",
    "By hand, the operator has the files placed: certificate and key are dropped manually.",
    "Certificates are operator-owned: an operator-supplied certificate is expected.",
    "If there is none there, drop the certificate in.",
    "Where no certificate exists drop the certificate file yourself.",
    "Drop\nthe\ncertificate file.",
    "Put the certificate on the machine, then commit it to the private repository.",
    "Copy the certificate from git to the machine.",
    "**Drop** the *cert*ificate file.",
    "Dr\u200bop the certi\u00adficate file.",
    "Drop the [certificate](x.md) file.",
    "## Drop the certificate\n\nText.",
    "> Drop the certificate file.",
    "- a\n  - drop the certificate file",
    "<p>Drop the certificate file</p>",
    "<details>\n<summary>More</summary>\nDrop the certificate file.\n</details>",
    "```text\nDrop the certificate file here.\n```",
    "```sh\n# Drop the\n# certificate file first.\nls\n```",
    "```sh\nscp fullchain.pem root@machine:/srv/\n```",
    "```console\n# install -m 0400 key /var/lib/certs/live/privkey.pem\n```",
    "    cat > /var/lib/certs/live/fullchain.pem\n",
    "```sh\nssh root@h 'cat >/var/lib/certs/live/fullchain.pem' < x\n```",
    '```sh\necho "$X" >> /var/lib/certs/live/fullchain.pem\n```',
    "```sh\ncurl -o /var/lib/certs/live/privkey.pem https://example.org/k\ndd of=/var/lib/certs/live/fullchain.pem\n```",
    "```sh\n/bin/cp privkey.pem /srv\n```",
    "The operator drops the certificate in.",
    "Somebody then copies the wildcard certificate over.",
    "Dropping the certificate file in is step two.",
    "The certificate is not in git.",
    "For now the certificates are kept outside of git.",
]
#: Secrets on a host alone, sops bound to a host.
TOLD = [
    "The RPC secret exists only on the host.",
    "Host-only secrets are listed below.",
    "These host only\nsecrets matter.",
    "The registry's password is stored on the machine alone.",
    "Secrets are kept outside of git.",
    "The secrets are not in git.",
    "They are encrypted to the host key alone.",
    "Create the OAuth secret by hand.",
    "Keep the webhook secret on the canonical host.",
    "sops is bound to the host's SSH key.",
    "The files are tied to one **host key**.",
    "Host-bound sops files cannot be moved.",
    "Only the host key can decrypt them.",
    "Only the canonical host is able to decrypt the file.",
    "Nobody but the host itself can decrypt them.",
    "They are decrypted only by the host's key.",
    "A live rebuild is infeasible by design.",
    "The machine cannot be rebuilt.",
]
FINE = [
    "The rebuild decrypts the secrets, puts the certificate into place and starts Docker.",
    "Nobody copies the certificate: it comes from git.",
    "There is no certificate to drop anywhere.",
    "You do not have to place the certificate.",
    "You need not drop a certificate file.",
    "Never drop a certificate there.",
    "A renewed certificate is a commit. Copy the key with scp.",
    "Before you install, check the certificate's date.",
    "The certificate is decrypted to `/var/lib/certs/live/fullchain.pem`.",
    "Copy the key to a certain place.",
    "~~Drop the certificate file.~~ It comes from git.",
    "## Abolished\n\nDrop the certificate file.\n",
    "## History\n\n### 2024\n\nThe secrets are not in git.\n",
    "<!-- Drop the certificate file. -->\n\nText.",
    "Text <!-- drop the certificate --> more.",
    "[drop-the-certificate]: x.md\n\nText.",
    "Exactly one secret is not in git:",
    "Only the recovery key and the host key can decrypt the files.",
    "To renew it, put the new certificate into `secrets.yaml` with sops, and commit.",
    "The new certificate is placed in the private repository by the operator.",
    "Copy the renewed chain and certificate into `cc-ci-secrets`.",
    "A running machine may have an age key of its own.",
    "Secrets are decrypted only on the machine.",
    "Only whoever holds the bootstrap key can open the file.",
    "Nothing is bound to the host's key.",
    "No secret is kept on the host.",
    "The key lies with whoever installs the machine and the certificate is in git.",
    "The module that you see copies the certificate into place.",
    "The operator's unit places the certificate.",
    "Somebody puts the new certificate into `secrets.yaml` with sops.",
    "Nobody ever uploads a certificate: no operator drops the certificate in.",
    "```sh\nopenssl x509 -in /var/lib/certs/live/fullchain.pem > /tmp/dates\n```",
    "`$FORGE_TOKEN`, on the machine, is your token.",
    "```sh\ncat /var/lib/certs/live/fullchain.pem\n```",
    "```sh\nscp $BOOTSTRAP_KEY root@machine:/var/lib/key.txt\n```",
    "```sh\ncurl --cacert root.pem https://x/\n```",
]


def brings(text: str) -> None:
    stale.check_brings_no_certificate([read(f"# Secrets\n\n{text}\n", file="docs/secrets.md")], PATHS)


def old_model(text: str, **more: list[str]) -> None:
    stale.check_none([read(f"# Secrets\n\n{text}\n", file="docs/secrets.md")], more, PATHS)


@pytest.mark.parametrize("number", range(len(BROUGHT)))
def test_a_document_that_asks_for_a_certificate_is_told_with_its_line(number: int) -> None:
    with pytest.raises(CheckFailed, match=r"no document tells anyone to bring a certificate") as caught:
        brings(BROUGHT[number])
    assert caught.value.where.startswith("docs/secrets.md:")
    with pytest.raises(CheckFailed, match="a certificate is dropped in"):
        old_model(BROUGHT[number])


@pytest.mark.parametrize("number", range(len(TOLD)))
def test_the_old_model_is_told_by_its_name(number: int) -> None:
    with pytest.raises(CheckFailed, match=r"on the host alone|bound to a host"):
        old_model(TOLD[number])


@pytest.mark.parametrize("number", range(len(FINE)))
def test_a_document_that_only_explains_is_as_it_should_be(number: int) -> None:
    old_model(FINE[number])


def test_a_heading_that_says_past_ends_where_the_next_begins() -> None:
    with pytest.raises(CheckFailed) as caught:
        old_model("## Abolished\n\nOnce it was so.\n\n## Now\n\nDrop the certificate file.\n")
    assert caught.value.where == "docs/secrets.md:9"


def test_the_line_is_that_of_the_phrase() -> None:
    with pytest.raises(CheckFailed) as caught:
        old_model("One line\nand another, then drop\nthe certificate.")
    assert caught.value.where == "docs/secrets.md:4"


def test_a_site_adds_phrases_of_its_own() -> None:
    text = "Ask Bob for the registry login."
    old_model(text)
    with pytest.raises(CheckFailed, match="Bob hands out logins"):
        old_model(text, **{"Bob hands out logins": ["ask Bob ... login*"]})


def test_a_phrase_does_not_reach_into_the_next_sentence() -> None:
    old_model("Keep it here. The secrets are on the host's memory.")
    old_model("Copy the key. The certificate comes from git.")


def test_nothing_to_read_proves_nothing() -> None:
    with pytest.raises(HarnessError, match="no document"):
        stale.check_none([], {}, PATHS)
    with pytest.raises(BadInput, match="nothing to read"):
        read("<!-- nothing -->\n", file="a.md")
