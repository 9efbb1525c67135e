# What every system has: empty beginnings, units as files of /etc, and a /etc that follows the running system.
{ config, lib, ... }:
let
  unitFiles = name: unit: {
    "systemd/system/${name}".text = unit.text;
  };
  wantedBy =
    name: unit:
    map (target: {
      "systemd/system/${target}.wants/${name}".source =
        unit.package or "/etc/systemd/system/${name}";
    }) (unit.wantedBy or [ ]);
  files = name: unit: (if unit ? text then [ (unitFiles name unit) ] else [ ]) ++ wantedBy name unit;
in
{
  completions = [ ];
  networking = { };
  sops.secrets = { };
  system.activationScripts = [
    {
      name = "etc";
      text = "${./update-etc.py} \"$systemConfig\"";
    }
    {
      name = "users";
      text = "systemd-sysusers";
    }
  ];

  # A unit has `text`, or `package`: the path of one that Debian brings. `wantedBy` starts either.
  systemd.units = { };

  environment.etc = builtins.foldl' (all: one: all // one) { } (
    builtins.concatLists (lib.attrValuesOf files config.systemd.units)
  );

  # Programs in the system's path: name to file.
  environment.programs = {
    nixos-rebuild = "${./nixos-rebuild.sh}";
  };
}
