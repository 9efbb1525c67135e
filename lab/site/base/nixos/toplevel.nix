# One store path that is the whole system, laid out as NixOS lays it out.
{
  config,
  lib,
  system,
  ...
}:
let
  version = "25.11.lab";
  revision = config.system.configurationRevision or "";

  snippet =
    { name, text }:
    ''
      #### Activation script snippet ${name}:
      _localstatus=0
      ${text}

      if (( _localstatus > 0 )); then
        printf "Activation script snippet '%s' failed (%s)\n" "${name}" "$_localstatus"
      fi
    '';
in
{
  system.build.toplevel = derivation {
    name = "nixos-system-${config.networking.hostName or "image"}-${version}";
    inherit system;
    builder = "/usr/bin/python3";
    args = [ ./build-toplevel.py ];
    passAsFile = [ "plan" ];
    plan = builtins.toJSON {
      inherit (config.environment) etc programs;
      inherit version revision system;
      activate = lib.lines (map snippet config.system.activationScripts);
      init = "${./init.sh}";
      switch = "${./switch-to-configuration.py}";
    };
  };
}
