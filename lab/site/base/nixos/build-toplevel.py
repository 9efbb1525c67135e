"""Builder of a toplevel: writes the plan that Nix made into files and links."""

import json
import os
from pathlib import Path

ACTIVATE = """#!/bin/bash
systemConfig={out}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
_status=0
trap "_status=1 _localstatus=\\$?" ERR
umask 0022

{snippets}
# Whatever happened above, this is now the current system: so NixOS has it, and so whoever asks must look at the exit status too.
ln -sfn "$systemConfig" /run/current-system
mkdir -p /nix/var/nix/gcroots
ln -sfn /run/current-system /nix/var/nix/gcroots/current-system
exit $_status
"""

NIXOS_VERSION = """#!/bin/sh
case "$1" in
  --json) echo '{json}' ;;
  --configuration-revision) echo '{revision}' ;;
  *) echo '{version}' ;;
esac
"""


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


plan = json.loads(Path(os.environ["planPath"]).read_text())
out = Path(os.environ["out"])
out.mkdir()

for name, entry in plan["etc"].items():
    file = out / "etc" / name
    if "source" in entry:
        link(file, entry["source"])
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(entry["text"])

told = {"configurationRevision": plan["revision"], "nixosVersion": plan["version"]}
program(out / "activate", ACTIVATE.format(out=out, snippets=plan["activate"]))
program(out / "sw/bin/nixos-version", NIXOS_VERSION.format(json=json.dumps(told), revision=plan["revision"], version=plan["version"]))
for name, target in plan["programs"].items():
    link(out / "sw/bin" / name, target)
link(out / "bin/switch-to-configuration", plan["switch"])
link(out / "init", plan["init"])
link(out / "systemd", "/usr/lib/systemd")
(out / "init-interface-version").write_text("systemd 2")
(out / "nixos-version").write_text(plan["version"])
(out / "configuration-revision").write_text(plan["revision"])
(out / "system").write_text(plan["system"])
