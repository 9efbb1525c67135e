"""Git repositories, fetched whole and read without a work tree.

Knows: how to fetch with a declared credential that no argument list, file or configuration ever holds, and how to read a tree at one commit.
Refuses: the operator's own git configuration, prompts, revisions it cannot find, and replacements (refs/replace) for what a commit holds.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import socket
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import BadInput, HarnessError, OutOfReach
from cleanroom.tables.git import Credential, Forge

_FETCH_SECONDS = 300.0
_READ_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_WEB = 443
_CREDENTIAL = "CLEANROOM_GIT_PASSWORD"
_SSH = "ssh -F none -o IdentitiesOnly=yes -o BatchMode=yes"
_Settings = list[tuple[str, str]]
#: What git says when it was the forge that said no, and not the network: a private repository may also be denied to exist.
_REFUSED = re.compile(r"could not read Username|Authentication failed|returned error: 40[13]|Permission denied|repository '[^']*' not found")
#: Variables by which somebody's shell could change what git does here.
_FOREIGN = ("GIT_", "SSH_ASKPASS", "CURL_CA_BUNDLE", "SSL_CERT_")


@dataclass(frozen=True)
class Entry:
    """One entry of a tree: git's mode (`100644`, `100755`, `120000` a link, `160000` a submodule), object name and path."""

    mode: str
    object_name: str
    path: str


