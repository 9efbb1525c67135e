"""A corpus of planted secrets: every encoding in every container, written by other hands than those that search.

Encodings come from Python's own codecs as a program would use them, never from the suite's list of forms.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import html
import io
import json
import lzma
import random
import subprocess
import tarfile
import textwrap
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax import saxutils

import zstandard
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cleanroom.redact import Secret

_PEM = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
_SSH = Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()


def values() -> dict[str, bytes]:
    """Secrets of the shapes that real ones have. The keys are new each time: no file of ours holds a private key."""
    return {
        "token": b"kX9fQ2mLw7RzT4vB8nYc",
        "password": b"aB3$xY9z",
        "with specials": b"p&s<s>'w\"o/r+d%=?$\\ 7Q",
        "in other letters": "gänsefüßchen-42-Ω".encode(),
        "hex": b"6f1c09ab44d27e83905d1faa07c3b2e84d6a9017",
        "passphrase": b"correct horse battery staple overnight",
        "environment": b"# for the bot\nDRONE_USER=bot\nDRONE_RPC_SECRET=Zk39dkDKE92kdkLLs7\n",
        "age key": b"# created: 2026-01-01\n# public key: age1qqqq\nAGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQQPZRY9X8GF2TVDW0S3JN54KHC\n",
        "RSA key": rsa.generate_private_key(65537, 2048).private_bytes(*_PEM),
        "EC key": ec.generate_private_key(ec.SECP256R1()).private_bytes(*_PEM),
        "SSH key": ed25519.Ed25519PrivateKey.generate().private_bytes(*_SSH),
        "binary": hashlib.sha256(b"binary").digest(),
    }


def secrets(of: dict[str, bytes]) -> dict[str, Secret]:
    return {name: Secret(value, name=name) for name, value in of.items()}


def _folded(data: bytes, columns: int, end: str) -> bytes:
    return end.join(textwrap.wrap(data.decode(), columns)).encode()


#: What programs do to a value on its way into a file. Those of the second group need text.
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda value: value,
    "base64": base64.b64encode,
    "base64 after one byte": lambda value: base64.b64encode(b":" + value),
    "base64 after two bytes": lambda value: base64.b64encode(b"u:" + value + b"\n"),
    "base64url after a user's name": lambda value: base64.urlsafe_b64encode(b"bot:" + value).rstrip(b"="),
    "base64url": base64.urlsafe_b64encode,
    "base64 in MIME lines": lambda value: base64.encodebytes(b"some words before it, " + value + b" and some after"),
    "base64 in PEM lines with CR LF": lambda value: _folded(base64.b64encode(b"words before " + value), 64, "\r\n"),
    "base64 in JSON with escaped line ends": lambda value: json.dumps(base64.encodebytes(b"and again words before it " + value).decode()).encode(),
    "base64 twice": lambda value: base64.b64encode(b"{" + base64.b64encode(b"x:" + value) + b"}"),
    "hex": lambda value: value.hex().encode(),
    "HEX": lambda value: value.hex().upper().encode(),
    "hex in lines": lambda value: _folded((b"words before" + value).hex().encode(), 60, "\n"),
    "URL": lambda value: urllib.parse.quote(value).encode(),
    "URL, all of it": lambda value: urllib.parse.quote(value, safe="").encode(),
    "form": lambda value: urllib.parse.urlencode({"password": value}).encode(),
}
TEXT_ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "JSON": lambda value: json.dumps({"key": value.decode()}).encode(),
    "JSON in UTF-8": lambda value: json.dumps({"key": value.decode()}, ensure_ascii=False).encode(),
    "HTML": lambda value: f"<td>{html.escape(value.decode())}</td>".encode(),
    "XML": lambda value: saxutils.escape(value.decode()).encode(),
    "shell": lambda value: ("export KEY='" + value.decode().replace("'", "'\\''") + "'").encode(),
    "unit file": lambda value: b"Environment=" + value.replace(b"%", b"%%"),
    "UTF-16LE": lambda value: value.decode().encode("utf-16-le"),
    "UTF-16 with its mark": lambda value: value.decode().encode("utf-16"),
    "UTF-16BE": lambda value: value.decode().encode("utf-16-be"),
    "CR LF": lambda value: value.replace(b"\n", b"\r\n"),
    "indented": lambda value: textwrap.indent(value.decode(), "      ").encode(),
}


def encoded(of: dict[str, bytes]) -> Iterator[tuple[str, str, bytes]]:
    """Name of the secret, name of the encoding, and the bytes that result, with other bytes on both sides."""
    noise = random.Random(3)  # noqa: S311 - the same corpus every time
    for name, value in of.items():
        encodings = ENCODINGS if name == "binary" else ENCODINGS | TEXT_ENCODINGS
        for encoding, encode in encodings.items():
            # UTF-16 has its characters at even places.
            before = noise.randbytes(2 * noise.randrange(20)).replace(b"\n", b" ")
            yield name, encoding, before + b"\n" + encode(value) + b"\n" + noise.randbytes(noise.randrange(40))


def _tarred(data: bytes, *, form: int = tarfile.PAX_FORMAT, name: str = "etc/settings") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        other = tarfile.TarInfo("etc/other")
        other.size = 3
        archive.addfile(other, io.BytesIO(b"abc"))
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def zipped(data: bytes, method: int = zipfile.ZIP_DEFLATED, *, seekable: bool = True) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer if seekable else _Unseekable(buffer), "w", method) as archive:
        archive.writestr("etc/other", b"abc")
        archive.writestr("etc/settings", data)
    return buffer.getvalue()


class _Unseekable(io.RawIOBase):
    """A pipe, as far as a writer can tell: zipfile then writes data descriptors."""

    def __init__(self, buffer: io.BytesIO) -> None:
        self._buffer = buffer

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._buffer.write(data)  # type: ignore[arg-type]

    def seekable(self) -> bool:
        return False


#: What a file can be packed in. Where the place is inside, the rest of its name follows the file's.
CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "far in": lambda data: bytes(2**19 + 100 - len(data) // 2) + data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "zstd without its size": lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(data),
    "several gzip members": lambda data: gzip.compress(b"first") + gzip.compress(data),
    "several zstd frames": lambda data: b"\x50*M\x18\4\0\0\0abcd" + zstandard.compress(b"first") + zstandard.compress(data),
    "tar": _tarred,
    "tar of GNU": lambda data: _tarred(data, form=tarfile.GNU_FORMAT, name="long/" * 40 + "name"),
    "tar of pax": lambda data: _tarred(data, name="länger/" * 40 + "name"),
    "tar.gz": lambda data: gzip.compress(_tarred(data)),
    "zip": zipped,
    "zip, stored": lambda data: zipped(data, zipfile.ZIP_STORED),
    "zip, bzip2": lambda data: zipped(data, zipfile.ZIP_BZIP2),
    "zip from a pipe": lambda data: zipped(data, seekable=False),
    "gzip in tar in xz in zip": lambda data: zipped(lzma.compress(_tarred(gzip.compress(data)))),
}


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git there, as nobody in particular."""
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout
