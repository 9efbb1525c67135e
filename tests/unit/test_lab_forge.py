"""The forge, with a real git on the other side, on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.errors import HarnessError
from lab import ca
from lab.forge import Forge
from lab.names import BASE, FORGE_HOST, OWNER, SECRETS, TOKEN
from lab.repositories import make_keys
from lab.state import State
from lab.tools import environment, run


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    state = State(tmp_path_factory.mktemp("lab"))
    ca.make(state)
    make_keys(state)
    for name in (BASE, SECRETS):
        run("git", "init", "--quiet", "--bare", "--initial-branch=main", state.repositories / OWNER / f"{name}.git")
        tree = state.folder / name
        run("git", "clone", "--quiet", state.repositories / OWNER / f"{name}.git", tree)
        (tree / "README").write_text(name)
        run("git", "add", "README", cwd=tree)
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.test")
        run("git", *identity, "commit", "--quiet", "--message=first", cwd=tree)
        run("git", "push", "--quiet", "origin", "HEAD:main", cwd=tree)
    return state


@pytest.fixture(scope="module")
def port(state: State) -> Iterator[int]:
    with Forge("127.0.0.1", 0, state) as forge:
        serving = threading.Thread(target=forge.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        yield forge.server_address[1]
        forge.shutdown()
        serving.join()


def git(state: State, port: int, *words: str, token: str = "") -> str:
    settings = {
        "http.sslCAInfo": str(state.certificates / ca.ROOT),
        "http.curloptResolve": f"{FORGE_HOST}:{port}:127.0.0.1",
        "credential.helper": '!f() { test -z "$TOKEN" || { echo username=cc-ci-bot; echo "password=$TOKEN"; }; }; f',
    }
    env = environment(TOKEN=token, GIT_TERMINAL_PROMPT="0", GIT_CONFIG_GLOBAL="/dev/null", HOME=str(state.folder))
    return run("git", *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")), *words, env=env)


def url(port: int, name: str) -> str:
    return f"https://{FORGE_HOST}:{port}/{OWNER}/{name}"


def token(state: State) -> str:
    return (state.keys / TOKEN).read_text().strip()


def test_everybody_may_read_base(state: State, port: int, tmp_path: Path) -> None:
    git(state, port, "clone", "--quiet", url(port, BASE), str(tmp_path / "clone"))
    assert (tmp_path / "clone/README").read_text() == BASE


@pytest.mark.parametrize("credential", ["", "not-the-token"])
def test_strangers_may_not_read_secrets(state: State, port: int, credential: str) -> None:
    with pytest.raises(HarnessError, match=r"could not read Username|Authentication failed"):
        git(state, port, "ls-remote", url(port, SECRETS), token=credential)


def test_the_holder_of_the_token_may_read_secrets(state: State, port: int, tmp_path: Path) -> None:
    git(state, port, "clone", "--quiet", url(port, f"{SECRETS}.git"), str(tmp_path / "clone"), token=token(state))
    assert (tmp_path / "clone/README").read_text() == SECRETS


def test_nobody_may_push(state: State, port: int, tmp_path: Path) -> None:
    git(state, port, "clone", "--quiet", url(port, BASE), str(tmp_path / "clone"))
    with pytest.raises(HarnessError, match="403"):
        git(state, port, "-C", str(tmp_path / "clone"), "push", "origin", "HEAD:refs/heads/other", token=token(state))


@pytest.mark.parametrize("path", ["/", "/../keys/forge-token", f"/{OWNER}/{BASE}/config", f"/{OWNER}/{BASE}.git/objects/info/packs"])
def test_nothing_else_is_served(state: State, port: int, path: str) -> None:
    host = ("--resolve", f"{FORGE_HOST}:{port}:127.0.0.1", "--cacert", str(state.certificates / ca.ROOT))
    status = run(
        "curl", "--silent", "--path-as-is", "--output", "/dev/null", "--write-out", "%{http_code}", *host, f"https://{FORGE_HOST}:{port}{path}"
    )
    assert status == "404"


def test_the_log_tells_of_requests_and_of_no_credential(state: State, port: int, capfd: pytest.CaptureFixture[str]) -> None:
    git(state, port, "ls-remote", url(port, SECRETS), token=token(state))
    log = capfd.readouterr().err
    assert f"GET /{OWNER}/{SECRETS}/info/refs" in log
    assert token(state) not in log
    assert "Authorization" not in log
