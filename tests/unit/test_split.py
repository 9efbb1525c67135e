"""The split between base and secrets, judged on real repositories with real sops files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanroom import repository, split, vault
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.redact import Redactor
from cleanroom.repository import Repository
from cleanroom.tables.git import Forge, Secrets
from tests.unit.trees import URL, Tree, identity, rules, sops_file

BOOTSTRAP, HOST = identity(), identity()
VALUES = {"tls": {"cert": "a certificate"}, "token": "a long enough token"}
FILE = "secrets/secrets.yaml"
GOOD: dict[str, str | bytes] = {
    ".sops.yaml": rules(BOOTSTRAP, HOST),
    FILE: sops_file(VALUES, BOOTSTRAP, HOST),
    "README.md": "# Secrets\n",
    "LICENSE": "MIT\n",
    ".gitignore": "*.txt\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "secrets")


def settings(**changes: Any) -> Secrets:
    return Secrets.model_validate({"url": URL, "credential": {"token": {"env": "FORGE_TOKEN"}}, **changes})


def attempts(secrets: Repository) -> tuple[split.Attempt, ...]:
    return split.open_all(secrets, [BOOTSTRAP], Redactor())


def test_a_repository_of_secrets_alone_is_as_it_should_be(tree: Tree) -> None:
    secrets = tree.commit(GOOD)
    split.check_only_secrets(secrets)
    split.check_modes(secrets)
    opened = attempts(secrets)
    split.check_all_encrypted(opened, secrets)
    split.check_authentic(opened, secrets)
    split.check_recipients(secrets)
    split.check_bootstrap_recipient(secrets, [BOOTSTRAP])
    assert set(split.opened(opened)) == {FILE}


@pytest.mark.parametrize(
    ("path", "content", "seen"),
    [
        ("rotate.sh", "#!/bin/sh\n", "rotate.sh is none of these"),
        ("default.nix", "{ }\n", "default.nix is none of these"),
        ("secrets/plain.yaml", "token: in clear\n", "secrets/plain.yaml is none of these"),
        ("docs/README.sh", "echo\n", "docs/README.sh is none of these"),
        ("sub/.sops.yaml", rules(HOST), "sub/.sops.yaml is none of these"),
        ("README", "#!/bin/sh\nrm -rf /\n", "README is a program"),
        ("LICENSE.txt", b"\x7fELF\0\1", "LICENSE.txt is a program"),
        ("COPYING", b"\xff\xfe", "COPYING is a program or no text"),
    ],
)
def test_whatever_is_neither_secret_nor_inert_is_told(tree: Tree, path: str, content: str | bytes, seen: str) -> None:
    with pytest.raises(CheckFailed, match=seen):
        split.check_only_secrets(tree.commit({**GOOD, path: content}))


@pytest.mark.parametrize(
    ("path", "inert"),
    [
        *(
            ("README", True),
            ("docs/readme.MD", True),
            ("LICENSE.txt", True),
            ("CHANGELOG.rst", True),
            (".gitignore", True),
            ("a/.gitattributes", True),
        ),
        *(("README.sh", False), ("README.nix", False), ("notes.md", False), ("notes", False), (".sops.yaml", False), ("gitignore", False)),
    ],
)
def test_inert_text_is_known_by_its_name(path: str, inert: bool) -> None:  # noqa: FBT001 - a column of a table
    assert split.is_inert(path) is inert


@pytest.mark.parametrize(("gone", "expected"), [(".sops.yaml", "has its rules"), (FILE, "at least one sops file")])
def test_rules_and_a_sops_file_must_be_there(tree: Tree, gone: str, expected: str) -> None:
    with pytest.raises(CheckFailed, match=expected):
        split.check_only_secrets(tree.commit({path: content for path, content in GOOD.items() if path != gone}))


def test_an_empty_repository_proves_nothing(tree: Tree) -> None:
    with pytest.raises(HarnessError):
        split.check_only_secrets(tree.commit({}))


@pytest.mark.parametrize(
    ("files", "more", "seen"),
    [
        ({"README*": "run me\n"}, {}, r"README \(mode 100755\)"),
        ({}, {"links": {"COPYING": "/etc/shadow"}}, r"COPYING \(mode 120000\)"),
        ({}, {"submodules": {"lib": "1" * 40}}, r"lib \(mode 160000\)"),
    ],
)
def test_programs_links_and_submodules_are_told(tree: Tree, files: dict[str, str], more: dict[str, Any], seen: str) -> None:
    with pytest.raises(CheckFailed, match=seen):
        split.check_modes(tree.commit({**GOOD, **files}, **more))


@pytest.mark.parametrize(
    ("values", "options", "seen"),
    [
        ({"token": "long enough", "empty": ""}, {}, "empty in clear"),
        ({"token": "long enough", "nothing": None}, {}, "nothing in clear"),
        ({"token": "long enough", "host_unencrypted": "drone"}, {}, "host_unencrypted in clear"),
        ({}, {}, "holds none"),
    ],
)
def test_a_value_that_sops_left_in_clear_is_told(tree: Tree, values: dict[str, Any], options: dict[str, Any], seen: str) -> None:
    secrets = tree.commit({**GOOD, FILE: sops_file(values, BOOTSTRAP, **options)})
    opened = attempts(secrets)
    split.check_authentic(opened, secrets)
    with pytest.raises(CheckFailed, match=seen):
        split.check_all_encrypted(opened, secrets)


def test_a_value_that_was_added_by_hand_is_told_by_its_name(tree: Tree) -> None:
    secrets = tree.commit({**GOOD, FILE: b"added: by hand\n" + sops_file(VALUES, BOOTSTRAP)})
    with pytest.raises(CheckFailed, match="added stands in clear"):
        split.check_all_encrypted(attempts(secrets), secrets)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (sops_file(VALUES, HOST), "wrong-key"),
        (b"".join(line for line in sops_file(VALUES, BOOTSTRAP).splitlines(keepends=True) if not line.startswith(b"token")), "mac-mismatch"),
    ],
)
def test_a_file_that_the_key_does_not_open_or_whose_mac_is_wrong_is_told(tree: Tree, content: bytes, reason: str) -> None:
    secrets = tree.commit({**GOOD, FILE: content})
    opened = attempts(secrets)
    with pytest.raises(CheckFailed, match=reason):
        split.check_authentic(opened, secrets)
    with pytest.raises(vault.VaultError):
        split.opened(opened)


def test_what_was_opened_is_known_to_the_redactor(tree: Tree) -> None:
    redactor = Redactor()
    split.open_all(tree.commit(GOOD), [BOOTSTRAP], redactor)
    assert redactor.clean("it is a long enough token") == "it is [secret token]"


@pytest.mark.parametrize(
    ("file", "config", "seen"),
    [
        (sops_file(VALUES, BOOTSTRAP), rules(BOOTSTRAP, HOST), "not in the file: age1"),
        (sops_file(VALUES, BOOTSTRAP, HOST), rules(BOOTSTRAP), "not in the rules: age1"),
        (sops_file(VALUES, BOOTSTRAP), rules(BOOTSTRAP, path_regex="^other/"), "no creation rule covers"),
    ],
)
def test_recipients_must_be_exactly_those_of_the_rules(tree: Tree, file: bytes, config: str, seen: str) -> None:
    with pytest.raises(CheckFailed, match=seen):
        split.check_recipients(tree.commit({**GOOD, FILE: file, ".sops.yaml": config}))


def test_every_file_must_be_for_the_bootstrap_key(tree: Tree) -> None:
    with pytest.raises(CheckFailed, match=rf"secrets/other.yaml is not for {BOOTSTRAP.recipient}"):
        split.check_bootstrap_recipient(tree.commit({**GOOD, "secrets/other.yaml": sops_file(VALUES, HOST)}), [BOOTSTRAP])


def test_two_keys_in_one_file_are_not_one_key(tree: Tree) -> None:
    with pytest.raises(CheckFailed, match=r"one age key\n.*holds 2"):
        split.check_bootstrap_recipient(tree.commit(GOOD), [BOOTSTRAP, HOST])


@pytest.mark.parametrize("form", [vault.Form.YAML, vault.Form.JSON, vault.Form.DOTENV])
def test_a_sops_file_in_base_is_told_whatever_it_is_called(tree: Tree, tmp_path: Path, form: vault.Form) -> None:
    secrets, base = tree.commit(GOOD), Tree(tmp_path / "base")
    example = sops_file(VALUES, identity())
    split.check_no_copy(base.commit({"tests/example.yaml": example, "instance.nix": BOOTSTRAP.recipient}, submodules={"lib": "1" * 40}), secrets)
    with pytest.raises(CheckFailed, match=r"docs/notes\.md is one"):
        split.check_no_copy(base.commit({"docs/notes.md": sops_file({"token": "another"}, BOOTSTRAP, form=form)}), secrets)


def lock(revision: str, url: str = URL) -> str:
    """Base's lock: `secrets` is an input of its own, `other` follows what `sops` has under the name `keys`, which follows `secrets`."""
    nodes = {
        "root": {"inputs": {"secrets": "secrets", "sops": "sops", "other": ["sops", "keys"]}},
        "sops": {"inputs": {"keys": ["secrets"]}},
        "secrets": {"locked": {"type": "git", "rev": revision, "url": url}, "original": {"type": "git", "url": url}},
    }
    return json.dumps({"nodes": nodes, "root": "root", "version": 7})


