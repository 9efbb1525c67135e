# The machine's address comes by DHCP; its way out is the instance's gateway, which a rebuilt machine finds where it always was.
{ instance, lib, ... }:
let
  lan = ''
    [Match]
    Name=eth0

    [Network]
    DHCP=ipv4
    IPv6AcceptRA=no

    [DHCPv4]
    UseGateway=no
    UseDomains=no

    [Route]
    Gateway=${instance.gateway}
  '';
in
{
  networking.domain = instance.domain;

  environment.etc."systemd/network/20-lan.network".text = lan;
  environment.etc."systemd/system/systemd-networkd.service.d/overrides.conf".text =
    lib.restartTriggers
      [ (builtins.toFile "20-lan.network" lan) ];
}
