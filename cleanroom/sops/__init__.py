"""sops files, format version 3, one file a matter: forms, keys, cipher, metadata, rules. `cleanroom.vault` is the way in.

Knows: getsops/sops 3.13 as its sources have it.
Refuses: to be used around the vault, which alone checks the MAC.
"""
