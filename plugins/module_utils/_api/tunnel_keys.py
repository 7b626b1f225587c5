# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The keys that the user of an SSH tunnel has: a file, those of ssh-agent, the default ones."""

from __future__ import annotations

import base64
import binascii
import os
import struct
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ConfigurationError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_hosts import fingerprint

if t.TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")
# A private key of more is none.
FILE_LIMIT = 1 << 16
_CLASSES = {
    "ssh-ed25519": "Ed25519Key",
    "ecdsa-sha2-nistp256": "ECDSAKey",
    "ecdsa-sha2-nistp384": "ECDSAKey",
    "ecdsa-sha2-nistp521": "ECDSAKey",
    "ssh-rsa": "RSAKey",
}
_CERTIFICATE = "-cert-v01@openssh.com"
_PEM = {"-----BEGIN RSA PRIVATE KEY-----": "ssh-rsa", "-----BEGIN EC PRIVATE KEY-----": "ecdsa-sha2-nistp256"}
_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"


class Offer(t.NamedTuple):
    """A key to authenticate with: `label` names it in messages, `key` is paramiko's."""

    label: str
    key: t.Any


class KeyFile(t.NamedTuple):
    """What a private key file tells without its passphrase. `blob` is the public half, empty where it is not shown."""

    type: str
    encrypted: bool
    blob: bytes = b""


class BadKeyFile(Exception):
    """The file cannot be used; the message says why and continues the sentence "The key file X ..."."""


def inspect(text: str) -> KeyFile:
    """Read the outside of a private key (PROTOCOL.key of OpenSSH, RFC 1421). Raise BadKeyFile."""
    lines = [line.strip() for line in text.strip().splitlines()]
    first = lines[0] if lines else ""
    if first in _PEM:
        return KeyFile(_PEM[first], any(line.startswith("Proc-Type:") and "ENCRYPTED" in line for line in lines))
    if first in ("-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----"):
        raise BadKeyFile("is in PKCS#8 format, which paramiko does not read; ssh-keygen -p -f FILE rewrites it")
    if first.split(" ")[0] in _CLASSES:
        raise BadKeyFile("is a public key; the private one is needed")
    if first != _OPENSSH:
        raise BadKeyFile("is not a private key of OpenSSH")
    try:
        data = base64.b64decode("".join(lines[1:-1]), validate=True)
        if not data.startswith(_MAGIC):
            raise ValueError(first)
        cipher, rest = _string(data[len(_MAGIC) :])
        _kdf, rest = _string(rest)
        _kdf_options, rest = _string(rest)
        blob, _rest = _string(rest[4:])
        key_type = _string(blob)[0].decode("ascii")
    except (binascii.Error, ValueError, struct.error) as error:
        raise BadKeyFile("is damaged") from error
    if key_type not in _CLASSES:
        raise BadKeyFile(f"holds a key of the type {key_type!r}, which paramiko cannot use")
    return KeyFile(key_type, cipher != b"none", blob)


def _string(data: bytes) -> tuple[bytes, bytes]:
    """The string that `data` begins with (RFC 4251, 5), and what follows."""
    (length,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + length:
        raise ValueError("cut off")
    return data[4 : 4 + length], data[4 + length :]


def usable_type(key_type: str) -> bool:
    """Whether paramiko can sign with a key of ssh-agent, or with its certificate; it cannot with those of a token."""
    if key_type.endswith(_CERTIFICATE):
        key_type = key_type[: -len(_CERTIFICATE)]
    return key_type in _CLASSES


def source(key_file: str | None, passphrase: str | None) -> Callable[[], list[Offer]]:
    """What gives the keys to try, best first, whenever a session is opened.

    A key file is read now, so that a bad one is a ConfigurationError before
    anything is asked. With a key file no other key is tried: servers count.
    """
    if key_file:
        offers = [_from_file(os.path.expanduser(key_file), passphrase)]
        return lambda: offers
    return lambda: [*_agent_offers(), *_default_offers()]


def nothing_to_offer() -> str:
    """Why there is no key at all, to be said after "... has no key to log in with: "."""
    agent = "ssh-agent has none" if os.environ.get("SSH_AUTH_SOCK") else "no ssh-agent runs (SSH_AUTH_SOCK is not set)"
    names = ", ".join(DEFAULT_NAMES)
    return f"{agent}, and none of {names} in ~/.ssh can be used without a passphrase"


def _from_file(path: str, passphrase: str | None) -> Offer:
    name = f"The key file {path} of ssh_tunnel"
    hint = "Give the path of a private key, as it is where this task runs, as key_file of ssh_tunnel."
    try:
        seen = inspect(_read(path))
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read: {error.strerror}.", hint=hint) from error
    except BadKeyFile as error:
        raise ConfigurationError(f"{name} {error}.", hint=hint) from error
    if seen.encrypted and not passphrase:
        # As ssh does it: the agent may hold the key of the file.
        for offer in _agent_offers():
            if offer.key.asbytes() == seen.blob:
                return offer
        raise ConfigurationError(
            f"{name} needs a passphrase, and ssh-agent does not hold that key.",
            hint="Set key_passphrase, or add the key to ssh-agent with ssh-add.",
        )
    try:
        return _load(path, seen, passphrase if seen.encrypted else None)
    except Exception as error:
        # Depending on the format, a wrong passphrase is one of many exceptions; their texts may quote the file.
        why = "is not opened by key_passphrase" if seen.encrypted else "cannot be used by paramiko"
        raise ConfigurationError(f"{name} {why} ({type(error).__name__}).", hint=hint) from error


def _load(path: str, seen: KeyFile, passphrase: str | None) -> Offer:
    import paramiko

    key = getattr(paramiko, _CLASSES[seen.type]).from_private_key_file(path, passphrase)
    certificate = f"{path}-cert.pub"
    if os.path.isfile(certificate):
        key.load_certificate(certificate)
        return Offer(f"{path} with its certificate", key)
    return Offer(path, key)


def _agent_offers() -> list[Offer]:
    import paramiko

    try:
        keys = paramiko.Agent().get_keys()
    except (paramiko.SSHException, OSError):
        return []  # an agent that does not answer holds no key for us
    return [
        Offer(f"{key.get_name()} {fingerprint(key.asbytes())} of ssh-agent", key)
        for key in keys
        if usable_type(key.get_name())
    ]


def _default_offers() -> list[Offer]:
    found = []
    for name in DEFAULT_NAMES:
        path = os.path.join(os.path.expanduser("~"), ".ssh", name)
        try:
            seen = inspect(_read(path))
            if not seen.encrypted:
                found.append(_load(path, seen, None))
        except Exception:
            # Nobody asked for this very key; the message of a refused login names those that were tried.
            continue
    return found


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(FILE_LIMIT)
