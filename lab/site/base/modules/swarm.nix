# Docker, a swarm of one, and what the other modules say in `swarm.services`: each service has a unit that makes it so (reconcile-NAME).
{ config, lib, ... }:
let
  programs = ../programs;
  spec = name: plan: builtins.toFile "${name}.json" (builtins.toJSON plan);

  reconcile =
    {
      description,
      after,
      plan,
      verb,
    }:
    {
      text = ''
        [Unit]
        Description=${description}
        Requires=${after}
        After=${after}

        [Service]
        Type=oneshot
        RemainAfterExit=yes
        Environment=PATH=/run/current-system/sw/bin:/usr/sbin:/usr/bin
        ExecStart=${programs}/reconcile.py ${verb} ${plan}
        TimeoutStartSec=120
      '';
      wantedBy = [ "multi-user.target" ];
    };

  # A service's root is the machine's own /usr and /nix/store, read-only: nothing has to be fetched or unpacked.
  common = {
    image = "cc-ci/base:1";
    network = "proxy";
    mounts = [
      "/usr"
      "/nix/store"
    ];
  };

  unitOf = name: service: {
    name = "reconcile-${name}.service";
    value = reconcile {
      description = "Make the swarm service ${service.name} what the configuration says";
      after = "reconcile-swarm.service";
      verb = "service";
      plan = spec name (common // service);
    };
  };
in
{
  environment.programs.docker = "/usr/lib/docker/docker";

  systemd.units = {
    "docker.service" = {
      package = "/usr/lib/systemd/system/docker.service";
      wantedBy = [ "multi-user.target" ];
    };
    "reconcile-swarm.service" = reconcile {
      description = "Make this machine a swarm of one";
      after = "docker.service";
      verb = "swarm";
      plan = spec "swarm" { inherit (common) image network; };
    };
  }
  // builtins.listToAttrs (lib.attrValuesOf unitOf config.swarm.services);
}
