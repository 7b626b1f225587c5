# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The package repositories of Kubernetes that a node has, and the keys that they trust."""

from __future__ import annotations

import configparser
import re
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from urllib.parse import unquote, urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import openpgp

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import JsonDict
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

# One repository a minor: https://kubernetes.io/blog/2023/08/15/pkgs-k8s-io-introduction/
# Mirrors write its colons as %3A, or leave them out.
_MINOR = re.compile(r"core:?/[a-z]+:?/v(\d+\.\d+)")
_LEGACY = re.compile(r"//(?:apt|yum)\.kubernetes\.io|//packages\.cloud\.google\.com/\S*.*kubernetes-")
_RPM_FOLDERS = ("/etc/yum.repos.d", "/etc/zypp/repos.d")
_SHOWN = ("file", "url", "enabled", "minor", "legacy")
_APT_TRUSTED = "/etc/apt/trusted.gpg.d"


@dataclass
class Repository:
    """One address that packages of Kubernetes come from. Names and passwords in it are left out."""

    file: str
    url: str
    enabled: bool = True
    minor: str = ""
    """Such as ``1.35``; empty where the address does not tell."""
    legacy: bool = False
    """Whether it is one of the repositories that ended in March 2024."""
    suites: list[str] = field(default_factory=list)
    """Of apt; ``/`` is the only one of a flat repository."""
    key_files: list[str] = field(default_factory=list)
    embedded_key: str = field(default="", repr=False)

    @property
    def of_kubernetes(self) -> bool:
        return bool(self.minor or self.legacy)


def same_address(one: str, other: str) -> bool:
    """Whether two addresses lead to one repository, however they are written."""
    return _plain(one) == _plain(other)


def _plain(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower(), unquote(parts.path).rstrip("/")


def one_line_sources(text: str, file: str) -> list[Repository]:
    """Of a ``.list`` file of apt (sources.list(5), one-line-style)."""
    found = []
    for line in text.splitlines():
        entry = re.match(r"\s*(?P<off>#*)\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<rest>\S+.*)$", line)
        if entry and not entry["off"]:
            signed = re.search(r"signed-by=(\S+)", entry["options"] or "")
            keys = signed[1].split(",") if signed else []
            url, *suites = entry["rest"].split()
            found.append(_repository(file, url, suites[:1], keys))
    return found


def deb822_sources(text: str, file: str) -> list[Repository]:
    """Of a ``.sources`` file of apt (sources.list(5), deb822-style)."""
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "deb").split():
            continue
        signed = fields.get("signed-by", "")
        embedded = signed if "BEGIN PGP" in signed else ""
        for url in fields.get("uris", "").split():
            keys = [] if embedded else re.split(r"[\s,]+", signed.strip()) if signed.strip() else []
            entry = _repository(file, url, fields.get("suites", "").split(), keys)
            entry.enabled = fields.get("enabled", "yes").strip().lower() not in ("no", "false", "0")
            # A dot stands for an empty line, as in all of deb822.
            entry.embedded_key = re.sub(r"^ ?\.?", "", embedded, flags=re.MULTILINE)
            found.append(entry)
    return found


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t") and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, _colon, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def rpm_repositories(text: str, file: str) -> list[Repository]:
    """Of a ``.repo`` file of dnf, yum or zypper; empty where it cannot be read."""
    reader = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        reader.read_string(text)
    except configparser.Error:
        return []
    found = []
    for section in reader.sections():
        values = reader[section]
        for url in values.get("baseurl", "").split():
            keys = [key[len("file://") :] for key in values.get("gpgkey", "").split() if key.startswith("file://")]
            entry = _repository(file, url, [], keys)
            entry.enabled = values.get("enabled", "1").strip().lower() not in ("0", "no", "false", "off")
            found.append(entry)
    return found


def _repository(file: str, url: str, suites: list[str], keys: list[str]) -> Repository:
    minor = _MINOR.search(unquote(url))
    return Repository(
        file=file,
        url=re.sub(r"//[^/@\s]+@", "//", url),
        minor=minor[1] if minor else "",
        legacy=bool(_LEGACY.search(" ".join([url, *suites]))),
        suites=suites,
        key_files=keys,
    )


def apt_sources(node: Node, etc: str = "/etc/apt") -> list[Repository]:
    """Every address that apt on the node has packages from."""
    found: list[Repository] = []
    for path in (
        f"{etc}/sources.list",
        *(f"{etc}/sources.list.d/{name}" for name in node.names(f"{etc}/sources.list.d")),
    ):
        if path.endswith(".list"):
            found += one_line_sources(node.read(path) or "", path)
        elif path.endswith(".sources"):
            found += deb822_sources(node.read(path) or "", path)
    return found


def read_repositories(node: Node) -> list[JsonDict]:
    """Every repository of Kubernetes on the node, with its keys."""
    found = apt_sources(node)
    for folder in _RPM_FOLDERS:
        for name in node.names(folder):
            if name.endswith(".repo"):
                found += rpm_repositories(node.read(f"{folder}/{name}") or "", f"{folder}/{name}")
    return [_with_keys(node, entry) for entry in found if entry.of_kubernetes]


def _with_keys(node: Node, entry: Repository) -> JsonDict:
    files = entry.key_files
    if not files and entry.file.startswith("/etc/apt/"):
        # Without signed-by any trusted key will do; only those that are named for Kubernetes can be told apart.
        files = [f"{_APT_TRUSTED}/{name}" for name in node.names(_APT_TRUSTED) if "kube" in name.lower()]
    keys = [_key(key, entry.file) for key in openpgp.public_keys(entry.embedded_key.encode())]
    for path in files:
        keys += [_key(key, path) for key in openpgp.public_keys(node.read_bytes(path) or b"")]
    shown = {name: value for name, value in asdict(entry).items() if name in _SHOWN}
    return {**shown, "keys": keys}


def _key(key: openpgp.PublicKey, file: str) -> JsonDict:
    expires = "" if key.expires is None else _utc(key.expires)
    return {"file": file, "fingerprint": key.fingerprint, "expires": expires, "revoked": key.revoked}


def _utc(moment: int) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
