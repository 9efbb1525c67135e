# The wildcard certificate is a secret like any other: a renewal is a commit.
{ ... }:
{
  sops.secrets = {
    "certificate/fullchain" = {
      path = "/var/lib/ci-certs/live/fullchain.pem";
      group = "ci-certs";
      mode = "0444";
      restartUnits = [ "reconcile-proxy.service" ];
    };
    "certificate/privkey" = {
      path = "/var/lib/ci-certs/live/privkey.pem";
      group = "ci-certs";
      mode = "0440";
      restartUnits = [ "reconcile-proxy.service" ];
    };
  };
}