@dataclass(frozen=True)
class Repository:
    """A bare copy in `folder`, and the one commit under test."""

    url: str
    folder: Path
    commit: str

    def read(self, path: str) -> bytes:
        """A file at the commit; raises `BadInput` if there is none."""
        result = _git(["-C", str(self.folder), "cat-file", "blob", f"{self.commit}:{path}"], [], within=_READ_SECONDS)
        if result.returncode:
            raise BadInput(f"there is no file {path} at {self.commit[:12]}", where=self.url)
        return result.stdout

    def entries(self) -> tuple[Entry, ...]:
        """Every entry of the tree; raises `HarnessError` if the tree is empty: an empty repository proves nothing."""
        result = _git(["-C", str(self.folder), "ls-tree", "-r", "-z", self.commit], [], within=_READ_SECONDS)
        found = tuple(_entry(line) for line in result.stdout.split(b"\0") if line)
        if result.returncode or not found:
            raise HarnessError(f"the tree at {self.commit[:12]} cannot be listed, or is empty", where=self.url)
        return found

    def settings(self, path: str) -> tuple[tuple[str, str], ...]:
        """Names and values of a file in git's own configuration format, as git reads it; raises `HarnessError` if git cannot."""
        words = ["-C", str(self.folder), "config", f"--blob={self.commit}:{path}", "--null", "--list"]
        result = _git(words, [], within=_READ_SECONDS)
        if result.returncode:
            raise HarnessError(f"git cannot read {path}: {result.stderr.decode(errors='replace').strip()}", where=self.url)
        pairs = (line.decode(errors="surrogateescape").partition("\n") for line in result.stdout.split(b"\0") if line)
        return tuple((name, value) for name, _, value in pairs)

    def head(self, revision: str) -> str:
        """The commit at the head of the branch `revision`, or of the forge's default branch if that is no branch; as fetched."""
        for name in (f"refs/heads/{revision}", "HEAD"):
            found = _git(["-C", str(self.folder), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"], [], within=_READ_SECONDS)
            if found.returncode == 0:
                return found.stdout.decode().strip()
        raise BadInput("the repository has no head", where=self.url)

    def changes(self, since: str, until: str) -> tuple[str, ...] | None:
        """The paths by which two commits differ; None if the second does not come after the first."""
        folder = ["-C", str(self.folder)]
        if _git([*folder, "merge-base", "--is-ancestor", since, until], [], within=_READ_SECONDS).returncode:
            return None
        listed = _git([*folder, "diff", "--name-only", "--no-renames", "-z", since, until], [], within=_READ_SECONDS)
        if listed.returncode:
            raise HarnessError("git cannot tell what changed", where=self.url)
        return tuple(path.decode(errors="surrogateescape") for path in listed.stdout.split(b"\0") if path)

    def export(self, folder: Path) -> None:
        """Write the tree's files into `folder`, which must exist; nothing of git comes along."""
        archive = _git(["-C", str(self.folder), "archive", "--format=tar", self.commit], [], within=_READ_SECONDS)
        if archive.returncode:
            raise HarnessError(f"the tree at {self.commit[:12]} cannot be read", where=self.url)
        try:
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as members:
                members.extractall(folder, filter="tar")  # a link may lead anywhere, as in a work tree; nobody here follows it
        except tarfile.FilterError as problem:
            raise HarnessError(f"the tree at {self.commit[:12]} cannot be written down: {problem}", where=self.url) from None


def fetch(url: str, revision: str, folder: Path, *, forge: Forge, credential: Credential | None = None, within: float = _FETCH_SECONDS) -> Repository:
    """Fetch everything the forge offers into `folder` (bare) and find `revision`. Raises `OutOfReach` or `BadInput`."""
    configuration, secret = _configuration(forge, credential)
    result = _git(["clone", "--quiet", "--mirror", url, str(folder)], configuration, within=within, secret=secret)
    if result.returncode:
        complaint = result.stderr.decode(errors="replace").strip().splitlines()
        raise OutOfReach(
            f"cannot fetch: {complaint[-1] if complaint else 'git said nothing'}", where=url, advice="is the forge up, the credential valid?"
        )
    # The tree's own attributes may leave files out of an archive, or alter them; ours outrank them.
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info" / "attributes").write_text("* -export-ignore -export-subst -text -ident -working-tree-encoding\n")
    found = _git(["-C", str(folder), "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"], [], within=_READ_SECONDS)
    if found.returncode:
        raise BadInput(f"there is no revision {revision}", where=url)
    return Repository(url, folder, found.stdout.decode().strip())


def refusal(url: str, *, forge: Forge, credential: Credential | None = None) -> str | None:
    """What the forge says to one who asks for the repository's refs - a stranger, without a credential; None if it serves them.

    Raises `OutOfReach` if it was not the forge that said no.
    """
    configuration, secret = _configuration(forge, credential)
    result = _git(["ls-remote", url], configuration, within=_READ_SECONDS, secret=secret)
    if result.returncode == 0:
        return None
    complaint = result.stderr.decode(errors="replace").strip()
    if _REFUSED.search(complaint):
        return complaint.splitlines()[-1]
    raise OutOfReach(f"cannot tell whether the forge refuses: {complaint or 'git said nothing'}", where=url)


def listens(host: str, *, forge: Forge) -> bool:
    """Whether anything answers at a forge's web address (port 443). Raises `OutOfReach` where that cannot be told."""
    try:
        socket.create_connection((forge.resolve.get(host, host), _WEB), timeout=_CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        return False
    except OSError as problem:
        raise OutOfReach(f"cannot tell whether the forge has a web address: {problem}", where=host) from None
    return True


def _entry(line: bytes) -> Entry:
    head, _, path = line.partition(b"\t")
    mode, _, name = head.split(b" ")
    return Entry(mode.decode(), name.decode(), path.decode(errors="surrogateescape"))


def _configuration(forge: Forge, credential: Credential | None) -> tuple[_Settings, Mapping[str, str]]:
    """Settings for one git process, and the environment that carries its secret."""
    settings = [("protocol.version", "2"), ("http.followRedirects", "false")]
    if forge.trust is not None:
        settings.append(("http.sslCAInfo", str(forge.trust)))
    settings += [("http.curloptResolve", f"{host}:443:{address}") for host, address in forge.resolve.items()]
    if credential is None:
        settings.append(("core.sshCommand", f"{_SSH} -o IdentityFile=none -o IdentityAgent=none"))
        return settings, {}
    if credential.token is not None:
        helper = f'!f() {{ echo "username={credential.user}"; echo "password=${_CREDENTIAL}"; }}; f'
        settings.append(("credential.helper", helper))
        return settings, {_CREDENTIAL: credential.token.load("token of the private repository").text()}
    settings.append(("core.sshCommand", f"{_SSH} -i {shlex.quote(str(credential.deploy_key))}"))
    return settings, {}


def _git(arguments: list[str], settings: _Settings, *, within: float, secret: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(secret or {})}
    environment["GIT_NO_REPLACE_OBJECTS"] = "1"  # a mirror has refs/replace too, which nobody who fetches a branch ever meets
    environment["HOME"] = environment["XDG_CONFIG_HOME"] = "/nonexistent"  # libcurl would read ~/.netrc
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for index, (key, value) in enumerate(settings):
        environment[f"GIT_CONFIG_KEY_{index}"], environment[f"GIT_CONFIG_VALUE_{index}"] = key, value
    try:
        return subprocess.run(["git", *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=within, check=False)
    except subprocess.TimeoutExpired:
        raise OutOfReach(f"git {arguments[0]} still ran after {within:.0f} s", where=arguments[-1]) from None
    except OSError as problem:
        raise HarnessError(f"cannot run git: {problem.strerror}", advice="install git") from None
