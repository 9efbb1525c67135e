"""Which commands only look."""

from __future__ import annotations

import pytest

from cleanroom.errors import HarnessError
from cleanroom.probes import check_read_only

LOOKS = """
cat /etc/passwd
systemctl show --property=Id -- sshd.service
systemctl list-units --state=failed
systemctl is-system-running
docker info --format {{.Swarm.LocalNodeState}}
docker service ls
docker service ps x
find / -xdev -name .git
journalctl --no-pager --identifier=sshd
nix path-info --json --recursive /nix/store/x
nix eval --raw x#y
readlink -f /run/current-system
grep -rlIs -m1 AGE-SECRET-KEY-1 /root
ip -json address show
"""

CHANGES = """
rm -rf /
bash -c ls
sh -c ls
env ls
sudo ls
systemctl restart sshd
systemctl
systemctl daemon-reload
systemctl --no-pager restart sshd
systemctl stop show
docker
docker run x
docker service update x
docker service rm x
docker secret rm x
docker exec x ls
docker image rm x
find / -delete
find / -exec rm {} +
find / -ok rm {} ;
find / -fprintf /etc/passwd x
journalctl --vacuum-size=1M
journalctl --rotate
nix build x
nix store gc
nix copy x
nix
ip link set eth0 down
ip -json link set eth0 down
nixos-rebuild switch
tee /etc/passwd
/bin/rm x
./cat x
"""


@pytest.mark.parametrize("command", LOOKS.strip().splitlines())
def test_a_look_is_known(command: str) -> None:
    check_read_only(command.split())


@pytest.mark.parametrize("command", CHANGES.strip().splitlines())
def test_anything_else_is_our_own_mistake(command: str) -> None:
    with pytest.raises(HarnessError, match="read-only"):
        check_read_only(command.split())
