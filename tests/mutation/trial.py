"""One wrong version, tried by the tests of its module, in a process that knows the libraries already.

Knows: how to put a wrong version in its place at import, and that a wrong loop may never end.
Refuses: to touch a file of the tree.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import cast

from tests.mutation import mutants

ROOT = Path(__file__).resolve().parents[2]
#: Other people's, imported once: each trial is a fork.
_HEAVY = (
    "pytest",
    "pytest_bdd.plugin",
    "requests_mock.contrib._pytest_plugin",
    "hypothesis",
    "paramiko",
    "cryptography.x509",
    "pydantic.main",
    "pylxd",
    "ws4py.client.threadedclient",
    "ruamel.yaml",
    "markdown_it",
    "hyperscan",
    "jinja2",
    "pyrage",
    "zstandard",
)


def path_of(module: str) -> Path:
    """The file of a module."""
    plain = ROOT / f"{module.replace('.', '/')}.py"
    return plain if plain.exists() else ROOT / module.replace(".", "/") / "__init__.py"


def attempt(module: str, number: int | None, tests: str, within: float) -> tuple[str, float]:
    """`killed`, `survived` or `timeout`, and the seconds it took; without a number the module as it is is tried."""
    for heavy in _HEAVY:
        importlib.import_module(heavy)
    if module in sys.modules:
        raise RuntimeError(f"{module} is imported already: no wrong version would come in its place")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 99  # whatever happens in here, the fork must not go on as if it were its parent
        try:
            os.setsid()
            status = _in_child(module, number, tests)
        finally:
            os._exit(status)
    try:
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() - began > within:
                return "timeout", time.monotonic() - began
            time.sleep(0.02)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
    return "survived" if ended[1] == 0 else "killed", time.monotonic() - began


def attempt_until(until: float, module: str, number: int, tests: str, within: float) -> str:
    """The same, or `not tried` once the monotonic clock has passed `until`."""
    return attempt(module, number, tests, within)[0] if time.monotonic() < until else "not tried"


def files_of(tests: str) -> list[str]:
    """The files that patterns mean, those of the first pattern first: the first test that fails ends a trial."""
    return list(dict.fromkeys(str(path) for pattern in tests.split() for path in sorted(ROOT.glob(f"tests/{pattern}"))))


def _in_child(module: str, number: int | None, tests: str) -> int:
    import pytest  # noqa: PLC0415 - imported already, by whoever forked

    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a descriptor is wanted
        for descriptor in (1, 2):
            os.dup2(nowhere.fileno(), descriptor)
    if number is not None:
        sys.meta_path.insert(0, _Wrong(module, number))
    os.chdir(ROOT)
    return int(
        pytest.main(
            [
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:xdist",
                "--confcutdir=tests",  # the plugins of a run import the whole library, and judge nothing here
                "-W",
                "ignore::pytest.PytestAssertRewriteWarning",
                *files_of(tests),
            ]
        )
    )


class _Wrong(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module in a wrong version; all others are loaded by whoever is next."""

    def __init__(self, module: str, number: int) -> None:
        self._module = module
        self._number = number

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name != self._module:
            return None
        file = path_of(name)
        places = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(name, file, loader=self, submodule_search_locations=places)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        file = path_of(self._module)
        exec(cast(CodeType, mutants.compiled(file.read_text(), self._number, str(file))), module.__dict__)  # noqa: S102 - that is the point
