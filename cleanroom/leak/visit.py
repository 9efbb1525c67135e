"""One source, visited: what it was listed to hold is called, what is there answers, and everything that answers is searched.

Knows: how each kind of source is read - a folder, git's objects, a tar stream, an image - and what keeps one from being read wholly.
Refuses: to go on after an error as if there had been none: each becomes a gap with its place and reason.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cleanroom.errors import HarnessError
from cleanroom.leak import git as leak_git
from cleanroom.leak import tree as leak_tree
from cleanroom.leak.archive import Member, Source
from cleanroom.leak.content import Content
from cleanroom.leak.coverage import Coverage, Gap, Roll, Tally
from cleanroom.leak.packed import Unopened
from cleanroom.leak.search import Label, Searcher


class Visit:
    """Searches one source through belts of its own. `found` is told of matches; `judge` turns a gap into one that is accepted, or leaves it."""

    def __init__(
        self,
        roll: Roll,
        searcher: Searcher,
        *,
        found: Callable[[Label, str, int], None],
        judge: Callable[[Gap], Gap],
        largest: int,
        digesting: bool = False,
    ) -> None:
        self.roll = roll
        self._judge = judge
        self._gaps: list[Gap] = []
        self._content = Content(searcher, found=found, closed=self._closed, digesting=digesting, largest=largest)

    def gap(self, place: str, reason: str) -> None:
        """Something of this source was not searched."""
        self._gaps.append(self._judge(Gap(place, reason)))

    @contextmanager
    def attempt(self, place: str) -> Iterator[None]:
        """What keeps the suite from looking becomes a gap; what could be looked at stays looked at."""
        try:
            yield
        except HarnessError as problem:
            self.gap(place, problem.problem)

    def _closed(self, problem: Unopened) -> None:
        self.gap(problem.place, problem.reason)

    def coverage(self) -> Coverage:
        """End the visit: the belts are emptied, the roll is closed."""
        self._content.finish()
        return self.roll.coverage(Tally("unpacking", self._content.inside, self._content.inside_bytes), self._gaps)

    def item(self, name: str, place: str, source: Source, *, look_inside: bool = True) -> None:
        """One item: searched, and answered for under `name`."""
        try:
            self.roll.answer(name, self._content.scan(place, source, look_inside=look_inside))
        except (OSError, Unopened) as problem:
            self.gap(place, f"it cannot be read: {problem}")

    def tree(self, path: Path) -> list[Path]:
        """A file or a folder; returns the git repositories met on the way, for a visit of their own."""
        with self.attempt(str(path)):
            for name, size in leak_tree.listed(path):
                self.roll.expect(name, size)
        git_dirs = []
        for entry in leak_tree.walk(path, closed=self.gap):
            if entry.names is not None:
                self._content.scan(
                    f"the names in {entry.path}", io.BytesIO("\n".join(entry.names).encode(errors="surrogateescape")), look_inside=False
                )
                if leak_git.is_git_dir(entry.names):
                    git_dirs.append(Path(entry.path))
            else:
                self._file(entry)
                if entry.path.endswith("/.git") and not entry.is_link:
                    git_dirs += self._led_to(entry.path)
        return list(dict.fromkeys(git_dirs))

    def _led_to(self, pointer: str) -> list[Path]:
        """The repository of a linked work tree or a submodule, which may lie elsewhere."""
        try:
            return [leak_git.git_dir_of(Path(pointer))]
        except (OSError, HarnessError):
            self.gap(pointer, "the repository that it leads to is not there")
            return []

    def _file(self, entry: leak_tree.Entry) -> None:
        try:
            if entry.is_link:
                self.item(entry.path, entry.path, io.BytesIO(os.fsencode(Path(entry.path).readlink())), look_inside=False)
                return
            descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as problem:
            self.gap(entry.path, f"it cannot be opened: {problem.strerror}")
            return
        with io.FileIO(descriptor) as file:
            self.item(entry.path, entry.path, file, look_inside=not entry.stored_by_git)

    def expect_objects(self, listing: Iterable[bytes]) -> None:
        """The objects that git lists."""
        for each in leak_git.listed(listing):
            self.roll.expect(each.name, each.size)

    def expect_reachable(self, names: Iterable[str]) -> None:
        """The objects that the history needs: each must be among those listed."""
        for name in names:
            if name not in self.roll:
                self.roll.dispute(f"{name.removeprefix('?')}: the history leads to it, but it is not stored")

    def objects(self, stream: IO[bytes], prefix: str) -> None:
        """The objects that git streams."""
        for each, body in leak_git.stored(stream):
            self.item(each.name, f"{prefix}{each.kind} {each.name}", body)

    def archive(self, source: str, stream: Source) -> None:
        """A tar stream. A hard link answers with the size of the file that it is another name of."""
        sizes: dict[str, int] = {}

        def answer(member: Member, size: int) -> None:
            name = rooted(member.name)
            if member.kind == "symlink":
                size = len(os.fsencode(member.link))
            elif member.kind == "hard link":
                size = sizes.get(rooted(member.link), -1)
            elif member.kind == "file":
                size += member.holes
            else:
                return
            sizes[name] = size
            self.roll.answer(name, size)

        try:
            self._content.scan_tar(source, stream, answer)
        except (OSError, Unopened) as problem:
            self.gap(source, str(problem))

    def image(self, source: str, stream: Source) -> None:
        """A `docker save` stream; each layer answers by its digest."""
        try:
            self._content.scan(source, stream)
        except (OSError, Unopened) as problem:
            self.gap(source, str(problem))
        for digest, size in self._content.digests.items():
            if digest in self.roll:
                self.roll.answer(digest, size)


def rooted(name: str) -> str:
    """A path in an archive or an inventory, as the absolute path that it stands for."""
    return "/" + name.removeprefix("./").lstrip("/").rstrip("/")
