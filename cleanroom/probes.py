"""Which commands only look.

Knows: programs, and of those with many faces the sub-commands and options, that leave a machine as it was.
Refuses: everything else - the guide alone may change the machine, so a probe outside this table is our mistake, not the site's.
"""

from __future__ import annotations

from collections.abc import Sequence

from cleanroom.errors import HarnessError

#: Programs without an option that changes anything.
_LOOKERS = {
    "cat", "df", "du", "free", "getent", "grep", "head", "id", "ls", "lsmod", "nixos-version", "nproc", "ps", "readlink", "sha256sum", "stat", "tail",
    "test", "uname", "wc",
}  # fmt: skip
#: Programs with many faces: the leading words that only look.
_FACES: dict[str, tuple[tuple[str, ...], ...]] = {
    "systemctl": (("show",), ("list-units",), ("list-jobs",), ("is-system-running",), ("is-active",), ("cat",)),
    "docker": (
        ("info",), ("ps",), ("version",), ("inspect",), ("image", "ls"), ("image", "inspect"), ("node", "ls"), ("node", "inspect"),
        ("network", "ls"), ("network", "inspect"), ("volume", "ls"), ("volume", "inspect"),
        ("service", "ls"), ("service", "ps"), ("service", "inspect"), ("secret", "ls"), ("secret", "inspect"), ("config", "ls"),
        ("config", "inspect"),
    ),
    "nix": (("eval",), ("path-info",), ("config", "show"), ("--version",), ("store", "verify")),
    "ip": (("-json", "address", "show"), ("-json", "route", "show")),
}  # fmt: skip
#: Programs that look only if they begin with certain words, and take no option beyond certain others.
_NOTHING_BUT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tar": (
        ("--create", "--file=-"),
        ("--sparse", "--format", "--anchored", "--no-wildcards", "--exclude", "--directory", "--warning"),
    ),
    "nix-store": (("--query", "--requisites", "--include-outputs"), ()),
}
#: Lookers that an option turns into something else.
_FORBIDDEN: dict[str, tuple[str, ...]] = {
    "find": ("-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprint0", "-fprintf", "-fls"),
    "journalctl": ("--vacuum-size", "--vacuum-time", "--vacuum-files", "--rotate", "--flush", "--sync", "--setup-keys", "--update-catalog"),
}


def check_read_only(argv: Sequence[str]) -> None:
    """Return if `argv` only looks; raise `HarnessError` if we cannot say so."""
    program, rest = argv[0], tuple(argv[1:])
    if program in _LOOKERS:
        return
    if program in _FACES and any(rest[: len(face)] == face for face in _FACES[program]):
        return
    if program in _FORBIDDEN and not any(word.split("=")[0] in _FORBIDDEN[program] for word in rest):
        return
    if program in _NOTHING_BUT:
        first, options = _NOTHING_BUT[program]
        others = (word for word in rest[len(first) :] if word.startswith("-"))
        if rest[: len(first)] == first and all(word.split("=")[0] in options for word in others):
            return
    raise HarnessError(f"`{' '.join(argv[:3])}` is not known to be read-only, and only the guide may change the machine", where="cleanroom/probes.py")
