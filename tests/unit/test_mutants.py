"""The mutation tester: its wrong versions are wrong, their tests are there, and every explanation is of one that can be tried."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.mutation import mutants
from tests.mutation.__main__ import MODULES
from tests.mutation.trial import ROOT, attempt, files_of, path_of

SOURCE = '''\
"""Docstrings stay."""

def most(numbers, *, least=False):
    """This one too."""
    if not numbers:
        raise ValueError("nothing")
    found = numbers[0]
    for number in numbers:
        if number > found and True:
            found = number
    return found
'''
EXPLAINED: dict[str, dict[str, str]] = tomllib.loads((ROOT / "tests/mutation/survivors.toml").read_text())


def test_a_wrong_version_is_one_small_change() -> None:
    assert [mutant.key for mutant in mutants.all_of(SOURCE)] == [
        "most: False -> True in def most(numbers, *, least=False):",
        "most: if not numbers: -> if not not numbers:",
        "most: not numbers -> numbers",
        "most: raise ValueError('nothing') -> pass",
        "most: 0 -> 1 in found = numbers[0]",
        "most: if number > found and True: -> if not (number > found and True):",
        "most: number > found and True -> number > found or True",
        "most: number > found -> number >= found",
        "most: True -> False in if number > found and True:",
        "most: return found -> return None",
    ]


def behaviour(code: Any) -> str:
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - that is the point
    answers = []
    for numbers in ([], [3], [1, 3, 2]):
        try:
            answers.append(names["most"](numbers))
        except (ValueError, IndexError, TypeError) as problem:
            answers.append(type(problem).__name__)
    return str(answers)


def test_what_is_tried_is_the_change_that_is_told() -> None:
    known = {mutant.key: behaviour(mutants.compiled(SOURCE, mutant.number, "most.py")) for mutant in mutants.all_of(SOURCE)}
    right = behaviour(compile(SOURCE, "most.py", "exec"))
    assert right == "['ValueError', 3, 3]"
    assert known["most: not numbers -> numbers"] == "['IndexError', 'ValueError', 'ValueError']"
    assert known["most: raise ValueError('nothing') -> pass"] == "['IndexError', 3, 3]"
    assert known["most: return found -> return None"] == "['ValueError', None, None]"
    assert known["most: number > found and True -> number > found or True"] == "['ValueError', 3, 2]"
    assert [key for key, seen in known.items() if seen == right] == [
        "most: False -> True in def most(numbers, *, least=False):",
        "most: number > found -> number >= found",
    ]
    with pytest.raises(IndexError):
        mutants.compiled(SOURCE, len(known), "most.py")


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_tests_and_no_pattern_of_them_is_in_vain(module: str) -> None:
    assert path_of(module).is_file()
    for pattern in MODULES[module].split():
        assert files_of(pattern), pattern


@pytest.mark.parametrize("module", EXPLAINED)
def test_what_is_explained_can_be_tried(module: str) -> None:
    assert module in MODULES
    assert set(EXPLAINED[module]) <= {mutant.key for mutant in mutants.all_of(path_of(module).read_text())}
    assert all(len(why.split()) >= 4 for why in EXPLAINED[module].values())


def test_a_module_that_is_imported_already_is_not_tried() -> None:
    assert "tests.unit.test_mutants" in sys.modules
    with pytest.raises(RuntimeError, match=r"tests\.unit\.test_mutants is imported already"):
        attempt("tests.unit.test_mutants", 0, "unit/test_mutants.py", 1.0)


def test_the_tool_itself_imports_nothing_that_it_tries() -> None:
    argv = [sys.executable, "-c", "import sys, tests.mutation.__main__ as tool; print(sorted(tool.MODULES.keys() & sys.modules.keys()))"]
    assert subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip() == "[]"
