"""The site file: what a customer tells the suite about their cc-ci, typed.

Knows: every key of docs/site-contract.md, which paths stand relative to the file, and how a secret is named without being told.
Refuses: unknown keys, guesses, secret values, and files that do not say what they must - all mistakes at once, one line each.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from cleanroom import quantities
from cleanroom.errors import BadInput
from cleanroom.redact import Secret

Size = Annotated[int, BeforeValidator(quantities.size)]
Duration = Annotated[float, BeforeValidator(quantities.duration)]
#: TOML has lists only; strict models want the tuple that they declare.
_Listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
Names = Annotated[tuple[str, ...], _Listed]


#: Tokens of the DNS provider Gandi, by what stands near them: 40 hex digits alone are any git revision.
GANDI = {
    "Gandi personal access token": r"(?i)gandi[^\x00]{0,60}[^0-9a-z][0-9a-f]{40}\b",
    "Gandi API key": r"(?i)gandi[a-z0-9_.-]{0,40}[\"']?\s{0,3}[:=]\s{0,3}[\"']?[a-z0-9]{24}\b",
}


def _local(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str) and value else value


#: A path on the machine that runs the suite; relative ones are taken from the site file's folder.
Local = Annotated[Path, BeforeValidator(_local)]


class _Table(BaseModel):
    # An empty text would pass by being empty: every body holds the marker "".
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_min_length=1)


class SecretSource(_Table):
    """Where a secret can be read when it is needed: a file or an environment variable, never the value itself."""

    file: Local | None = None
    env: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SecretSource:
        if (self.file is None) == (self.env is None):
            raise ValueError("expected exactly one of file and env")
        return self

    def load(self, name: str) -> Secret:
        """The secret, surrounding white space removed; raises `BadInput` if it is not there or empty."""
        if self.env is not None:
            value, where = os.environ.get(self.env, "").encode(), f"environment variable {self.env}"
        else:
            where = str(self.file)
            try:
                value = Path(where).read_bytes()
            except OSError as problem:
                raise BadInput(f"cannot read the {name}: {problem.strerror}", where=where) from None
        if not value.strip():
            raise BadInput(f"the {name} is empty", where=where)
        return Secret(value.strip(), name=name)


class Credential(_Table):
    """How the private repository is fetched: a bot's user name with a token (HTTPS), or a read-only deploy key (SSH)."""

    user: str = "git"
    token: SecretSource | None = None
    deploy_key: Local | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Credential:
        if (self.token is None) == (self.deploy_key is None):
            raise ValueError("expected exactly one of token and deploy_key")
        return self


class Forge(_Table):
    """What the suite needs to reach the repositories from where it runs."""

    trust: Local | None = None
    resolve: dict[str, str] = Field(default_factory=dict)


class Base(_Table):
    """The public repository: flake, modules, documents."""

    url: str
    revision: str = "HEAD"
    flake_attribute: str
    guide: str = "docs/install.md"
    secrets_document: str = "docs/secrets.md"
    documents: Names = ("docs/install.md", "docs/secrets.md", "docs/architecture.md", "DECISIONS.md")


class Secrets(_Table):
    """The private repository: sops files and nothing that thinks."""

    url: str
    revision: str = "HEAD"
    file: str = "secrets/secrets.yaml"
    consumed_as: Literal["flake-input", "submodule"] = "flake-input"
    input: str = "secrets"
    credential: Credential


class Bootstrap(_Table):
    """The one secret that is not in git."""

    key_file: Local
    machine_path: str


class Endpoint(_Table):
    """One public host name and what a stranger must see there."""

    host: str
    path: str = "/"
    status: int = 200
    marker: str
    within: Duration = 60.0


class Webhook(_Table):
    """The bridge's door: a body signed with git's HMAC is accepted, any other refused."""

    host: str
    path: str = "/hook"
    secret: str
    header: str = "X-Hub-Signature-256"
    accepted: int = 202
    refused: int = 401


