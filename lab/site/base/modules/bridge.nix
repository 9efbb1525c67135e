{ config, instance, ... }:
{
  swarm.services.bridge = {
    name = "bridge_app";
    host = "bridge.${instance.domain}";
    command = [ "${../programs}/bridge.py" ];
    secrets.webhook_hmac = config.sops.secrets."bridge/webhook_hmac".path;
  };
}
