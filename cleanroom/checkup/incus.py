"""The hypervisor, as far as it can be looked at without making anything.

Knows: the order in which a way in can fail - name, connection, certificate, trust, project - and what a run will ask for once it is in.
Refuses: to go on to a point that the one before has made meaningless.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from cleanroom import marks
from cleanroom.checkup import net
from cleanroom.checkup.points import Finding, good, note, trouble
from cleanroom.errors import CheckFailed, HarnessError, OutOfReach
from cleanroom.guard import Guard
from cleanroom.hypervisor import Hypervisor
from cleanroom.incus.creation import VIRTUAL_MACHINE, creation
from cleanroom.incus.door import Credential, open_door, secured
from cleanroom.quantities import show_size
from cleanroom.site import Site
from cleanroom.surroundings import memory, survey
from cleanroom.tables.machines import Incus

_POINT = "incus.endpoint"


def look(site: Site) -> Iterator[Finding]:
    """Way in, project, image, kind of machine, name, memory, profiles, neighbours."""
    settings = site.incus
    parts = urlsplit(settings.endpoint)
    if parts.scheme == "https" and parts.hostname:
        yield net.reached(_POINT, parts.hostname, parts.port or 8443)
    try:
        credential = Credential.of(settings)
    except OutOfReach as problem:
        yield trouble(_POINT, problem)
        return
    except HarnessError:
        yield Finding(_POINT, "cannot tell", "nobody can ask before the certificates are there", str(site.path), "see the other points of incus")
        return
    if credential is not None:
        yield _shown(settings, credential)
    guard = Guard(settings.project)
    client = open_door(settings, guard)
    with client.api.session:
        yield from _behind_the_door(client, guard, credential, settings)


def _behind_the_door(client: Any, guard: Guard, credential: Credential | None, settings: Incus) -> Iterator[Finding]:  # noqa: ANN401 - pylxd is untyped
    info = client.host_info
    if info.get("auth") != "trusted":
        advice = f"incus config trust add-certificate FILE --restricted --projects {settings.project}, on the server"
        yield Finding(_POINT, "wrong", "the server does not trust our certificate", settings.endpoint, advice)
        return
    yield good(_POINT, f"Incus {info['environment'].get('server_version')}, and it trusts us")
    yield _restricted(client, settings, credential)
    hypervisor = Hypervisor(client, guard, settings, _forget)
    yield from _project(hypervisor)
    yield from _inside(hypervisor)


def _forget(*_arguments: object, **_fields: object) -> None:
    """A look leaves no record."""


def _shown(settings: Incus, credential: Credential) -> Finding:
    """Whether the server shows the pinned certificate; raises `OutOfReach` if it shows none."""
    parts = urlsplit(settings.endpoint)
    address = (str(parts.hostname), parts.port or 8443)
    family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
    plain = socket.socket(family)
    plain.settimeout(8.0)
    with secured(plain, credential) as link:
        try:
            link.connect(address)
        except ssl.SSLError as problem:
            text = str(problem.args[-1] if problem.args else problem)
            return Finding("incus.server_certificate", "wrong", text, settings.endpoint, "is it the right server? then fetch its certificate anew")
        except OSError as problem:
            raise OutOfReach(f"no TLS: {problem.strerror or problem}", where=settings.endpoint) from None
    return good("incus.server_certificate", "the server shows it")


def _restricted(client: Any, settings: Incus, credential: Credential | None) -> Finding:  # noqa: ANN401 - pylxd is untyped
    """Whether the server lets us do no more than we need: a guard of ours is one lock, this is the other."""
    point = "incus.client_certificate"
    if credential is None:
        return note(point, "a local socket: whoever may use it may do everything", where=settings.endpoint)
    entries = client.api.certificates.get(params={"recursion": "1"}).json()["metadata"]
    entry = next((entry for entry in entries if entry["fingerprint"] == credential.fingerprint), None)
    advice = f"incus config trust edit {credential.fingerprint[:12]}: restricted: true, projects: [{settings.project}]"
    if entry is None:
        return note(point, "the server does not say what it may do", where=settings.endpoint)
    if not entry["restricted"]:
        return note(point, "it is not restricted: it may do everything on this server", where=settings.endpoint, advice=advice)
    if set(entry["projects"] or ()) != {settings.project}:
        seen = f"restricted to {', '.join(entry['projects'] or ()) or 'no project'}"
        return note(point, seen, where=settings.endpoint, advice=advice)
    return good(point, f"restricted to project {settings.project}")


def _project(hypervisor: Hypervisor) -> Iterator[Finding]:
    name = hypervisor.settings.project
    with hypervisor.asking("project"):
        project = hypervisor.client.api.projects[name].get().json()["metadata"]
    yield good("incus.project", f"{name} is there")
    if str(project.get("config", {}).get("restricted", "false")) != "true":
        advice = f"incus project set {name} restricted=true, if its owner agrees"
        yield note("incus.project", "the project itself is not restricted: in it, nothing but our guard forbids networks and the like", advice=advice)


def _inside(hypervisor: Hypervisor) -> Iterator[Finding]:
    """Everything that a run will ask for; each point by itself."""
    for point, look in (
        ("incus.type", _kind),
        ("incus.image", _image),
        ("incus.profiles", _profiles),
        ("incus.throwaway", _name),
        ("incus.memory", _memory),
        ("incus.canonical_host", _others),
    ):
        try:
            yield from look(hypervisor)
        except (HarnessError, CheckFailed) as problem:
            yield trouble(point, problem)


def _kind(hypervisor: Hypervisor) -> Iterator[Finding]:
    kind = hypervisor.instance_type()
    if kind == VIRTUAL_MACHINE:
        yield good("incus.type", "the server makes virtual machines")
    else:
        yield note("incus.type", "a container will be made: such a run is never ACCEPTANCE", where=hypervisor.settings.endpoint)


def _image(hypervisor: Hypervisor) -> Iterator[Finding]:
    settings, found = hypervisor.settings, hypervisor.image_fingerprint()
    image = _metadata(hypervisor, "images", found)
    declared = settings.image_fingerprint
    if declared is not None and found != declared:
        yield Finding("incus.image", "wrong", f"{settings.image} is {found[:12]}, declared is {declared[:12]}", settings.endpoint)
    elif image.get("type", "container") != hypervisor.instance_type():
        seen = f"{settings.image} is an image of a {image.get('type', 'container')}, and a {hypervisor.instance_type()} is to be made"
        yield Finding("incus.image", "wrong", seen, settings.endpoint, "name an image of that kind")
    else:
        yield good("incus.image", f"{settings.image} is {found[:12]}")


def _metadata(hypervisor: Hypervisor, *path: str) -> Mapping[str, Any]:
    with hypervisor.asking(" ".join(path)):
        node = hypervisor.client.api
        for part in path:
            node = node[part]
        return dict(node.get().json()["metadata"])


def _profiles(hypervisor: Hypervisor) -> Iterator[Finding]:
    settings = hypervisor.settings
    profiles = {name: _metadata(hypervisor, "profiles", name) for name in settings.profiles}
    creation(settings, settings.throwaway, kind=settings.type, fingerprint="", config={}, profiles=profiles)
    yield good("incus.profiles", f"{', '.join(settings.profiles)}: there")


def _name(hypervisor: Hypervisor) -> Iterator[Finding]:
    settings, point = hypervisor.settings, "incus.throwaway"
    instance = hypervisor.instance(settings.throwaway)
    if instance is None:
        yield good(point, f"the name {settings.throwaway} is free")
        return
    found = marks.leftover(instance)
    if found is None:
        advice = "delete or rename it, or give the throwaway another name"
        yield Finding(point, "wrong", f"an instance {settings.throwaway} is there and does not carry our mark", settings.endpoint, advice)
    else:
        yield note(point, found.describe(), advice="" if found.alive else "the next run deletes it; so does cleanroom sweep --yes")


def _memory(hypervisor: Hypervisor) -> Iterator[Finding]:
    """What a run itself asks before it makes a machine."""
    memory.check_room(hypervisor)
    settings = hypervisor.settings
    seen = f"{show_size(settings.memory)} fit beside what runs, within {show_size(settings.memory_guideline)}"
    yield good("incus.memory", f"{seen}; {show_size(survey.physical_memory(hypervisor))} are there")
    if hidden := survey.hidden(hypervisor):
        yield note("incus.memory", f"what is not seen: {hidden}", where=settings.endpoint)


def _others(hypervisor: Hypervisor) -> Iterator[Finding]:
    settings = hypervisor.settings
    there = {instance.name for instance in hypervisor.instances()}
    for key, names in (("incus.canonical_host", (settings.canonical_host,)), ("incus.neighbours", settings.neighbours)):
        for name in filter(None, names):
            if name in there:
                yield good(key, f"{name} is there")
            else:
                yield Finding(key, "wrong", f"there is no instance {name} in project {settings.project}", settings.endpoint)
