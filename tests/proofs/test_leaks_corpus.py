"""Every planted secret is found under its name, and nothing is found where there is only ciphertext, noise or somebody else's."""

from __future__ import annotations

import hashlib
import io
import itertools
import random
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cleanroom.leak.search import Belt
from cleanroom.leaks import Result, Search, Searcher
from cleanroom.redact import Secret
from tests.unit import leak_corpus
from tests.unit.authority import Authority


@pytest.fixture(scope="module")
def values() -> dict[str, bytes]:
    return leak_corpus.values()


@pytest.fixture(scope="module")
def searcher(values: dict[str, bytes]) -> Searcher:
    return Searcher(leak_corpus.secrets(values))


def found(result: Result) -> set[tuple[str, str]]:
    """Secrets and the files they were found in."""
    assert not result.problems
    return {(finding.secret, finding.place) for finding in result.findings}


def told(pairs: set[tuple[str, str]], planted: dict[str, tuple[str, str]]) -> list[str]:
    """What was planted and not found, in words."""
    return [f"{name} as {what}" for place, (name, what) in planted.items() if not any(name == one and place in where for one, where in pairs)]


def test_every_encoding_in_every_container(tmp_path: Path, values: dict[str, bytes], searcher: Searcher) -> None:
    planted = {}
    every = itertools.cycle(leak_corpus.CONTAINERS.items())
    for number, ((name, encoding, data), (container, pack)) in enumerate(
        ((each, next(every)) for each in leak_corpus.encoded(values) for _ in range(4)),
    ):
        place = f"{number:04d}"
        (tmp_path / place).write_bytes(pack(data))
        planted[f"/{place}"] = name, f"{encoding} in {container}"
    search = Search(searcher)
    search.tree(tmp_path)
    assert len(planted) >= 1000
    assert not told(found(search.result), planted)


def test_every_encoding_in_every_corner_of_git(tmp_path: Path, values: dict[str, bytes], searcher: Searcher) -> None:
    repository, outside = tmp_path / "site", tmp_path / "outside"
    leak_corpus.git(tmp_path, "init", "-q", "site")
    (repository / "files").mkdir()
    outside.mkdir()
    corners = {"in a tree": repository / "files", "under a ref": outside, "unreachable": outside}
    paths, planted = [], {}
    for number, (name, encoding, data) in enumerate(leak_corpus.encoded(values)):
        corner = list(corners)[number % len(corners)]
        paths.append(corners[corner] / f"{number} {corner}")
        paths[-1].write_bytes(data)
        planted[str(number)] = name, f"{encoding}, {corner}"
    listed = "\n".join(map(str, paths)).encode()
    oids = leak_corpus.git(repository, "hash-object", "-w", "--stdin-paths", stdin=listed).decode().split()
    planted = dict(zip(oids, planted.values(), strict=True))
    references = [f"create refs/notes/{oid} {oid}\n" for path, oid in zip(paths, oids, strict=True) if path.name.endswith("under a ref")]
    leak_corpus.git(repository, "update-ref", "--stdin", stdin="".join(references).encode())
    leak_corpus.git(repository, "add", "files")
    leak_corpus.git(repository, "commit", "-q", "-m", "a token in a message: " + values["token"].decode())
    leak_corpus.git(repository, "repack", "-q", "-d")
    leak_corpus.git(repository, "tag", "-a", "v1", "-m", values["hex"].decode())
    planted[leak_corpus.git(repository, "rev-parse", "HEAD").decode().strip()] = "token", "a commit's message"
    planted[leak_corpus.git(repository, "rev-parse", "v1").decode().strip()] = "hex", "a tag's message"
    search = Search(searcher)
    search.repository(repository / ".git")
    assert not told(found(search.result), planted)


