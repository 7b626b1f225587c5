# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on the packages of a node and where they come from: pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Finding,
    Host,
    Json,
    NodeState,
    finding,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def package_findings(
    host: Host, subject: str, state: NodeState | None, ahead: list[Version], now: float
) -> list[Finding]:
    """`ahead` are the versions that this node goes through, `state` is what the API tells of it."""
    return [
        *_too_new(host, subject, ahead),
        *_sources_broken(host, subject, ahead),
        *_half_upgraded(host, subject, ahead),
        *_minors(host, subject, ahead),
        *_holds(host, subject),
        *_repositories(host, subject, state, ahead),
        *_repository_keys(host, subject, now),
    ]


def _too_new(host: Host, subject: str, ahead: list[Version]) -> list[Finding]:
    """A package manager does not go back to an older version by itself."""
    if not ahead:
        return []
    return [
        finding(
            "package-newer-than-target",
            BLOCKER,
            subject,
            f"{name} {package.version} is installed, and the next version for this node is {ahead[0]}",
            f"Upgrade to {package.version} or newer, or bring the package back first, such as by: apt-get install "
            f"--allow-downgrades --allow-change-held-packages {name}={ahead[0]}-*",
            rules.PACKAGES_SOURCE,
        )
        for name, package in sorted(host.packages.items())
        if package.version > ahead[0]
    ]


def _sources_broken(host: Host, subject: str, ahead: list[Version]) -> list[Finding]:
    if not ahead or not host.package_sources_error:
        return []
    return [
        finding(
            "package-sources-broken",
            BLOCKER,
            subject,
            f"apt cannot read its sources, and installs nothing: {host.package_sources_error}",
            f"On {host.name}: correct or remove an entry that is named, until apt-get indextargets ends without an "
            "error.",
            rules.APT_SOURCES_SOURCE,
        )
    ]


def _half_upgraded(host: Host, subject: str, ahead: list[Version]) -> list[Finding]:
    running, installed = version_or_none(host.kubelet_running), host.packages.get("kubelet")
    if running is None or installed is None or installed.version == running:
        return []
    next_step = "This run restarts it in its turn." if ahead else f"On {host.name}: systemctl restart kubelet"
    return [
        finding(
            "kubelet-not-restarted",
            WARNING,
            subject,
            f"the kubelet runs {running} and {installed.version} is installed: its next restart, or that of the node, "
            "changes its version",
            f"{next_step} Drain the node before where the minors differ.",
            rules.PACKAGES_SOURCE,
        )
    ]


def _minors(host: Host, subject: str, ahead: list[Version]) -> list[Finding]:
    minors = {name: package.version.minor for name, package in host.packages.items()}
    # While a node is being prepared, kubeadm and kubectl are those of its next version and the kubelet is not.
    prepared = {version.minor for version in ahead[:1]}
    others = {minor for name, minor in minors.items() if name == "kubelet" or minor not in prepared}
    if len(others) < 2:
        return []
    told = ", ".join(f"{name} {package.version}" for name, package in sorted(host.packages.items()))
    return [
        finding(
            "packages-differ",
            WARNING,
            subject,
            f"{told}: an upgrade by hand was left half-way, or only some packages were upgraded",
            "Nothing, where this run upgrades the node: it installs all three. Hold the packages, so that nothing else "
            "upgrades them: apt-mark hold kubeadm kubelet kubectl",
            rules.PACKAGES_SOURCE,
        )
    ]


def _holds(host: Host, subject: str) -> list[Finding]:
    free = sorted(name for name, package in host.packages.items() if package.held is False)
    if not free:
        return []
    return [
        finding(
            "packages-not-held",
            NOTE,
            subject,
            f"not held: {', '.join(free)}; any upgrade of packages on this node takes them along",
            f"apt-mark hold {' '.join(free)}; with dnf, exclude them in the repository's file. This tool holds them "
            "when it has upgraded the node with apt.",
            rules.PACKAGES_SOURCE,
        )
    ]


def _repositories(host: Host, subject: str, state: NodeState | None, ahead: list[Version]) -> list[Finding]:
    found = []
    enabled = [entry for entry in host.repositories if entry.get("enabled")]
    for entry in enabled:
        if entry.get("legacy"):
            found.append(
                finding(
                    "repository-legacy",
                    WARNING,
                    subject,
                    f"{entry.get('file')} names {entry.get('url')}, which ended in March 2024",
                    f"Remove the entry from {entry.get('file')}: package lists cannot be read from there any more. The "
                    "run reads those of its own repository alone.",
                    rules.REPOSITORY_SOURCE,
                )
            )
    minors = {str(entry["minor"]) for entry in enabled if entry.get("minor")}
    expected = {version.minor_text for version in ahead}
    if state is not None and state.kubelet is not None:
        expected.add(state.kubelet.minor_text)
    if minors and expected and not minors & expected:
        found.append(
            finding(
                "repository-of-another-minor",
                WARNING,
                subject,
                f"the package repositories are those of {', '.join(sorted(minors))}; the node is at, and goes to, "
                f"{', '.join(sorted(expected))}",
                "Nothing, unless node_prepare_manage_repository is false: the run names the repository of each "
                "version, and leaves entries in other files as they are. Then name it yourself before.",
                rules.REPOSITORY_SOURCE,
            )
        )
    return found


def _repository_keys(host: Host, subject: str, now: float) -> list[Finding]:
    found = []
    seen: set[tuple[str, str]] = set()
    for entry in host.repositories:
        for key in entry.get("keys") or []:
            mark = (str(key.get("file")), str(key.get("fingerprint")))
            if not entry.get("enabled") or mark in seen:
                continue
            seen.add(mark)
            told = _key_trouble(key, now)
            if told:
                found.append(
                    finding(
                        "repository-key-expired" if told[0] else "repository-key-expires-soon",
                        WARNING if told[0] else NOTE,
                        subject,
                        f"the key {mark[1][-16:]} in {mark[0]}, for {entry.get('url')}, {told[1]}",
                        f"Fetch the key of the target's repository (Release.key) anew into {mark[0]}. The run does so "
                        "for the source that it uses where the key is the same one, prolonged, unless "
                        "node_prepare_manage_repository is false.",
                        rules.REPOSITORY_KEY_SOURCE,
                    )
                )
    return found


def _key_trouble(key: Json, now: float) -> tuple[bool, str] | None:
    """Whether a key is of no use already, and in words; None where it is good for a while."""
    if key.get("revoked"):
        return True, "is revoked"
    until = parse_time(key.get("expires"))
    if until is None:
        return None
    left_days = (until.timestamp() - now) / 86400
    if left_days <= 0:
        return True, f"expired on {until:%Y-%m-%d}"
    if left_days < rules.REPOSITORY_KEY_SOON_DAYS:
        return False, f"expires on {until:%Y-%m-%d}"
    return None
