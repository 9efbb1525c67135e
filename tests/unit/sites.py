"""A small valid site file, and ways to spoil it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

#: As little as a site file may say.
MINIMAL: dict[str, Any] = {
    "schema_version": 1,
    "name": "small",
    "kind": "lab",
    "domain": "ci.example",
    "base": {"url": "https://forge.example/base.git", "flake_attribute": "small"},
    "secrets": {"url": "https://forge.example/secrets.git", "credential": {"token": {"env": "FORGE_TOKEN"}}},
    "bootstrap": {"key_file": "keys/bootstrap.txt", "machine_path": "/var/lib/sops/key.txt"},
    "certificate": {"certificate": "tls/cert", "key": "tls/key", "certificate_path": "/var/lib/certs/cert.pem", "key_path": "/var/lib/certs/key.pem"},
    "webhook": {"host": "bridge.ci.example", "secret": "webhook/hmac"},
    "endpoint": [{"host": "ci.example", "marker": "dashboard"}, {"host": "drone.ci.example", "marker": "drone"}],
    "incus": {"endpoint": "https://hypervisor.example:8443", "project": "ours", "throwaway": "throwaway", "image": "base"},
    "oneshot": [{"unit": "reconcile-swarm.service"}],
    "service": [{"name": "traefik_app"}],
}


class Gone:
    """In place of a value: the key is left out."""


def edited(edits: dict[str, Any]) -> dict[str, Any]:
    """The minimal site with `edits` made to it: a dotted path (list positions from 0) to a value, or to `Gone`."""
    data: Any = copy.deepcopy(MINIMAL)
    for path, value in edits.items():
        *parents, last = path.split(".")
        table = data
        for key in parents:
            table = table[int(key)] if isinstance(table, list) else table.setdefault(key, {})
        if value is Gone:
            del table[last]
        else:
            table[last] = value
    return dict(data)


def write(folder: Path, edits: dict[str, Any] | None = None) -> Path:
    """A site file in `folder`."""
    path = folder / "site.toml"
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in edited(edits or {}).items()), encoding="utf-8")
    return path


def _toml(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return json.dumps(value)


def parts(annotation: Any) -> Iterator[Any]:
    """A type and all types within it."""
    yield annotation
    for part in get_args(annotation):
        yield from parts(part)


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a model and of the models within it, by dotted path, with its type; `*` stands for a name that the site chooses."""
    for name, field in model.model_fields.items():
        inner = [kind for kind in parts(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        star = ".*" if any(get_origin(kind) is dict for kind in parts(field.annotation)) else ""
        if not inner:
            yield f"{prefix}{name}", field.annotation
        for kind in inner:
            yield from keys(kind, f"{prefix}{name}{star}.")
