"""Whether what documents name is there: in the repositories, on the machine, and at the other end of each link.

Knows: how to ask for many names at once, read-only, and that a link leads to a file and, behind `#`, to a heading.
Refuses: to call names right where there were none, and an exception that no document needs.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from cleanroom.documents.library import Library
from cleanroom.documents.names import Name, Named, World, counts, gather, within
from cleanroom.documents.reading import Document, Link, read
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.machine import Machine
from cleanroom.repository import Repository
from cleanroom.site import Site

_EVALUATION_SECONDS = 300.0
_MARKDOWN = (".md", ".markdown")
#: How a scheme ends that is none: with nothing, or as a file of a repository does.
_NO_SCHEME = frozenset({"", "md", "markdown", "nix", "toml", "yaml", "yml", "lock", "sh", "py", "json", "txt"})


def world(site: Site, base: Repository, secrets: Repository, values: Iterable[str]) -> World:
    """What is known of a site: its declared hosts and services, the files of both repositories, the names of git's secrets."""
    endpoints = {endpoint.host for endpoint in site.endpoint}
    repositories = {urlsplit(url).path.strip("/").removesuffix(".git") for url in (site.base.url, site.secrets.url)}
    return World(
        domain=site.domain,
        hosts=frozenset({site.domain, f"*.{site.domain}", site.webhook.host, *endpoints}),
        services=frozenset(service.name for service in site.service),
        files=frozenset(entry.path for entry in base.entries()),
        sealed=frozenset(entry.path for entry in secrets.entries()),
        values=frozenset(values),
        other=frozenset({site.webhook.path, *(endpoint.path for endpoint in site.endpoint), *repositories}),
    )


def named(library: Library, known: World, examples: Mapping[str, str], record: Callable[..., object]) -> Named:
    """Every name in the site's documents but the excused examples; what was found, and what not judged, is recorded.

    Raises `HarnessError` if there is none, and `CheckFailed` for an example that stands in no document.
    """
    found = gather(library.documents.values(), known)
    if not found.names:
        raise HarnessError("the documents name nothing, so nothing of it can be looked for", where=", ".join(library.documents))
    unneeded = sorted(set(examples) - {name.text for name in found.names})
    if unneeded:
        expected = "each example that the site excuses stands in a document"
        raise CheckFailed(expected, seen=f"in none: {', '.join(unneeded)}", where="documents.examples in the site file", advice="take it out")
    record("names", documents=list(library.documents), found=counts(found.names), not_judged=list(found.not_judged), examples=dict(examples))
    return found.without(examples)


def check_links(library: Library, base: Repository) -> None:
    """Every relative link leads to a file or folder of base, and every anchor to a heading of what it leads to."""
    places = {entry.path for entry in base.entries()}
    places |= {path.rsplit("/", depth)[0] for path in places for depth in range(1, path.count("/") + 1)}
    looked, dead = 0, []
    for file, document in library.documents.items():
        if file in library.outside:
            continue
        for link in _links(document):
            looked += 1
            problem = _problem(link, file, document, places, base)
            if problem:
                dead.append((f"{file}:{link.line}", f"[...]({link.target}): {problem}"))
    if not looked:
        raise HarnessError("the documents have no relative link, so none can be followed", where=", ".join(library.documents))
    _report(dead, "every relative link leads to a file of base, every anchor to a heading")


def led_to(library: Library, base: Repository, besides: frozenset[str] = frozenset()) -> tuple[Document, ...]:
    """What a reader comes to beside the site's documents: README.md, and whatever Markdown of base one is led to from there, `besides` left out."""
    files = {entry.path for entry in base.entries() if entry.path.endswith(_MARKDOWN)} - besides - library.documents.keys()
    waiting = ["README.md", *(path for file, document in library.documents.items() if file not in library.outside for path in _targets(document))]
    found: dict[str, Document] = {}
    while waiting:
        path = waiting.pop()
        if path in files and path not in found:
            with contextlib.suppress(BadInput):
                found[path] = read(base.read(path).decode(errors="replace"), file=path)
                waiting += _targets(found[path])
    return tuple(found.values())


def check_in_git(found: Named, known: World) -> None:
    """Each file named is one of base or secrets, and each secret named is in git."""
    judged = found.of("file", "secret")
    _some(judged, "file and no secret of git's")
    missing = [(name.where, f"{name.kind} {name.text}") for name in judged if not _is_known(name, known)]
    _report(missing, "each file and each secret that documents name is in git")


def check_hosts(found: Named, known: World) -> None:
    """Each host name under the domain is one that the site declares: an endpoint's, the bridge's, the domain itself or its wildcard."""
    judged = found.of("host")
    _some(judged, f"host under {known.domain}")
    declared = {host.lower() for host in known.hosts}
    _report([(name.where, f"host {name.text}") for name in judged if name.text not in declared], "each host name that documents name is declared")


