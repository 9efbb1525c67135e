#!/bin/bash
# cc-ci's own regression, D1 to D10: one line each, exit status 0 if all hold. It only looks.
export PATH=/run/current-system/sw/bin:/usr/sbin:/usr/bin
failures=0

holds() {
  local name=$1
  shift
  if "$@" > /dev/null 2>&1; then echo "$name holds"; else
    echo "$name FAILS: $*"
    failures=$((failures + 1))
  fi
}
converged() { systemctl is-active --quiet "reconcile-$1.service"; }
runs() { [[ $(docker service ls --filter "name=$1" --format '{{.Replicas}}') == 1/1 ]]; }
decrypted() { [[ -n $(find -L /run/secrets -type f -size +0) && -z $(find -L /run/secrets -type f -perm /o+w) ]]; }
serves() { timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/443'; }

holds "D1 no unit has failed" test -z "$(systemctl list-units --failed --no-legend)"
holds "D2 secrets are decrypted" decrypted
holds "D3 the swarm is active" converged swarm
holds "D4 the proxy runs" runs traefik_app
holds "D5 drone runs" runs drone_app
holds "D6 the bridge runs" runs bridge_app
holds "D7 the dashboard runs" runs dashboard_app
holds "D8 the running system is the profile's" test /run/current-system -ef /nix/var/nix/profiles/system
holds "D9 the certificate lies in its place" test -s /var/lib/ci-certs/live/fullchain.pem -a -s /var/lib/ci-certs/live/privkey.pem
holds "D10 the proxy answers" serves
exit "$((failures > 0))"
