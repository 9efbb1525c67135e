from __future__ import annotations

import pytest

from cleanroom.errors import HarnessError
from lab import ca, hosts
from lab.daemon import Incus
from lab.names import CANONICAL_HOST, FORGE_HOST, NEIGHBOUR, PROJECT, SECRETS, repository_url
from lab.state import State
from lab.tools import environment, run


def test_the_forge_refuses_a_stranger_who_asks_for_secrets(state: State, incus: Incus) -> None:
    settings = (f"http.sslCAInfo={state.certificates / ca.ROOT}", f"http.curloptResolve={FORGE_HOST}:443:{incus.gateway().ip}")
    env = environment(GIT_TERMINAL_PROMPT="0", GIT_CONFIG_GLOBAL="/dev/null", HOME=str(state.folder))
    with pytest.raises(HarnessError, match="could not read Username"):
        run("git", *(word for setting in settings for word in ("-c", setting)), "ls-remote", repository_url(SECRETS), env=env)


def test_the_canonical_host_is_well_by_its_own_regression(incus: Incus) -> None:
    told = incus("exec", CANONICAL_HOST, "--project", PROJECT, "--", "bash", "-lc", "cc-ci-regression").splitlines()
    assert [line.split()[0] for line in told] == [f"D{number}" for number in range(1, 11)]
    assert all(line.endswith(" holds") for line in told)


@pytest.mark.parametrize("name", [CANONICAL_HOST, NEIGHBOUR])
def test_each_machine_has_a_memory_limit(incus: Incus, name: str) -> None:
    assert incus("config", "get", name, "limits.memory", "--project", PROJECT).strip() == hosts.MEMORY


def test_the_neighbour_does_nothing(incus: Incus) -> None:
    assert incus("exec", NEIGHBOUR, "--project", PROJECT, "--", "bash", "-lc", "ls /var/lib/docker /run/secrets 2>/dev/null | wc -l").strip() == "0"
