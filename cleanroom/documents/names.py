"""What documents name: files, paths, units, services, flake attributes, host names and secrets, each with the line on which it stands.

Knows: what such names look like in inline code, in commands and in running text, and which marks make a name a pattern (`<N>`, `*`, `$NAME`).
Refuses: to guess. A piece of inline code that looks like none of these is kept as not judged; a name with a placeholder is judged up to it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from cleanroom.documents import typed
from cleanroom.documents.reading import Document, Piece

Kind = Literal["file", "secret", "host", "path", "unit", "service", "attribute"]

_URL = re.compile(r"\b(?:git\+)?(?:https?|ssh|wss?|file)://[^\s\"'`<>()|]+")
_UNIT = re.compile(r"(?<![\w/.@:*<>{}$-])[A-Za-z][\w@:-]*(?:\.[\w-]+)*\.(?:service|socket|timer|target|mount|automount|slice|scope)(?![\w-])(?!\.\w)")
_PATH = re.compile(r"(?<![\w./~$}*>)\]-])/(?:[\w.@+,=-]+/)*[\w.@+,=-]*(?P<open>[<*{$\[…])?")
#: In running text a slash may stand between words; behind these it begins a path.
_ROOTS = re.compile(r"/(?:bin|boot|dev|etc|home|lib|media|mnt|nix|opt|proc|root|run|sbin|srv|sys|tmp|usr|var)\b")
_ATTRIBUTE = re.compile(
    r"(?<![\w./#-])(?:(?:nixosConfigurations|nixosModules|inputs)|(?:packages|apps|checks|devShells)\.[a-z0-9_]+-(?:linux|darwin))(?:\.[\w-]+)+"
)
_SYSTEM = re.compile(r"--flake[= ]+[\"']?[^\s\"'#]*#([\w-]+)")
_OUTPUT = re.compile(r"\bnix (?:build|eval|run|develop|shell|path-info)\b[^\n|;&]*?#([\w.-]+)")
_OF_DOCKER = re.compile(r"\bdocker service (?:ps|inspect|logs|scale|update|rm|rollback)\b(?: +[^\s|;&>]+)*? +([\w.-]+)(?:=\d+)?(?= *(?:$|[|;&>]))")
_FILE = re.compile(r"(?<![\w./~$@#-])(?:[\w.-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:nix|md|lock|toml|ya?ml)\b(?![\w/-])(?!\.\w)")
_ENDINGS = (".nix", ".md", ".lock", ".toml", ".yaml", ".yml", ".sh", ".py")
_PATTERN = re.compile(r"[<>$*{}()=:\\…|&;,'\"]|\.\.\.")
_FOR_EXAMPLES = re.compile(r"(?:^|\.)example(?:\.(?:com|org|net))?$")


@dataclass(frozen=True)
class Name:
    """A name, what it is of, and where it stands."""

    kind: Kind
    text: str
    where: str


@dataclass(frozen=True)
class World:
    """What is known of a site before its documents are read: by it names are told apart.

    `files` are the paths of base, `sealed` those of secrets; `values` are names of secrets in git, `hosts` those that the site declares; `other` is
    what looks like a path and is none: paths of public addresses, repositories by owner and name.
    """

    domain: str
    hosts: frozenset[str]
    services: frozenset[str]
    files: frozenset[str]
    sealed: frozenset[str]
    values: frozenset[str]
    other: frozenset[str]

    @cached_property
    def places(self) -> frozenset[str]:
        """Every file and folder of either repository."""
        paths = self.files | self.sealed
        return paths | {path.rsplit("/", depth)[0] for path in paths for depth in range(1, path.count("/") + 1)}

    @cached_property
    def groups(self) -> frozenset[str]:
        """The first parts of names of secrets."""
        return frozenset(value.partition("/")[0] for value in self.values if "/" in value)

    @cached_property
    def host(self) -> re.Pattern[str]:
        """The domain, and any name under it."""
        return re.compile(rf"(?<![\w.-])(?:\*\.)?(?:[\w-]+\.)*{re.escape(self.domain)}(?![\w-])(?!\.\w)", re.IGNORECASE)

    @cached_property
    def service(self) -> re.Pattern[str] | None:
        """What is called as the site's services are: `*_app`, if they are `traefik_app` and `drone_app`."""
        endings = sorted({re.escape(name.rpartition("_")[2]) for name in self.services if "_" in name})
        return re.compile(rf"(?<![\w/.-])[a-z][a-z0-9-]*_(?:{'|'.join(endings)})(?![\w-])") if endings else None


@dataclass(frozen=True)
class Named:
    """All names of the site's documents, and the inline code that was not judged."""

    names: tuple[Name, ...]
    not_judged: tuple[str, ...]

    def of(self, *kinds: Kind) -> tuple[Name, ...]:
        """Those of some kinds."""
        return tuple(name for name in self.names if name.kind in kinds)

    def without(self, examples: Iterable[str]) -> Named:
        """All but those that stand there as examples."""
        left_out = frozenset(examples)
        return Named(tuple(name for name in self.names if name.text not in left_out), self.not_judged)


