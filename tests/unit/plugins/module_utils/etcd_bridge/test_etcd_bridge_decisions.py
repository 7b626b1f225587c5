# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bridge changes in kubeadm-config, and in the record of it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd_bridge.decisions import (
    Change,
    has_stacked_etcd,
    image_tag,
    remove_bridge,
    set_bridge,
)

PLAIN: dict[str, t.Any] = {"kubernetesVersion": "v1.33.13", "etcd": {"local": {"dataDir": "/var/lib/etcd"}}}


def tagged(tag: str) -> dict[str, t.Any]:
    return {**PLAIN, "etcd": {"local": {"dataDir": "/var/lib/etcd", "imageTag": tag}}}


@pytest.mark.parametrize(
    ("configuration", "recorded", "expected"),
    [
        (PLAIN, "", Change(tagged("3.5.27-0"), "3.5.27-0")),
        (PLAIN, "3.5.27-0", Change(tagged("3.5.27-0"), None)),
        (tagged("3.5.27-0"), "3.5.27-0", Change(None, None)),
        (tagged("3.5.27-0"), "", Change(None, "3.5.27-0")),
        (tagged("3.5.26-0"), "3.5.26-0", Change(tagged("3.5.27-0"), "3.5.27-0")),
        ({}, "", Change({"etcd": {"local": {"imageTag": "3.5.27-0"}}}, "3.5.27-0")),
        ({"etcd": None}, "", Change({"etcd": {"local": {"imageTag": "3.5.27-0"}}}, "3.5.27-0")),
    ],
)
def test_set(configuration: dict[str, t.Any], recorded: str, expected: Change) -> None:
    given = repr(configuration)
    assert set_bridge(configuration, recorded, "3.5.27-0") == expected
    assert repr(configuration) == given


@pytest.mark.parametrize(
    ("configuration", "recorded", "expected"),
    [
        pytest.param(tagged("3.5.27-0"), "3.5.27-0", Change(PLAIN, ""), id="ours"),
        pytest.param(tagged("3.5.27-0"), "", Change(None, None), id="somebody else's"),
        pytest.param(tagged("3.5.30-0"), "3.5.27-0", Change(None, ""), id="changed since by somebody else"),
        pytest.param(PLAIN, "3.5.27-0", Change(None, ""), id="taken out, and killed before the record went"),
        pytest.param(PLAIN, "", Change(None, None), id="nothing there"),
    ],
)
def test_remove(configuration: dict[str, t.Any], recorded: str, expected: Change) -> None:
    assert remove_bridge(configuration, recorded) == expected


def test_readers() -> None:
    assert (image_tag(PLAIN), image_tag(tagged("3.5.27-0")), image_tag({})) == ("", "3.5.27-0", "")
    assert has_stacked_etcd(PLAIN)
    assert not has_stacked_etcd({"etcd": {"external": {"endpoints": ["https://e:2379"]}}})
