"""Instance parameters: where base defines them, and that secrets does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom import parameters, vault
from cleanroom.errors import BadInput, CheckFailed, HarnessError
from cleanroom.parameters import Place
from cleanroom.repository import Repository
from cleanroom.tables.git import Parameter
from tests.unit.trees import Tree, identity, sops_file

DOMAIN = Parameter(name="domain", value="ci.example.org")
GATEWAY = Parameter(name="gateway", value="10.0.0.1")
INSTANCE = '{\n  domain = "ci.example.org"; # ci.example.org, once more\n  gateway = "10.0.0.1";\n}\n'
KEY = identity()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "base")


def base(tree: Tree, **files: str) -> Repository:
    return tree.commit({"instance.nix": INSTANCE, "docs/install.md": "Point ci.example.org at it.\n", **files})


def test_comments_documents_and_locks_define_nothing(tree: Tree) -> None:
    files = {"a.nix": "/* ci.example.org\n*/ { }\n", "flake.lock": '"https://ci.example.org"', "b.sh": "# ci.example.org\necho\n"}
    repository = tree.commit({"instance.nix": INSTANCE, "docs/install.md": "ci.example.org\n", **files}, links={"link.nix": "ci.example.org"})
    parameters.check_defined_once(repository, [DOMAIN, GATEWAY])
    assert str(parameters.definition(repository, DOMAIN)) == "instance.nix:2"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.nix", '{ host = "drone.ci.example.org"; }'),
        ("a.nix", "{ text = ''\n  # not a comment: ci.example.org\n''; }"),
        ("a.nix", '{ url = "https://forge.example/x#cc-ci"; host = "ci.example.org"; }'),
        ("run.sh", "curl https://ci.example.org/\n"),
        ("plan.json", '{"host": "ci.example.org"}'),
        ("a.nix", '{ host = "Drone.CI.example.org"; }'),
        ("a.nix", '{ host = "${f "#"}" + "ci.example.org"; }'),
        ("a.nix", b'# F\xfcr alle\n{ host = "ci.example.org"; }'),
        ("run.sh", b"# F\xfcr alle\ncurl https://ci.example.org/\n"),
    ],
)
def test_a_second_definition_is_told_wherever_it_hides(tree: Tree, path: str, text: str | bytes) -> None:
    repository = tree.commit({"instance.nix": INSTANCE, path: text})
    with pytest.raises(CheckFailed, match=f"{path}:") as caught:
        parameters.check_defined_once(repository, [DOMAIN])
    assert "instance.nix:2" in caught.value.seen


@pytest.mark.parametrize("value", ["xci.example.org", "ci-ci.example.org", "ci.example.org-2"])
def test_another_name_that_contains_it_is_another(tree: Tree, value: str) -> None:
    parameters.check_defined_once(tree.commit({"instance.nix": INSTANCE, "a.nix": f'"{value}"'}), [DOMAIN])


def test_a_parameter_that_stands_nowhere_is_told(tree: Tree) -> None:
    with pytest.raises(CheckFailed, match="nowhere"):
        parameters.check_defined_once(tree.commit({"instance.nix": "{ }"}), [DOMAIN])


def test_nothing_to_look_for_and_nothing_to_look_at_prove_nothing(tree: Tree) -> None:
    repository = tree.commit({"README.md": "nothing else"})
    with pytest.raises(HarnessError, match="names no instance parameter"):
        parameters.check_defined_once(repository, [])
    with pytest.raises(HarnessError, match="no file that could define"):
        parameters.check_defined_once(repository, [DOMAIN])
    with pytest.raises(HarnessError, match="no secret was opened"):
        parameters.check_none_in_secrets({}, [DOMAIN], "secrets")


def opened(name: str, value: str) -> dict[str, vault.Opened]:
    data = sops_file({"a": {name: value}, "certificate": "issued for ci.example.org and others"}, KEY)
    return {"secrets.yaml": vault.open_bytes(data, vault.Form.YAML, identities=[KEY])}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", "whatever"),
        ("x", "ci.example.org"),
        ("x", "drone.ci.example.org"),
        ("x", "https://drone.ci.example.org/login"),
        ("x", "ci.example.org:443\n"),
        ("x", "CI.example.org"),
        ("x", "PROTO=https\nexport HOST='drone.ci.example.org'\r\nTOKEN=x\n"),
        ("x", '{\n  "token": "x",\n  "host": "https://ci.example.org/",\n  "last": 1\n}'),
        ("x", "host: ci.example.org"),
    ],
)
def test_a_parameter_that_moved_to_secrets_is_told_without_its_neighbours(name: str, value: str) -> None:
    with pytest.raises(CheckFailed, match=f"secrets.yaml: a/{name} is domain"):
        parameters.check_none_in_secrets(opened(name, value), [GATEWAY, DOMAIN], "secrets")


@pytest.mark.parametrize(
    "value", ["a token", "xci.example.org", "mail for ci.example.org", '{"auths": {\n"registry.ci.example.org": {\n"auth": "x"}}}']
)
def test_a_secret_is_no_parameter(value: str) -> None:
    parameters.check_none_in_secrets(opened("token", value), [DOMAIN, GATEWAY], "secrets")


def test_one_edit_changes_that_place_and_nothing_else(tree: Tree, tmp_path: Path) -> None:
    repository = base(tree)
    place = parameters.definition(repository, DOMAIN)
    copy = tmp_path / "copy"
    copy.mkdir()
    repository.export(copy)
    parameters.edit(copy, place, old=DOMAIN.value, new="new.example")
    assert (copy / "instance.nix").read_text() == INSTANCE.replace('"ci.example.org"', '"new.example"')
    assert (copy / "docs/install.md").read_text() == "Point ci.example.org at it.\n"


def test_bytes_that_are_no_utf_8_survive_an_edit(tree: Tree, tmp_path: Path) -> None:
    text = b'# F\xfcr alle\n{ domain = "ci.example.org"; }\n'
    place = parameters.definition(tree.commit({"instance.nix": text, "logo.png": b"\0ci.example.org"}), DOMAIN)
    (tmp_path / "instance.nix").write_bytes(text)
    parameters.edit(tmp_path, place, old=DOMAIN.value, new="new.example")
    assert (tmp_path / "instance.nix").read_bytes() == text.replace(b"ci.example.org", b"new.example")


def test_an_edit_of_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "instance.nix").write_text("{ }")
    with pytest.raises(HarnessError, match="does not stand"):
        parameters.edit(tmp_path, Place("instance.nix", 1, 0), old="ci.example.org", new="new.example")


def test_the_domain_must_be_among_the_parameters() -> None:
    assert parameters.parameter_of([GATEWAY, DOMAIN], "ci.example.org") is DOMAIN
    with pytest.raises(BadInput, match="no \\[\\[parameter\\]\\]"):
        parameters.parameter_of([GATEWAY], "ci.example.org")
