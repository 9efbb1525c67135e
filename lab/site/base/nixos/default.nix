# The part that NixOS plays for this site: modules in, one system ("toplevel") out.
#
# A module is a function of { config, lib, ... } that returns definitions. Definitions of one name are merged: attribute sets join, lists are
# appended, anything else may be said only once. `completions` are functions from config to config: they fill in what definitions leave out.
{ system }:
let
  lib = import ./lib.nix;

  evaluate =
    {
      modules,
      specialArgs ? { },
    }:
    let
      load = module: import module ({ inherit config lib system; } // specialArgs);
      declared = lib.merge "config" (map load ([ ./base.nix ./toplevel.nix ] ++ modules));
      config = builtins.foldl' (done: complete: complete done) declared declared.completions;
    in
    { inherit config; };
in
{
  inherit evaluate lib;
}
