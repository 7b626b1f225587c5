# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which key of a package repository is trusted: pure.

A key that is on the node stays as long as it is valid, so that nobody who owns
the repository later can bring another one.
"""

from __future__ import annotations

import re

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import openpgp

RELEASE_KEY = {"deb": "Release.key", "rpm": "repodata/repomd.xml.key"}
"""Where the community's repositories have their key, below their address."""


class KeyRefused(EvergreenError):
    """A key that must not be trusted."""


def fingerprint_of(text: str) -> str:
    """A fingerprint as gpg shows it, without its spaces; empty for none. Raises KeyRefused."""
    found = re.sub(r"\s+", "", text).upper()
    if found and not re.fullmatch(r"[0-9A-F]{40}", found):
        raise KeyRefused(
            f"{text!r} is no fingerprint of an OpenPGP key.",
            hint="It has 40 hexadecimal digits; gpg --show-keys FILE shows it.",
        )
    return found


def fingerprints(data: bytes) -> list[str]:
    """Of the primary keys in a file."""
    return sorted({key.fingerprint for key in openpgp.public_keys(data)})


def is_kept(data: bytes, pinned: str, now: float) -> bool:
    """Whether the key file of a node stays as it is. `pinned` is the only fingerprint allowed, or empty."""
    keys = openpgp.public_keys(data)
    if pinned and fingerprints(data) != [pinned]:
        return False
    return any(not key.revoked and (key.expires is None or key.expires > now) for key in keys)


def check_fetched(fetched: bytes, before: bytes, pinned: str, url: str, file: str) -> None:
    """Refuse a key from `url` for `file`, whose contents were `before`, unless it may be trusted. Raises KeyRefused."""
    found, known = fingerprints(fetched), fingerprints(before)
    if not found:
        raise KeyRefused(f"{url} is no OpenPGP key.", hint="See what answers there, such as a proxy's page.")
    told = ", ".join(found)
    if pinned and found != [pinned]:
        raise KeyRefused(
            f"The key at {url} has the fingerprint {told}, and node_prepare_key_fingerprint is {pinned}.",
            hint="Find out who changed the key of the repository before anything is installed from it.",
        )
    if not pinned and known and not set(found) <= set(known):
        raise KeyRefused(
            f"The key in {file}, {', '.join(known)}, is not valid any more, and the one at {url} is another: {told}.",
            hint=f"If that is the repository's new key, say so: -e node_prepare_key_fingerprint={found[0]}",
        )


def for_file(data: bytes, file: str, package_format: str) -> bytes:
    """A key as the package manager reads it: apt goes by the ending, and takes armour in .asc alone."""
    return data if package_format == "rpm" or file.endswith(".asc") else openpgp.binary(data)
