"""The new model, as cc-ci's documents must state it, and the old one, as none may tell it any more: the defaults of every site.

Knows: that certificate and secrets come from git, that one key opens them, that DNS and gateway are all that is asked beside it.
Refuses: to be the whole truth: a site adds statements and stale phrases of its own, or words one of these anew under the same id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cleanroom.tables.documents import Statement

_CERTIFICATE = "certificate|certificates|cert|certs|fullchain*|privkey*|*.pem|*.crt"
_BRING = "drop|copy|place|put|upload|transfer|paste|bring|install|deliver|supply|provide|scp"
_PEOPLE = "operator|administrator|admin|he|she|somebody|someone|whoever|who"
_BRINGS = "drops|copies|places|puts|uploads|transfers|pastes"
_BRINGING = "dropping|uploading|pasting|hand-copying"
_BROUGHT = "dropped|copied|placed|put|uploaded|transferred|pasted|brought|installed|delivered|supplied|provided"
_BY_HAND = "by hand|manually|by the operator|by an operator|out of band|outside of git|outside git"
_OPERATORS = "operator owned|operator supplied|operator provided|operator managed|owned by the operator|supplied by the operator"
_SECRET = "secret|secrets|credential|credentials|password|passwords"  # noqa: S105 - words
_ON_HOST = "on the host|on the host itself|on the canonical host|on that host|on the machine|on that machine|on the server"
_LIVES = "lives|live|exists|exist|stored|kept|known|found|stays|stay|remains|remain|is|are|lie|lies"
_HOST_KEY = "host key|host's key|host's ssh key|host ssh key|ssh host key|host's age key|host keys"
_ONLY = "only|solely|exclusively|just|nowhere but"

_THE_HOST = "the host|the host itself|the canonical host|a host|host key|the host key|the host's key|the host's ssh key|host keys|the host's age key"
_INTO_GIT = "(in|into|to) ... (sops|*.yaml|*-secrets|secrets repository|private repository)"

#: By the name of what was abolished.
STALE: Mapping[str, Sequence[str]] = {
    "a certificate is dropped in": (
        f"{_BRING} ... {_CERTIFICATE}",
        f"{_PEOPLE} ... {_BRINGS} ... {_CERTIFICATE}",
        f"{_BRINGING} ... {_CERTIFICATE}",
        f"{_CERTIFICATE} ... (is not in git|are not in git|never in git|outside of git|outside git)",
        f"{_CERTIFICATE} ... {_BROUGHT} ... ({_BY_HAND})",
        f"({_BY_HAND}) ... {_BROUGHT} ... {_CERTIFICATE}",
        f"({_OPERATORS}) ... {_CERTIFICATE}",
        f"{_CERTIFICATE} ... ({_OPERATORS})",
    ),
    "a secret lives on the host alone": (
        f"(host only|machine only|server only) {_SECRET}",
        f"{_SECRET} ... ({_LIVES}) ({_ONLY}) ({_ON_HOST})",
        f"{_SECRET} ... (on the host|on the machine|on the server) (only|alone)",
        "secrets ... (not in git|never in git|outside of git|outside git|not committed)",
        f"(put|place|keep|store|write|type|enter|create) ... {_SECRET} ... (by hand|manually)",
        f"(put|place|keep|store|type|enter) ... {_SECRET} ... ({_ON_HOST})",
    ),
    "sops is bound to a host": (
        "(host bound|host key bound|bound to the host|bound to a host|bound to one host)",
        f"(bound|tied|locked|pinned) to ... ({_HOST_KEY})",
        f"(only|solely|exclusively|nobody but) ({_THE_HOST}) (can|could|may|is able to) (decrypt|open|read)",
        f"(decrypted|opened|read|decryptable|readable|encrypted) ({_ONLY}) (by|with|to|for) ... ({_HOST_KEY}|host)",
        f"(decrypted|opened|read|decryptable|readable|encrypted) (by|with|to|for) ... ({_HOST_KEY}) (only|alone)",
        "(infeasible by design|rebuild is infeasible|rebuild is impossible|rebuild is not possible|cannot be rebuilt|can not be rebuilt)",
    ),
}

#: What begins like a stale phrase and goes on like the new model: a certificate is brought into git.
EXCUSED: Mapping[str, Sequence[str]] = {
    "a certificate is dropped in": (
        f"{_BRING} ... {_CERTIFICATE} ... {_INTO_GIT}",
        f"{_PEOPLE} ... {_BRINGS} ... {_CERTIFICATE} ... {_INTO_GIT}",
        f"{_BRINGING} ... {_CERTIFICATE} ... {_INTO_GIT}",
        f"{_CERTIFICATE} ... {_BROUGHT} ... {_INTO_GIT}",
    ),
}

_ONE_KEY = "(bootstrap age key|bootstrap key|recovery age key|recovery key|age key)"
_FROM_GIT = "(from git|in git|from the secrets repository|in the secrets repository|in the private repository|sops secret|secret like any other)"
_EVERY_SECRET = "(every secret|all secrets|each secret)"  # noqa: S105 - words
_BUT_ONE = "(but for|except|except for|apart from|one exception|exactly one|only one|the one|only secret|single exception|only)"

#: A site's own statement of the same id takes the place of one of these; others come to them.
STATEMENTS = (
    Statement(
        id="guide-one-rebuild",
        says="a blank machine becomes cc-ci by a rebuild",
        document="guide",
        words=("(blank machine|new machine|fresh machine|bare machine)", "(rebuild|nixos-rebuild)"),
    ),
    Statement(
        id="guide-one-key",
        says="what is not in git is one file, the bootstrap age key",
        document="guide",
        words=(_ONE_KEY, "git|repository|repositories", _BUT_ONE),
    ),
    Statement(
        id="guide-renewal",
        says="a renewed certificate is a secret like any other: a commit",
        document="guide",
        words=("(renewed certificate|new certificate|certificate's renewal|renewal of the certificate)", "(commit|like any other|in git)"),
    ),
    Statement(
        id="secrets-in-git",
        says="every secret is in git, encrypted with sops",
        document="secrets",
        words=(_EVERY_SECRET, "(in git|in the private repository|in the secrets repository|in *-secrets)", "sops"),
    ),
    Statement(
        id="secrets-one-exception",
        says="exactly one secret is not in git",
        document="secrets",
        words=("(exactly one|only one|one single|one exception)", "secret|key", "(not in git|outside git|outside of git|out of band|exception)"),
    ),
    Statement(
        id="secrets-recipient",
        says="the bootstrap key is a recipient of every sops file",
        document="secrets",
        words=(
            "(recipient|recipients|encrypted to|encrypted for)",
            f"(public half|public key|{_ONE_KEY.strip('()')})",
            "(every sops file|each sops file|all sops files|the sops files|every file|all files|every secret)",
        ),
    ),
    Statement(
        id="secrets-renewal",
        says="a new certificate is a commit",
        document="secrets",
        words=("(new certificate|renewed certificate|renewal|renew the certificate|renew the wildcard certificate)", "commit"),
    ),
    Statement(
        id="architecture-two-repositories",
        says="base takes its secrets in at a locked revision",
        document="architecture",
        words=("(flake input|submodule)", "(locked|pinned)"),
    ),
    Statement(
        id="architecture-certificate",
        says="the certificate comes from git",
        document="architecture",
        words=("certificate", "(comes from git|is in git|from the secrets repository|a sops secret|a secret like any other)"),
    ),
    Statement(
        id="architecture-gateway",
        says="the gateway passes TLS through",
        document="architecture",
        words=("gateway", "(passes|passed|passing|pass through|passthrough)"),
    ),
    Statement(
        id="plan-certificate",
        says="the certificate comes from git",
        document="plan",
        section=("certificate*", "TLS"),
        words=("certificate", _FROM_GIT),
    ),
    Statement(
        id="plan-secrets",
        says="every secret is in git",
        document="plan",
        section=("secret*",),
        words=(_EVERY_SECRET, _FROM_GIT),
    ),
    Statement(
        id="plan-one-key",
        says="the bootstrap age key is the one secret outside git",
        document="plan",
        section=("secret*",),
        words=(_ONE_KEY, "(one|only|single)", "(secret|exception|outside git|outside of git|not in git|out of band)"),
    ),
)


def statements(own: Sequence[Statement]) -> tuple[Statement, ...]:
    """The default statements with a site's own: one of the same id takes a default's place."""
    return tuple({each.id: each for each in (*STATEMENTS, *own)}.values())
