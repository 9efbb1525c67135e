{
  description = "The image's own system: what a machine runs before anybody told it what to be";

  outputs =
    { self }:
    let
      nixos = import ./nixos { system = "x86_64-linux"; };
    in
    {
      nixosConfigurations.image = nixos.evaluate { modules = [ ./configuration.nix ]; };
    };
}
