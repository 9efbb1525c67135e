"""The site file: what a customer tells the suite about their cc-ci, typed.

Knows: every key of docs/site-contract.md (the tables are in `tables/`), and which paths stand relative to the file.
Refuses: unknown keys, guesses, secret values, and files that do not say what they must - all mistakes at once, one line each.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import PrivateAttr, ValidationError, model_validator

from cleanroom.errors import BadInput
from cleanroom.tables.base import Listed, Table
from cleanroom.tables.documents import Documents, Statement
from cleanroom.tables.evidence import Evidence
from cleanroom.tables.git import Base, Bootstrap, Forge, Leaks, Parameter, RequiredSecrets, Secrets
from cleanroom.tables.machines import Access, Blank, Canonical, Guide, Incus
from cleanroom.tables.resources import Regression, Resources
from cleanroom.tables.serving import Certificate, Endpoint, Oneshot, Service, Webhook


class Site(Table):
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
    endpoint: Annotated[tuple[Endpoint, ...], Listed]
    incus: Incus
    access: Access = Access()
    oneshot: Annotated[tuple[Oneshot, ...], Listed]
    service: Annotated[tuple[Service, ...], Listed]
    parameter: Annotated[tuple[Parameter, ...], Listed] = ()
    canonical: Canonical | None = None
    blank: Blank = Blank()
    guide: Guide = Guide()
    required_secrets: RequiredSecrets = RequiredSecrets()
    leaks: Leaks = Leaks()
    evidence: Evidence = Evidence()
    resources: Resources = Resources()
    regression: Regression | None = None
    documents: Documents = Documents()
    statement: Annotated[tuple[Statement, ...], Listed] = ()

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
_LOCAL_KEYS = {
    "file", "trust", "deploy_key", "key_file", "client_certificate", "client_key", "server_certificate", "private_key", "signing_key",
    "document_file", "records", "trusted_key", "plan_file",
}  # fmt: skip
_LOCAL_LISTS = {"repositories", "local_documents"}
#: All of them: what differs between two places from which the same site is tested.
LOCAL = frozenset(_LOCAL_KEYS | _LOCAL_LISTS)


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