MODULES = '[submodule "keys"]\n\tpath = keys\n\turl = {url}\n[submodule "lib"]\n\tpath = lib\n\turl = https://forge.example/lib\n'


def consuming(base: Tree, means: str, revision: str, url: str = URL) -> Repository:
    if means == "submodule":
        return base.commit({".gitmodules": MODULES.format(url=url)}, submodules={"keys": revision, "lib": "2" * 40})
    return base.commit({"flake.nix": f'{{ inputs.secrets.url = "git+{url}"; }}', "flake.lock": lock(revision, url)})


@pytest.mark.parametrize("means", ["flake-input", "submodule"])
def test_base_consumes_the_revision_under_test(tree: Tree, tmp_path: Path, means: str) -> None:
    secrets, base = tree.commit(GOOD), Tree(tmp_path / "base", "https://forge.example/site/base")
    declared = settings(consumed_as=means)
    good = consuming(base, means, secrets.commit)
    split.check_declared_means(good, declared)
    split.check_locked(good, secrets, declared)
    with pytest.raises(CheckFailed, match="has locked secrets at"):
        split.check_locked(consuming(base, means, "1" * 40), secrets, declared)
    with pytest.raises(CheckFailed, match="secrets"):
        split.check_declared_means(consuming(base, means, secrets.commit, "https://forge.example/site/elsewhere"), declared)
    with pytest.raises(CheckFailed, match="base consumes secrets as"):
        split.check_declared_means(base.commit({"flake.nix": "{ }"}), declared)


