"""C6's sabotages: how a run could use more than it may, or leave something, and nobody would notice."""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cleanroom import scratch
from cleanroom.errors import HarnessError
from lab.names import CANONICAL_HOST, IMAGE, NEIGHBOUR, POOL, PROJECT
from tests.sabotage.bench import Bench, Moment, Sabotage
from tests.sabotage.edits import base, both, suite_edit

FEATURE = "c6_resources.feature"
ROOM = "There is room for a throwaway"
SIZING = "The recorded sizing is what is applied"
CANONICAL = "The canonical host is healthy at its final size"
DECLARED = "The throwaway has the declared memory"
RESIZED = "Memory is changed by stop, set and start"
GUIDELINE = "Memory stays within the guideline at every moment"
LEFT = "Nothing is left"

_DECISIONS = "DECISIONS.md"
_PROTECTION = "security.protection.delete=true"
_MADE = Moment("machine")
_NARROW = ("-k", "nothing and left")
#: A unit that lays a file over the machine's own view of its limit, in either version of control groups.
_SEES_MORE = r"""
echo 8589934592 > /opt/limit
cat > /opt/see-more << 'END'
#!/bin/sh
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do [ ! -e $file ] || mount --bind /opt/limit $file; done
END
chmod +x /opt/see-more
cat > /etc/systemd/system/see-more.service << 'END'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/opt/see-more
[Install]
WantedBy=multi-user.target
END
systemctl enable see-more.service
"""


def _set(bench: Bench, name: str, memory: str) -> None:
    bench.incus("config", "set", name, f"limits.memory={memory}", "--project", PROJECT)


def _resized(name: str, memory: str) -> Callable[[Bench], Callable[[], object]]:
    """Another size for a machine before the run, behind everybody's back; what it had comes back."""

    def around(bench: Bench) -> Callable[[], object]:
        before = bench.incus("config", "get", name, "limits.memory", "--project", PROJECT).strip()
        _set(bench, name, memory)
        return lambda: _set(bench, name, before)

    return around


def _intruder(bench: Bench) -> Callable[[], object]:
    """A machine of somebody else's that stands still."""
    bench.incus("init", IMAGE, "intruder", "--project", PROJECT, "--config=limits.memory=1GiB")
    return lambda: bench.incus("delete", "--force", "intruder", "--project", PROJECT)


def _two_seconds(bench: Bench) -> None:
    bench.incus("start", "intruder", "--project", PROJECT)
    time.sleep(2.0)
    bench.incus("stop", "--force", "intruder", "--project", PROJECT)


def _broken_unit(bench: Bench) -> Callable[[], object]:
    on_canonical = ("exec", CANONICAL_HOST, "--project", PROJECT, "--")
    with contextlib.suppress(HarnessError):  # that it fails is the point
        bench.incus(*on_canonical, "systemd-run", "--unit=broken", "--wait", "false")
    return lambda: bench.incus(*on_canonical, "systemctl", "reset-failed", "broken")


def _canonical_sees_more(bench: Bench) -> Callable[[], object]:
    on_canonical = ("exec", CANONICAL_HOST, "--project", PROJECT, "--", "sh", "-c")
    files = "for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do [ ! -e $file ] ||"
    bench.incus(*on_canonical, f"echo 6442450944 > /run/limit; {files} mount --bind /run/limit $file; done")
    return lambda: bench.incus(*on_canonical, f"{files} umount $file; done; rm /run/limit")


def _gone(*argv: str) -> Callable[[Bench], Callable[[], object]]:
    """What `during` leaves behind is taken away afterwards - if it came to it."""

    def around(bench: Bench) -> Callable[[], object]:
        def undo() -> None:
            with contextlib.suppress(HarnessError):
                bench.incus(*argv)

        return undo

    return around


def _unprotected(bench: Bench) -> Callable[[], object]:
    """The machine that could not be deleted goes after all."""

    def undo() -> None:
        with contextlib.suppress(HarnessError):
            bench.incus("config", "unset", bench.throwaway, _PROTECTION.partition("=")[0], "--project", PROJECT)
            bench.incus("delete", "--force", bench.throwaway, "--project", PROJECT)

    return undo


