"""What documents ask of people: read as Markdown, sentence by sentence."""

from __future__ import annotations

import pytest

from cleanroom import prose
from cleanroom.errors import CheckFailed, HarnessError

PATHS = ("/var/lib/certs/live/fullchain.pem", "/var/lib/certs/live/privkey.pem")

ASKS = [
    "Drop the certificate into `/var/lib/certs`.",
    "Before you begin, copy the wildcard certificate and its key to the machine.",
    "1. Place fullchain.pem where Traefik finds it.",
    "| step | put the cert on the host |\n|---|---|\n| 2 | - |",
    "Do not forget to copy the certificate.",
    "The certificate is placed there by the operator.",
    "By hand, the operator has the files placed: certificate and key are dropped manually.",
    "Certificates are operator-owned: an operator-supplied certificate is expected.",
    "```sh\nscp fullchain.pem root@machine:/srv/\n```",
    "```console\n# install -m 0400 key /var/lib/certs/live/privkey.pem\n```",
    "    cat > /var/lib/certs/live/fullchain.pem\n",
]
ASKS_NOT = [
    "The rebuild decrypts the secrets, puts the certificate into place and starts Docker.",
    "Nobody copies the certificate: it comes from git.",
    "There is no certificate to drop anywhere.",
    "You do not have to place the certificate.",
    "A renewed certificate is a commit. Copy the key with scp.",
    "The certificate is decrypted to `/var/lib/certs/live/fullchain.pem`.",
    "```sh\ncat /var/lib/certs/live/fullchain.pem\n```",
    "```sh\nscp $BOOTSTRAP_KEY root@machine:/var/lib/key.txt\n```",
]


@pytest.mark.parametrize("text", ASKS)
def test_a_document_that_asks_for_a_certificate_is_told_with_its_line(text: str) -> None:
    with pytest.raises(CheckFailed, match=r"no document tells anyone to bring a certificate") as caught:
        prose.check_brings_no_certificate({"docs/secrets.md": f"# Secrets\n\n{text}\n"}, PATHS)
    assert caught.value.where.startswith("docs/secrets.md:")


@pytest.mark.parametrize("text", ASKS_NOT)
def test_a_document_that_only_explains_is_as_it_should_be(text: str) -> None:
    prose.check_brings_no_certificate({"docs/secrets.md": f"# Secrets\n\n{text}\n"}, PATHS)


def test_a_line_of_code_is_told_where_it_stands() -> None:
    passages = list(prose.passages("Text one. Text two.\n\n```sh\nls\n\ncat x\n```\n\n- item\n", file="a.md"))
    assert [(p.where, p.text, p.is_command) for p in passages] == [
        ("a.md:1", "Text one.", False),
        ("a.md:1", "Text two.", False),
        ("a.md:4", "ls", True),
        ("a.md:6", "cat x", True),
        ("a.md:9", "item", False),
    ]


@pytest.mark.parametrize("documents", [{}, {"a.md": ""}, {"a.md": "Text.", "b.md": "\n"}])
def test_nothing_to_read_proves_nothing(documents: dict[str, str]) -> None:
    with pytest.raises(HarnessError, match="nothing to read"):
        prose.check_brings_no_certificate(documents, PATHS)
