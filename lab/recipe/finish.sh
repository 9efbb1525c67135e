#!/bin/bash
# Runs in the new root, once: turns a Debian with Nix into a machine that keeps NixOS' contract.
set -euo pipefail
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
mount -t devpts -o ptmxmode=0666 devpts /dev/pts # Nix reads its builders through a terminal

# What a blank machine runs: a network, a way in, a journal. What it does not: Docker, timers, consoles.
systemctl enable --quiet systemd-networkd systemd-resolved ssh
systemctl disable --quiet docker.service docker.socket containerd.service
systemctl mask --quiet \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service man-db.timer \
  console-getty.service getty@tty1.service getty-static.service container-getty@0.service container-getty@1.service \
  systemd-networkd-wait-online.service systemd-networkd-persistent-storage.service systemd-timesyncd.service sshd-vsock.socket \
  systemd-binfmt.service proc-sys-fs-binfmt_misc.automount dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  systemd-firstboot.service ldconfig.service systemd-journal-catalog-update.service systemd-update-done.service \
  systemd-pcrphase.service systemd-update-utmp.service

# The command `docker` belongs to systems that ask for it, as on NixOS: dockerd stays where its unit finds it.
mkdir -p /usr/lib/docker
mv /usr/bin/docker /usr/lib/docker/docker
ln -s /run/current-system/sw/bin/nixos-rebuild /run/current-system/sw/bin/nixos-version /usr/local/bin/

update-ca-certificates > /dev/null
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
mkdir -p /var/log/journal /nix/var/nix/gcroots

# Generation 1: the image's own system. It boots as every later one does, through the profile.
system=$(nix build --print-out-paths --no-link 'path:/usr/share/cleanroom-image#nixosConfigurations.image.config.system.build.toplevel')
nix-env -p /nix/var/nix/profiles/system --set "$system"
ln -sfn "$system" /run/current-system
"$system/activate"
printf '#!/bin/sh\nexec /nix/var/nix/profiles/system/init "$@"\n' > /usr/sbin/init.new
chmod 0755 /usr/sbin/init.new
mv /usr/sbin/init.new /usr/sbin/init

# What makes a machine itself is made when it first starts.
rm -f /etc/ssh/ssh_host_* /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/hostname
: > /etc/machine-id
rm -rf /root/.cache /root/.local /run/* /tmp/* /var/log/*.log /var/log/apt /var/cache/apt /var/lib/apt/lists/* /var/cache/ldconfig