class Certificate(_Table):
    """The wildcard certificate: its names in the sops file, its paths on the machine, and the proxy's swarm secrets by their names inside."""

    certificate: str
    key: str
    certificate_path: str
    key_path: str
    trust: Local | None = None
    minimum_days: int = 14
    proxy: str = "traefik_app"
    certificate_target: str = "ssl_cert"
    key_target: str = "ssl_key"


class Incus(_Table):
    """The hypervisor and the one project that may be touched."""

    endpoint: str
    project: str
    client_certificate: Local | None = None
    client_key: Local | None = None
    server_certificate: Local | None = None
    throwaway: str
    image: str
    image_fingerprint: str | None = None
    type: Literal["virtual-machine", "container"] = "virtual-machine"
    fall_back_to_container: bool = False
    memory: Size = 4 * 2**30
    config: dict[str, str] = Field(default_factory=dict)
    profiles: Names = ("default",)
    canonical_host: str | None = None
    neighbours: Names = ()
    memory_guideline: Size = 12 * 2**30
    memory_physical: Size = 16 * 2**30
    create_within: Duration = 120.0
    boot_within: Duration = 180.0
    delete_within: Duration = 60.0


class Access(_Table):
    """How the suite gets its SSH access to a new machine: the one input beside the bootstrap key, recorded as such."""

    method: Literal["incus-push", "cloud-init", "image"] = "incus-push"
    user: Literal["root"] = "root"
    private_key: Local | None = None
    host_key_path: str = "/etc/ssh/ssh_host_ed25519_key.pub"

    @model_validator(mode="after")
    def _key_of_an_image(self) -> Access:
        if self.method == "image" and self.private_key is None:
            raise ValueError("method image needs private_key: the half that the image does not hold")
        return self


class Oneshot(_Table):
    """A reconcile unit that runs once and is done."""

    unit: str
    within: Duration = 120.0


class Service(_Table):
    """A swarm service and the replicas it must have."""

    name: str
    replicas: int = 1
    within: Duration = 120.0


class Parameter(_Table):
    """One instance parameter: its name, and the literal value that base must hold exactly once."""

    name: str
    value: str


class Canonical(_Table):
    """How to look at the canonical host: read-only, over SSH, its host key pinned (a public key line)."""

    address: str
    host_key: str
    private_key: Local
    user: str = "root"


class Blank(_Table):
    """Paths that a blank machine must not have, beside those the suite always looks for."""

    absent: Names = ()


class Guide(_Table):
    """Limits and variables of the install guide."""

    within: Duration = 1800.0
    rebuild: str = "nixos-rebuild switch"
    variables: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, SecretSource] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_of_a_shell(self) -> Guide:
        names = [*self.variables, *self.secrets]
        for name in names:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"no shell takes a variable called {name!r}")
            if name in {"MACHINE", "BOOTSTRAP_KEY"} or names.count(name) > 1:
                raise ValueError(f"variable {name} is given already")
        return self


class RequiredSecrets(_Table):
    """Which declared secret is which, of those that every cc-ci must have; certificate, key and HMAC are named elsewhere. `hosts` are recipients."""

    drone_client_id: str | None = None
    drone_client_secret: str | None = None
    drone_rpc_secret: str | None = None
    registry: Names = ()
    hosts: Names = ()


class Leaks(_Table):
    """What the leak search must know of a site. Of all tables, key is a pattern in shell style, value the reason.

    `private_keys` are places where a private key may lie; `gaps` are places that may stay unopened; `programs` are folders of the image's own
    programs, searched only where they changed after the machine was seen blank; `repositories` are local copies that hold unreachable objects too.
    """

    private_keys: dict[str, str] = Field(default_factory=dict)
    gaps: dict[str, str] = Field(default_factory=dict)
    programs: dict[str, str] = Field(default_factory=dict)
    repositories: Annotated[tuple[Local, ...], _Listed] = ()
    dns_token_patterns: dict[str, str] = Field(default_factory=lambda: dict(GANDI))


