"""PEM blocks: the bytes in them that nobody else has.

Knows: that a private key carries public and constant bytes as well, that a certificate is told by its signature, and how base64 lines map to bytes.
Refuses: to take for a leak what any client may have: a public key, an issuer's certificate, curve parameters, the head that all keys of a kind share.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x448, x25519

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n(.*?)-----END \1-----", re.DOTALL)
_PUBLIC = re.compile(rb".*PUBLIC KEY|.*PARAMETERS")
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_CERTIFICATE = b"CERTIFICATE"
_BYTE, _SEXTET = 8, 6


def pieces(value: bytes) -> Iterator[tuple[str, bytes]]:
    """What to search for to find any PEM block of `value`: what only it holds, decoded, and each line's share of that as it is written.

    Decoded bytes also find a block that was folded anew, joined, converted to DER or to a JSON web key; the lines find one that was cut to pieces.
    Certificates after the first are left out: they are the issuers'.
    """
    certificates = 0
    for number, match in enumerate(BLOCK.finditer(value), start=1):
        certificates += match[1] == _CERTIFICATE
        if _PUBLIC.fullmatch(match[1]) or (match[1] == _CERTIFICATE and certificates > 1):
            continue
        lines = [line.strip() for line in match[2].splitlines()]
        lines = [line for line in lines if _BASE64_LINE.fullmatch(line)]
        yield from ((f"PEM block {number}, {what}", piece) for what, piece in _of_block(match[1], match[0], lines))


def _of_block(label: bytes, block: bytes, lines: list[bytes]) -> Iterator[tuple[str, bytes]]:
    try:
        decoded = base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error:
        decoded = b""
    own = [number for number in _own_bytes(label, block, decoded) if number in decoded]
    if not own:
        # Encrypted, or of a kind unknown here: its head may be what all of its kind share, the rest is its own.
        yield from ((f"line {index}", line) for index, line in enumerate(lines, start=1) if index > 1 or len(lines) == 1)
        return
    for number in own:
        first = decoded.index(number)
        yield "decoded", number
        yield from _shares(lines, -(-first * _BYTE // _SEXTET), (first + len(number)) * _BYTE // _SEXTET)


def _shares(lines: list[bytes], first: int, last: int) -> Iterator[tuple[str, bytes]]:
    """Of each line, the characters from `first` up to `last`, counted over the whole body."""
    start = 0
    for index, line in enumerate(lines, start=1):
        share = line[max(0, first - start) : max(0, last - start)]
        if share:
            yield f"line {index}", share
        start += len(line)


def _own_bytes(label: bytes, block: bytes, decoded: bytes) -> list[bytes]:
    """Private numbers of a key or the signature of a certificate, big-endian; empty if it cannot be read here."""
    try:
        if label == _CERTIFICATE:
            return [x509.load_der_x509_certificate(decoded).signature]
        if label == b"OPENSSH PRIVATE KEY":
            return _private_numbers(serialization.load_ssh_private_key(block, None))
        return _private_numbers(serialization.load_pem_private_key(block, None))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return []


def _private_numbers(key: object) -> list[bytes]:
    match key:
        case rsa.RSAPrivateKey():
            of = key.private_numbers()
            return [_big_endian(number) for number in (of.d, of.p, of.q, of.dmp1, of.dmq1, of.iqmp)]
        case ec.EllipticCurvePrivateKey():
            return [key.private_numbers().private_value.to_bytes(-(-key.key_size // _BYTE), "big")]
        case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey() | x25519.X25519PrivateKey() | x448.X448PrivateKey():
            return [key.private_bytes_raw()]
        case dsa.DSAPrivateKey():
            return [_big_endian(key.private_numbers().x)]
        case _:
            return []


def _big_endian(number: int) -> bytes:
    return number.to_bytes(-(-number.bit_length() // _BYTE), "big")
