"""The real sops, for tests that compare ours with it.

Knows: where sops-cli builds it, and how to run it so that it sees no key but the one given.
Refuses: to pass for complete where it cannot be had: the run says INCOMPLETE in its summary.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest

_BUILD_SECONDS = 540
_FOLDER = Path(sys.prefix) / "interop"


@dataclass(frozen=True)
class Sops:
    """The real program, one key, and a folder to work in."""

    program: Path
    folder: Path
    key: Path
    recipient: str

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Run sops where it finds nothing but what the test gives it."""
        keys = {"SOPS_AGE_KEY_FILE": str(self.key), "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder), "PATH": os.environ["PATH"]}
        return subprocess.run([self.program, *arguments], capture_output=True, check=False, cwd=self.folder, env=keys | environment, timeout=60)

    def encrypt(self, name: str, plain: bytes, *, rule: str = "", value: str = "") -> subprocess.CompletedProcess[bytes]:
        """Encrypt `plain` as a file called `name`, under the creation rule `rule: value`."""
        (self.folder / name).write_bytes(plain)
        config = self.folder / "rules.yaml"
        quoted = value if value == "true" else "'" + value.replace("'", "''") + "'"
        config.write_text(f"creation_rules:\n  - age: {self.recipient}\n" + (f"    {rule}: {quoted}\n" if rule else ""), encoding="utf-8")
        return self.run("--config", str(config), "encrypt", name)

    def decrypt(self, name: str, sealed: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
        """Decrypt and verify `sealed` as a file called `name`."""
        (self.folder / name).write_bytes(sealed)
        return self.run("decrypt", *options, name)


@pytest.fixture(scope="session")
def program() -> Path:
    """The real sops, built once into the virtual environment (or named by CLEANROOM_SOPS)."""
    if "CLEANROOM_SOPS" in os.environ:
        return Path(os.environ["CLEANROOM_SOPS"])
    built = subprocess.run([Path(__file__).parent / "sops-cli", _FOLDER], capture_output=True, check=False, timeout=_BUILD_SECONDS)
    if built.returncode != 0:
        reason = (built.stderr.decode(errors="replace").strip().splitlines() or ["it does not build"])[-1]
        pytest.skip(f"INCOMPLETE: nothing was compared with the real sops: {reason}")
    return _FOLDER / "sops"


@pytest.fixture(scope="session")
def sops(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Sops:
    folder = tmp_path_factory.mktemp("sops")
    identity = pyrage.x25519.Identity.generate()
    key = folder / "key.txt"
    key.write_text(f"{identity}\n", encoding="utf-8")
    return Sops(program, folder, key, str(identity.to_public()))


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield
    reasons = {report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)}
    for reason in sorted(reason for reason in reasons if "INCOMPLETE" in reason):
        terminalreporter.section("INCOMPLETE", sep="!", red=True, bold=True)
        terminalreporter.line(reason.removeprefix("Skipped: "))
