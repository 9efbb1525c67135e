"""A genuine green run of a small suite, told through the real classes: what forgers start from.

The suite is a git checkout of two feature files; the run is of class LAB, or of a real site with a virtual machine (ACCEPTANCE).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cleanroom import evidence, inventory, report, signing, suite
from cleanroom.run import Options, Role, Run

MACHINE = "cc-ci-throwaway"
IMAGE, KEY, SYSTEM = "1" * 64, "e" * 64, "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system-cc-ci"
STEPS = ("Given a throwaway", "When the guide is followed", "Then it holds")

FEATURES = {
    "c1_split.feature": """\
@c1
Feature: C1 - the split

  # A comment with Scenario: inside
  Background:
    Given a throwaway

  Scenario: Secrets hold secrets
    Then it holds

  Scenario Outline: Each name answers
    Then it holds
      \"\"\"
      Scenario: no scenario, but text
      \"\"\"

    @c4
    Examples:
      | name  | status  |
      | drone | 200     |
      | a\\|b  | 2 \\\\ 0 |
""",
    "deeper/c4_cleanroom.feature": """\
@c4 @w4
Feature: C4 - the clean room

  Rule: A machine is new

    Scenario: Nothing but the guide changed the machine
      Then it holds

  @twice
  Scenario: Two strangers agree
    Then it holds
""",
}


@dataclass(frozen=True)
class Genuine:
    """A run's folder, the checkout of the suite that made it, and the key that signed it."""

    folder: Path
    repository: Path
    key: Path
    #: The folder of another genuine run by the same key, if there is one.
    another: Path = Path()

    @property
    def public(self) -> Path:
        return self.folder / evidence.PUBLIC_KEY

    def copy(self, folder: Path) -> Genuine:
        """The same run in another folder, free to be forged."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        return replace(self, folder=folder)


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example", "-c", "commit.gpgSign=false")
    return subprocess.run(["git", *identity, "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()


def checkout(folder: Path) -> Path:
    """A suite in git, small."""
    for name, text in {
        **{f"features/{name}": text for name, text in FEATURES.items()},
        "cleanroom/x.py": "x = 1\n",
        "README.md": "read me\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    first = folder / "features/c1_split.feature"
    first.write_text(FEATURES["c1_split.feature"].partition("  Scenario Outline")[0], encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=The suite, with less in it")
    first.write_text(FEATURES["c1_split.feature"], encoding="utf-8")
    git(folder, "commit", "--quiet", "--all", "--message=The suite")
    return folder


def make(place: Path, *, kind: str = "lab", virtual: bool = False, signed: bool = True, failing: bool = False, role: Role = "adversary") -> Genuine:
    """Run the small suite and write all that a run writes."""
    repository = checkout(place / "suite")
    key = place / "key.pem"
    signer = signing.make(key)
    run = Run(place / "reports", Options(role=role), announce=lambda _line: None)
    if signed:
        run.sign_with(signer)
    tell(run, repository, kind=kind, virtual=virtual, failing=failing)
    run.close(exit_status=int(failing))
    report.write(run.folder, run.ledger.events)
    evidence.write(run.folder, run.ledger.events, signer if signed else None)
    return Genuine(run.folder, repository, key)


def again(run: Genuine, place: Path) -> Genuine:
    """Another run of the same suite, signed with the same key."""
    signer = signing.load(run.key)
    second = Run(place, Options(), announce=lambda _line: None)
    second.sign_with(signer)
    tell(second, run.repository, kind="lab", virtual=False)
    second.close(exit_status=0)
    report.write(second.folder, second.ledger.events)
    evidence.write(second.folder, second.ledger.events, signer)
    return replace(run, folder=second.folder)


def tell(run: Run, repository: Path, *, kind: str, virtual: bool, failing: bool = False) -> None:
    """Record a green run (or one whose last scenario fails) from its inventory to the machine's end."""
    run.record("suite", **asdict(suite.describe(repository)))
    run.record("host", **suite.surroundings(), arguments=["features", "--role", run.options.role])
    known = inventory.read(repository / "features")
    planned = [{"identity": each.identity, "line": each.line, "on_request": each.is_on_request} for each in known.scenarios]
    run.record("inventory", files=dict(known.files), titles=dict(known.titles), scenarios=planned)
    asked = [each for each in planned if not each["on_request"]]
    run.record("selected", scenarios=asked)
    settings = {"kind": kind, "incus": {"image_fingerprint": IMAGE}, "bootstrap": {"machine_path": "/var/lib/sops-nix/key.txt"}}
    run.record("site", name="cc-ci", site_kind=kind, digest="f" * 64, settings=settings)
    for repository_name, commit in (("base", "b" * 40), ("secrets", "5" * 40)):
        run.record("revision", repository=repository_name, url=f"https://git.example.org/{repository_name}", commit=commit)
    run.record("bootstrap-key", recipients=["age1example"], sha256=KEY)
    _machine(run, virtual=virtual)
    for identity in (str(each["identity"]) for each in asked):
        for kind_of_event, fields in _scenario(identity, failing=failing and identity == asked[-1]["identity"]):
            run.record(kind_of_event, **fields)
    run.record("hypervisor", action="delete", instance=MACHINE, expects=["instance-deleted"])
    run.record("machine-gone", name=MACHINE)
    (run.folder / "journal" / f"{MACHINE}.log").write_text("what the machine logged\n", encoding="utf-8")


