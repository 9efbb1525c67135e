"""A little project with our collector and a few steps, for nested pytest runs."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

INI = """
    [pytest]
    addopts = --strict-markers --strict-config -p no:cacheprovider -p no:hypothesispytest
    xfail_strict = true
    filterwarnings = error
    markers =
        c4: the clean room
        w5(reason): a gate, with an argument
        twice: asked for
        late: after all others
        last: after those too
"""

CONFTEST = """
from pytest_bdd import given, parsers, step, then, when

pytest_plugins = {plugins}

{steps}
"""

PHRASEBOOK = """
    from pathlib import Path
    from pytest_bdd import given, parsers, then, when
    from cleanroom.errors import CheckFailed, OutOfReach

    def pytest_configure(config):
        config.addinivalue_line("markers", "flaky: a marker that a plugin brings along")

    @given("a machine")
    def a_machine():
        Path("made").touch()

    @given(parsers.parse("a machine called {name}"), target_fixture="machine")
    def a_named_machine(name):
        return name

    @given("a document", target_fixture="machine")
    def a_document(docstring, datatable):
        return docstring + datatable[0][0]

    @when("it is rebooted")
    def rebooted():
        pass

    @then("it answers")
    def answers():
        pass

    @then(parsers.parse('it says "{word}"'))
    def says(word, machine):
        assert word == machine

    @then("it is wrong")
    def is_wrong():
        raise CheckFailed("the unit is active", seen="it has failed", where="unit web.service", advice="read its journal")

    @then("nobody can tell")
    def cannot_tell():
        raise OutOfReach("the host does not answer", where="10.0.0.5:22", advice="start it")

    @then("it crashes")
    def crashes():
        surprise = {}
        return surprise["missing"]
"""


class Project:
    """What a nested run sees; its answers are those of a real pytest."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.folder = pytester.path
        pytester.makeini(textwrap.dedent(INI))
        self.plugins = ["fixtures.collection", "phrasebook"]
        self.add_plugins()
        pytester.makepyfile(phrasebook=PHRASEBOOK)
        pytester.syspathinsert()

    def feature(self, text: str | bytes, name: str = "features/x.feature") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).lstrip("\n").encode())
        return path

    def add_plugins(self, *names: str, steps: str = "") -> None:
        self.plugins += names
        (self.folder / "conftest.py").write_text(CONFTEST.format(plugins=self.plugins, steps=textwrap.dedent(steps)))

    def add_steps(self, module: str, conftest: str = "") -> None:
        """Step definitions in a plugin of their own, and in conftest.py."""
        (self.folder / "more.py").write_text(f"from pytest_bdd import given, parsers, step, then, when\n{module}\n")
        self.add_plugins("more", steps=conftest)

    def run(self, *arguments: str | Path) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(*arguments)

    def collect(self, *arguments: str | Path) -> list[pytest.Item]:
        items, _record = self.pytester.inline_genitems(*arguments)
        return items

    def ids(self, *arguments: str | Path) -> list[str]:
        """The node ids that a run with these arguments selects."""
        result = self.run("--collect-only", "-q", *arguments)
        assert result.ret == pytest.ExitCode.OK, result.stdout.str()
        return [line for line in result.outlines if "::" in line]
