"""`.sops.yaml`: which recipients and which rule a path gets.

Knows: creation rules in order, the first match wins; recipients as a comma list, a YAML list, or a key group with `merge`.
Refuses: several key groups, master keys that are not age, and a path that no rule covers.

Specification: `config/config.go` of getsops/sops 3.13.2. A path expression is searched for in the path relative to the configuration's folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cleanroom.errors import BadInput
from cleanroom.sops import metadata as sops_metadata
from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.sops.rules import Rules

NAME = ".sops.yaml"
_FOREIGN = ("pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault_transit_uri")
_FOREIGN_IN_GROUP = ("pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault")


class CreationRule(NamedTuple):
    """One rule of a `.sops.yaml`: for paths that match `path_regex` (all, if it is empty), these age recipients and this encryption rule.

    `unsupported` says in words why files under this rule cannot be judged here; empty if they can.
    """

    path_regex: str
    recipients: tuple[str, ...]
    rules: Rules
    unsupported: str = ""

    def covers(self, path: PurePosixPath | str) -> bool:
        """Whether the rule matches `path`, which is relative to the folder of the `.sops.yaml`."""
        # Imported here: who only opens files does not need expressions.
        from cleanroom.sops.re2 import compile_re2  # noqa: PLC0415

        return not self.path_regex or compile_re2(self.path_regex).search(str(path)) is not None


def creation_rules(source: Path | bytes, *, name: str = NAME) -> list[CreationRule]:
    """The rules of a `.sops.yaml` (a path, or its bytes), in order; raises `BadInput` if it cannot be read or holds none."""
    if isinstance(source, Path):
        name = str(source)
        try:
            source = source.read_bytes()
        except OSError as problem:
            raise BadInput(f"cannot read the sops rules: {problem.strerror}", where=name) from None
    from cleanroom.sops import yaml as sops_yaml  # noqa: PLC0415 - likewise

    documents = [sops_metadata.as_plain(document) for document in sops_yaml.documents_of(source, where=name)[0][:1]]
    rules = documents[0].get("creation_rules") if documents else None
    if not isinstance(rules, list) or not rules:
        raise BadInput("there are no creation_rules", where=name, advice="sops would fall back to its command line")
    return [_rule(rule, where=f"{name}, rule {number}") for number, rule in enumerate(rules, start=1)]


def rule_for(source: Path | bytes, path: PurePosixPath | str, *, name: str = NAME) -> CreationRule:
    """The rule that covers `path` (relative to the folder of the `.sops.yaml`); raises `BadInput` if none does, `Unsupported` if it is beyond us."""
    found = next((rule for rule in creation_rules(source, name=name) if rule.covers(path)), None)
    where = str(source) if isinstance(source, Path) else name
    if found is None:
        raise BadInput(f"no creation rule covers {path}", where=where, advice="add a rule, or one without path_regex at the end")
    if found.unsupported:
        raise Unsupported(f"the rule for {path} {found.unsupported}", where=where)
    return found


def recipients_for(source: Path | bytes, path: PurePosixPath | str, *, name: str = NAME) -> tuple[str, ...]:
    """The age recipients that a `.sops.yaml` gives to `path`. Raises like `rule_for`."""
    return rule_for(source, path, name=name).recipients


def _rule(data: object, *, where: str) -> CreationRule:
    table = _table(data, where=where)
    path_regex = table.get("path_regex") or ""
    if not isinstance(path_regex, str):
        raise Malformed("path_regex is not text", where=where)
    groups = _list(table.get("key_groups"), where=where)
    recipients: list[str]
    if len(groups) > 1:
        recipients, unsupported = [], f"splits the data key among {len(groups)} key groups"
    else:
        # A key group sets the keys of the rule itself aside.
        recipients, foreign = _group(groups[0], where=where) if groups else (_keys(table.get("age"), where=where), _present(_FOREIGN, table))
        unsupported = f"asks for {foreign[0]}, which is not age" if foreign else ""
    return CreationRule(path_regex, tuple(dict.fromkeys(recipients)), Rules.of(table, where=where), unsupported)


def _group(data: object, *, where: str) -> tuple[list[str], list[str]]:
    """The age recipients of a key group and of those merged into it, and the kinds of other master keys."""
    group = _table(data, where=where)
    recipients: list[str] = []
    foreign: list[str] = []
    for merged in _list(group.get("merge"), where=where):
        more, other = _group(merged, where=where)
        recipients += more
        foreign += other
    return recipients + _keys(group.get("age"), where=where), foreign + _present(_FOREIGN_IN_GROUP, group)


def _present(kinds: Sequence[str], table: Mapping[str, Any]) -> list[str]:
    return [kind for kind in kinds if table.get(kind)]


def _table(data: object, *, where: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise Malformed("a rule or a key group is not a mapping", where=where)
    if "<<" in data:
        raise Unsupported("a rule or a key group is merged from another by <<", where=where, advice="write it out")
    return data


def _list(data: object, *, where: str) -> list[Any]:
    if data is not None and not isinstance(data, list):
        raise Malformed("key_groups and merge are lists", where=where)
    return data or []


def _keys(value: object, *, where: str) -> list[str]:
    """Recipients from a comma separated text, or from a list of such."""
    items: Sequence[object] = value if isinstance(value, list) else [value or ""]
    if not all(isinstance(item, str) for item in items):
        raise Malformed("an age recipient is not text", where=where)
    return [key.strip() for item in items for key in str(item).split(",") if key.strip()]
