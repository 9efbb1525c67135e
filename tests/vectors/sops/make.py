"""Makes the sops vectors anew: `python tests/vectors/sops/make.py SOPS`, where SOPS is the real program (tests/interop/sops-cli builds it).

Knows: which plain file becomes which vector, and that `.sops.yaml` beside it gives each its rule.
Refuses: to replace the keys: they are kept if they are there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyrage

HERE = Path(__file__).parent
MARK = "# PUBLIC TEST VECTOR: this private key is published with the suite and protects nothing.\n"


def keys() -> dict[str, str]:
    """Public halves of the keys, which are made if they are missing."""
    found = {}
    for name in ("one", "two"):
        path = HERE / "keys" / f"{name}.age"
        if not path.exists():
            path.write_text(f"{MARK}{pyrage.x25519.Identity.generate()}\n", encoding="utf-8")
        found[name] = str(pyrage.x25519.Identity.from_str(path.read_text(encoding="utf-8").splitlines()[-1]).to_public())
    for kind in ("ed25519", "rsa"):
        path = HERE / "keys" / f"ssh_{kind}"
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "PUBLIC TEST VECTOR: protects nothing", "-f", path], check=True)
        found[kind] = path.with_suffix(".pub").read_text(encoding="utf-8").strip()
    return found


def main(program: str) -> None:
    """Encrypt every file of `plain/` beside it, by the rules of `.sops.yaml`."""
    config = (HERE / "rules.template.yaml").read_text(encoding="utf-8")
    for name, public in keys().items():
        config = config.replace(f"@{name}@", public)
    (HERE / ".sops.yaml").write_text(config, encoding="utf-8")
    for plain in sorted((HERE / "plain").iterdir()):
        sealed = HERE / plain.name
        command = [program, "--config", str(HERE / ".sops.yaml"), "encrypt", "--filename-override", str(sealed), str(plain)]
        sealed.write_bytes(subprocess.run(command, check=True, capture_output=True, env={"HOME": os.devnull, "PATH": os.environ["PATH"]}).stdout)


if __name__ == "__main__":
    main(sys.argv[1])
