# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Fingerprint and expiry of OpenPGP public keys (RFC 4880), for the keys of package repositories.

gpg may be missing on a node, and apt does not say when a key will expire. The
few fields needed here are at fixed places of version 4 packets; signatures are
read and not verified, since the file is trusted by apt already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t
from dataclasses import dataclass

_ARMOUR = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
_SIGNATURE, _PUBLIC_KEY, _PUBLIC_SUBKEY = 2, 6, 14
_CERTIFICATIONS = (0x10, 0x11, 0x12, 0x13, 0x1F)
_KEY_REVOCATION = 0x20
_CREATED, _KEY_EXPIRES_AFTER, _ISSUER, _ISSUER_FINGERPRINT = 2, 9, 16, 33


@dataclass
class PublicKey:
    """A primary key. `expires` is in seconds since the epoch, None where it never does."""

    fingerprint: str
    created: int
    expires: int | None = None
    revoked: bool = False


def public_keys(data: bytes) -> list[PublicKey]:
    """The primary keys of a key ring, armoured or not. What is no version 4 key is left out."""
    keys: list[PublicKey] = []
    for block in _blocks(data):
        try:
            keys += _keys(block)
        except IndexError:  # a packet that is shorter than it says
            continue
    return keys


def binary(data: bytes) -> bytes:
    """A key ring without its armour."""
    return b"".join(_blocks(data))


def _blocks(data: bytes) -> list[bytes]:
    return [_unarmoured(found[1]) for found in _ARMOUR.finditer(data)] or [data]


def _unarmoured(text: bytes) -> bytes:
    """The binary form: headers end at an empty line, a line with = at its start is a checksum."""
    lines = [line.strip() for line in text.strip(b"\r\n").splitlines()]
    start = lines.index(b"") + 1 if b"" in lines and any(b": " in line for line in lines) else 0
    try:
        return base64.b64decode(b"".join(line for line in lines[start:] if not line.startswith(b"=")))
    except binascii.Error:
        return b""


def _keys(data: bytes) -> list[PublicKey]:
    keys: list[PublicKey] = []
    newest = 0
    of_subkey = False
    for tag, body in _packets(data):
        if tag == _PUBLIC_KEY and body[0] == 4:
            fingerprint = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False)
            keys.append(PublicKey(fingerprint.hexdigest().upper(), int.from_bytes(body[1:5], "big")))
            newest, of_subkey = 0, False
        elif tag == _PUBLIC_SUBKEY:
            of_subkey = True
        elif tag == _SIGNATURE and keys and not of_subkey and body[0] == 4:
            newest = _apply(keys[-1], body, newest)
    return keys


def _apply(key: PublicKey, body: bytes, newest: int) -> int:
    """Let a self-signature speak for its key; the newest one counts (RFC 4880, 5.2.3.3)."""
    kind = body[1]
    hashed_end = 6 + int.from_bytes(body[4:6], "big")
    unhashed_end = hashed_end + 2 + int.from_bytes(body[hashed_end : hashed_end + 2], "big")
    hashed = dict(_subpackets(body[6:hashed_end]))
    issuers = {**dict(_subpackets(body[hashed_end + 2 : unhashed_end])), **hashed}
    by = (issuers.get(_ISSUER_FINGERPRINT, b"\0")[1:] or issuers.get(_ISSUER, b"")).hex().upper()
    if not by or not key.fingerprint.endswith(by):
        return newest
    if kind == _KEY_REVOCATION:
        key.revoked = True
    created = int.from_bytes(hashed.get(_CREATED, b""), "big")
    if kind not in _CERTIFICATIONS or created < newest:
        return newest
    after = int.from_bytes(hashed.get(_KEY_EXPIRES_AFTER, b""), "big")
    key.expires = key.created + after if after else None
    return created


def _packets(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            return
        at += 1
        if head & 0x40:
            tag, (length, at) = head & 0x3F, _length(data, at)
        else:
            tag, size = (head >> 2) & 0x0F, (1, 2, 4, 0)[head & 3]
            length = int.from_bytes(data[at : at + size], "big") if size else len(data) - at
            at += size
        if at + length > len(data) or length == 0:  # cut off: what was before it counts
            return
        yield tag, data[at : at + length]
        at += length


def _subpackets(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        length, at = _length(data, at)
        if length == 0 or at + length > len(data):
            raise IndexError
        yield data[at] & 0x7F, data[at + 1 : at + length]
        at += length


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A length of the new format, and where it ends. Partial lengths do not occur in keys."""
    first = data[at]
    if first < 192:
        return first, at + 1
    if first < 255:
        return ((first - 192) << 8) + data[at + 1] + 192, at + 2
    return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
