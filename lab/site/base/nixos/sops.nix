# What sops-nix plays: declared secrets are decrypted at activation, into memory, before any service starts.
{ config, lib, ... }:
let
  complete =
    sopsFile: name: given:
    {
      inherit name sopsFile;
      key = name;
      path = "/run/secrets/${name}";
      owner = "root";
      group = "root";
      mode = "0400";
      restartUnits = [ ];
    }
    // given;

  manifest = builtins.toFile "sops-manifest.json" (
    builtins.toJSON {
      ageKeyFile = config.sops.age.keyFile;
      recipients = config.sops.recipients;
      secrets = builtins.attrValues config.sops.secrets;
    }
  );
in
{
  completions = [
    (
      config:
      config
      // {
        sops = config.sops // {
          secrets = builtins.mapAttrs (complete config.sops.defaultSopsFile) config.sops.secrets;
        };
      }
    )
  ];

  environment.etc."sysusers.d/keys.conf".text = "g keys -\n";

  system.activationScripts = [
    {
      name = "setupSecrets";
      text = "${./install-secrets.py} ${manifest}";
    }
  ];
}
