# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Kubelet flags from the places that set them, and package databases: pure readers of text."""

from __future__ import annotations

import re
import shlex

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import Flag

_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>.*)$")
PACKAGES = ("kubeadm", "kubelet", "kubectl", "cri-tools", "kubernetes-cni", "containerd", "containerd.io", "cri-o")


def environment_flags(text: str, file: str) -> tuple[list[Flag], list[str]]:
    """Flags in a file of ``NAME="--flag=value ..."`` lines, and the names that are set to nothing.

    The empty names matter: kubeadm 1.35 fails on ``KUBELET_KUBEADM_ARGS=""`` (kubernetes/kubernetes#136127).
    """
    flags: list[Flag] = []
    empty: list[str] = []
    for number, line in _logical_lines(text):
        found = None if line.lstrip().startswith("#") else _ASSIGNMENT.match(line)
        if found:
            value = " ".join(_words(found["value"]))
            if not value.strip():
                empty.append(found["name"])
            flags += _flags(_words(value), file, number)
    return flags, empty


def unit_flags(text: str, file: str) -> list[Flag]:
    """Flags in ``Environment=`` and ``ExecStart=`` of a systemd unit or drop-in."""
    flags: list[Flag] = []
    for number, line in _logical_lines(text):
        key, _equals, value = line.strip().partition("=")
        if key == "Environment":
            for assignment in _words(value):
                flags += _flags(_words(assignment.partition("=")[2]), file, number)
        elif key == "ExecStart":
            flags += _flags(_words(value)[1:], file, number)
    return flags


def environment_files(text: str) -> list[str]:
    """The files that ``EnvironmentFile=`` of a unit or drop-in names; patterns are left out."""
    found = []
    for _number, line in _logical_lines(text):
        key, _equals, value = line.strip().partition("=")
        path = value.strip().lstrip("-")
        if key == "EnvironmentFile" and path.startswith("/") and not set(path) & set("*?["):
            found.append(path)
    return found


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with their number, those that end in a backslash joined to the next."""
    joined: list[tuple[int, str]] = []
    start, so_far = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if line.endswith("\\"):
            so_far += line[:-1] + " "
            continue
        joined.append((start, so_far + line))
        start, so_far = 0, ""
    if so_far:
        joined.append((start, so_far))
    return joined


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=False)
    except ValueError:  # An unbalanced quote: systemd would refuse the line, a reader shows what there is.
        return text.replace("'", " ").replace('"', " ").split()


def _flags(words: list[str], file: str, line: int) -> list[Flag]:
    flags: list[Flag] = []
    for position, word in enumerate(words):
        if not word.startswith("-") or not word.strip("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not equals:
            following = words[position + 1] if position + 1 < len(words) else ""
            value = following if following and not following.startswith(("-", "$")) else "true"
        flags.append(Flag(name=name, value=value, file=file, line=line))
    return flags


def dpkg_packages(status: str) -> dict[str, dict[str, object]]:
    """``{name: {version, held, held_by}}`` from dpkg's status file, for the packages of a node."""
    found: dict[str, dict[str, object]] = {}
    for paragraph in status.split("\n\n"):
        name = re.match(r"\s*Package: (\S+)", paragraph)
        if not name or name[1] not in PACKAGES:
            continue
        state = re.search(r"^Status: (\S+) \S+ (\S+)", paragraph, re.MULTILINE)
        version = re.search(r"^Version: (\S+)", paragraph, re.MULTILINE)
        if state and version and state[2] == "installed":
            held = state[1] == "hold"
            found[name[1]] = {"version": version[1], "held": held, "held_by": "dpkg" if held else ""}
    return found


def rpm_packages(listing: str, locks: dict[str, str]) -> dict[str, dict[str, object]]:
    """The same from ``rpm -q --queryformat '%{NAME}\\t%{VERSION}-%{RELEASE}\\n'``.

    `locks` is ``{kind: text of the lock or exclude lists}``; a name in one of them is held by that kind.
    """
    found: dict[str, dict[str, object]] = {}
    for line in listing.splitlines():
        name, tab, version = line.partition("\t")
        if tab and name in PACKAGES:
            held_by = next((kind for kind, text in locks.items() if _names(text, name)), "")
            found[name] = {"version": version.strip(), "held": bool(held_by), "held_by": held_by}
    return found


def exclude_lines(repository: str) -> str:
    """The ``exclude=`` and ``excludepkgs=`` lines of a dnf or yum repository file."""
    return "\n".join(line for line in repository.splitlines() if re.match(r"\s*(?:exclude|excludepkgs)\s*=", line))


def _names(text: str, package: str) -> bool:
    # A lock is a name, a name-version or epoch:name-version; kubelet must not match kubelet-extra.
    return bool(re.search(rf"(?:^|[\s=,:\"']){re.escape(package)}(?:$|[\s,\"'*]|-\d|-\*)", text, re.MULTILINE))
