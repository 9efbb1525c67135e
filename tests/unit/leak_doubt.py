"""What the tests of the leak search share: one value, a program that lies, and how a search must answer when it cannot tell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.errors import HarnessError
from cleanroom.leaks import Result

VALUE = b"kX9fQ2mLw7RzT4vB8nYc"


def is_refused(result: Result, *words: str) -> None:
    assert result.verdict == "cannot tell"
    text = "\n".join(result.problems)
    assert all(word in text for word in words), text
    with pytest.raises(HarnessError):
        result.check()


@contextmanager
def instead_of(program: str, script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run `script` where `program` would run; in it, `real` is the real one."""
    shims = folder / "shims"
    shims.mkdir()
    (shims / program).write_text(f'#!/bin/bash\nreal() {{ PATH="${{PATH#*:}}" command {program} "$@"; }}\n{script}\n')
    (shims / program).chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{shims}:{os.environ['PATH']}")
        yield
