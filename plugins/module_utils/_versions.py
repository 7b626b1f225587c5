# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Versions of Kubernetes and etcd, as semantic versioning orders them."""

from __future__ import annotations

import functools
import re

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

_PATTERN = re.compile(
    r"^v?(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+(?P<build>[0-9A-Za-z.-]+))?$"
)


# What the community puts behind the dash; etcd's image tags have numbers there. Anything else is a vendor's build.
_PRE = re.compile(r"(?:alpha|beta|rc)\b|\d")


class VersionError(EvergreenError):
    """A text that is not a version."""


@functools.total_ordering
class Version:
    """``major.minor.patch[-pre]``; the suffix of a build, as in ``v1.34.4-eks-1``, takes no part in the order.

    https://semver.org/spec/v2.0.0.html item 11 gives the order of pre-releases.
    """

    __slots__ = ("build", "major", "minor", "patch", "pre")

    def __init__(self, major: int, minor: int, patch: int, pre: str = "", build: str = "") -> None:
        self.major = major
        self.minor = minor
        self.patch = patch
        self.pre = pre
        self.build = build

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``1.35.4``, ``v1.35.4`` or ``v1.36.0-rc.1+build``; raise VersionError for anything else."""
        found = _PATTERN.match(str(text).strip())
        if not found:
            raise VersionError(f"{text!r} is not a version.", hint="Write it with three numbers, such as 1.35.4.")
        pre, build = found["pre"] or "", found["build"] or ""
        if not _PRE.match(pre):
            pre, build = "", pre or build
        return cls(int(found["major"]), int(found["minor"]), int(found["patch"]), pre, build)

    @property
    def minor_text(self) -> str:
        """``1.35``: the name of a minor, as package repositories use it."""
        return f"{self.major}.{self.minor}"

    @property
    def tag(self) -> str:
        """``v1.35.4``: as image tags, kubeadm and the API write it."""
        return f"v{self}"

    def minors_to(self, other: Version) -> int:
        """How many minors `other` is ahead of this version; negative where it is behind."""
        return other.minor - self.minor

    def _key(self) -> tuple[object, ...]:
        identifiers = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre.split(".") if part
        )
        return (self.major, self.minor, self.patch, not self.pre, identifiers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + (f"-{self.pre}" if self.pre else "")

    def __repr__(self) -> str:
        return f"Version({str(self)!r})"
