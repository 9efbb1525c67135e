{ config, instance, ... }:
let
  file = name: config.sops.secrets."drone/${name}".path;
in
{
  swarm.services.drone = {
    name = "drone_app";
    host = "drone.${instance.domain}";
    command = [ "${../programs}/drone.py" ];
    environment = {
      DRONE_SERVER_HOST = "drone.${instance.domain}";
      DRONE_SERVER_PROTO = "https";
      DRONE_GITEA_SERVER = "https://git.cleanroom.test";
    };
    secrets = {
      client_id = file "oauth_client_id";
      client_secret = file "oauth_client_secret";
      rpc_secret = file "rpc_secret";
    };
  };
}
