"""The forge and both repositories.

Knows: how each is fetched, what base must hold for a run to begin, and that secrets must be refused to a stranger.
Refuses: to evaluate anything: whether the flake has the attribute is looked up in its text, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cleanroom import guide, repository, vault
from cleanroom.checkup import net
from cleanroom.checkup.points import Finding, good, note, trouble
from cleanroom.errors import HarnessError, OutOfReach
from cleanroom.repository import Repository
from cleanroom.site import Site

_FETCH_SECONDS = 40.0
#: What git says where an answer came, and was a no: that is wrong, not unknown.
_ANSWERED = re.compile(r"certificate|SSL|could not read Username|Authentication failed|returned error|Permission denied|not found|Host key")


def look_at_base(site: Site, desk: Path) -> Iterator[Finding]:
    """Reachable, fetched by anybody, and with everything that a run reads before it makes a machine."""
    yield _reached("base.url", site, site.base.url)
    try:
        base = repository.fetch(site.base.url, site.base.revision, desk / "base.git", forge=site.forge, within=_FETCH_SECONDS)
    except HarnessError as problem:
        yield _answered("base.url", problem)
        return
    yield good("base.revision", f"{site.base.revision} is {base.commit[:12]}")
    yield from _guide(site, base)
    yield from _documents(site, base)
    yield _attribute(site, base)


def look_at_secrets(site: Site, desk: Path) -> Iterator[Finding]:
    """Refused to a stranger, fetched with the credential, and opened with the bootstrap key."""
    point = "secrets.url"
    yield _reached(point, site, site.secrets.url)
    try:
        refused = repository.refusal(site.secrets.url, forge=site.forge)
    except OutOfReach as problem:
        yield _answered(point, problem)
    else:
        if refused is None:
            yield Finding(point, "wrong", "a stranger may fetch the private repository", site.secrets.url, "make it private, and change every secret")
        else:
            yield good(point, "refused to a stranger")
    settings, folder = site.secrets, desk / "secrets.git"
    try:
        secrets = repository.fetch(settings.url, settings.revision, folder, forge=site.forge, credential=settings.credential, within=_FETCH_SECONDS)
    except HarnessError as problem:
        yield _answered("secrets.credential", problem)
        return
    yield good("secrets.credential", f"it fetches the private repository; {site.secrets.revision} is {secrets.commit[:12]}")
    yield from _opened(site, secrets)


def _reached(point: str, site: Site, url: str) -> Finding:
    place = net.place_of(url)
    if place is None:
        return good(point, "a repository on this machine")
    return net.reached(point, *place, at=site.forge.resolve.get(place[0]))


def _answered(point: str, problem: HarnessError) -> Finding:
    return trouble(point, problem, wrong=None if not _ANSWERED.search(problem.problem) else True)


def _guide(site: Site, base: Repository) -> Iterator[Finding]:
    try:
        parsed = guide.parse(base.read(site.base.guide).decode(errors="replace"), file=site.base.guide, within=site.guide.within)
        rebuild = parsed.last_with(site.guide.rebuild)
    except HarnessError as problem:
        yield trouble("base.guide", problem)
    else:
        yield good("base.guide", f"{len(parsed.commands)} commands; the rebuild is {rebuild.where}")


def _documents(site: Site, base: Repository) -> Iterator[Finding]:
    there = {entry.path for entry in base.entries()}
    wanted = dict.fromkeys((site.base.guide, site.base.secrets_document, *site.base.documents))
    missing = [path for path in wanted if path not in there]
    for path in missing:
        yield Finding("base.documents", "wrong", f"base has no {path}", base.url, "write it, or name the documents that there are")
    if len(missing) < len(wanted):
        yield good("base.documents", f"{len(wanted) - len(missing)} of {len(wanted)} are there")


def _attribute(site: Site, base: Repository) -> Finding:
    try:
        text = base.read("flake.nix").decode(errors="replace")
    except HarnessError as problem:
        return trouble("base.flake_attribute", problem)
    name = site.base.flake_attribute
    if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) and "nixosConfigurations" in text:
        return good("base.flake_attribute", f"flake.nix speaks of nixosConfigurations and of {name} (read, not evaluated)")
    return note("base.flake_attribute", f"flake.nix does not spell out nixosConfigurations.{name}; only an evaluation can tell", where=base.url)


def _opened(site: Site, secrets: Repository) -> Iterator[Finding]:
    """Whether the sops file is genuine, opens with the bootstrap key, and holds what the site file names in it; names only."""
    name = site.secrets.file
    try:
        data = secrets.read(name)
        opened = vault.open_bytes(data, vault.Form.of(Path(name)), name=name, identities=vault.load_identities(site.bootstrap.key_file))
    except HarnessError as problem:
        yield trouble("secrets.file", problem)
        return
    yield good("secrets.file", f"{len(opened.values)} values open with the bootstrap key")
    wanted = {
        "certificate.certificate": site.certificate.certificate,
        "certificate.key": site.certificate.key,
        "webhook.secret": site.webhook.secret,
    }
    for key, value in wanted.items():
        if value in opened.values:
            yield good(key, f"{value} is there")
        else:
            advice = f"there are {', '.join(sorted(opened.values))}"
            yield Finding(key, "wrong", f"{name} has no value called {value}", site.secrets.url, advice)
