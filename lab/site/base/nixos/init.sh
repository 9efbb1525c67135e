#!/bin/bash
# Stage 2: activate this system before anything else runs, then become systemd.
system=$(readlink -f /nix/var/nix/profiles/system)
export PATH=/usr/sbin:/usr/bin
mountpoint -q /run || mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /run
mkdir -p /run/log /run/nixos
echo "booting system configuration $system" > /run/log/stage-2-init.log
"$system/activate" >> /run/log/stage-2-init.log 2>&1
ln -sfn "$system" /run/booted-system
exec /usr/lib/systemd/systemd "$@"
