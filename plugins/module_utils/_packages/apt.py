# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The package repository that a node is to have: its key, its entry in the sources of apt, and its lists.

apt refuses all of its sources where two entries of one address have different
keys, so an entry that is there is used as it is. A new one is tried in a
scratch folder first, and with it no list but its own is read: neither a
repository of somebody else that is gone nor a failure of this one leaves an apt
behind that does not work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.repositories import apt_sources, same_address
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import index, keys, repository

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.repositories import Repository

LOCKED = "Could not get lock"
"""What apt says where another one runs. Its option for a timeout is about the locks of dpkg alone."""
_PAUSE_S = 2.0
_SAID = 400
_UNSIGNED = ("NO_PUBKEY", "is not signed", "EXPKEYSIG", "REVKEYSIG", "Missing key", "could not be verified")


class AptError(EvergreenError):
    """apt could not read what it was to read."""


@dataclass
class Wanted:
    """What a node is to have."""

    url: str
    """With a slash at its end."""
    package_format: str
    sources_list: str
    """Where the entry is written, if there is none."""
    keyring: str
    fingerprint: str = ""
    etc: str = "/etc/apt"
    """The folder of apt's sources."""


def entry_for(entries: t.Sequence[Repository], wanted: Wanted) -> Repository | None:
    """The entry that names the repository already, one of another file only where the own file has none."""
    found = [
        entry for entry in entries if entry.enabled and "/" in entry.suites and same_address(entry.url, wanted.url)
    ]
    return min(found, key=lambda entry: entry.file != wanted.sources_list, default=None)


