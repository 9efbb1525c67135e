#!/usr/bin/python3
"""install-secrets MANIFEST: decrypt what a system declares into /run/secrets.

All or nothing: every secret is decrypted and every file's MAC is checked before the first byte is written, and the link /run/secrets moves last.
The plaintext lies in memory only (ramfs), a numbered folder an activation, owned and readable as declared.
"""

import base64
import fcntl
import grp
import hashlib
import hmac
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

STORE = Path("/run/secrets.d")
LINK = Path("/run/secrets")
RESTARTS = Path("/run/nixos/activation-restart-list")
VALUE = re.compile(r"ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]", re.DOTALL)


class Refused(Exception):
    """Why nothing was installed; the text is for the operator."""


class Key:
    """The machine's one age identity."""

    def __init__(self, file, recipients):
        self.file = file
        try:
            text = Path(file).read_text()
        except OSError as problem:
            raise Refused(f"cannot read keyfile '{file}': {problem.strerror.lower()}") from None
        public = subprocess.run(["age-keygen", "-y", file], capture_output=True, text=True, check=False)
        if public.returncode or not text.strip():
            raise Refused(f"keyfile '{file}' holds no age identity: is it whole?")
        self.public = public.stdout.split()
        self.is_foreign = not set(self.public) & set(recipients.values())

    def open(self, armored):
        """The plaintext of one age file, or None if it was not made for this key."""
        opened = subprocess.run(["age", "--decrypt", "--identity", self.file], input=armored.encode(), capture_output=True, check=False)
        return opened.stdout if opened.returncode == 0 else None


class SopsFile:
    """One sops file (YAML), decrypted as a whole; `leaf(key)` gives a value by its slash-separated path."""

    def __init__(self, path, key):
        self.path = path
        tree = yaml.load(Path(path).read_text(), Loader=yaml.BaseLoader)
        self.sops = tree.pop("sops")
        self.data_key = self._data_key(key)
        self.digest = hashlib.sha512()
        self.leaves = {}
        self._walk(tree, ())
        expected = self._decrypt(self.sops["mac"], self.sops["lastmodified"].encode()).decode()
        if not hmac.compare_digest(self.digest.hexdigest().upper(), expected):
            raise Refused(f"failed to decrypt '{path}': MAC mismatch: the file was changed by hand")

    def _data_key(self, key):
        for entry in self.sops["age"]:
            data_key = key.open(entry["enc"])
            if data_key is not None:
                return data_key
        recipients = ", ".join(entry["recipient"] for entry in self.sops["age"])
        whose = f"this machine's key is {' '.join(key.public)}" + (", no declared recipient" if key.is_foreign else "")
        raise Refused(f"failed to decrypt '{self.path}': no key of this machine opens it; it is for {recipients}; {whose}")

    def _walk(self, node, path):
        if isinstance(node, dict):
            for name, child in node.items():
                self._walk(child, (*path, name))
        elif isinstance(node, list):
            for child in node:
                self._walk(child, path)
        else:
            value = self._decrypt(node, (":".join(path) + ":").encode()) if node.startswith("ENC[") else node.encode()
            self.digest.update(value)
            self.leaves["/".join(path)] = value

    def _decrypt(self, text, associated):
        match = VALUE.fullmatch(text)
        if match is None:
            raise Refused(f"failed to decrypt '{self.path}': this is no sops value")
        data, nonce, tag = (base64.b64decode(match[part]) for part in (1, 2, 3))
        try:
            return AESGCM(self.data_key).decrypt(nonce, data + tag, associated)
        except InvalidTag:
            raise Refused(f"failed to decrypt '{self.path}': a value was changed or moved") from None

    def leaf(self, key):
        if key not in self.leaves:
            raise Refused(f"the key '{key}' cannot be found in '{self.path}'")
        return self.leaves[key]


def decrypt_all(manifest):
    key = Key(manifest["ageKeyFile"], manifest["recipients"])
    files = {path: SopsFile(path, key) for path in {secret["sopsFile"] for secret in manifest["secrets"]}}
    return {secret["name"]: files[secret["sopsFile"]].leaf(secret["key"]) for secret in manifest["secrets"]}


def owner_of(secret):
    try:
        return pwd.getpwnam(secret["owner"]).pw_uid, grp.getgrnam(secret["group"]).gr_gid
    except KeyError as problem:
        raise Refused(f"secret '{secret['name']}': {problem.args[0]}") from None


def folder(path, gid):
    """Make missing folders down to `path`: others may pass, not list."""
    if not path.is_dir():
        folder(path.parent, gid)
        path.mkdir(mode=0o751)
        os.chown(path, 0, gid)


def mount():
    if not os.path.ismount(STORE):
        STORE.mkdir(mode=0o751, exist_ok=True)
        options = "nodev,nosuid,noexec,mode=0751"
        if subprocess.run(["mount", "-t", "ramfs", "-o", options, "none", STORE], capture_output=True, check=False).returncode:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options},noswap", "none", STORE], check=True)


def write(generation, secrets, values):
    keys = grp.getgrnam("keys").gr_gid
    os.chown(STORE, 0, keys)
    folder(generation, keys)
    for secret in secrets:
        file = generation / secret["name"]
        folder(file.parent, keys)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, values[secret["name"]])
        os.fchown(descriptor, *owner_of(secret))
        os.fchmod(descriptor, int(secret["mode"], 8))
        os.close(descriptor)


def point(link, target):
    link.parent.mkdir(mode=0o751, parents=True, exist_ok=True)
    beside = link.with_name(f".{link.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)


def ask_for_restarts(old, secrets, values):
    """Name the units of secrets whose value changed; on the first activation of a boot nothing runs yet."""
    if not old.is_dir():
        return
    units = set()
    for secret in secrets:
        file = old / secret["name"]
        if not file.is_file() or file.read_bytes() != values[secret["name"]]:
            units |= set(secret["restartUnits"])
    RESTARTS.parent.mkdir(exist_ok=True)
    with RESTARTS.open("a") as list_:
        list_.writelines(f"{unit}\n" for unit in sorted(units))


def install(manifest):
    secrets = manifest["secrets"]
    values = decrypt_all(manifest)
    for secret in secrets:
        owner_of(secret)
    mount()
    old = LINK.resolve()
    numbers = [int(path.name) for path in STORE.iterdir() if path.name.isdigit()]
    generation = STORE / str(max(numbers, default=0) + 1)
    try:
        write(generation, secrets, values)
    except BaseException:
        shutil.rmtree(generation, ignore_errors=True)
        raise
    ask_for_restarts(old, secrets, values)
    point(LINK, generation)
    for secret in secrets:
        usual = LINK / secret["name"]
        if Path(secret["path"]) != usual:
            point(Path(secret["path"]), usual)
    for number in numbers:
        shutil.rmtree(STORE / str(number))


def main():
    manifest = json.loads(Path(sys.argv[1]).read_text())
    Path("/run/nixos").mkdir(exist_ok=True)
    with open("/run/nixos/install-secrets.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            install(manifest)
        except Refused as problem:
            print(f"setting up secrets: {problem}", file=sys.stderr)
            return 1
    return 0


raise SystemExit(main())