def test_every_line_of_a_pem_key_alone(tmp_path: Path, searcher: Searcher, values: dict[str, bytes]) -> None:
    """A line that holds private bytes gives the key away; one that holds public bytes only does not."""
    search = Search(searcher)
    lines = values["RSA key"].splitlines()[1:-1]
    for number, line in enumerate(lines):
        (tmp_path / f"{number:02d}").write_bytes(b'"' + line + b'",')
    search.tree(tmp_path)
    missed = {f"{number:02d}" for number in range(len(lines))} - {where.rpartition("/")[2] for _, where in found(search.result)}
    # The modulus of a 2048-bit key, public, fills bytes 38 to 293 of its PKCS #8 form: the first six lines of 48 bytes. The last line may be short.
    assert missed <= {"00", "01", "02", "03", "04", "05", f"{len(lines) - 1:02d}"}


def test_a_key_that_was_turned_into_something_else(tmp_path: Path, searcher: Searcher, values: dict[str, bytes]) -> None:
    key = serialization.load_pem_private_key(values["EC key"], None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    der, none = serialization.Encoding.DER, serialization.NoEncryption()
    (tmp_path / "der").write_bytes(key.private_bytes(der, serialization.PrivateFormat.PKCS8, none))
    (tmp_path / "sec1").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, none))
    (tmp_path / "number").write_text(f"{key.private_numbers().private_value:064x}")
    (tmp_path / "folded").write_bytes(b"\n ".join(values["EC key"].replace(b"\n", b"")[index : index + 76] for index in range(0, 300, 76)))
    search = Search(searcher)
    search.tree(tmp_path)
    assert {place.rpartition("/")[2] for name, place in found(search.result) if name == "EC key"} == {"der", "sec1", "number", "folded"}


def test_nothing_is_found_in_ciphertext_and_noise(searcher: Searcher, values: dict[str, bytes]) -> None:
    noise = random.Random(11)  # noqa: S311 - the same corpus every time
    every = itertools.cycle(values.values())
    box, recipient = AESGCM(noise.randbytes(32)), pyrage.x25519.Identity.generate().to_public()
    blobs = [("sealed", box.encrypt(noise.randbytes(12), next(every), None)) for _ in range(4000)]
    blobs += [("aged", pyrage.encrypt(next(every), [recipient])) for _ in range(500)]
    blobs += [("digest", hashlib.sha256(next(every)).hexdigest().encode()) for _ in range(500)]
    blobs += [("noise", noise.randbytes(noise.randrange(2000))) for _ in range(5000)]
    listed = {f"{kind} {number}": len(data) for number, (kind, data) in enumerate(blobs)}
    search = Search(searcher)
    texts = ((f"{kind} {number}", data) for number, (kind, data) in enumerate(blobs))
    search.texts("blobs", texts, listed, listed_by="the test", scanned_by="the test")
    assert len(blobs) >= 10_000
    assert search.result.verdict == "none found", [finding.secret for finding in search.result.findings]


def test_somebody_elses_key_of_the_same_kind_is_no_finding(tmp_path: Path, searcher: Searcher) -> None:
    for number in range(5):
        others = leak_corpus.values()
        for name in ("RSA key", "EC key", "SSH key"):
            for encoding, encode in (leak_corpus.ENCODINGS | leak_corpus.TEXT_ENCODINGS).items():
                (tmp_path / f"{name} {number} {encoding}").write_bytes(encode(others[name]))
    search = Search(searcher)
    search.tree(tmp_path)
    assert search.result.verdict == "none found", [str(finding) for finding in search.result.findings]


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)],
    ids=["EC", "Ed25519", "RSA"],
)
@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.OpenSSH])
def test_the_public_half_is_no_finding(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, form: serialization.PrivateFormat
) -> None:
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    public = key.public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    for name, data in {
        "pem": public.public_bytes(serialization.Encoding.PEM, info),
        "der": public.public_bytes(serialization.Encoding.DER, info),
        "ssh": public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    }.items():
        for encoding, encode in leak_corpus.ENCODINGS.items():
            (tmp_path / f"{name} {encoding}").write_bytes(encode(data))
    search = Search(Searcher({"key": Secret(private, name="key")}))
    search.tree(tmp_path)
    assert search.result.verdict == "none found", [str(finding) for finding in search.result.findings]


