# What makes this cc-ci this one. Each parameter is said here and nowhere else: to repoint the instance, change a line.
{
  domain = "@domain@";

  gateway = "@gateway@";

  # Who can open the secrets: the public halves of age keys.
  recipients = {
    bootstrap = "@bootstrap@";
    cc-nix-test = "@canonical@";
  };
}
