"""Debian's Chromium, and the pages that it is shown."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cleanroom import report
from cleanroom.ledger import Event
from tests.unit import ledgers

#: It asks nobody for anything but what a page does, and leaves its profile in a folder that goes with it.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

RUNS: dict[str, Callable[[], list[Event]]] = {
    "passed": lambda: ledgers.with_everything(ledgers.green(kind="real"), leaks=False),
    "failed": lambda: ledgers.with_everything(ledgers.mixed()),
    "incomplete": lambda: ledgers.mixed()[:-14],
}
WORDS = {"passed": "PASSED", "failed": "FAILED", "incomplete": "INCOMPLETE"}


@dataclass
class Visit:
    """A page that was opened, and everything that the browser said and asked meanwhile."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


Open = Callable[..., contextlib.AbstractContextManager[Visit]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program is not None, "there is no chromium: run tests/browser/install .venv"
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield found
        found.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of three runs, each in its own folder, as a run leaves them."""
    base = tmp_path_factory.mktemp("reports")
    for name, events in RUNS.items():
        (base / name).mkdir()
        report.write(base / name, events())
    return base


@pytest.fixture
def visit(browser: Browser, folder: Path) -> Open:
    """Opens the page of a run in a browser that has seen nothing before."""

    @contextlib.contextmanager
    def opened(run: str, *, width: int = 1280, height: int = 800, scheme: str = "light") -> Iterator[Visit]:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light")
        seen = Visit(context.new_page())
        seen.page.on("console", lambda message: seen.said.append(message.text))
        seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
        seen.page.on("request", lambda request: seen.asked.append(request.url))
        seen.page.goto((folder / run / "report.html").as_uri())
        yield seen
        context.close()

    return opened
