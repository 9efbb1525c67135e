"""The tables about git: repositories, credential, bootstrap key, parameters, what the leak search must know.

Knows: what a site says of its repositories and of the secrets in them.
Refuses: a secret in place of its source.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cleanroom.tables.base import Listed, Local, Names, SecretSource, Table

#: Tokens of the DNS provider Gandi, by what stands near them: 40 hex digits alone are any git revision.
GANDI = {
    "Gandi personal access token": r"(?i)gandi[^\x00]{0,60}[^0-9a-z][0-9a-f]{40}\b",
    "Gandi API key": r"(?i)gandi[a-z0-9_.-]{0,40}[\"']?\s{0,3}[:=]\s{0,3}[\"']?[a-z0-9]{24}\b",
}


class Credential(Table):
    """How the private repository is fetched: a bot's user name with a token (HTTPS), or a read-only deploy key (SSH)."""

    user: str = "git"
    token: SecretSource | None = None
    deploy_key: Local | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Credential:
        if (self.token is None) == (self.deploy_key is None):
            raise ValueError("expected exactly one of token and deploy_key")
        return self


class Forge(Table):
    """What the suite needs to reach the repositories from where it runs."""

    trust: Local | None = None
    resolve: dict[str, str] = Field(default_factory=dict)


class Base(Table):
    """The public repository: flake, modules, documents."""

    url: str
    revision: str = "HEAD"
    flake_attribute: str
    guide: str = "docs/install.md"
    secrets_document: str = "docs/secrets.md"
    documents: Names = ("docs/install.md", "docs/secrets.md", "docs/architecture.md", "DECISIONS.md")


class Secrets(Table):
    """The private repository: sops files and nothing that thinks."""

    url: str
    revision: str = "HEAD"
    file: str = "secrets/secrets.yaml"
    consumed_as: Literal["flake-input", "submodule"] = "flake-input"
    input: str = "secrets"
    credential: Credential


class Bootstrap(Table):
    """The one secret that is not in git."""

    key_file: Local
    machine_path: str


class Parameter(Table):
    """One instance parameter: its name, and the literal value that base must hold exactly once."""

    name: str
    value: str


class RequiredSecrets(Table):
    """Which declared secret is which, of those that every cc-ci must have; certificate, key and HMAC are named elsewhere. `hosts` are recipients."""

    drone_client_id: str | None = None
    drone_client_secret: str | None = None
    drone_rpc_secret: str | None = None
    registry: Names = ()
    hosts: Names = ()


class Leaks(Table):
    """What the leak search must know of a site. Of all tables, key is a pattern in shell style, value the reason.

    `private_keys` are places where a private key may lie, `values` places where a decrypted value may, beside where secrets belong; `gaps` are places
    that may stay unopened; `programs` are folders of the image's own programs, searched only where they changed after the machine was seen blank;
    `repositories` are local copies that hold unreachable objects too.
    """

    private_keys: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    gaps: dict[str, str] = Field(default_factory=dict)
    programs: dict[str, str] = Field(default_factory=dict)
    repositories: Annotated[tuple[Local, ...], Listed] = ()
    dns_token_patterns: dict[str, str] = Field(default_factory=lambda: dict(GANDI))
