# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.waking import left_behind

OLD = {"etcd": "a", "kube-apiserver": "b", "kube-scheduler": "c"}
MIRRORS = {"etcd": "1", "kube-apiserver": "2", "kube-scheduler": "3"}


@pytest.mark.parametrize(
    ("manifests", "mirrors", "expected"),
    [
        (OLD, MIRRORS, []),
        ({**OLD, "etcd": "new"}, MIRRORS, ["etcd"]),
        ({**OLD, "etcd": "new"}, {**MIRRORS, "etcd": "new"}, []),
        ({**OLD, "kube-scheduler": "new", "etcd": "new"}, {**MIRRORS, "etcd": "new"}, ["kube-scheduler"]),
        ({**OLD, "kube-scheduler": "new", "etcd": "new"}, MIRRORS, ["etcd", "kube-scheduler"]),
        # Moved away, and not moved in yet.
        ({"kube-apiserver": "b", "kube-scheduler": "c"}, MIRRORS, []),
        # The old mirror pod is deleted, and the new one not yet made.
        ({**OLD, "etcd": "new"}, {"kube-apiserver": "2", "kube-scheduler": "3"}, []),
        # kubeadm took the old manifest back.
        (OLD, {**MIRRORS, "etcd": "new"}, []),
        # Somebody else's.
        ({**OLD, "own": "d"}, {**MIRRORS, "own": "4"}, []),
    ],
)
def test_who_is_left_behind(manifests: dict[str, str], mirrors: dict[str, str], expected: list[str]) -> None:
    assert left_behind(OLD, manifests, MIRRORS, mirrors) == expected


def test_whose_mirror_pods_were_not_seen_before_is_nobody() -> None:
    assert left_behind(OLD, {**OLD, "etcd": "new"}, {}, MIRRORS) == []
    assert left_behind(OLD, {**OLD, "etcd": "new"}, {"etcd": ""}, {"etcd": ""}) == []
