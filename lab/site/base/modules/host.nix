{ revision, ... }:
{
  networking.hostName = "cc-ci";
  system.configurationRevision = revision;

  environment.programs.cc-ci-regression = "${../programs/regression.sh}";
}
