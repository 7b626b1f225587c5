# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Versions of a package in the indexes of package repositories: pure."""

from __future__ import annotations

import re
import typing as t
from xml.etree import ElementTree

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

_REPO = "{http://linux.duke.edu/metadata/repo}"
_COMMON = "{http://linux.duke.edu/metadata/common}"
# More than any list of minors needs; an open end has to stop somewhere.
MINORS_AT_MOST = 40
_MINOR = re.compile(r"v?(\d+)\.(\d+)(?![\d])")


class UnreadableIndex(EvergreenError):
    """An index that is not what its repository says it is."""


def deb_versions(index: str, package: str) -> list[Version]:
    """Versions of `package` in a ``Packages`` file, without the revision of the package."""
    found: set[Version] = set()
    for paragraph in index.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[:1] != " ")
        if fields.get("Package") == package:
            _add(found, fields.get("Version", "").partition("-")[0].replace("~", "-"))
    return sorted(found)


def primary_index(repomd: bytes) -> str:
    """The address of the list of packages in a ``repomd.xml``, relative to the repository."""
    for data in _parsed(repomd).findall(f"{_REPO}data"):
        location = data.find(f"{_REPO}location")
        if data.get("type") == "primary" and location is not None and location.get("href"):
            return str(location.get("href"))
    raise UnreadableIndex("The repomd.xml of the repository names no list of packages.")


def rpm_versions(primary: bytes, package: str) -> list[Version]:
    """Versions of `package` in a primary.xml, without the release of the package."""
    found: set[Version] = set()
    for entry in _parsed(primary).findall(f"{_COMMON}package"):
        version = entry.find(f"{_COMMON}version")
        if entry.findtext(f"{_COMMON}name") == package and version is not None:
            _add(found, str(version.get("ver") or "").replace("~", "-"))
    return sorted(found)


def minors(running: t.Sequence[str], target: str | None) -> t.Iterator[str]:
    """``1.34``, ``1.35`` and so on: from that of the oldest of `running` to that of `target`; without one to a bound.

    Raises EvergreenError for what is no version and no minor.
    """
    if not running:
        raise EvergreenError("No version is given that runs now.")
    begin = min(map(_minor, running))
    end = _minor(target) if target else (begin[0], begin[1] + MINORS_AT_MOST)
    if end[0] != begin[0]:
        raise EvergreenError(f"There is no way from {begin[0]}.{begin[1]} to {target}: the major versions differ.")
    for number in range(begin[1], end[1] + 1):
        yield f"{begin[0]}.{number}"


def shown(text: str) -> str:
    """An address, or what was said of some, without the passwords that may stand in them."""
    return re.sub(r"//[^/@\s]+@", "//", text)


def _minor(text: str) -> tuple[int, int]:
    found = _MINOR.match(text.strip())
    if not found:
        raise EvergreenError(f"{text!r} is no version of Kubernetes.", hint="Write it as in 1.35.4 or 1.35.")
    return int(found[1]), int(found[2])


def _add(found: set[Version], text: str) -> None:
    try:
        found.add(Version.parse(text))
    except VersionError:
        return


def _parsed(text: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UnreadableIndex(f"The index of the repository is not XML: {error}.") from error
