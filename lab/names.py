"""The lab's proper names, each said once.

Knows: what things are called, here and in the site that the lab renders.
Refuses: to do anything.
"""

DOMAIN = "ci.cleanroom.test"
FORGE_HOST = "git.cleanroom.test"
OWNER = "recipe-maintainers"
BASE = "cc-ci"
SECRETS = "cc-ci-secrets"
BOT = "cc-ci-bot"

PROJECT = "terraform-ci"
POOL = "lab"
IMAGE = "incus-base"
VM_IMAGE = "incus-base-vm"
CANONICAL_HOST = "cc-nix-test"
NEIGHBOUR = "lichen-staging"
THROWAWAY = "cc-ci-throwaway"

#: Files below the state folder's `keys`.
BOOTSTRAP_KEY = "bootstrap.txt"
CANONICAL_KEY = "cc-nix-test.txt"
SIGNING_KEY = "signing.pem"
TOKEN = "forge-token"  # noqa: S105 - the name of a file


def repository_url(name: str, *, owner: str = OWNER) -> str:
    """Where the forge serves a repository."""
    return f"https://{FORGE_HOST}/{owner}/{name}"