class NodeRepository:
    """The repository of one minor on one node."""

    def __init__(self, node: Node, wanted: Wanted, deadline: Deadline, *, check_mode: bool) -> None:
        self._node = node
        self._wanted = wanted
        self._deadline = deadline
        self._check_mode = check_mode

    def key(self, keyring: str) -> bytes | None:
        """The key that has to be written to `keyring`; None where the one there stays. Raises EvergreenError."""
        before = self._node.read_bytes(keyring) or b""
        if keys.is_kept(before, self._wanted.fingerprint, time.time()):
            return None
        url = urljoin(self._wanted.url, keys.RELEASE_KEY[self._wanted.package_format])
        fetched = repository.fetch(url, self._deadline)
        keys.check_fetched(fetched, before, self._wanted.fingerprint, index.shown(url), keyring)
        return keys.for_file(fetched, keyring, self._wanted.package_format)

    def have_key(self) -> dict[str, t.Any]:
        """The key alone, for package managers whose entry is somebody else's."""
        key = self.key(self._wanted.keyring)
        if key is not None and not self._check_mode:
            self._write(self._wanted.keyring, key)
        return self._result(key is not None, "", self._wanted.keyring)

    def have(self) -> dict[str, t.Any]:
        """Key, entry and lists. Raises EvergreenError, with everything as it was."""
        entry = entry_for(apt_sources(self._node, self._wanted.etc), self._wanted)
        if entry is None:
            keyring, file = self._wanted.keyring, self._wanted.sources_list
        else:
            keyring, file = self._keyring_of(entry), entry.file
        key = self.key(keyring) if keyring else None
        changed = entry is None or key is not None
        if self._check_mode:
            return self._result(changed, file, keyring)
        before = {path: self._node.read_bytes(path) for path in (keyring, file) if path}
        with tempfile.TemporaryDirectory(prefix="evergreen-repository-") as scratch:
            # apt reads as a user of its own there.
            os.chmod(scratch, 0o755)
            self._read(self._trial(Path(scratch), keyring, key) if changed else Path(file))
        if key is not None:
            self._write(keyring, key)
        if entry is None:
            self._write(file, self._line(Path(keyring)))
        if changed:
            self._check_sources(before)
        return self._result(changed, file, keyring)

    def _keyring_of(self, entry: Repository) -> str:
        """The file of the entry's key, where it has one file; empty elsewhere. Raises KeyRefused."""
        keyring = entry.key_files[0] if len(entry.key_files) == 1 and entry.key_files[0].startswith("/") else ""
        known = self._node.read_bytes(keyring) or b"" if keyring else entry.embedded_key.encode()
        pinned, own = self._wanted.fingerprint, entry.file == self._wanted.sources_list
        if pinned and keys.fingerprints(known) != [pinned] and not (own and keyring):
            raise keys.KeyRefused(
                f"{entry.file} has {entry.url} signed by {', '.join(keys.fingerprints(known)) or 'any trusted key'}, "
                f"and node_prepare_key_fingerprint is {pinned}.",
                hint=f"Correct Signed-By there, or remove the entry: then the run writes {self._wanted.sources_list}.",
            )
        return keyring

    def trusted_key(self, scratch: Path) -> Path:
        """The key that the repository would be trusted by, in a file that is there: nothing else is written."""
        apt = self._wanted.package_format == "deb"
        entry = entry_for(apt_sources(self._node, self._wanted.etc), self._wanted) if apt else None
        keyring = (self._keyring_of(entry) if entry else "") or self._wanted.keyring
        return self._signed_by(scratch, keyring, self.key(keyring))

    def _signed_by(self, scratch: Path, keyring: str, key: bytes | None) -> Path:
        if key is None:
            return Path(keyring)
        file = scratch / f"key{Path(keyring).suffix}"
        file.write_bytes(key)
        file.chmod(0o644)
        return file

    def _trial(self, scratch: Path, keyring: str, key: bytes | None) -> Path:
        """A list of sources in the scratch folder, of what will be there."""
        sources = scratch / "trial.list"
        sources.write_bytes(self._line(self._signed_by(scratch, keyring, key)))
        sources.chmod(0o644)
        return sources

    def _line(self, keyring: Path) -> bytes:
        return f"deb [signed-by={keyring}] {self._wanted.url} /\n".encode()

    def read_all(self) -> dict[str, t.Any]:
        """The lists of all sources, where they are the node's own. One that is gone is no failure to apt."""
        if not self._check_mode:
            self._apt("update")
        return self._result(False, "", "")

    def _read(self, sources: Path) -> None:
        """The lists of one file, beside those that are there."""
        self._apt(
            *("-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=-"),
            *("-o", "APT::Get::List-Cleanup=0", "-o", "APT::Update::Error-Mode=any"),
            "update",
        )

    def _check_sources(self, before: dict[str, bytes | None]) -> None:
        """See that apt can read all of its sources with what was written, or put back what was there."""
        try:
            self._apt("indextargets")
        except AptError:
            for path, content in before.items():
                if content is None:
                    _node_state.remove(path)
                else:
                    self._write(path, content)
            raise

    def _write(self, path: str, content: bytes) -> None:
        Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _node_state.replace(path, content, 0o644)

    def _apt(self, *arguments: str) -> None:
        """Raises AptError."""
        program = shutil.which("apt-get")
        if program is None:
            raise AptError("apt-get is not installed.")
        while True:
            try:
                done = subprocess.run(
                    [program, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "LC_ALL": "C"},
                    timeout=self._deadline.remaining(),
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise AptError(
                    f"apt-get {arguments[-1]} did not end in time, asked for {index.shown(self._wanted.url)}."
                ) from None
            said = done.stdout.decode("utf-8", "replace")
            if not done.returncode:
                return
            if LOCKED not in said or self._deadline.expired():
                raise self._failed(arguments[-1], said)
            self._deadline.sleep(_PAUSE_S)

    def _failed(self, command: str, said: str) -> AptError:
        errors = [line for line in said.splitlines() if line.startswith(("E:", "W:", "Err:"))]
        told = index.shown(" ".join(" ".join(errors or [said]).split()))[-_SAID:]
        if any(word in said for word in _UNSIGNED):
            hint = (
                f"The key of the node does not vouch for the repository. If the one at "
                f"{index.shown(urljoin(self._wanted.url, keys.RELEASE_KEY['deb']))} does and is right, name its "
                "fingerprint in node_prepare_key_fingerprint: then it is taken."
            )
        else:
            hint = "See that the node reaches the repository. A proxy of its own is named in node_prepare_environment."
        return AptError(f"apt-get {command} failed for {index.shown(self._wanted.url)}: {told}", hint=hint)

    def _result(self, changed: bool, file: str, keyring: str) -> dict[str, t.Any]:
        known = self._node.read_bytes(keyring) or b"" if keyring else b""
        return {"changed": changed, "file": file, "keyring": keyring, "fingerprints": keys.fingerprints(known)}