def _import_image(bench: Bench) -> None:
    """An image as small as one can be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forgotten.tar"
        with tarfile.open(path, "w") as archive:
            metadata = b"architecture: x86_64\ncreation_date: 1\nproperties: {description: forgotten}\n"
            entry = tarfile.TarInfo("metadata.yaml")
            entry.size = len(metadata)
            archive.addfile(entry, io.BytesIO(metadata))
            folder_entry = tarfile.TarInfo("rootfs")
            folder_entry.type = tarfile.DIRTYPE
            archive.addfile(folder_entry)
        bench.incus("image", "import", path, "--alias", "forgotten", "--project", PROJECT)


def _forget_key(bench: Bench) -> None:
    path = scratch.place() / bench.event("run-began")["run"] / "id_ed25519"
    path.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n")


SABOTAGES = (
    Sabotage(
        name="two-seconds-over",
        story="somebody else's machine ran for two seconds in the middle of the run, one too many for the guideline",
        reddens={GUIDELINE: "intruder 1.0 GiB"},
        feature=FEATURE,
        own_site=True,
        around=_intruder,
        during=(_MADE, _two_seconds),
        # A guide is followed meanwhile, so that there is a middle.
        options=("features/guardrails.feature", "-k", "regression or (guideline and moment)"),
    ),
    Sabotage(
        name="no-room",
        story="the neighbour has grown, so that a throwaway does not fit beside it any more",
        reddens={ROOM: "fits within the guideline of 12.0 GiB"},
        feature=FEATURE,
        own_site=True,
        around=_resized(NEIGHBOUR, "5GiB"),
        options=("-k", "room"),
    ),
    Sabotage(
        name="canonical-of-another-size",
        story="the canonical host was never given the size that was decided on",
        reddens={SIZING: "has the 4.0 GiB that DECISIONS.md", CANONICAL: "limits.memory is 3.0 GiB"},
        feature=FEATURE,
        own_site=True,
        around=_resized(CANONICAL_HOST, "3GiB"),
        options=("-m", "w1"),
    ),
    Sabotage(
        name="canonical-unwell",
        story="the canonical host has its final size, and a unit that does not bear it",
        reddens={CANONICAL: "failed: broken.service"},
        feature=FEATURE,
        own_site=True,
        around=_broken_unit,
        options=("-m", "w1"),
    ),
    Sabotage(
        name="canonical-never-restarted",
        story="the canonical host's size was changed on paper: what runs there still has the memory that it had before",
        reddens={CANONICAL: "the machine sees 4.0 GiB of memory"},
        feature=FEATURE,
        own_site=True,
        around=_canonical_sees_more,
        options=("-m", "w1"),
    ),
    Sabotage(
        name="no-sizing",
        story="the decisions say nothing of sizes",
        reddens={SIZING: "DECISIONS.md records the final sizing", CANONICAL: "DECISIONS.md records the final sizing"},
        feature=FEATURE,
        edit=base(_DECISIONS, "**Final sizing.**", "**Final thoughts.**"),
        options=("-m", "w1"),
        static=True,
    ),
    Sabotage(
        name="another-sizing",
        story="the decisions record the size that the canonical host had before",
        reddens={SIZING: "has the 6.0 GiB that DECISIONS.md", CANONICAL: "has the 6.0 GiB that DECISIONS.md"},
        feature=FEATURE,
        edit=base(_DECISIONS, "4 GiB for the canonical host", "6 GiB for the canonical host"),
        options=("-m", "w1"),
        static=True,
    ),
    Sabotage(
        name="sizing-in-a-comment",
        story="the final size was put behind a comment's marks, where who reads the page does not see it",
        reddens={SIZING: "the final size of `cc-nix-test`", CANONICAL: "the final size of `cc-nix-test`"},
        feature=FEATURE,
        edit=both(
            base(_DECISIONS, "**Final sizing.** 4 GiB", "**Final sizing.** Not decided yet. <!-- 4 GiB"),
            base(_DECISIONS, "12 GiB of\n", "12 GiB of -->\n"),
        ),
        options=("-m", "w1"),
        static=True,
    ),
    Sabotage(
        name="two-sizings",
        story="the decisions record two sizes for one machine",
        reddens={SIZING: "records one size for cc-nix-test", CANONICAL: "records one size for cc-nix-test"},
        feature=FEATURE,
        edit=base(_DECISIONS, "**DNS as code?**", "**Sizing, once more.** `cc-nix-test` gets 8 GiB.\n\n**DNS as code?**"),
        options=("-m", "w1"),
        static=True,
    ),
    Sabotage(
        name="sizing-of-nobody",
        story="the decisions give sizes, and name no machine that has them",
        reddens={SIZING: "the final size of `cc-nix-test`", CANONICAL: "the final size of `cc-nix-test`"},
        feature=FEATURE,
        edit=base(_DECISIONS, "canonical host `cc-nix-test`", "canonical host"),
        options=("-m", "w1"),
        static=True,
    ),
    Sabotage(
        name="throwaway-of-another-size",
        story="somebody gave the throwaway more memory than was declared",
        reddens={DECLARED: "limits.memory = 6GiB"},
        feature=FEATURE,
        own_site=True,
        during=(_MADE, lambda bench: _set(bench, bench.throwaway, "6GiB")),
        options=("-k", "declared"),
    ),
    Sabotage(
        name="machine-that-sees-more",
        story="the image shows its machine twice the memory that the hypervisor gives it",
        reddens={DECLARED: "the machine sees 4.0 GiB of memory", RESIZED: "the machine sees 3.0 GiB of memory"},
        feature=FEATURE,
        image=_SEES_MORE,
        options=("-k", "declared or changed"),
    ),
    Sabotage(
        name="another-size-applied",
        story="the suite says one size and sets another",
        reddens={RESIZED: "limits.memory is 3.0 GiB"},
        feature=FEATURE,
        own_site=True,
        suite=suite_edit("cleanroom/surroundings/resize.py", "hypervisor.set_memory(name, memory)", "hypervisor.set_memory(name, memory // 2)"),
        options=("-k", "changed"),
    ),
    Sabotage(
        name="cannot-be-deleted",
        story="somebody protected the throwaway against deletion, so that it would outlive the run",
        reddens={LEFT: "protect"},
        feature=FEATURE,
        edit=lambda trees: trees.rewrite(trees.site_file, "[incus]\n", '[incus]\ndelete_within = "15s"\n'),
        around=_unprotected,
        during=(_MADE, lambda bench: bench.incus("config", "set", bench.throwaway, _PROTECTION, "--project", PROJECT)),
        options=_NARROW,
    ),
    Sabotage(
        name="volume-left",
        story="a volume was made while the run lasted, and forgotten",
        reddens={LEFT: f"volume {POOL}/custom/forgotten"},
        feature=FEATURE,
        own_site=True,
        around=_gone("storage", "volume", "delete", POOL, "forgotten", "--project", PROJECT),
        during=(_MADE, lambda bench: bench.incus("storage", "volume", "create", POOL, "forgotten", "--project", PROJECT)),
        options=_NARROW,
    ),
    Sabotage(
        name="image-left",
        story="an image was made while the run lasted, and forgotten",
        reddens={LEFT: "image "},
        feature=FEATURE,
        own_site=True,
        around=_gone("image", "delete", "forgotten", "--project", PROJECT),
        during=(_MADE, _import_image),
        options=_NARROW,
    ),
    Sabotage(
        name="profile-left",
        story="a profile was made while the run lasted, and forgotten",
        reddens={LEFT: "profile forgotten"},
        feature=FEATURE,
        own_site=True,
        around=_gone("profile", "delete", "forgotten", "--project", PROJECT),
        during=(_MADE, lambda bench: bench.incus("profile", "create", "forgotten", "--project", PROJECT)),
        options=_NARROW,
    ),
    Sabotage(
        name="snapshot-left",
        story="a neighbour got a snapshot while the run lasted, and kept it",
        reddens={LEFT: f"snapshot {NEIGHBOUR}/forgotten"},
        feature=FEATURE,
        own_site=True,
        around=_gone("snapshot", "delete", NEIGHBOUR, "forgotten", "--project", PROJECT),
        during=(_MADE, lambda bench: bench.incus("snapshot", "create", NEIGHBOUR, "forgotten", "--project", PROJECT)),
        options=_NARROW,
    ),
    Sabotage(
        name="key-left",
        story="a private key of the run lies on the operator's side after the clean-up",
        reddens={LEFT: "id_ed25519"},
        feature=FEATURE,
        own_site=True,
        during=(_MADE, _forget_key),
        options=_NARROW,
    ),
)