def check_on_machine(found: Named, machine: Machine) -> None:
    """Each absolute path, unit and swarm service is on the machine."""
    judged = found.of("path", "unit", "service")
    _some(judged, "path, unit and service")
    units, services = _texts(found.of("unit")), set(_texts(found.of("service")))
    absent: dict[str, set[str]] = {
        "path": _absent_paths(machine, _texts(found.of("path"))),
        "unit": {unit.name for unit in machine.units(*units) if unit.is_missing} if units else set(),
        "service": services - {service.name for service in machine.services()} if services else set(),
    }
    missing = [(name.where, f"{name.kind} {name.text}") for name in judged if name.text in absent[name.kind]]
    _report(missing, "each path, unit and swarm service that documents name is on the machine")


def check_attributes(found: Named, machine: Machine, base: Repository) -> None:
    """Each flake attribute is one of base's, at the commit under test; evaluated on the machine."""
    judged = found.of("attribute")
    _some(judged, "flake attribute")
    absent = {text for text in _texts(judged) if not _is_attribute(text, machine, base)}
    missing = [(name.where, f"attribute {name.text}") for name in judged if name.text in absent]
    _report(missing, "each flake attribute that documents name is one of base's")


def _links(document: Document) -> list[Link]:
    """A document's links that stay in base: relative ones, and anchors of its own. `install.md:23` has no scheme: it leads nowhere."""
    links = [link for piece in document.pieces for link in piece.links]
    return [link for link in links if urlsplit(link.target).scheme.rpartition(".")[2] in _NO_SCHEME and not link.target.startswith("//")]


def _target(path: str, file: str) -> str:
    """Where a link's path leads, from the root of base."""
    if not path:
        return file
    return posixpath.normpath(path.lstrip("/") if path.startswith("/") else posixpath.join(posixpath.dirname(file), path))


def _targets(document: Document) -> list[str]:
    return [_target(unquote(urlsplit(link.target).path), document.file) for link in _links(document)]


def _problem(link: Link, file: str, document: Document, places: set[str], base: Repository) -> str:
    parts = urlsplit(link.target)
    path = unquote(parts.path)
    if not link.target:
        return "it leads nowhere"
    if link.target.startswith("["):
        return "its definition is not there"
    target = _target(path, file)
    if target != "." and target not in places:
        return "there is no such file"
    if parts.fragment:
        return _anchor_problem(unquote(parts.fragment), target, file, document, base)
    return ""


def _anchor_problem(anchor: str, target: str, file: str, document: Document, base: Repository) -> str:
    if not target.endswith(_MARKDOWN):
        return "an anchor in what is no document" if not anchor.lstrip("L").replace("-L", "").isdecimal() else ""
    anchors = document.anchors if target == file else read(base.read(target).decode(errors="replace"), file=target).anchors
    return "" if anchor in anchors else f"{target} has no such heading"


def _is_known(name: Name, known: World) -> bool:
    match name.kind:
        case "file":
            return within(name.text, name.where.rpartition(":")[0], known.places)
        case _:
            return name.text in known.values or any(value.startswith(f"{name.text.rstrip('/')}/") for value in known.values)


def _texts(names: Sequence[Name]) -> list[str]:
    return sorted({name.text for name in names})


def _absent_paths(machine: Machine, paths: Sequence[str]) -> set[str]:
    """Those of `paths` at which nothing lies; a link that leads nowhere is nothing."""
    if not paths:
        return set()
    lines = machine.probe("stat", "--dereference", "--format=%n", "--", *paths, ok=(0, 1)).text.splitlines()
    return set(paths) - set(lines)


def _is_attribute(name: str, machine: Machine, base: Repository) -> bool:
    """Whether the flake has an attribute; raises `HarnessError` if it fails for another reason than not having it."""
    if name.startswith("inputs."):
        return name.split(".")[1] in _inputs(base)
    reference = f"git+{base.url}?rev={base.commit}#{name}"
    result = machine.probe("nix", "eval", "--json", reference, "--apply", "_: true", ok=(0, 1), within=_EVALUATION_SECONDS)
    if result.ok:
        return True
    if b"does not provide attribute" in result.stderr or b"missing" in result.stderr:
        return False
    raise HarnessError(f"cannot tell whether the flake has {name}: {result.complaint}", where=machine.where)


def _inputs(base: Repository) -> frozenset[str]:
    """The inputs that base has locked."""
    try:
        lock = json.loads(base.read("flake.lock"))
        return frozenset(lock["nodes"][lock["root"]].get("inputs", {}))
    except (BadInput, ValueError, KeyError, TypeError):
        raise HarnessError("cannot tell which inputs the flake has: flake.lock cannot be read", where=base.url) from None


def _some(names: Sequence[Name], what: str) -> None:
    if not names:
        raise HarnessError(f"the documents name no {what}, so none can be looked for")


def _report(missing: Sequence[tuple[str, str]], expected: str) -> None:
    if missing:
        seen = "; ".join(f"{text} ({where})" for where, text in missing[:8])
        advice = "mend the document; documents.examples in the site file excuses a name, with a reason"
        raise CheckFailed(expected, seen=f"not there: {seen}", where=missing[0][0], advice=advice)
