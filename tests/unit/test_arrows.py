"""The plan of the house, kept by its walls: who may import whom, what a room must not hold, and how long things may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Each room, and what of ours it may import. Nothing imports steps: pytest loads them by the list in conftest.py.
ARROWS = {
    "cleanroom": {"cleanroom"},
    "lab": {"lab", "cleanroom"},
    "fixtures": {"fixtures", "lab", "cleanroom"},
    "steps": {"fixtures", "cleanroom"},
    "bench": {"bench", "lab", "cleanroom"},
    "tests": {"tests", "bench", "fixtures", "lab", "cleanroom"},
}
PYTEST = {"pytest", "_pytest", "pytest_bdd", "conftest"}
#: Rooms that know nothing of pytest.
PLAIN = {"cleanroom", "lab", "bench"}
#: What would make a step more than a phrase.
ACTING = {"pylxd", "paramiko", "requests", "subprocess", "socket", "os", "time", "re"}
#: The lab's site is what is judged, not part of the suite: its programs run on machines that have nothing of ours.
NOT_OURS = "lab/site/"

LONGEST_FUNCTION = 45
LONGEST_FILE = 450
#: The verifier is one file on purpose: it is handed to who shall not need the suite. tests/unit/test_verifier.py says how long it may be.
ONE_FILE = "cleanroom/verifier.py"


@dataclass(frozen=True)
class Source:
    """One of our files, by its path from the root."""

    path: str
    text: str

    @property
    def room(self) -> str:
        return self.path.partition("/")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Line and full name of everything imported; what is imported by a name in a string is none of these."""
        found: list[tuple[int, str]] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += ((node.lineno, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = node.module if node.level == 0 and node.module else self.room
                found += ((node.lineno, f"{module}.{name.name}") for name in node.names)
        return found

    @cached_property
    def calls(self) -> list[tuple[int, str, list[ast.expr]]]:
        """Line, name (`print`, `time.sleep`) and arguments of every call."""
        return [(node.lineno, ast.unparse(node.func), node.args) for node in self.nodes if isinstance(node, ast.Call)]


Rule = Callable[[Source], Iterator[str]]


def follows_the_arrows(source: Source) -> Iterator[str]:
    forbidden = (set(ARROWS) - ARROWS[source.room]) | (PYTEST if source.room in PLAIN else set())
    for line, name in source.imports:
        if name.partition(".")[0] in forbidden:
            yield f"{source.path}:{line} imports {name}"


def hides_no_arrow(source: Source) -> Iterator[str]:
    """An import by a string must name a room that it may. The program's door to its sub-commands, the lab's too, is the one exception."""
    for line, name, arguments in source.calls:
        if name.rpartition(".")[2] in {"import_module", "__import__"} and source.path != "cleanroom/cli.py":
            written = ", ".join(map(ast.unparse, arguments))
            room = re.match(r"f?'(\w+)\.", written)
            if room is None or room[1] not in ARROWS[source.room]:
                yield f"{source.path}:{line} calls {name}({written})"


def steps_only_ask(source: Source) -> Iterator[str]:
    for line, name in source.imports:
        if name.partition(".")[0] in ACTING:
            yield f"{source.path}:{line} imports {name}"


def only_wait_sleeps(source: Source) -> Iterator[str]:
    if source.path != "cleanroom/wait.py":
        yield from (f"{source.path}:{line} calls {name}" for line, name, _arguments in source.calls if name == "time.sleep")
        yield from (f"{source.path}:{line} imports {name}" for line, name in source.imports if name == "time.sleep")


def only_commands_print(source: Source) -> Iterator[str]:
    if source.path not in {"cleanroom/cli.py", "lab/commands.py"} and not source.path.startswith(("cleanroom/commands/", "bench/")):
        yield from (f"{source.path}:{line} prints" for line, name, _arguments in source.calls if name == "print")


def says_what_it_knows(source: Source) -> Iterator[str]:
    docstring = ast.get_docstring(source.tree) or ""
    yield from (f"{source.path}: the docstring has no line `{word}`" for word in ("Knows:", "Refuses:") if f"\n{word} " not in docstring)


def is_short(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > LONGEST_FILE and source.path != ONE_FILE:
        yield f"{source.path} has {lines} lines"
    for node in source.nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{source.path}:{node.lineno} {node.name} has {length} lines"


def only_lists_plugins(source: Source) -> Iterator[str]:
    for node in source.tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_list = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytest_plugins" and isinstance(node.value, ast.List)
        if not is_docstring and not is_list:
            yield f"{source.path}:{node.lineno} holds more than the list of plugins: {ast.unparse(node).splitlines()[0]}"


#: Each rule, and the rooms it holds in.
RULES: dict[Rule, set[str]] = {
    follows_the_arrows: set(ARROWS),
    hides_no_arrow: set(ARROWS) - {"tests"},
    steps_only_ask: {"steps"},
    only_wait_sleeps: set(ARROWS) - {"tests"},
    only_commands_print: set(ARROWS) - {"tests"},
    says_what_it_knows: {"cleanroom", "lab"},
    is_short: set(ARROWS),
}


def sources(room: str) -> Iterator[Source]:
    """Every Python file of a room, one after the other; a room without any is a mistake of ours, not a pass."""
    paths = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / room).rglob("*.py"))]
    ours = [path for path in paths if not path.startswith(NOT_OURS)]
    assert ours, f"no file was examined in {room}/"
    for path in ours:
        yield Source(path, (ROOT / path).read_text())