class Site(_Table):
    """A whole site file. `Site.load` is the way in."""

    schema_version: Literal[1]
    name: str
    kind: Literal["lab", "real"]
    domain: str
    forge: Forge = Forge()
    base: Base
    secrets: Secrets
    bootstrap: Bootstrap
    certificate: Certificate
    webhook: Webhook
    endpoint: Annotated[tuple[Endpoint, ...], _Listed]
    incus: Incus
    access: Access = Access()
    oneshot: Annotated[tuple[Oneshot, ...], _Listed]
    service: Annotated[tuple[Service, ...], _Listed]
    parameter: Annotated[tuple[Parameter, ...], _Listed] = ()
    canonical: Canonical | None = None
    blank: Blank = Blank()
    guide: Guide = Guide()
    required_secrets: RequiredSecrets = RequiredSecrets()
    leaks: Leaks = Leaks()

    _path: Path = PrivateAttr(default=Path())
    _digest: str = PrivateAttr(default="")

    @property
    def path(self) -> Path:
        """The file this site was read from."""
        return self._path

    @property
    def proxy_within(self) -> float:
        """How long the proxy may take to run and serve, in seconds: its [[service]]'s limit, none if there is no such service."""
        return max((service.within for service in self.service if service.name == self.certificate.proxy), default=0.0)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the site file's bytes."""
        return self._digest

    @model_validator(mode="after")
    def _nothing_empty(self) -> Site:
        for key in ("endpoint", "oneshot", "service"):
            if not getattr(self, key):
                raise ValueError(f"expected at least one [[{key}]]: a site without one would pass by being empty")
        for host in (self.webhook.host, *(endpoint.host for endpoint in self.endpoint)):
            if host != self.domain and not host.endswith("." + self.domain):
                raise ValueError(f"host {host} is outside the domain {self.domain}")
        if self.incus.throwaway in {self.incus.canonical_host, *self.incus.neighbours}:
            raise ValueError("incus.throwaway has the name of a machine that must not be touched")
        return self

    @staticmethod
    def load(path: Path) -> Site:
        """Read, check and anchor a site file; raises `BadInput` naming every mistake in it."""
        try:
            raw = path.read_bytes()
            data = tomllib.loads(raw.decode())
        except OSError as problem:
            raise BadInput(
                f"cannot read the site file: {problem.strerror}", where=str(path), advice="--site FILE or CLEANROOM_SITE names it"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            raise BadInput(f"the site file is no TOML: {problem}", where=str(path)) from None
        try:
            site = Site.model_validate(_anchored(data, path.resolve().parent))
        except ValidationError as problem:
            mistakes = "\n".join(f"  {_mistake(error)}" for error in problem.errors(include_url=False, include_input=False))
            raise BadInput(f"the site file has mistakes:\n{mistakes}", where=str(path), advice="docs/site-contract.md describes every key") from None
        site._path = path  # noqa: SLF001 - our own private attributes
        site._digest = hashlib.sha256(raw).hexdigest()  # noqa: SLF001
        return site


#: Keys that hold paths on this side: anchored at the site file, so that a site can be moved as a folder.
_LOCAL_KEYS = {"file", "trust", "deploy_key", "key_file", "client_certificate", "client_key", "server_certificate", "private_key"}
_LOCAL_LISTS = {"repositories"}


def _anchored(data: Any, folder: Path, table: str = "") -> Any:  # noqa: ANN401 - TOML data
    if isinstance(data, list):
        return [_anchored(item, folder, table) for item in data]
    if not isinstance(data, dict):
        return data
    out: dict[str, Any] = {}
    for key, value in data.items():
        not_a_path = (table == "secrets" and key == "file") or table == "variables"
        if key in _LOCAL_KEYS and isinstance(value, str) and value and not not_a_path:
            out[key] = str(folder / Path(value).expanduser())
        elif key in _LOCAL_LISTS and isinstance(value, list):
            out[key] = [str(folder / Path(item).expanduser()) if isinstance(item, str) else item for item in value]
        else:
            out[key] = _anchored(value, folder, key)
    return out


def _mistake(error: Any) -> str:  # noqa: ANN401 - pydantic's error dictionary
    key = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in error["loc"]) or "(whole file)"
    match error["type"]:
        case "extra_forbidden":
            return f"{key}: no such key"
        case "missing":
            return f"{key}: missing"
        case "value_error":
            return f"{key}: {error['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}"
