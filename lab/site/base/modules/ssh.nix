{ lib, ... }:
let
  settings = ''
    X11Forwarding no
    AllowAgentForwarding no
    MaxAuthTries 3
    ClientAliveInterval 30
  '';
in
{
  environment.etc."ssh/sshd_config.d/20-cc-ci.conf".text = settings;
  environment.etc."systemd/system/ssh.service.d/overrides.conf".text = lib.restartTriggers [
    (builtins.toFile "20-cc-ci.conf" settings)
  ];
}
