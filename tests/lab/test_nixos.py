"""The shell for NixOS, read by Debian's Nix, and evaluated against a nixpkgs of ours: the real one is not to be had here."""

from __future__ import annotations

import json

from lab.state import HERE
from tests.lab.conftest import Box

FLAKE = HERE.parent / "flake.nix"
PLACE = "/root/shell"
#: As much of nixpkgs as the flake speaks of: packages are their names, and builders say what they were given.
NIXPKGS = """{
  outputs = { self }: {
    legacyPackages.x86_64-linux = rec {
      python311 = "python311"; git = "git"; openssh = "openssh"; nix = "nix"; gnumake = "gnumake"; zlib = "zlib";
      stdenv.cc.cc.lib = "libstdc++";
      writeShellScript = name: text: "/script/${name}";
      buildFHSEnv = given: {
        outPath = "/shell/${given.name}";
        env = { inherit (given) name runScript; packages = given.targetPkgs self.legacyPackages.x86_64-linux; };
      };
    };
  };
}
"""


def test_debian_s_nix_reads_the_flake(box: Box) -> None:
    put(box)
    assert "buildFHSEnv" in box.says(f"nix-instantiate --parse {PLACE}/flake.nix")


def test_the_shell_holds_what_the_suite_needs(box: Box) -> None:
    put(box)
    shell = evaluated(box, "devShells.x86_64-linux.default")
    assert shell["packages"] == ["python311", "git", "openssh", "nix", "gnumake", "libstdc++", "zlib"]
    assert evaluated(box, "apps.x86_64-linux.default") == {"type": "app", "program": "/shell/cleanroom-suite/bin/cleanroom-suite"}


def put(box: Box) -> None:
    for path, text in ((f"{PLACE}/flake.nix", FLAKE.read_text()), (f"{PLACE}-nixpkgs/flake.nix", NIXPKGS)):
        box.says(f"mkdir -p $(dirname {path}) && cat > {path} <<'END OF FILE'\n{text}\nEND OF FILE")


def evaluated(box: Box, attribute: str) -> dict[str, object]:
    argv = f"nix eval --json --no-write-lock-file --override-input nixpkgs path:{PLACE}-nixpkgs path:{PLACE}#{attribute} 2>/dev/null"
    found: dict[str, object] = json.loads(box.says(argv))
    return found
