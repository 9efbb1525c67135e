"""The tables about what the machine serves: certificate, public names, the bridge, units and swarm services.

Knows: what a stranger and systemd should see, and within which time.
Refuses: nothing of its own: values are judged by their types.
"""

from __future__ import annotations

from cleanroom.tables.base import Duration, Local, Table


class Endpoint(Table):
    """One public host name and what a stranger must see there."""

    host: str
    path: str = "/"
    status: int = 200
    marker: str
    within: Duration = 60.0


class Webhook(Table):
    """The bridge's door: a body signed with git's HMAC is accepted, any other refused."""

    host: str
    path: str = "/hook"
    secret: str
    header: str = "X-Hub-Signature-256"
    accepted: int = 202
    refused: int = 401


class Certificate(Table):
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


class Oneshot(Table):
    """A reconcile unit that runs once and is done."""

    unit: str
    within: Duration = 120.0


class Service(Table):
    """A swarm service and the replicas it must have."""

    name: str
    replicas: int = 1
    within: Duration = 120.0
