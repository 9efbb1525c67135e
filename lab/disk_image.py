"""A bootable image for virtual machines (UEFI), of the container's recipe: the same Debian, with a kernel, a boot loader and Incus' agent.

Knows: how a disk is put together without mounting or looping anything: ext4 from a folder, FAT by mtools, GPT by sgdisk.
Refuses: to call an image done whose partition table, boot loader, kernel or initial RAM disk is not where firmware and loader look for it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from cleanroom.errors import HarnessError
from lab import image
from lab.daemon import Incus
from lab.names import VM_IMAGE
from lab.state import HERE, State
from lab.tools import run

PACKAGES = HERE / "vm-packages.txt"
_MIB = 1 << 20
_ESP_MIB, _DISK_MIB = 128, 8 * 1024
_LABEL = "cleanroom-root"
_LOADER = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
_ENTRY = f"""title clean room
linux /debian/vmlinuz
initrd /debian/initrd.img
options root=LABEL={_LABEL} rw net.ifnames=0 console=tty0 console=ttyS0
"""
#: What firmware and loader look for, by the path on the boot partition.
_BOOT_FILES = ("/EFI/BOOT/BOOTX64.EFI", "/loader/loader.conf", "/loader/entries/cleanroom.conf", "/debian/vmlinuz", "/debian/initrd.img")


def make_root(state: State) -> None:
    """Bootstrap Debian with what a virtual machine needs beside, into `vm-root.tar`."""
    image.bootstrap(state, "vm-root.tar", [*(image.RECIPE / "packages.txt").read_text().split(), *PACKAGES.read_text().split()])


def make_image(state: State) -> None:
    """Put the disk together, look at it, and leave it as `vm.qcow2` with its metadata beside."""
    work = state.scratch / "vm"
    root = image.furnish(state, state.image / "vm-root.tar", work)
    _boot_partition(root, work)
    _root_partition(root, work)
    shutil.rmtree(root)
    disk = _disk(work)
    check(disk)
    run("qemu-img", "convert", "-O", "qcow2", disk, work / "vm.qcow2", within=600.0)
    metadata = image.metadata(VM_IMAGE)
    metadata["properties"]["requirements.secureboot"] = "false"  # Debian's systemd-boot is not signed for firmware
    (work / "metadata.yaml").write_text(json.dumps(metadata))
    run("tar", "-cf", work / "vm-metadata.tar", "-C", work, "metadata.yaml")
    for name in ("vm.qcow2", "vm-metadata.tar"):
        (work / name).replace(state.image / name)


def import_image(state: State, incus: Incus) -> str:
    """Import the image in place of the one before and return its fingerprint; raises `HarnessError` if Incus takes it for something else."""
    if has_image(incus):
        incus("image", "delete", VM_IMAGE)
    incus("image", "import", state.image / "vm-metadata.tar", state.image / "vm.qcow2", "--alias", VM_IMAGE, within=600.0)
    fingerprint = str(incus.ask(f"/1.0/images/aliases/{VM_IMAGE}")["target"])
    kind = incus.ask(f"/1.0/images/{fingerprint}")["type"]
    if kind != "virtual-machine":
        raise HarnessError(f"Incus takes the image for one of a {kind}", where=VM_IMAGE)
    return fingerprint


def has_image(incus: Incus) -> bool:
    return f"/1.0/images/aliases/{VM_IMAGE}" in (incus.ask("/1.0/images/aliases") or ())


def _boot_partition(root: Path, work: Path) -> None:
    """The EFI system partition: systemd-boot at the fallback path, one entry."""
    (work / "loader.conf").write_text("timeout 0\ndefault cleanroom.conf\n")
    (work / "cleanroom.conf").write_text(_ENTRY)
    sources = {
        "/EFI/BOOT/BOOTX64.EFI": root / _LOADER.lstrip("/"),
        "/loader/loader.conf": work / "loader.conf",
        "/loader/entries/cleanroom.conf": work / "cleanroom.conf",
        "/debian/vmlinuz": _only(root / "boot", "vmlinuz-*"),
        "/debian/initrd.img": _only(root / "boot", "initrd.img-*"),
    }
    esp = work / "esp.img"
    run("truncate", f"--size={_ESP_MIB}M", esp)
    run("mformat", "-i", esp, "-F", "-v", "ESP", "::")
    run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT", "::/loader", "::/loader/entries", "::/debian")
    for name in _BOOT_FILES:
        run("mcopy", "-i", esp, sources[name], f"::{name}")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise HarnessError(f"expected one {pattern}, found {len(found)}", where=str(folder))
    return found[0]


def _root_partition(root: Path, work: Path) -> None:
    size = f"{_DISK_MIB - _ESP_MIB - 2}M"
    run("mkfs.ext4", "-q", "-L", _LABEL, "-d", root, work / "root.img", size, within=600.0)


def _disk(work: Path) -> Path:
    disk = work / "disk.img"
    run("truncate", f"--size={_DISK_MIB}M", disk)
    # ef00: EFI system partition; 8304: root of Linux on x86-64.
    parts = ("--new=1:1M:+128M", "--typecode=1:ef00", "--change-name=1:ESP", "--new=2:0:0", "--typecode=2:8304", "--change-name=2:root")
    run("sgdisk", "--clear", *parts, disk)
    for part, at in ((work / "esp.img", 1), (work / "root.img", 1 + _ESP_MIB)):
        run("dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={at}", "conv=notrunc,sparse", "status=none", within=600.0)
        part.unlink()
    return disk


def check(disk: Path) -> None:
    """Whether firmware and loader find what they look for on a raw disk; raises `HarnessError` naming what they would not."""
    run("sgdisk", "--verify", disk)
    table = run("sgdisk", "--print", disk)
    for number, code in ((1, "EF00"), (2, "8304")):
        if not any(line.split()[:1] == [str(number)] and code in line.split() for line in table.splitlines()):
            raise HarnessError(f"partition {number} is not of type {code}", where=str(disk))
    for name in _BOOT_FILES:
        if not run("mdir", "-b", "-i", f"{disk}@@{_MIB}", f"::{name}").strip():
            raise HarnessError(f"the boot partition has no {name}", where=str(disk))
    with disk.open("rb") as file:
        file.seek((1 + _ESP_MIB) * _MIB + 1024 + 56)  # ext4's magic number in its superblock
        if file.read(2) != b"\x53\xef":
            raise HarnessError("the root partition holds no ext4", where=str(disk))
