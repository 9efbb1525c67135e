"""The leak search against what a user would take instead, on one core, with the same patterns: ripgrep on plain files, gitleaks on a history.

`--large` searches 5 GiB instead of one, for the sake of the peak memory. A program that is not installed is said to be missing, not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cleanroom.leak import forms as leak_forms
from cleanroom.leak import parts as leak_parts
from cleanroom.leaks import Search, Searcher
from cleanroom.quantities import show_size
from cleanroom.redact import Secret

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
#: Promised in the README, printed here, asserted nowhere.
FASTER_THAN_RIPGREP, FASTER_THAN_GITLEAKS, MOST_BYTES = 5, 10, 256 * 2**20
_BLOCK = 2**26
_COMMITS, _FILES, _CHANGED, _FILE_BYTES = 200, 200, 6, 8000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--worker", type=Path, metavar="PATH")
    options = parser.parse_args()
    if options.worker is not None:
        work(options.worker)
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    values = invented()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain_files(folder, values, copies=64 if options.large else 16)
        history(folder, values)


def work(path: Path) -> None:
    """Our side, in a process of its own: values on standard input, seconds (without Python's start) and peak memory (bytes) on standard output."""
    values = {name: Secret(bytes.fromhex(value), name=name) for name, value in json.load(sys.stdin).items()}
    began = time.monotonic()
    search = Search(Searcher(values))
    search.tree(path)
    search.result.check()
    seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds, "peak": peak()}))


def peak() -> int:
    """Bytes of memory that this process held at most. Not getrusage's: that inherits the peak of the process which started this one."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None  # noqa: S101 - Linux tells
    return int(found[1]) * 1024


def invented() -> dict[str, bytes]:
    """What a vault holds: two dozen tokens and two private keys."""
    form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    keys = {"RSA": rsa.generate_private_key(65537, 2048).private_bytes(*form), "EC": ec.generate_private_key(ec.SECP256R1()).private_bytes(*form)}
    return {f"token {number}": secrets.token_urlsafe(24).encode() for number in range(24)} | keys


def plain_files(folder: Path, values: dict[str, bytes], *, copies: int) -> None:
    """Files of prose-like text, base64 and noise; hard links make many of few."""
    corpus = folder / "plain"
    corpus.mkdir()
    for number, data in enumerate((text(_BLOCK // 2) + secrets.token_bytes(_BLOCK // 4), secrets.token_hex(_BLOCK // 4).encode())):
        first = corpus / f"{number}-0"
        first.write_bytes(data)
        for copy in range(1, copies):
            os.link(first, corpus / f"{number}-{copy}")
    size = show_size(sum(path.stat().st_size for path in corpus.iterdir()))
    patterns = folder / "patterns"
    lines = [literal for literal in all_literals(values) if is_one_line_of_text(literal)]
    patterns.write_bytes(b"\n".join(lines) + b"\n")
    ours = [searched(corpus, values) for _ in range(ROUNDS)]
    print(
        f"leaks: {size} of plain files: largest process {max(peak for _, peak in ours) / 2**20:.0f} MiB (wanted: at most {MOST_BYTES // 2**20} MiB)"
    )
    theirs = measured("rg", ["-j1", "-a", "-F", "-c", "-uuu", "-f", str(patterns), str(corpus)], good={1})
    if theirs is not None:
        ratio = theirs / statistics.median(seconds for seconds, _ in ours)
        print(f"leaks: ripgrep / ours = {ratio:.1f} ({size} of plain files, {len(lines)} literals; wanted: at least {FASTER_THAN_RIPGREP})")


def history(folder: Path, values: dict[str, bytes]) -> None:
    """A history of many small commits. gitleaks reads the lines that each commit adds, we every version of every file."""
    repository = folder / "history.git"
    grow(repository)
    ours = statistics.median(searched(repository, values)[0] for _ in range(ROUNDS))
    rules = folder / "rules.toml"
    escaped = ["".join(re.sub(r"\W", lambda match: f"\\x{ord(match[0]):02x}", literal.decode())) for literal in texts(values)]
    rules.write_text("".join(f"[[rules]]\nid = 'r{number}'\nregex = '''{'|'.join(escaped[number::27])}'''\n" for number in range(27)))
    for what, options, wanted in (("its own rules", [], 0), ("the same literals", ["-c", str(rules)], FASTER_THAN_GITLEAKS)):
        theirs = measured("gitleaks", ["git", "--no-banner", "--log-level", "error", *options, str(repository)], good={0}, rounds=1)
        if theirs is not None:
            goal = f"; wanted: at least {wanted}" if wanted else ""
            print(f"leaks: gitleaks / ours = {theirs / ours:.1f} (a history of {_COMMITS} commits, gitleaks with {what}{goal})")


def searched(path: Path, values: dict[str, bytes]) -> tuple[float, int]:
    """Seconds and peak memory of our search."""
    told = json.dumps({name: value.hex() for name, value in values.items()})
    command = [sys.executable, "-m", "bench.leaks", "--worker", str(path)]
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=True, cwd=ROOT)
    data = json.loads(done.stdout)
    return data["seconds"], data["peak"]


def measured(program: str, arguments: list[str], *, good: set[int], rounds: int = ROUNDS) -> float | None:
    """Seconds that another program takes, the median of some rounds; None, and a line that says so, if it is not installed."""
    if shutil.which(program) is None:
        print(f"leaks: {program} is not installed, nothing was compared with it")
        return None
    return statistics.median(timed(lambda: run([program, *arguments], good)) for _ in range(rounds))


def run(command: list[str], good: set[int]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in good:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: it has measured nothing")


def timed(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def all_literals(values: dict[str, bytes]) -> list[bytes]:
    return [literal for value in values.values() for part in leak_parts.parts(value) for literal in leak_forms.literals(part)]


def texts(values: dict[str, bytes]) -> list[bytes]:
    return [literal for literal in all_literals(values) if is_one_line_of_text(literal)]


def is_one_line_of_text(literal: bytes) -> bool:
    """Whether ripgrep and gitleaks can be told to look for it."""
    return literal.isascii() and literal.decode().isprintable()


def text(size: int) -> bytes:
    draw = random.Random(7)  # noqa: S311 - the same prose every time
    words = [bytes(draw.choices(b"abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 11))) for _ in range(5000)]
    line = b"".join(b" ".join(draw.choices(words, k=9)) + b"\n" for _ in range(20_000))
    return (line * (size // len(line) + 1))[:size]


def grow(repository: Path) -> None:
    """A bare repository of some hundred commits, each of which changes a line in a few files."""
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    draw = random.Random(8)  # noqa: S311 - the same history every time
    prose = text(2**20)
    files = {f"module{number % 9}/file{number}.nix": piece(draw, prose, _FILE_BYTES) for number in range(_FILES)}
    stream = []
    for commit in range(_COMMITS):
        stream.append(b"commit refs/heads/main\ncommitter n <e@example.org> %d +0000\ndata 1\nm\n" % (1_700_000_000 + commit))
        for name in draw.sample(sorted(files), _CHANGED) if commit else files:
            lines = files[name].split(b"\n")
            lines[draw.randrange(len(lines))] = piece(draw, prose, 60).replace(b"\n", b" ")
            files[name] = b"\n".join(lines)
            stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(files[name]), files[name]))
    subprocess.run(["git", "-C", str(repository), "fast-import", "--quiet"], input=b"".join(stream), check=True)


def piece(draw: random.Random, prose: bytes, size: int) -> bytes:
    start = draw.randrange(len(prose) - size)
    return prose[start : start + size]


if __name__ == "__main__":
    main()
