# Traefik: the one door. It serves git's certificate to names it knows, and nothing to others.
{ config, lib, instance, ... }:
let
  toJSONFile = name: value: builtins.toFile name (builtins.toJSON value); # JSON is YAML

  routed = builtins.filter (service: service ? host) (builtins.attrValues config.swarm.services);
  eachHost =
    make:
    builtins.listToAttrs (
      map (service: {
        name = service.name;
        value = make service;
      }) routed
    );

  dynamic = toJSONFile "traefik-dynamic.yml" {
    tls = {
      certificates = [
        {
          certFile = "/run/secrets/ssl_cert";
          keyFile = "/run/secrets/ssl_key";
        }
      ];
      options.default = {
        sniStrict = true;
        minVersion = "VersionTLS12";
      };
    };
    http.routers = eachHost (service: {
      rule = "Host(`${service.host}`)";
      entryPoints = [ "websecure" ];
      service = service.name;
      tls = { };
    });
    http.services = eachHost (service: {
      loadBalancer.servers = [ { url = "http://${service.name}:8080"; } ];
    });
  };

  static = toJSONFile "traefik.yml" {
    global = {
      checkNewVersion = false;
      sendAnonymousUsage = false;
    };
    entryPoints.websecure = {
      address = ":443";
      transport.lifeCycle.graceTimeOut = "1s";
    };
    providers.file.filename = "${dynamic}";
    log.level = "INFO";
  };
in
{
  swarm.services.proxy = {
    name = "traefik_app";
    command = [
      "/usr/lib/traefik/traefik"
      "--configFile=${static}"
    ];
    ports = [ 443 ];
    serves = {
      host = "proxy.${instance.domain}";
      certificate = config.sops.secrets."certificate/fullchain".path;
    };
    secrets = {
      ssl_cert = config.sops.secrets."certificate/fullchain".path;
      ssl_key = config.sops.secrets."certificate/privkey".path;
    };
  };
}
