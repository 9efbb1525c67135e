# Every secret of this server: which one, for whom. The values are in the private repository.
{ instance, secrets, ... }:
let
  ownedBy = user: unit: {
    owner = user;
    group = user;
    mode = "0400";
    restartUnits = [ unit ];
  };
in
{
  sops = {
    defaultSopsFile = "${secrets}/secrets/secrets.yaml";
    age.keyFile = "/var/lib/sops-nix/key.txt";
    inherit (instance) recipients;

    secrets = {
      "drone/oauth_client_id" = ownedBy "drone" "reconcile-drone.service";
      "drone/oauth_client_secret" = ownedBy "drone" "reconcile-drone.service";
      "drone/rpc_secret" = ownedBy "drone" "reconcile-drone.service";
      "bridge/webhook_hmac" = ownedBy "bridge" "reconcile-bridge.service";
    };
  };

  environment.etc."sysusers.d/cc-ci.conf".text = ''
    u drone -
    u bridge -
    g ci-certs -
  '';
}
