# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What setting a bridge, or taking it out, does to kubeadm-config and to the record of it: pure."""

from __future__ import annotations

import copy
import typing as t

Json = dict[str, t.Any]


class Change(t.NamedTuple):
    """The ClusterConfiguration to write, None where it stays; and what happens to the record."""

    configuration: Json | None
    record: str | None
    """The image tag that the record says we set; empty where there is to be none, None where it stays as it is."""


def image_tag(configuration: Json) -> str:
    """etcd.local.imageTag; empty where kubeadm takes its own."""
    return str(_local(configuration).get("imageTag") or "")


def has_stacked_etcd(configuration: Json) -> bool:
    return not (configuration.get("etcd") or {}).get("external")


def set_bridge(configuration: Json, recorded: str, tag: str) -> Change:
    """`recorded` is the tag that the record names, or empty.

    The record is written before kubeadm-config, so that a tag that stands
    there without a record is never ours.
    """
    present = image_tag(configuration)
    record = None if recorded == tag else tag
    return Change(None if present == tag else _with_tag(configuration, tag), record)


def remove_bridge(configuration: Json, recorded: str) -> Change:
    """Only what the record names is taken out: a tag that somebody else set stays."""
    if not recorded:
        return Change(None, None)
    ours = image_tag(configuration) == recorded
    return Change(_with_tag(configuration, "") if ours else None, "")


def _local(configuration: Json) -> Json:
    return (configuration.get("etcd") or {}).get("local") or {}


def _with_tag(configuration: Json, tag: str) -> Json:
    changed = copy.deepcopy(configuration)
    etcd = changed.setdefault("etcd", None) or {}
    local = etcd.get("local") or {}
    if tag:
        local["imageTag"] = tag
    else:
        local.pop("imageTag", None)
    changed["etcd"] = {**etcd, "local": local}
    return changed