@pytest.mark.parametrize("text", ["[submodule", '[submodule "a"]\n\tpath = a\n'], ids=["no list", "no url"])
def test_submodules_that_cannot_be_read_mean_that_nobody_can_tell(tmp_path: Path, text: str) -> None:
    base = Tree(tmp_path / "base").commit({".gitmodules": text}, submodules={"a": "1" * 40})
    with pytest.raises(HarnessError, match="cannot read"):
        split.check_declared_means(base, settings(consumed_as="submodule"))


def test_submodules_are_read_as_git_reads_them(tmp_path: Path) -> None:
    """A second URL behind a section's head, which other readers skip, is the one that counts."""
    text = MODULES.format(url=URL) + '[SUBMODULE "keys"] url = https://forge.example/site/fork\n'
    base = Tree(tmp_path / "base").commit({".gitmodules": text}, submodules={"keys": "1" * 40})
    with pytest.raises(CheckFailed, match="1 submodules, 0 of them from"):
        split.check_declared_means(base, settings(consumed_as="submodule"))
    quoted = Tree(tmp_path / "quoted").commit({".gitmodules": MODULES.format(url=f'"{URL}" # ours')}, submodules={"keys": "1" * 40})
    split.check_declared_means(quoted, settings(consumed_as="submodule"))


def test_an_input_may_follow_another(tree: Tree, tmp_path: Path) -> None:
    secrets, base = tree.commit(GOOD), Tree(tmp_path / "base")
    split.check_locked(base.commit({"flake.lock": lock(secrets.commit)}), secrets, settings(input="other"))


@pytest.mark.parametrize(
    "url", ["git+https://forge.example/site/secrets.git", "ssh://git@forge.example/site/secrets", "git@forge.example:site/secrets.git", "../secrets"]
)
def test_a_repository_is_known_by_its_place_whatever_the_transport(tmp_path: Path, url: str) -> None:
    base = Tree(tmp_path / "base", "ssh://git@forge.example/site/base")
    split.check_declared_means(consuming(base, "submodule", "1" * 40, url), settings(consumed_as="submodule"))


def test_a_forge_that_serves_anybody_is_told(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.commit(GOOD)
    monkeypatch.setenv("FORGE_TOKEN", "a token of the bot")
    with pytest.raises(CheckFailed, match="lists the repository's branches"):
        split.check_stranger_refused(settings(url=str(tree.folder)), Forge())


@pytest.mark.parametrize("url", ["git@forge.example:site/secrets.git", "ssh://git@forge.example:2222/site/secrets"])
def test_a_repository_that_is_fetched_over_ssh_is_asked_for_at_the_forge_s_web_address_too(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(repository, "refusal", lambda door, **_: None if door == "https://forge.example/site/secrets" else "Permission denied")
    monkeypatch.setattr(repository, "listens", lambda *_, **__: True)
    with pytest.raises(CheckFailed, match="lists the repository's branches") as caught:
        split.check_stranger_refused(settings(url=url), Forge())
    assert caught.value.where == "https://forge.example/site/secrets"
    monkeypatch.setattr(repository, "listens", lambda *_, **__: False)
    split.check_stranger_refused(settings(url=url), Forge())


def test_a_credential_must_fetch_the_revision_under_test(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = tree.commit(GOOD)
    monkeypatch.setenv("FORGE_TOKEN", "a token of the bot")
    split.check_credential(settings(url=str(tree.folder), revision=secrets.commit), Forge(), Redactor(), tmp_path / "good")
    with pytest.raises(CheckFailed, match="there is no revision"):
        split.check_credential(settings(url=str(tree.folder), revision="1" * 40), Forge(), Redactor(), tmp_path / "bad")


def test_a_credential_that_is_refused_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_TOKEN", "a token of the bot")
    monkeypatch.setattr(repository, "refusal", lambda *_, **__: "fatal: Authentication failed")
    with pytest.raises(CheckFailed, match="Authentication failed"):
        split.check_credential(settings(), Forge(), Redactor(), tmp_path / "none")
