{ ... }:
{
  environment.etc."systemd/network/20-lan.network".text = ''
    [Match]
    Name=eth0

    [Network]
    DHCP=ipv4
    IPv6AcceptRA=no
  '';
}
