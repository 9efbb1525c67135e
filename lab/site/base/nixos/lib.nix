rec {
  # Join definitions; `path` is what an error says.
  merge =
    path: definitions:
    if builtins.length definitions == 1 then
      builtins.head definitions
    else if builtins.all builtins.isAttrs definitions then
      builtins.zipAttrsWith (name: merge "${path}.${name}") definitions
    else if builtins.all builtins.isList definitions then
      builtins.concatLists definitions
    else
      throw "${path} is defined ${toString (builtins.length definitions)} times";

  lines = builtins.concatStringsSep "\n";

  attrValuesOf = transform: set: builtins.attrValues (builtins.mapAttrs transform set);

  # What restarts a packaged unit when any of `things` changes: a drop-in that names them.
  restartTriggers = things: ''
    [Unit]
    X-Restart-Triggers=${toString things}
  '';
}
