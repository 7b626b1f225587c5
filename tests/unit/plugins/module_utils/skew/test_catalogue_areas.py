# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every finding that the code can make has its entry, and no entry is left over."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _skew
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue import (
    addons,
    cluster,
    config,
    control_plane,
    etcd,
    objects,
    plan,
    workloads,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import SEVERITIES

AREAS: dict[str, tuple[tuple[str, ...], tuple[Entry, ...]]] = {
    "addons": (("findings_addons",), addons.ENTRIES),
    "cluster": (("findings_cluster", "findings_system_pods"), cluster.ENTRIES),
    "config": (("findings_config",), config.ENTRIES),
    "control_plane": (("findings_control_plane", "findings_static_pods"), control_plane.ENTRIES),
    "etcd": (("findings_etcd",), etcd.ENTRIES),
    "objects": (("findings_objects",), objects.ENTRIES),
    "plan": (("plan", "targets", "changes", "acceptance"), plan.ENTRIES),
    "workloads": (("findings_workloads", "findings_pods", "findings_capacity"), workloads.ENTRIES),
}
MAKERS = ("finding", "_skewed", "_problem")


def made_by(files: tuple[str, ...]) -> set[str]:
    """The ids in the calls that make findings. One that is put together holds the minors of rules.ETCD_RULES."""
    found = set()
    for file in files:
        text = Path(next(iter(_skew.__path__)), f"{file}.py").read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS):
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant):
                found.add(str(first.value))
            elif isinstance(first, ast.JoinedStr):
                found |= {f"etcd-before-{rule.after[0]}.{rule.after[1]}" for rule in rules.ETCD_RULES}
    return found


@pytest.mark.parametrize("area", sorted(AREAS))
def test_ids_and_entries_are_the_same(area: str) -> None:
    files, entries = AREAS[area]
    ids = [entry.id for entry in entries]
    assert len(ids) == len(set(ids))
    assert set(ids) == made_by(files)


@pytest.mark.parametrize("entry", [entry for _files, found in AREAS.values() for entry in found], ids=lambda e: e.id)
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.severities
    assert set(entry.severities) <= set(SEVERITIES)
    assert not entry.title.endswith(".")
    assert entry.meaning.endswith((".", "`"))
    assert entry.cure.endswith((".", "`"))
    assert all(source.startswith("https://") for source in entry.sources)
