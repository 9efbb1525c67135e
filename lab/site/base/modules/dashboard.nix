{ instance, ... }:
{
  swarm.services.dashboard = {
    name = "dashboard_app";
    host = "dashboard.${instance.domain}";
    command = [ "${../programs}/dashboard.py" ];
    environment.WATCHED = "drone_app bridge_app";
  };
}
