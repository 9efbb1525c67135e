"""Repositories, fetched from a real git server over TLS; the private one only with its credential."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from cleanroom import repository
from cleanroom.errors import BadInput, HarnessError, OutOfReach
from cleanroom.repository import Repository
from cleanroom.tables.base import SecretSource
from cleanroom.tables.git import Credential, Forge
from tests.unit.authority import Authority, tls_server
from tests.unit.loopback import free_port
from tests.unit.trees import Tree

TOKEN = "t0ken-of-the-bot"
FILES = {
    "flake.nix": b"{ }\n",
    "docs/install.md": b"# Install\n",
    "secret/dropped.txt": b"$Format:%H$\n",
    "crlf.sh": b"# $Id$\n",
    ".gitattributes": b"secret export-ignore\n*.sh text eol=crlf ident\n",
}


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True, env=environment).stdout.strip()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two commits, a branch and a tag."""
    folder = tmp_path_factory.mktemp("work")
    git(folder, "init", "--quiet")
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "one")
    git(folder, "tag", "v1")
    git(folder, "switch", "--quiet", "--create", "other")
    (folder / "flake.nix").write_bytes(b"{ other = true; }\n")
    git(folder, "commit", "--quiet", "--all", "--message", "two")
    git(folder, "switch", "--quiet", "main")
    return folder


class Smart(BaseHTTPRequestHandler):
    """git's own HTTP server behind a door: `/private.git` wants the bot's password. Looks for it in every argument list at each request."""

    root: Path
    leaks: list[str]

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        self.leaks += [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if TOKEN.encode() in _content(path)]
        allowed = "Basic " + base64.b64encode(f"bot:{TOKEN}".encode()).decode()
        if self.path.startswith("/private.git") and self.headers.get("Authorization") != allowed:
            self._answer(401, [("WWW-Authenticate", 'Basic realm="forge"')], b"")
            return
        path, _, query = self.path.partition("?")
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        answer = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment, check=False).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        self._answer(int(headers.pop("Status", "200").split()[0]), list(headers.items()), content)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for key, value in [*headers, ("Content-Length", str(len(content)))]:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


class Served:
    """Where the repositories are, and what reaching them takes."""

    def __init__(self, root: str, forge: Forge, leaks: list[str]) -> None:
        self.public, self.private, self.nothing = (f"{root}/{name}.git" for name in ("public", "private", "nothing"))
        self.forge = forge
        self.leaks = leaks


