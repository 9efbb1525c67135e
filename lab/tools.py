"""Running other people's programs.

Knows: which environment variables of this machine must not reach them: trust stores, git's and Incus' own settings.
Refuses: to go on after one that failed, and to fail without its last words.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cleanroom.errors import HarnessError

_FOREIGN_PREFIXES = ("GIT_", "INCUS_", "LXD_", "LXC_", "NIX_", "PYTHON", "VIRTUAL_ENV")
_FOREIGN = {"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "SSH_AUTH_SOCK"}
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without what belongs to somebody else, on the system's own PATH, in the C locale."""
    kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN and not key.startswith(_FOREIGN_PREFIXES)}
    return {**kept, "PATH": _SYSTEM_PATH, "LC_ALL": "C.UTF-8", **extra}


def run(*argv: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None, within: float = 60.0) -> str:
    """Run a program to its end and return its standard output; raises `HarnessError` with its last words if it fails or takes `within` seconds."""
    words = [str(word) for word in argv]
    pipe = subprocess.PIPE
    variables = environment() if env is None else dict(env)
    try:
        process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, cwd=cwd, env=variables, start_new_session=True)
    except FileNotFoundError:
        raise HarnessError(f"`{words[0]}` is not installed", advice="lab/install installs what the lab needs") from None
    with process:
        try:
            out, err = process.communicate(stdin, timeout=within)
        except BaseException as problem:  # Ctrl-C too: what it started must not go on without us
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(problem, subprocess.TimeoutExpired):
                raise HarnessError(f"`{' '.join(words[:3])}` still ran after {within:.0f} s") from None
            raise
    if process.returncode:
        last = (err.decode(errors="replace").strip() or out.decode(errors="replace").strip()).splitlines()[-4:]
        raise HarnessError(f"`{' '.join(words[:4])}` ended with {process.returncode}: {' / '.join(last) or '(it said nothing)'}")
    return out.decode(errors="replace")
