# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The versions of etcd along the hops, and the bridges where one does not lead to the next: pure.

kubeadm deploys one etcd with each of its versions. Where members of that one
must not become the next one, ``etcd.local.imageTag`` in kubeadm-config names
the version between: for a hop that comes before anyway, or for one of its own,
which changes etcd alone. The hop after it must have it taken out again.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import version_or_none
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

Minor = tuple[int, int]


class EtcdStep(t.TypedDict):
    """The etcd minors before and after a hop; None where not known."""

    from_minor: str | None
    to_minor: str | None


class Stage(t.NamedTuple):
    """Of one hop to the Kubernetes version `to`: the etcd step, and the imageTag to set; empty for that of kubeadm."""

    to: Version
    step: EtcdStep | None
    image_tag: str = ""
    only_etcd: bool = False


@dataclass
class EtcdPath:
    """One stage a hop, those that the bridges add included. `uncrossed` are rules that nothing bridges."""

    stages: list[Stage] = field(default_factory=list)
    uncrossed: list[rules.EtcdRule] = field(default_factory=list)
    bridged: list[tuple[rules.EtcdRule, str]] = field(default_factory=list)
    """Rules that a bridge keeps, and its image tag."""


def etcd_path(
    lowest: Version | None,
    chain: list[Version],
    *,
    before: Version | None,
    bridges: t.Mapping[str, str],
    images: t.Mapping[str, str],
    pinned: bool = False,
) -> EtcdPath:
    """The stages of the hops in `chain`.

    `lowest` is the oldest member, None without stacked etcd. `before` is the
    version that all of the control plane runs now; None where it is mixed,
    and then no hop can come before the first. `bridges` gives image tags by
    the etcd minor that they bridge from, `images` the tags that kubeadm of a
    version deploys, where it was asked. With `pinned`, kubeadm-config names a
    tag that this tool did not set, and etcd stays at it.
    """
    path = EtcdPath()
    member = lowest
    for to in chain:
        if member is None:
            path.stages.append(Stage(to, None))
            continue
        if pinned:
            path.stages.append(Stage(to, _step(_minor(member), _minor(member))))
            continue
        after = _deployed(to, images)
        following = _minor(after) if after else rules.etcd_minor_for(to.minor)
        rule = _broken_rule(member, following)
        if rule is not None:
            member = _bridge(path, rule, member, before, bridges)
        path.stages.append(Stage(to, _step(_minor(member), following)))
        if after is not None or (following is not None and following > _minor(member)):
            # Without having asked kubeadm nothing is known of the patch, so the oldest one is taken.
            member = max(member, after or Version.parse(f"{following[0]}.{following[1]}.0")) if following else member
    return path


def _bridge(
    path: EtcdPath,
    rule: rules.EtcdRule,
    member: Version,
    before: Version | None,
    bridges: t.Mapping[str, str],
) -> Version:
    """Put the bridge into the hop before, or make one; the version that members then have."""
    tag = bridges.get(_text(rule.before) or "", rule.bridge)
    version = version_or_none(tag)
    if version is None or version < Version.parse(rule.minimum):
        path.uncrossed.append(rule)
        return member
    if path.stages:
        last = path.stages[-1]
        path.stages[-1] = last._replace(image_tag=tag)
    elif before is not None:
        path.stages.append(Stage(before, _step(_minor(member), _minor(version)), tag, only_etcd=True))
    else:
        path.uncrossed.append(rule)
        return member
    path.bridged.append((rule, tag))
    return version


def _broken_rule(member: Version, following: Minor | None) -> rules.EtcdRule | None:
    for rule in rules.ETCD_RULES:
        if following is None or _minor(member) != rule.before or following < rule.after:
            continue
        if member < Version.parse(rule.minimum):
            return rule
    return None


def _deployed(to: Version, images: t.Mapping[str, str]) -> Version | None:
    return version_or_none(images.get(str(to)))


def _minor(version: Version) -> Minor:
    return (version.major, version.minor)


def _step(before: Minor | None, after: Minor | None) -> EtcdStep:
    return EtcdStep(from_minor=_text(before), to_minor=_text(after))


def _text(minor: Minor | None) -> str | None:
    return f"{minor[0]}.{minor[1]}" if minor else None
