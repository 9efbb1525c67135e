{
  description = "cc-ci: a self-hosted CI server, rebuilt from git, one key and DNS";

  inputs.secrets = {
    url = "git+https://git.cleanroom.test/recipe-maintainers/cc-ci-secrets";
    flake = false;
  };

  outputs =
    { self, secrets }:
    let
      nixos = import ./nixos { system = "x86_64-linux"; };
    in
    {
      nixosConfigurations.cc-ci = nixos.evaluate {
        specialArgs = {
          inherit secrets;
          instance = import ./instance.nix;
          revision = self.rev or self.dirtyRev or "";
        };
        modules = [
          ./nixos/sops.nix
          ./modules/host.nix
          ./modules/network.nix
          ./modules/ssh.nix
          ./modules/secrets.nix
          ./modules/certificate.nix
          ./modules/swarm.nix
          ./modules/proxy.nix
          ./modules/drone.nix
          ./modules/bridge.nix
          ./modules/dashboard.nix
        ];
      };
    };
}
