"""A site's documents as evidence is judged by them: the one that makes the claim, and all that may not contradict it.

Knows: which files of base, of secrets and of this side they are.
Refuses: to leave one out because of its name: whatever is text in a repository is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cleanroom.errors import BadInput, CheckFailed
from cleanroom.repository import Repository
from cleanroom.site import Site

_DOCUMENTS = {".md", ".markdown", ".txt", ".rst", ".adoc", ".org"}
_FILES = {"100644", "100755"}
_ADVICE = "[evidence] says where it lies"


def claim(site: Site, base: Repository) -> tuple[str, bytes]:
    """Name and bytes of the evidence document; raises `BadInput` if the site names none, `CheckFailed` if it is not there."""
    where = site.evidence
    if where.document_file is not None:
        return where.document_file.name, _local(where.document_file)
    if where.document is None:
        raise BadInput("the site file does not say where the evidence document lies", where=str(site.path), advice="[evidence]")
    try:
        return where.document, base.read(where.document)
    except BadInput:
        raise CheckFailed("the evidence document is in base", seen=f"no {where.document}", where=base.url, advice=_ADVICE) from None


def record_folder(site: Site, run: str) -> tuple[Path, Path]:
    """The folder of a run's record, and the key that must have signed it; raises `BadInput` if the site names either not."""
    if site.evidence.records is None or site.evidence.trusted_key is None:
        advice = "[evidence] needs records and trusted_key"
        raise BadInput("the site file does not say where signed records lie, and whose signature counts", where=str(site.path), advice=advice)
    return site.evidence.records / run, site.evidence.trusted_key


def everything(site: Site, base: Repository, secrets: Repository) -> Mapping[str, bytes]:
    """Every text of both repositories, and the documents that the site keeps on this side, by their paths; those of secrets begin with `secrets:`."""
    found = {entry.path: base.read(entry.path) for entry in base.entries() if entry.mode in _FILES}
    found |= {f"secrets:{entry.path}": secrets.read(entry.path) for entry in secrets.entries() if entry.mode in _FILES}
    texts = {path: content for path, content in found.items() if _is_document(path) or _is_text(content)}
    local = [path for path in (site.evidence.document_file, *site.evidence.local_documents) if path is not None]
    return {**texts, **{str(path): _local(path) for path in local}}


def prose(documents: Mapping[str, bytes]) -> dict[str, str]:
    """Those of the documents that are Markdown."""
    return {path: content.decode(errors="replace") for path, content in documents.items() if Path(path).suffix.lower() in {".md", ".markdown"}}


def whole(site: Site) -> frozenset[str]:
    """Names of the site and of what it consists of, each of which is all of it."""
    repositories = {url.rstrip("/").rpartition("/")[2].removesuffix(".git") for url in (site.base.url, site.secrets.url)}
    machines = {name for name in (site.incus.throwaway, site.incus.canonical_host) if name is not None}
    return frozenset({site.name, site.domain, f"*.{site.domain}", site.base.flake_attribute, *repositories, *machines})


def _is_document(path: str) -> bool:
    return Path(path).suffix.lower() in _DOCUMENTS


def _is_text(content: bytes) -> bool:
    return b"\0" not in content or content[:2] in {b"\xff\xfe", b"\xfe\xff"}


def _local(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CheckFailed("the site's documents are where the site file says", seen=str(problem.strerror), where=str(path), advice=_ADVICE) from None