def _machine(run: Run, *, virtual: bool) -> None:
    kind = "virtual-machine" if virtual else "container"
    with run.phase("provision"):
        run.record("server", version="6.0.4", drivers=["lxc", "qemu"] if virtual else ["lxc"], clock=run.ledger.events[0]["at"])
        run.record("before", began=run.ledger.events[0]["at"], uuids=[], namesake=None, declared_image=IMAGE)
        run.record("hypervisor", action="create", instance=MACHINE, expects=["instance-created", "instance-started"])
        run.record("lifecycle", action="instance-created", instance=MACHINE, requestor={"username": "root"}, context={"type": kind})
        run.record(
            "machine",
            name=MACHINE,
            uuid="u",
            created_at=run.ledger.events[-1]["at"],
            image=IMAGE,
            type=kind,
            address="192.0.2.1",
            boot_id="b",
            host_key="k",
        )
    for number, (place, where, command) in enumerate(
        (("operator", "docs/install.md:4", "ssh ..."), ("machine", "docs/install.md:9", "nixos-rebuild switch")), 1
    ):
        run.record("guide-command", number=number, place=place, where=where, command=command)
        streams = {"stdout": f"output of {number}\n", "stderr": "a warning\n" * 300}
        run.record(
            "guide-result", number=number, status=0, expected=0, fate="0", seconds=1.5, **{name: text[-2000:] for name, text in streams.items()}
        )
        run.transcript(f"--- command {number} ({where}): {command} [{place}]\n{streams['stdout']}{streams['stderr']}--- 0, 1.5 s\n")
    run.record("delivered", by="docs/install.md:4", number=1, path="/var/lib/sops-nix/key.txt", bytes=152, sha256=KEY)
    run.record("toplevel", machine=MACHINE, path=SYSTEM, nar_hash="sha256-AAAA", sha256="a" * 64, closure={"paths": 1, "sha256": "0" * 64})


def _scenario(identity: str, *, failing: bool) -> Iterator[tuple[str, dict[str, object]]]:
    trouble = {"trouble": "check", "expected": "it holds", "seen": "it does not", "place": "docs/install.md:9", "advice": ""} if failing else {}
    yield "scenario-phase", {"scenario": identity, "phase": "setup", "outcome": "passed", "seconds": 0.01}
    for line, step in enumerate(STEPS, start=8):
        last = failing and step == STEPS[-1]
        yield "step-began", {"scenario": identity, "step": step, "line": line}
        yield "step-failed" if last else "step-passed", {"scenario": identity, "step": step, **(trouble if last else {})}
    yield "scenario-phase", {"scenario": identity, "phase": "call", "outcome": "failed" if failing else "passed", "seconds": 0.02, **trouble}
    yield "scenario-phase", {"scenario": identity, "phase": "teardown", "outcome": "passed", "seconds": 0.02}