@cache
def offences() -> dict[Rule, list[str]]:
    """What offends against each rule, found file by file: each is parsed once, and none of the trees is kept."""
    found: dict[Rule, list[str]] = {rule: [] for rule in RULES}
    for room in sorted(ARROWS):
        for source in sources(room):
            for rule in (rule for rule, rooms in RULES.items() if room in rooms):
                found[rule] += rule(source)
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house(rule: Rule) -> None:
    assert not offences()[rule], "\n".join(offences()[rule])


def test_conftest_is_a_list() -> None:
    assert not list(only_lists_plugins(Source("conftest.py", (ROOT / "conftest.py").read_text())))


def test_an_empty_room_is_no_pass() -> None:
    with pytest.raises(AssertionError, match="no file was examined in attic/"):
        list(sources("attic"))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (follows_the_arrows, "cleanroom/x.py", "import pytest"),
        (follows_the_arrows, "cleanroom/x.py", "from lab import up"),
        (follows_the_arrows, "cleanroom/x.py", "def f():\n    import fixtures.world"),
        (follows_the_arrows, "lab/x.py", "from fixtures.world import site"),
        (follows_the_arrows, "lab/x.py", "from pytest_bdd import given"),
        (follows_the_arrows, "fixtures/x.py", "import cleanroom.run, steps.machine"),
        (follows_the_arrows, "steps/x.py", "from steps.machine import rebooted"),
        (follows_the_arrows, "steps/x.py", "from . import machine"),
        (follows_the_arrows, "steps/x.py", "import lab"),
        (follows_the_arrows, "tests/unit/x.py", "import steps"),
        (hides_no_arrow, "cleanroom/x.py", "importlib.import_module('lab.life')"),
        (hides_no_arrow, "cleanroom/x.py", "import_module(f'{room}.life')"),
        (hides_no_arrow, "lab/x.py", "__import__(name)"),
        *((steps_only_ask, "steps/x.py", f"import {module}") for module in sorted(ACTING)),
        (steps_only_ask, "steps/x.py", "from os.path import exists"),
        (only_wait_sleeps, "lab/x.py", "time.sleep(1)"),
        (only_wait_sleeps, "steps/x.py", "from time import sleep"),
        (only_commands_print, "cleanroom/x.py", "if True:\n    print()"),
        (only_commands_print, "fixtures/x.py", "print('a')"),
        (says_what_it_knows, "lab/x.py", '"""One line.\n\nKnows: much.\n"""'),
        (says_what_it_knows, "lab/x.py", ""),
        (is_short, "lab/x.py", "def f():\n" + "    pass\n" * LONGEST_FUNCTION),
        (is_short, "lab/x.py", "\n" * (LONGEST_FILE + 1)),
        (only_lists_plugins, "conftest.py", "import os"),
        (only_lists_plugins, "conftest.py", "pytest_plugins = list(found())"),
    ],
)
def test_a_rule_sees_what_it_forbids(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (follows_the_arrows, "fixtures/x.py", "import lab, pytest\nfrom cleanroom.run import Run"),
        (follows_the_arrows, "steps/x.py", "from pytest_bdd import given\nfrom fixtures.world import base"),
        (hides_no_arrow, "cleanroom/cli.py", "import_module(door)"),
        (hides_no_arrow, "cleanroom/x.py", "import_module(f'cleanroom.{kind}')"),
        (only_wait_sleeps, "cleanroom/wait.py", "time.sleep(1)"),
        (only_commands_print, "cleanroom/commands/sweep.py", "print()"),
        (only_commands_print, "cleanroom/x.py", "fingerprint()"),
        (says_what_it_knows, "cleanroom/x.py", '"""One line.\n\nKnows: much.\nRefuses: more.\n"""'),
        (is_short, "lab/x.py", "def f():\n" + "    pass\n" * (LONGEST_FUNCTION - 1)),
        (only_lists_plugins, "conftest.py", '"""A list."""\n\npytest_plugins = ["a", "b"]'),
    ],
)
def test_a_rule_lets_pass_what_is_meant(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(Source(path, text)))