def gather(documents: Iterable[Document], world: World) -> Named:
    """Every name in some documents, once a line."""
    names: dict[Name, None] = {}
    words: dict[str, None] = {}
    for document in documents:
        for piece in document.pieces:
            for name in _names(piece, document.file, world):
                names[name] = None
            for code, line in piece.code:
                if not any(name.where == f"{document.file}:{line}" and name.text.removesuffix(".service") in code for name in names):
                    words[code] = None
    return Named(tuple(names), tuple(words))


def _names(piece: Piece, file: str, world: World) -> Iterator[Name]:
    places = [(piece.text, 0)] if piece.kind != "code" else list(_code_lines(piece))
    for text, offset in places:
        for kind, found, at in _in_text(text, world, is_code=piece.kind == "code"):
            yield Name(kind, found, f"{file}:{piece.line_of(offset + at)}")
    for code, line in piece.code:
        for kind, found in _in_code(code, piece, file, world):
            yield Name(kind, found, f"{file}:{line}")


def _code_lines(piece: Piece) -> Iterator[tuple[str, int]]:
    offset = 0
    for line in piece.text.splitlines(keepends=True):
        yield line.rstrip("\n"), offset
        offset += len(line)


def _in_text(text: str, world: World, *, is_code: bool) -> Iterator[tuple[Kind, str, int]]:
    """What can be told by its form alone, in running text and in commands."""
    for found in world.host.finditer(text):
        yield "host", found[0].lower(), found.start()
    yield from _in_commands(text)
    text = _URL.sub(lambda url: " " * len(url[0]), text)
    for found in _UNIT.finditer(text):
        yield "unit", found[0], found.start()
    for found in _ATTRIBUTE.finditer(text):
        yield "attribute", found[0].rstrip("."), found.start()
    for found in world.service.finditer(text) if world.service is not None else ():
        yield "service", found[0], found.start()
    for path, at in _paths(text, world):
        if is_code or _ROOTS.match(path):
            yield "path", path, at
    for found in _FILE.finditer(text):
        if found[0] not in world.other and (not is_code or _is_beside(found[0], text[: found.start()], world)):
            yield "file", found[0], found.start()
    yield from (("unit", unit, at) for unit, at in (typed.units(text) if is_code else ()))


def _in_commands(text: str) -> Iterator[tuple[Kind, str, int]]:
    """What a command is told to work on."""
    yield from (("attribute", f"nixosConfigurations.{found[1]}", found.start()) for found in _SYSTEM.finditer(text))
    yield from (("attribute", found[1].rstrip("."), found.start()) for found in _OUTPUT.finditer(text))
    yield from (("service", found[1], found.start()) for found in _OF_DOCKER.finditer(text))


def _paths(text: str, world: World) -> Iterator[tuple[str, int]]:
    """Absolute paths; one with a placeholder up to the folder before it."""
    for found in _PATH.finditer(text):
        whole = found[0].removesuffix(found["open"] or "")
        path = whole.rpartition("/")[0] if found["open"] else whole.rstrip(".,=").rstrip("/")
        if path.strip("/") and path not in world.other:
            yield path, found.start()


def _in_code(code: str, piece: Piece, file: str, world: World) -> Iterator[tuple[Kind, str]]:
    """What a piece of inline code names, word by word."""
    for path, _ in _paths(_URL.sub("", code), world):
        yield "path", path
    yield from (("unit", unit) for unit, _ in typed.units(code))
    for word in (each.rstrip(".,;:") for each in code.split()):
        if word in world.services or f"swarm service {word}" in piece.text:
            yield "service", word
        elif word and not word.startswith(("/", "-", "~")) and not _PATTERN.search(word) and word not in world.other:
            yield from _relative(word, file, world)


def _is_beside(file: str, before: str, world: World) -> bool:
    """Whether a command that names a file means one of a repository: it lies in one of its folders, and is not made by the command."""
    return "/" in file and file.partition("/")[0] in world.places and not before.rstrip().endswith(">")


def _relative(word: str, file: str, world: World) -> Iterator[tuple[Kind, str]]:
    """A word as a path in one of the repositories, or as a secret's name."""
    first = word.partition("/")[0]
    if world.host.fullmatch(word) or _FOR_EXAMPLES.search(word):
        return
    if word in world.values or ("/" in word and first in world.groups and first not in world.places):
        yield "secret", word
    elif within(word, file, world.places) or word.endswith(("/", *_ENDINGS)) or ("/" in word and first in world.places):
        yield "file", word


def within(path: str, file: str, places: frozenset[str]) -> bool:
    """Whether a relative path leads to one of `places`, from a repository's root or from the folder of the document that names it."""
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
    return bool({posixpath.normpath(path), beside} & places)


def counts(names: Sequence[Name]) -> dict[str, int]:
    """How many names there are of each kind."""
    return {kind: sum(name.kind == kind for name in names) for kind in dict.fromkeys(name.kind for name in names)}
