"""What documents name: told apart by form and by what is known of the site, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.documents import whereabouts
from cleanroom.documents.library import Library
from cleanroom.documents.names import Name, Named, World, gather
from cleanroom.documents.reading import read
from cleanroom.errors import CheckFailed, HarnessError
from cleanroom.ledger import Ledger
from tests.unit.trees import Tree

WORLD = World(
    domain="ci.example.net",
    hosts=frozenset({"ci.example.net", "*.ci.example.net", "drone.ci.example.net"}),
    services=frozenset({"traefik_app", "drone_app"}),
    files=frozenset({"flake.nix", "docs/install.md", "docs/secrets.md", "modules/host.nix", "README.md"}),
    sealed=frozenset({".sops.yaml", "secrets/secrets.yaml"}),
    values=frozenset({"drone/rpc_secret", "certificate/fullchain"}),
    other=frozenset({"/hook", "/", "us/cc-ci"}),
)

NAMED = [
    ("see `docs/secrets.md`", [("file", "docs/secrets.md")]),
    ("see docs/secrets.md.", [("file", "docs/secrets.md")]),
    ("`modules/` and `secrets.md`", [("file", "modules/"), ("file", "secrets.md")]),
    ("`modules/gone`", [("file", "modules/gone")]),
    ("`drone/rpc_secret`", [("secret", "drone/rpc_secret")]),
    ("`drone/gone`", [("secret", "drone/gone")]),
    ("`us/cc-ci`, `a/b`, `flake = false`, `$MACHINE`, `x.y`, `-v`, `nixos-rebuild switch`", []),
    ("`/run/secrets/drone/rpc_secret`", [("path", "/run/secrets/drone/rpc_secret")]),
    ("it lies in /etc/nix.", [("path", "/etc/nix")]),
    ("and/or, 1/2, w/o, TCP/IP, `/hook`, `/`", []),
    ("`/run/secrets.d/<N>/x`, `/nix/var/system-*-link`, `/home/$USER`", [("path", "/run/secrets.d"), ("path", "/nix/var"), ("path", "/home")]),
    ("`$HOME/.ssh`, `~/.ssh/config`, `${X}/y`", []),
    ("`root@host:/var/key.txt`", [("path", "/var/key.txt")]),
    ("https://git.example.com/us/cc-ci/etc/passwd", []),
    ("`https://drone.ci.example.net/var/x`", [("host", "drone.ci.example.net")]),
    (
        "`*.ci.example.net`, ci.example.net and Gone.ci.example.net.",
        [("host", "*.ci.example.net"), ("host", "ci.example.net"), ("host", "gone.ci.example.net")],
    ),
    ("ci.example.network, notci.example.net, ci.example.net.evil.org, <label>.ci.example.net", []),
    (
        "`reconcile-proxy.service` and docker.socket, `getty@tty1.service`",
        [("unit", u) for u in ("reconcile-proxy.service", "docker.socket", "getty@tty1.service")],
    ),
    ("`/etc/systemd/system/x.service`, `reconcile-*.service`", [("path", "/etc/systemd/system/x.service")]),
    ("`traefik_app`, bridge_app; not `ssl_cert` nor my_application", [("service", "traefik_app"), ("service", "bridge_app")]),
    ("the swarm service `viz`", [("service", "viz")]),
    ("`nixosConfigurations.cc-ci`", [("attribute", "nixosConfigurations.cc-ci")]),
    ("`inputs.secrets` and packages.x86_64-linux.x", [("attribute", "inputs.secrets"), ("attribute", "packages.x86_64-linux.x")]),
    ("```sh\nnixos-rebuild switch --flake 'git+https://h/us/cc-ci#cc-ci'\n```", [("attribute", "nixosConfigurations.cc-ci")]),
    ("```sh\nnixos-rebuild switch --flake .#b1 && nix build .#x.y\n```", [("attribute", "nixosConfigurations.b1"), ("attribute", "x.y")]),
    ("```sh\ndocker service logs --tail 5 drone_app\n```", [("service", "drone_app")]),
    ("```sh example\njournalctl -u gone.service > /srv/x\n```", [("unit", "gone.service"), ("path", "/srv/x")]),
    ("```sh\ncat docs/not-here.md\nsed s/etc/var/ x\n```", [("file", "docs/not-here.md")]),
    ("```sh\ncat elsewhere/x.md x.md ../docs/x.md\nsops -d secrets/secrets.yaml > secrets/new.yaml\n```", [("file", "secrets/secrets.yaml")]),
    ("`systemctl status gone`; tell systemctl status nothing", [("unit", "gone.service")]),
    (
        "```sh\nssh root@h 'systemctl restart a b.timer -n 5' && sudo systemctl show -p MainPID --value c  # and d\n```",
        [("unit", "a.service"), ("unit", "b.timer"), ("unit", "c.service")],
    ),
    (
        "```sh\njournalctl -fu a --since today -u b.socket | grep x; journalctl -b --unit=c\n```",
        [("unit", "a.service"), ("unit", "b.socket"), ("unit", "c.service")],
    ),
    ("```sh\nsystemctl --user start a; systemctl is-system-running; systemctl list-units --failed; systemctl -M x stop b; journalctl -k\n```", []),
    ("`systemctl start reconcile-*`, `systemctl stop $UNIT`, `journalctl -u <unit>`, `systemctl status`, `systemctl daemon-reload`", []),
    ("<!-- `/etc/gone` and gone.service -->\n\nText.", []),
    ("~~`/etc/gone`~~ text", []),
    ("| unit | path |\n|---|---|\n| `a.timer` | `/srv/x` |", [("unit", "a.timer"), ("path", "/srv/x")]),
]


def names(markdown: str, *, file: str = "docs/install.md") -> Named:
    return gather([read(markdown + "\n", file=file)], WORLD)


@pytest.mark.parametrize("number", range(len(NAMED)))
def test_names_are_told_by_their_form(number: int) -> None:
    markdown, expected = NAMED[number]
    assert sorted({(name.kind, name.text) for name in names(markdown).names}) == sorted(expected)


def test_a_name_knows_its_line() -> None:
    found = names("One\ntwo `/etc/a`\nthree\n\n```sh\nls\ncat /etc/b\n```\n").names
    assert {(name.text, name.where) for name in found} == {("/etc/a", "docs/install.md:2"), ("/etc/b", "docs/install.md:7")}


def test_what_is_not_judged_is_kept() -> None:
    assert names("`ssl_cert` and `/etc/x`").not_judged == ("ssl_cert",)


def test_files_and_secrets_that_are_there() -> None:
    whereabouts.check_in_git(
        names("`docs/secrets.md`, `install.md`, `modules/host.nix`, `modules/`, `.sops.yaml`, `drone/rpc_secret`, `drone/`"), WORLD
    )


@pytest.mark.parametrize("name", ["docs/gone.md", "modules/gone.nix", "gone/", "host.nix", "drone/gone", "flake.nixx/a.nix", "../flake.lock"])
def test_a_file_or_secret_that_is_not_there_is_told_with_its_line(name: str) -> None:
    with pytest.raises(CheckFailed, match="is in git") as caught:
        whereabouts.check_in_git(names(f"Text\n`{name}` and `flake.nix`"), WORLD)
    assert caught.value.where == "docs/install.md:2"


def test_a_host_that_nobody_declares() -> None:
    whereabouts.check_hosts(names("drone.ci.example.net"), WORLD)
    with pytest.raises(CheckFailed, match=r"host gone\.ci\.example\.net \(docs/install\.md:1\)"):
        whereabouts.check_hosts(names("drone.ci.example.net and `gone.ci.example.net`"), WORLD)


def test_no_name_of_a_kind_is_no_pass() -> None:
    with pytest.raises(HarnessError, match="name no host"):
        whereabouts.check_hosts(names("`flake.nix`"), WORLD)
    with pytest.raises(HarnessError, match="name no file"):
        whereabouts.check_in_git(names("`/etc/x`"), WORLD)


def library(markdown: str) -> Library:
    return Library({"docs/install.md": read(markdown, file="docs/install.md")}, {"guide": "docs/install.md"})


def test_no_name_at_all_is_no_pass(ledger: Ledger) -> None:
    with pytest.raises(HarnessError, match="name nothing"):
        whereabouts.named(library("Nothing here."), WORLD, {}, ledger.record)


def test_examples_are_excused_and_an_unneeded_one_is_red(ledger: Ledger) -> None:
    documents = library("`/etc/a` and `/srv/other`, `ssl_cert`")
    found = whereabouts.named(documents, WORLD, {"/srv/other": "the desk's"}, ledger.record)
    assert [name.text for name in found.of("path")] == ["/etc/a"]
    event = next(ledger.of("names"))
    assert (event["found"], event["not_judged"], event["examples"]) == ({"path": 2}, ["ssl_cert"], {"/srv/other": "the desk's"})
    with pytest.raises(CheckFailed, match="in none: /srv/gone"):
        whereabouts.named(documents, WORLD, {"/srv/gone": "was once"}, ledger.record)


LINKS = {
    "docs/install.md": (
        "# Install\n\n[a](secrets.md) [b](secrets.md#how-it-is) [c](../README.md) [d](/flake.nix#L3) [e](#install) [f](../docs) [g](b%20c.md)"
        " [h](https://example.org/gone#x) <a href='secrets.md'>i</a> ![j](../README.md)\n"
    ),
    "docs/secrets.md": "# How it is\n\nText.\n",
    "docs/b c.md": "# B\n",
    "README.md": "# R\n",
    "flake.nix": "{\n}\n",
}


def links(tmp_path: Path, **more: str) -> None:
    files = {**LINKS, "docs/install.md": LINKS["docs/install.md"] + "".join(more.values())}
    base = Tree(tmp_path / "base").commit(files)
    whereabouts.check_links(library(files["docs/install.md"]), base)


def test_links_that_lead_somewhere(tmp_path: Path) -> None:
    links(tmp_path)


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("[x](gone.md)", "no such file"),
        ("[x](secrets.md:23)", "no such file"),
        ("[x](../docs/gone/)", "no such file"),
        ("[x](../../outside.md)", "no such file"),
        ("[x](/install.md)", "no such file"),
        ("[x](secrets.md#gone)", "docs/secrets.md has no such heading"),
        ("[x](#gone)", "docs/install.md has no such heading"),
        ("[x](../flake.nix#outputs)", "no document"),
        ("[x]()", "leads nowhere"),
        ("![x](gone.png)", "no such file"),
        ("<a href='gone.md'>x</a>", "no such file"),
        ("[x][y]\n\n[y]: gone.md", "no such file"),
        ("[x][y]", "its definition is not there"),
        ("[x][]", "its definition is not there"),
        ("| a |\n|---|\n| [x](gone.md) |", "no such file"),
    ],
)
def test_a_dead_link_is_told_with_its_line(tmp_path: Path, link: str, problem: str) -> None:
    with pytest.raises(CheckFailed, match="every relative link") as caught:
        links(tmp_path, more=f"\n\n{link}\n")
    assert problem in caught.value.seen
    assert int(caught.value.where.rpartition(":")[2]) >= 5


def test_a_reader_is_led_to_more_than_the_site_names(tmp_path: Path) -> None:
    files = {"docs/install.md": "[a](a.md) [x](gone.md) [f](../flake.nix)", "docs/a.md": "[b](/b.md#x) [i](install.md)", "b.md": "[a](docs/a.md)"}
    more = {"README.md": "[c](c%20d.md)", "c d.md": "Text.", "alone.md": "Text.", "empty.md": "", "flake.nix": "{}", "R.md": "[a](alone.md)"}
    files["b.md"] += " [e](empty.md) [r](R.md)"
    base = Tree(tmp_path / "base").commit({**files, **more})
    found = whereabouts.led_to(library(files["docs/install.md"]), base, frozenset({"R.md"}))
    assert sorted(document.file for document in found) == ["README.md", "b.md", "c d.md", "docs/a.md"]


def test_no_link_at_all_is_no_pass(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no relative link"):
        whereabouts.check_links(library("[a](https://example.org)"), Tree(tmp_path / "base").commit(LINKS))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab/._-$<*@:# `\n", max_size=60))
def test_any_text_can_be_searched_and_each_name_stands_in_it(text: str) -> None:
    for name in names(f"x {text}").names:
        assert isinstance(name, Name)
        assert name.text.removesuffix(".service").lower() in f"x {text}".lower().replace("`", "")
