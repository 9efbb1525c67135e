"""The library behind the features: asks the real system, remembers every answer, judges nothing it did not see.

Knows: Incus, SSH, git, Nix, sops, TLS - one file a subject.
Refuses: to import pytest, to print, to keep global state, to wait anywhere but in `wait.py`.
"""

__version__ = "0.1.0"
