"""A sops file of 1,000 values decrypted and verified: one whole process of ours against one of the real sops, side by side.

The real program is that of CLEANROOM_SOPS, or the one on PATH, or the one that the tests have built; without any, nothing is compared.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyrage

from cleanroom import vault

ROUNDS = 25
SERVICES, KEYS = 100, 10
#: Promised in the README, printed here, asserted nowhere.
MOST_TIMES = 1.0

READ = """
import sys
from pathlib import Path
from cleanroom import vault
opened = vault.read(Path(sys.argv[1]), identities=vault.load_identities(Path(sys.argv[2])))
sys.exit(len(opened.values) != int(sys.argv[3]))
"""


def main() -> None:
    sops = program()
    if sops is None:
        print("vault: sops is not installed, nothing was compared with it (tests/interop/sops-cli builds it)")
        return
    with tempfile.TemporaryDirectory() as folder:
        file, key = site(Path(folder))
        environment = {"SOPS_AGE_KEY_FILE": str(key), "HOME": folder, "PATH": os.environ["PATH"]}
        ours = [sys.executable, "-c", READ, str(file), str(key), str(SERVICES * KEYS)]
        theirs = [sops, "decrypt", str(file)]
        rounds = [(timed(ours, environment), timed(theirs, environment)) for _ in range(ROUNDS)]
    by_us, by_sops = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(
        f"vault: ours / sops = {by_us / by_sops:.2f} ({by_us * 1000:.0f} ms / {by_sops * 1000:.0f} ms, {SERVICES * KEYS} values in YAML, "
        f"whole processes, median of {ROUNDS} rounds; wanted: at most {MOST_TIMES})"
    )


def program() -> str | None:
    """The real sops, if there is one."""
    built = Path(sys.prefix) / "interop" / "sops"
    return os.environ.get("CLEANROOM_SOPS") or shutil.which("sops") or (str(built) if built.exists() else None)


def site(folder: Path) -> tuple[Path, Path]:
    """A file of many values and the key that opens it."""
    identity = pyrage.x25519.Identity.generate()
    tree = {f"service_{number}": {f"key_{key}": f"value {number}-{key}, of moderate length" for key in range(KEYS)} for number in range(SERVICES)}
    file, key = folder / "secrets.yaml", folder / "key.txt"
    file.write_bytes(vault.encrypt(tree, recipients=[str(identity.to_public())]))
    key.write_text(f"{identity}\n", encoding="utf-8")
    return file, key


def timed(argv: list[str], environment: dict[str, str]) -> float:
    """Seconds that a command takes; a command that fails has measured nothing."""
    began = time.perf_counter()
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
