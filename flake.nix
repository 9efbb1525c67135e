# The suite's shell on NixOS, where Python's wheels do not load as they are: docs/nixos.md.
{
  description = "The clean room: proves that a CI server can be rebuilt from git, one key and DNS";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";

  outputs =
    { self, nixpkgs }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};

      # Wheels bring programs and libraries that were linked for other distributions: they want a loader at /lib64 and a few libraries beside it.
      surroundings =
        name: runScript:
        pkgs.buildFHSEnv {
          inherit name runScript;
          targetPkgs = pkgs: [
            pkgs.python311
            pkgs.git
            pkgs.openssh
            pkgs.nix
            pkgs.gnumake
            pkgs.stdenv.cc.cc.lib
            pkgs.zlib
          ];
          # The operator's own Python settings must not reach the suite.
          profile = "unset PYTHONPATH PYTHONHOME";
        };
    in
    {
      # nix develop: a shell in the checkout, then `bash lab/venv .venv`.
      devShells.${system}.default = (surroundings "cleanroom-shell" "bash").env;

      # nix run . -- features --site FILE: makes the environment if it is missing, and runs the suite.
      apps.${system}.default = {
        type = "app";
        program = "${
          surroundings "cleanroom-suite" (
            pkgs.writeShellScript "cleanroom-suite" ''
              set -eu
              [ -x .venv/bin/pytest ] || bash lab/venv .venv
              exec .venv/bin/pytest "$@"
            ''
          )
        }/bin/cleanroom-suite";
      };
    };
}
