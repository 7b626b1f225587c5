# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which host keys of an SSH server are trusted. Pure decisions on the text of known_hosts files and on keys.

The format is that of sshd(8), section "SSH_KNOWN_HOSTS FILE FORMAT". It is read
here since paramiko's reader knows neither patterns nor ``@revoked``, compares
with the first key of a type only, and gives a whole file up for one bad line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_option import SSH_PORT

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TRUSTED, UNKNOWN, CHANGED, REVOKED = "trusted", "unknown", "changed", "revoked"


class HostKey(t.NamedTuple):
    """A public key: its type, such as ``ssh-ed25519``, and its bytes as SSH sends them (RFC 4253, 6.6)."""

    type: str
    blob: bytes

    def __str__(self) -> str:
        return f"{self.type} {fingerprint(self.blob)}"


class Entry(t.NamedTuple):
    """One line of a known_hosts file. `marker` is empty, ``@revoked`` or ``@cert-authority``."""

    marker: str
    patterns: tuple[str, ...]
    key: HostKey


class Trust(t.NamedTuple):
    """What is known of one server.

    `keys` are those under its very name and port, `other_port` those under its
    name without the port, which may be of another server of the same machine.
    `fingerprint` is what the user gave, and then the rest is empty. `source` says
    where it comes from, for messages.
    """

    keys: tuple[HostKey, ...] = ()
    other_port: tuple[HostKey, ...] = ()
    revoked: frozenset[bytes] = frozenset()
    fingerprint: str = ""
    source: str = ""


def fingerprint(blob: bytes) -> str:
    """As ssh-keygen -l prints it: ``SHA256:`` and 43 characters of base64."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii")
    return f"SHA256:{digest.rstrip('=')}"


def address(host: str, port: int) -> str:
    """Both in one word, as people write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_key(key_type: str, text: str) -> HostKey | None:
    """A key of its type and its base64; None where these are no key, or the key is of another type."""
    try:
        blob = base64.b64decode(text, validate=True)
        (length,) = struct.unpack(">I", blob[:4])
    except (binascii.Error, ValueError, struct.error):
        return None
    return HostKey(key_type, blob) if blob[4 : 4 + length] == key_type.encode() and len(blob) > 4 + length else None


def parse_known_hosts(text: str) -> list[Entry]:
    """The entries of a file. Lines that nobody can read are left out: nothing is trusted by them."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        key = parse_key(words[1], words[2]) if len(words) >= 3 else None
        if key:
            found.append(Entry(marker, tuple(words[0].split(",")), key))
    return found


def names_of(host: str, port: int) -> tuple[str, ...]:
    """The names that a server has in known_hosts, its own one first."""
    host = host.lower()
    return (host,) if port == SSH_PORT else (f"[{host}]:{port}", host)


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether an entry is about `name`. A pattern with ``!`` that matches takes the whole entry away."""
    found = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if _matches_one(pattern[1:], name):
                return False
        elif _matches_one(pattern, name):
            found = True
    return found


def _matches_one(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part, validate=True) for part in pattern[3:].split("|"))
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
    # Not fnmatch, to which the brackets of [host]:port are a set of characters.
    expression = re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name) is not None


def trust_of(entries: Iterable[Entry], host: str, port: int, source: str) -> Trust:
    """What `entries` say of the server. Certificates of hosts are nothing that paramiko can check."""
    listed = list(entries)
    own, *others = names_of(host, port)

    def keys(name: str, marker: str = "") -> tuple[HostKey, ...]:
        return tuple(entry.key for entry in listed if entry.marker == marker and matches(entry.patterns, name))

    return Trust(
        keys=keys(own),
        other_port=tuple(key for name in others for key in keys(name)),
        revoked=frozenset(key.blob for name in (own, *others) for key in keys(name, "@revoked")),
        source=source,
    )


def pinned(text: str) -> Trust | None:
    """The trust that a fingerprint or a public key gives; None where `text` is neither."""
    source = "the option host_key"
    words = text.split()
    if len(words) == 1 and re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}=?", words[0]):
        return Trust(fingerprint=words[0].rstrip("="), source=source)
    key = parse_key(words[0], words[1]) if len(words) >= 2 else None
    return Trust(keys=(key,), source=source) if key else None


def judge(trust: Trust, offered: HostKey) -> str:
    """TRUSTED, UNKNOWN, CHANGED or REVOKED."""
    if offered.blob in trust.revoked:
        return REVOKED
    if trust.fingerprint:
        return TRUSTED if fingerprint(offered.blob) == trust.fingerprint else CHANGED
    if offered in trust.keys:
        return TRUSTED
    if trust.keys:
        return CHANGED
    return TRUSTED if offered in trust.other_port else UNKNOWN


def refusal(verdict: str, trust: Trust, host: str, port: int, offered: HostKey) -> tuple[str, str]:
    """The message and the hint for a key that is not trusted."""
    begin = f"The SSH server {address(host, port)} is not trusted: it offered the host key {offered}, which"
    name = names_of(host, port)[0]
    compare = "Compare the fingerprint with what ssh-keygen -lf says of the server's own /etc/ssh/ssh_host_*_key.pub"
    if verdict == REVOKED:
        return f"{begin} is marked as revoked in {trust.source}.", "Give the server a new host key."
    if verdict == UNKNOWN:
        add = "add the key to known_hosts (ssh-keyscan prints the line) or give it as host_key."
        return f"{begin} is not in {trust.source} for {name}.", f"{compare}; where they are the same, {add}"
    known = trust.fingerprint or " and ".join(str(key) for key in trust.keys)
    sentence = f"{begin} is not the one of {trust.source}, {known}: it has a new key, or somebody stands between."
    if trust.source == "the option host_key":
        return sentence, f"{compare}; where they are the same, give that one as host_key."
    return sentence, f"{compare}; where they are the same, remove the old key (ssh-keygen -R '{name}') and add the new."


def ordered(algorithms: Iterable[str], trust: Trust) -> tuple[str, ...]:
    """The signature algorithms to ask for, those of known keys first, so that the server shows such a key."""
    known = {key.type for key in trust.keys or trust.other_port}
    # RFC 8332: the algorithms rsa-sha2-256 and rsa-sha2-512 are for keys of the type ssh-rsa.
    return tuple(sorted(algorithms, key=lambda name: (re.sub(r"^rsa-sha2-\d+$", "ssh-rsa", name)) not in known))
