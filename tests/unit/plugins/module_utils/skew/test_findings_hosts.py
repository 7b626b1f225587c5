# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings on what a node itself told, both ways; certificates are in test_findings_certificates.py."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import read_host
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Host
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    decide,
)


def host(**info: t.Any) -> Host:
    found = read_host({"changed": False, "info": {"node_name": "w1", **info}})
    assert found is not None
    return found


FLAG = {"name": "pod-infra-container-image", "value": "pause:3.10", "file": "/var/lib/kubelet/kubeadm-flags.env"}
MIB = 2**20


@pytest.mark.parametrize(
    ("info", "target", "kubelet_config", "expected"),
    [
        ({}, "1.35.4", {}, []),
        ({"cgroup_version": 1}, "1.35.4", {}, [("blocker", "cgroup-v1")]),
        ({"cgroup_version": 1}, "1.35.4", {"failCgroupV1": False}, [("blocker", "cgroup-v1")]),
        ({"cgroup_version": 1}, "1.34.9", {}, []),
        ({"cgroup_version": 2}, "1.35.4", {}, []),
        ({"swap_on": True}, "1.35.4", {}, [("warning", "swap-on")]),
        ({"swap_on": True}, "1.35.4", {"failSwapOn": False}, [("note", "swap-on")]),
        ({"swap_on": False}, "1.35.4", {}, []),
        (
            {"etcd": {"present": True, "db_bytes": 100 * MIB}, "disk": {"/": {"free_bytes": 199 * MIB}}},
            "1.35.4",
            {},
            [("blocker", "disk-too-small")],
        ),
        (
            {"etcd": {"present": True, "db_bytes": 100 * MIB}, "disk": {"/": {"free_bytes": 200 * MIB}}},
            "1.35.4",
            {},
            [],
        ),
        ({"disk": {"/": {"free_bytes": 1}}, "etcd": {"present": False, "db_bytes": 0}}, "1.35.4", {}, []),
        ({"kubelet": {"flags": [FLAG]}}, "1.35.4", {}, [("warning", "kubelet-flag-removed")]),
        ({"kubelet": {"flags": [FLAG]}}, "1.34.9", {}, []),
        (
            {"kubelet": {"flags": [{**FLAG, "file": "/etc/default/kubelet"}]}},
            "1.35.4",
            {},
            [("blocker", "kubelet-flag-removed")],
        ),
        (
            {"kubelet": {"empty_variables": ["KUBELET_KUBEADM_ARGS"]}},
            "1.35.0",
            {},
            [("blocker", "kubelet-flags-empty")],
        ),
        ({"kubelet": {"empty_variables": ["KUBELET_KUBEADM_ARGS"]}}, "1.35.4", {}, []),
        ({"kubelet": {"kubeadm_flags_file": "args"}}, "1.35.4", {}, []),
        ({"kubelet": {"kubeadm_flags_file": "missing"}}, "1.35.4", {}, [("blocker", "kubelet-flags-file")]),
        ({"kubelet": {"kubeadm_flags_file": "other"}}, "1.35.4", {}, [("blocker", "kubelet-flags-file")]),
        ({"kubelet": {"kubeadm_flags_file": "missing"}}, "1.34.9", {}, []),
        ({"kubelet": {"empty_variables": ["KUBELET_EXTRA_ARGS"]}}, "1.35.4", {}, []),
        ({"kubelet": {"client_cn": "system:node:w1", "client_o": ["system:nodes"]}}, "1.35.4", {}, []),
        (
            {"kubelet": {"client_cn": "system:node:w1", "client_o": ["system:masters"]}},
            "1.35.4",
            {},
            [("blocker", "kubelet-client-certificate")],
        ),
        ({"kubelet": {"client_cn": "system:node:x"}}, "1.35.4", {}, [("blocker", "kubelet-client-certificate")]),
        ({"external_ca": True}, "1.35.4", {}, [("warning", "external-ca")]),
        ({"external_ca": False}, "1.35.4", {}, []),
        ({"external_ca": None, "ca_keys_missing": None}, "1.35.4", {}, []),
        ({"external_ca": False, "ca_keys_missing": []}, "1.35.4", {}, []),
        ({"external_ca": False, "ca_keys_missing": ["etcd/ca"]}, "1.35.4", {}, [("warning", "external-ca")]),
        (
            {"container_runtime": {"name": "containerd", "version": "1.7.27"}},
            "1.35.4",
            {},
            [("note", "container-runtime-old")],
        ),
        ({"container_runtime": {"name": "containerd", "version": "2.1.4"}}, "1.35.4", {}, []),
        (
            {"foreign_manifests": [{"file": "/etc/kubernetes/manifests/etcd.yaml.bak", "api_references": []}]},
            "1.35.4",
            {},
            [("blocker", "manifest-backup")],
        ),
        (
            {"foreign_manifests": [{"file": "/etc/kubernetes/manifests/vip.yaml", "api_references": ["secret/x"]}]},
            "1.35.4",
            {},
            [("blocker", "static-pod-references")],
        ),
        ({"foreign_manifests": [{"file": "/etc/kubernetes/manifests/vip.yaml"}]}, "1.35.4", {}, []),
    ],
)
def test_hosts(info: dict[str, t.Any], target: str, kubelet_config: dict[str, t.Any], expected: list[t.Any]) -> None:
    verdict = decide(cluster(kubelet_config=kubelet_config), target, [host(**info)])
    assert [(f["severity"], f["id"]) for f in verdict["findings"]] == expected
    assert all(f["subject"] == "node/w1" for f in verdict["findings"])


@pytest.mark.parametrize(
    ("missing", "told", "untold"),
    [
        (["ca"], ["pki/ca.key", "of ca (apiserver,"], ["etcd/ca", "front-proxy-ca"]),
        (["front-proxy-ca"], ["pki/front-proxy-ca.key", "(front-proxy-client)"], ["admin.conf"]),
        (["etcd/ca"], ["pki/etcd/ca.key", "etcd/server"], ["admin.conf"]),
        (["ca", "front-proxy-ca", "etcd/ca"], ["pki/ca.key, ", "pki/etcd/ca.key", "scheduler.conf"], []),
    ],
)
def test_the_keys_that_are_elsewhere_are_named(missing: list[str], told: list[str], untold: list[str]) -> None:
    (found,) = decide(cluster(), hosts=[host(ca_keys_missing=missing)])["findings"]
    assert found["id"] == "external-ca"
    assert all(words in found["evidence"] for words in told), found["evidence"]
    assert not any(words in found["evidence"] for words in untold), found["evidence"]


def test_a_flag_that_no_kubeadm_on_the_way_takes_out_is_a_blocker() -> None:
    versions = ["1.35.4", "1.36.3"]
    by_hop = decide(cluster(), "1.36.3", [host(kubelet={"flags": [FLAG]})], available=versions)
    leap = decide(cluster(), "1.36.3", [host(kubelet={"flags": [FLAG]})], available=versions, workers="last_hop")
    assert [f["severity"] for f in by_hop["findings"]] == ["warning"]
    assert [f["severity"] for f in leap["findings"]] == ["blocker"]


@pytest.mark.parametrize("result", [{}, {"info": {}}, {"info": {"node_name": ""}}])
def test_a_result_without_a_name_is_no_host(result: dict[str, t.Any]) -> None:
    assert read_host(result) is None
