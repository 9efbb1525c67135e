#!/usr/bin/env bash
# What a careful operator would do by hand instead of running C4: the same launch, guide, checks, second rebuild, reboot, checks and deletion.
# Everything comes by environment from bench/overhead.py: INCUS_DIR PROJECT IMAGE NAME MEMORY CONFIG KEY TOKEN TRUST REBUILD HOSTS UNITS WORK.
set -euo pipefail

incus() { command incus --project "$PROJECT" "$@"; }
trap 'incus delete --force "$NAME" >/dev/null 2>&1 || true' EXIT
until_ok() { for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done; echo "gave up: $*" >&2; return 1; }

ssh-keygen -q -t ed25519 -N '' -f "$WORK/key"
# shellcheck disable=SC2086  # CONFIG is a list of options
incus launch -q "$IMAGE" "$NAME" -c limits.memory="$MEMORY" $CONFIG
incus file push -q --mode 0600 "$WORK/key.pub" "$NAME/root/.ssh/authorized_keys" --create-dirs
address=
for _ in $(seq 600); do
  address=$(incus list "$NAME" -f csv -c 4 | grep -o '[0-9.]* (eth0)' | cut -d' ' -f1) && [ -n "$address" ] && break
  sleep 0.1
done
until_ok bash -c "</dev/tcp/$address/22"
incus file pull -q "$NAME/etc/ssh/ssh_host_ed25519_key.pub" "$WORK/host.pub"
echo "$address $(cat "$WORK/host.pub")" > "$WORK/known"
there() { ssh -q -i "$WORK/key" -o UserKnownHostsFile="$WORK/known" -o IdentitiesOnly=yes -o BatchMode=yes root@"$address" "$@"; }
until_ok there systemctl is-system-running --wait
there test ! -e /var/lib/sops-nix/key.txt

there 'umask 077 && mkdir -p /var/lib/sops-nix && cat > /var/lib/sops-nix/key.txt' < "$KEY"
rebuild() { { printf 'export FORGE_TOKEN=%s\n' "$(cat "$TOKEN")"; printf '%s\n' "$REBUILD"; } | there bash -l -s; }
rebuild > "$WORK/rebuild.log" 2>&1

check() {
  [ "$(there systemctl is-system-running --wait)" = running ]
  for unit in $UNITS; do until_ok there systemctl is-active "$unit"; done
  for pair in $HOSTS; do
    host=${pair%%/*}
    until_ok curl -fsS --max-time 5 --cacert "$TRUST" --resolve "$host:443:$address" "https://$pair"
  done
  there "bash -lc 'docker service ls --format \"{{.Replicas}}\"'" | awk '{ split($1, n, "/"); if (n[1] != n[2]) exit 1 }'
}
check
before=$(there readlink -f /run/current-system)
rebuild >> "$WORK/rebuild.log" 2>&1
[ "$(there readlink -f /run/current-system)" = "$before" ]
boot=$(there cat /proc/sys/kernel/random/boot_id)
incus restart "$NAME"
until_ok bash -c "</dev/tcp/$address/22"
[ "$(there cat /proc/sys/kernel/random/boot_id)" != "$boot" ]
check
incus delete --force "$NAME"
trap - EXIT
