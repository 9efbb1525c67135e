#!/bin/bash
# nixos-rebuild {switch|boot|test|build|dry-activate} --flake REF#NAME [options of nix build]
set -euo pipefail

fail() {
  echo "error: $*" >&2
  exit 1
}

action='' flake='' options=()
while (($#)); do
  case $1 in
    switch | boot | test | build | dry-activate) action=$1 ;;
    --flake) flake=${2:?"--flake needs REF#NAME"} && shift ;;
    --override-input | --option) options+=("$1" "$2" "$3") && shift 2 ;;
    --reference-lock-file | --update-input) options+=("$1" "$2") && shift ;;
    --no-reexec | --fast) ;;
    -*) options+=("$1") ;;
    *) fail "unknown action $1" ;;
  esac
  shift
done
[[ $action ]] || fail "no action: switch, boot, test, build or dry-activate"
[[ $flake ]] || fail "no flake: --flake REF#NAME"
reference=${flake%%#*} name=$(uname -n)
[[ $flake != *'#'* ]] || name=${flake#*#}

echo "building the system configuration..." >&2
link=(--no-link)
[[ $action != build ]] || link=()
toplevel=$(nix build --print-out-paths "${link[@]}" "${options[@]}" "$reference#nixosConfigurations.\"$name\".config.system.build.toplevel")
[[ -f $toplevel/nixos-version ]] || fail "$toplevel is no NixOS system"

case $action in
  build)
    echo "$toplevel"
    exit 0
    ;;
  switch | boot) nix-env -p /nix/var/nix/profiles/system --set "$toplevel" ;;
esac

# In a unit of its own, so that it survives the session that asked for it.
detached=()
[[ ! -d /run/systemd/system ]] || detached=(
  systemd-run --collect --no-ask-password --pipe --quiet --service-type=exec --wait
  --unit=nixos-rebuild-switch-to-configuration -E NIXOS_INSTALL_BOOTLOADER=0
)
status=0
"${detached[@]}" "$toplevel/bin/switch-to-configuration" "$action" || status=$?
[[ $status == 0 ]] || echo "warning: error(s) occurred while switching to the new configuration" >&2
echo "Done. The new configuration is $toplevel" >&2
exit "$status"
