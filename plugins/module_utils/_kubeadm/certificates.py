# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Subject and expiry of X.509 certificates, read from their DER form.

The standard library has no public reader for a certificate file, and one
openssl process a certificate is slow and may be missing. The fields needed
here are at fixed places (RFC 5280, section 4.1).
"""

from __future__ import annotations

import re
import ssl
from calendar import timegm
from datetime import datetime

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import Certificate

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_COMMON_NAME = bytes((0x55, 0x04, 0x03))
_ORGANIZATION = bytes((0x55, 0x04, 0x0A))
_SEQUENCE, _SET, _UTC_TIME = 0x30, 0x31, 0x17


def parse_certificate(text: str, path: str) -> Certificate:
    """The first certificate in a PEM text. Raises ValueError where there is none, or it is broken."""
    found = _PEM.search(text)
    if not found:
        raise ValueError("no certificate in it")
    try:
        return _parse_der(ssl.PEM_cert_to_DER_cert(found[0]), path)
    except IndexError:
        raise ValueError("the certificate is cut off") from None


def _parse_der(der: bytes, path: str) -> Certificate:
    body = _children(_children(der)[0][1])[0][1]  # Certificate -> tbsCertificate
    fields = [(tag, value) for tag, value in _children(body) if tag not in (0xA0, 0xA1, 0xA2, 0xA3)]
    # serialNumber, signature, issuer, validity, subject, ...
    validity, subject = fields[3][1], fields[4][1]
    tag, moment = _children(validity)[1]
    return Certificate(
        path=path,
        subject_cn=next(iter(_attributes(subject, _COMMON_NAME)), ""),
        subject_o=_attributes(subject, _ORGANIZATION),
        not_after=_time(tag, moment.decode("ascii")),
    )


def _attributes(name: bytes, wanted: bytes) -> list[str]:
    found = []
    for _set, relative in _children(name):
        for _sequence, attribute in _children(relative):
            (_oid, oid), (_string, value) = _children(attribute)[:2]
            if oid == wanted:
                found.append(value.decode("utf-8", "replace"))
    return found


def _time(tag: int, text: str) -> float:
    moment = datetime.strptime(text, "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ")
    # RFC 5280, 4.1.2.5.1: two-digit years from 50 on are of the last century; strptime turns at 69.
    if tag == _UTC_TIME and moment.year >= 2050:
        moment = moment.replace(year=moment.year - 100)
    return float(timegm(moment.timetuple()))


def _children(data: bytes) -> list[tuple[int, bytes]]:
    """The elements of a constructed value, as (tag, content)."""
    found = []
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise IndexError
        found.append((tag, data[at : at + length]))
        at += length
    return found