def test_a_certificate_is_told_from_its_issuers_and_its_siblings(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    leaf, sibling = (authority.issue("ci.example.org").certificate.read_bytes() for _ in range(2))
    chain = Secret(leaf + authority.bundle.read_bytes(), name="certificate")
    places = tmp_path / "places"
    places.mkdir()
    (places / "sibling").write_bytes(sibling)
    (places / "issuer").write_bytes(authority.bundle.read_bytes())
    search = Search(Searcher({"certificate": chain}))
    search.tree(places)
    assert search.result.verdict == "none found", [str(finding) for finding in search.result.findings]
    (places / "leaf").write_bytes(leaf)
    search = Search(Searcher({"certificate": chain}))
    search.tree(places)
    assert {place.rpartition("/")[2] for _, place in found(search.result)} == {"leaf"}


_STREAMS = """
import pathlib, re, sys
from cleanroom.leaks import Search, Searcher
from cleanroom.redact import Secret

class Zeros:
    left = int(sys.argv[1])
    def readinto(self, buffer):
        count = min(len(buffer), self.left)
        buffer[:count] = bytes(count)
        self.left -= count
        return count

search = Search(Searcher({"token": Secret(sys.stdin.buffer.read(), name="token")}))
# Not getrusage: it inherits the peak of the process that started this one.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
before = peak()
search.texts("zeros", [("zeros", Zeros())], {"zeros": Zeros.left}, listed_by="the test", scanned_by="the test")
search.tree(pathlib.Path(sys.argv[2]))
assert search.result.verdict == "none found", search.result.problems
print(before, peak())
"""


def test_memory_does_not_grow_with_what_is_searched(tmp_path: Path) -> None:
    """Half a gibibyte of stream, and two packed files of 64 MiB unpacked each, cost a few mebibytes."""
    for name in ("gzip", "zstd"):
        (tmp_path / name).write_bytes(leak_corpus.CONTAINERS[name](bytes(2**26)))
    run = [sys.executable, "-c", _STREAMS, str(2**29), str(tmp_path)]
    result = subprocess.run(run, input=b"kX9fQ2mLw7RzT4vB8nYc", capture_output=True, check=True, cwd=Path(__file__).parents[2])
    before, peak = map(int, result.stdout.split())
    assert 0 < peak - before < 24 * 1024, "kibibytes"


def test_a_match_at_every_place_around_the_end_of_a_read(searcher: Searcher, values: dict[str, bytes]) -> None:
    for shift in range(-len(values["token"]) - 1, 2):
        search = Search(searcher)
        data = bytes(2**19 + shift) + values["token"] + bytes(300)
        search.texts("t", [("t", data)], {"t": len(data)}, listed_by="the test", scanned_by="the test")
        assert [finding.offset for finding in search.result.findings] == [2**19 + shift]


def test_two_items_do_not_make_a_secret_together(searcher: Searcher, values: dict[str, bytes]) -> None:
    halves = values["token"][:10], values["token"][10:]
    search = Search(searcher)
    search.texts("t", [("a", halves[0]), ("b", io.BytesIO(halves[1]))], {"a": 10, "b": 10}, listed_by="the test", scanned_by="the test")
    assert search.result.verdict == "none found"


def test_nor_do_they_where_the_secret_has_a_nul_in_it() -> None:
    """Items lie behind one another with a NUL between."""
    value = b"Zk39dkDKE9\x00\xfe\xffLLs7kdk2"
    search = Search(Searcher({"binary": Secret(value, name="binary")}))
    halves = {"a": value[:10], "b": value[11:]}
    search.texts("t", halves.items(), {name: len(half) for name, half in halves.items()}, listed_by="the test", scanned_by="the test")
    assert search.result.verdict == "none found"


def test_each_match_is_reported_once_wherever_reads_end(values: dict[str, bytes], searcher: Searcher) -> None:
    seen: list[tuple[str, int]] = []
    belt = Belt(searcher, lambda label, _place, offset: seen.append((label.form, offset)))
    belt.begin("item")
    places = range(1000, 2**21, 997)
    data = bytearray(2**21 + 100)
    for place in places:
        data[place : place + 20] = values["token"]
    for start in range(0, len(data), 70_001):
        belt.put(bytes(data[start : start + 70_001]))
    belt.search(at_end=True)
    assert seen == [("raw", place) for place in places]