@pytest.fixture(scope="module")
def served(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served")
    for name in ("public", "private"):
        git(root, "clone", "--quiet", "--bare", str(work), f"{name}.git")
    authority = Authority(root / "ca")
    leaks: list[str] = []
    handler = type("Handler", (Smart,), {"root": root, "leaks": leaks})
    with tls_server(handler, authority.issue("127.0.0.1"), ("127.0.0.1", 0)) as server:
        yield Served(f"https://127.0.0.1:{server.server_address[1]}", Forge(trust=authority.bundle), leaks)


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> Credential:
    monkeypatch.setenv("SUITE_TEST_TOKEN", TOKEN)
    return Credential(user="bot", token=SecretSource(env="SUITE_TEST_TOKEN"))


@pytest.fixture(scope="module")
def copy(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The public repository, fetched."""
    return repository.fetch(served.public, "HEAD", tmp_path_factory.mktemp("fetched") / "copy", forge=served.forge)


def test_a_public_repository_is_fetched_whole(copy: Repository, work: Path) -> None:
    assert copy.commit == git(work, "rev-parse", "main")
    assert copy.read("docs/install.md") == b"# Install\n"
    assert sorted(entry.path for entry in copy.entries()) == sorted(FILES)
    assert git(copy.folder, "rev-parse", "refs/heads/other") == git(work, "rev-parse", "other")


def test_what_a_replace_ref_shows_instead_is_not_read(tmp_path: Path) -> None:
    """A mirror brings refs/replace along; a machine that fetches the branch gets the commit's own files."""
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet")
    (work / "install.md").write_text("what everybody gets\n")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "one")
    (work / "other.md").write_text("what is shown instead\n")
    git(work, "replace", git(work, "rev-parse", "HEAD:install.md"), git(work, "hash-object", "-w", "other.md"))
    copy = repository.fetch(str(work), "HEAD", tmp_path / "copy", forge=Forge())
    assert git(copy.folder, "replace", "--list")
    assert copy.read("install.md") == b"what everybody gets\n"
    exported = tmp_path / "exported"
    exported.mkdir()
    copy.export(exported)
    assert (exported / "install.md").read_bytes() == b"what everybody gets\n"


def test_a_link_may_lead_anywhere(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet")
    (work / "result").symlink_to("/nix/store/somewhere")
    (work / "above").symlink_to("../../above")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "one")
    exported = tmp_path / "exported"
    exported.mkdir()
    repository.fetch(str(work), "HEAD", tmp_path / "copy", forge=Forge()).export(exported)
    assert {path.name: str(path.readlink()) for path in exported.iterdir()} == {"result": "/nix/store/somewhere", "above": "../../above"}


@pytest.mark.parametrize("revision", ["main", "v1", "refs/heads/main"])
def test_a_revision_is_found_by_any_of_its_names(work: Path, tmp_path: Path, revision: str) -> None:
    assert repository.fetch(str(work), revision, tmp_path / "copy", forge=Forge()).commit == git(work, "rev-parse", "main")


def test_a_revision_is_found_by_its_object_name(work: Path, tmp_path: Path) -> None:
    commit = git(work, "rev-parse", "other")
    assert repository.fetch(str(work), commit, tmp_path / "copy", forge=Forge()).read("flake.nix") == b"{ other = true; }\n"


def test_a_revision_that_is_not_there_is_bad_input(work: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no revision v9"):
        repository.fetch(str(work), "v9", tmp_path / "copy", forge=Forge())


@pytest.mark.parametrize("path", ["docs/none.md", "docs", ""])
def test_a_file_that_is_not_there_is_bad_input(copy: Repository, path: str) -> None:
    with pytest.raises(BadInput, match="there is no file"):
        copy.read(path)


def test_every_file_of_the_tree_is_exported_as_it_is(copy: Repository, tmp_path: Path) -> None:
    """Whatever the tree's own attributes say of archives."""
    copy.export(tmp_path)
    assert {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == FILES


def test_a_private_repository_is_fetched_with_its_credential_and_refused_without(served: Served, tmp_path: Path, credential: Credential) -> None:
    assert repository.refusal(served.public, forge=served.forge) is None
    assert repository.refusal(served.private, forge=served.forge, credential=credential) is None
    assert repository.refusal(served.private, forge=served.forge)
    with pytest.raises(OutOfReach, match="cannot fetch"):
        repository.fetch(served.private, "HEAD", tmp_path / "none", forge=served.forge)
    assert repository.fetch(served.private, "HEAD", tmp_path / "copy", forge=served.forge, credential=credential).read("flake.nix")


def test_a_wrong_credential_is_refused(served: Served, credential: Credential, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUITE_TEST_TOKEN", "wrong")
    assert repository.refusal(served.private, forge=served.forge, credential=credential)


def test_the_credential_is_in_no_argument_list_and_in_no_file(served: Served, tmp_path: Path, credential: Credential) -> None:
    served.leaks.clear()
    repository.fetch(served.private, "HEAD", tmp_path / "copy", forge=served.forge, credential=credential)
    assert served.leaks == []
    files = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


def test_the_operator_s_own_git_configuration_and_netrc_play_no_part(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login bot password {TOKEN}\n")
    (tmp_path / ".netrc").chmod(0o600)
    (tmp_path / ".gitconfig").write_text(f'[credential]\n\thelper = "!f() {{ echo username=bot; echo password={TOKEN}; }}; f"\n')
    monkeypatch.setenv("GIT_ASKPASS", "/bin/echo")
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "true")
    assert repository.refusal(served.private, forge=served.forge)
    with pytest.raises(OutOfReach):
        repository.refusal(served.public, forge=Forge())


@pytest.mark.parametrize("path", ["403.git", "401/not found.git", "x.git"])
def test_a_forge_that_does_not_answer_refuses_nobody(path: str) -> None:
    with pytest.raises(OutOfReach, match="cannot tell"):
        repository.refusal(f"https://127.0.0.1:{free_port()}/{path}", forge=Forge())


def test_a_repository_that_is_denied_to_exist_counts_as_refused(served: Served) -> None:
    assert repository.refusal(served.nothing, forge=served.forge)


def test_a_name_may_be_resolved_by_the_site() -> None:
    with pytest.raises(OutOfReach, match=r"127\.0\.0\.1|refused|connect"):
        repository.refusal("https://forge.invalid/x.git", forge=Forge(resolve={"forge.invalid": "127.0.0.1"}))


def test_an_empty_tree_proves_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "empty")
    with pytest.raises(HarnessError, match="empty"):
        repository.fetch(str(tmp_path), "HEAD", tmp_path / "copy", forge=Forge()).entries()


def test_a_forge_without_a_web_address_is_told_from_one_that_nobody_can_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "_WEB", free_port())
    assert not repository.listens("forge.example", forge=Forge(resolve={"forge.example": "127.0.0.1"}))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(repository, "_WEB", server.getsockname()[1])
        assert repository.listens("forge.example", forge=Forge(resolve={"forge.example": "127.0.0.1"}))
    with pytest.raises(OutOfReach, match="cannot tell whether the forge has a web address"):
        repository.listens("forge.invalid", forge=Forge())


def test_a_configuration_is_read_as_git_reads_it(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree")
    assert tree.commit({"c": '[A "b"]\n\tC = "d;e" ; f\n[a "b"] c = g\n\th\n'}).settings("c") == (("a.b.c", "d;e"), ("a.b.c", "g"), ("a.b.h", ""))
    with pytest.raises(HarnessError, match="git cannot read c"):
        tree.commit({"c": "[a"}).settings("c")
