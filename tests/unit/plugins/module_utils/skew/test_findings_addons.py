# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's addons and those of others, and what changes with a minor."""

from __future__ import annotations

import copy
import re
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import addon_table, changes, coredns
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    dns,
    node,
    pod,
    said,
)

CALICO = "quay.io/calico/node"


def running(*images: str) -> list[dict[str, t.Any]]:
    made = pod("agent")
    made["spec"]["containers"] = [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]
    return [*control_plane("c1"), made]


@pytest.mark.parametrize(
    ("image", "target", "expected"),
    [
        (f"{CALICO}:v3.31.3", "1.35.4", []),
        (f"{CALICO}:v3.30.1@sha256:0a", "1.35.4", []),
        (f"{CALICO}:v3.29.1", "1.35.4", [("warning", "addon-not-supported", "addon/Calico")]),
        (f"{CALICO}:v3.3.1", "1.35.4", [("note", "addon-version-unknown", "addon/Calico")]),
        (f"{CALICO}:latest", "1.35.4", [("note", "addon-version-unknown", "addon/Calico")]),
        (CALICO, "1.35.4", [("note", "addon-version-unknown", "addon/Calico")]),
        (
            "mirror.example.org:5000/x/calico/node:v3.29.1",
            "1.35.4",
            [("warning", "addon-not-supported", "addon/Calico")],
        ),
        ("example.org/my-calico/node:v3.29.1", "1.35.4", []),
        (f"{CALICO}:v3.29.1", "1.34.4", []),
        ("registry.k8s.io/metrics-server/metrics-server:v0.8.0", "1.35.4", []),
    ],
)
def test_a_table_of_addons(image: str, target: str, expected: list[t.Any]) -> None:
    assert said(decide(cluster(pods=running(image)), target)) == expected


def test_what_fits_is_named_and_a_version_told_once() -> None:
    verdict = decide(cluster(pods=running(f"{CALICO}:v3.29.1", f"{CALICO}:v3.29.1")))
    (entry,) = verdict["findings"]
    assert "1.29 to 1.32" in entry["evidence"]
    assert "3.30 or 3.31" in entry["remedy"]


@pytest.mark.parametrize(
    ("maximum", "expected"),
    [("1.35", []), ("1.34", ["addon-not-supported"]), (None, [])],
)
def test_an_addon_of_the_operator(maximum: str | None, expected: list[str]) -> None:
    mine = {
        "name": "calico",
        "image": "calico/node",
        "versions": [{"version": "3.29", "kubernetes_min": "1.29", "kubernetes_max": maximum}],
    }
    verdict = decide(cluster(pods=running(f"{CALICO}:v3.29.1")), addons=[mine])
    assert [entry["id"] for entry in verdict["findings"]] == expected


def test_a_minor_that_is_none() -> None:
    with pytest.raises(EvergreenError):
        addon_table.with_added([{"name": "x", "image": "x", "versions": [{"version": "1", "kubernetes_min": "35"}]}])


def test_the_table_itself() -> None:
    for addon in addon_table.ADDONS:
        assert addon.source.startswith("https://")
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", addon.read)
        assert all(row.last is None or row.first <= row.last for row in addon.versions)


COREFILE = """\
# cluster DNS
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa {
       pods insecure
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 { # for a while
       disable success cluster.local
    }
    loop
    reload
    loadbalance
}
"""
MORE = "example.org{\n  template IN A {\n    rcode NXDOMAIN\n  }\n  import other\n  log\n}\n"


def test_plugins_of_a_corefile() -> None:
    assert coredns.plugins_of(COREFILE) == [
        *("errors", "health", "ready", "kubernetes", "prometheus", "forward", "cache", "loop", "reload", "loadbalance")
    ]
    assert coredns.plugins_of(MORE) == ["template", "log"]
    assert coredns.plugins_of("") == []


@pytest.mark.parametrize(
    ("deployment", "corefile", "expected"),
    [
        (dns(), COREFILE, []),
        (dns("example.org/coredns:v1.12.1"), COREFILE, [("warning", "addon-image-differs")]),
        (dns(), COREFILE + MORE, [("blocker", "coredns-plugin-unknown")]),
        (dns("registry.k8s.io/coredns/coredns:v1.13.1"), COREFILE + MORE, []),
        (dns("registry.k8s.io/coredns/coredns:v1.12.1-mine"), COREFILE, [("blocker", "coredns-version-unknown")]),
        (dns("registry.k8s.io/coredns/coredns"), COREFILE, [("blocker", "coredns-version-unknown")]),
        (dns("registry.k8s.io/coredns/coredns:v1.99.0"), COREFILE, []),
        (dns(container={"resources": {}}), COREFILE, [("warning", "coredns-customised")]),
        (dns(tolerations=[{"key": "edge", "operator": "Exists"}]), COREFILE, [("warning", "coredns-customised")]),
        (dns(affinity={"nodeAffinity": {}}), COREFILE, [("warning", "coredns-customised")]),
        (dns(), None, []),
    ],
)
def test_coredns(deployment: dict[str, t.Any], corefile: str | None, expected: list[t.Any]) -> None:
    verdict = decide(cluster(coredns=deployment, corefile=corefile))
    assert [(f["severity"], f["id"]) for f in verdict["findings"]] == expected


@pytest.mark.parametrize(
    ("config", "image", "expected"),
    [
        ({"imageRepository": "example.org/k8s"}, "example.org/k8s/coredns:v1.12.1", []),
        ({"dns": {"imageRepository": "example.org/dns"}}, "example.org/dns/coredns:v1.12.1", []),
        (
            {"dns": {"imageRepository": "example.org/dns"}},
            "registry.k8s.io/coredns/coredns:v1.12.1",
            ["addon-image-differs"],
        ),
    ],
)
def test_images_are_from_where_kubeadm_takes_them(config: dict[str, t.Any], image: str, expected: list[str]) -> None:
    config = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.34.4", **config}
    verdict = decide(cluster(cluster_config=config, coredns=dns(image)))
    assert [f["id"] for f in verdict["findings"] if "coredns" in f["subject"]] == expected


def at(minor: int, etcd: str | None) -> dict[str, t.Any]:
    version = f"v1.{minor}.4"
    return {
        "nodes": [node("c1", version, control_plane=True), node("w1", version)],
        "pods": control_plane("c1", version, etcd),
        "cluster_config": {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": version},
    }


def with_volume(given: dict[str, t.Any], kind: str, **spec: t.Any) -> dict[str, t.Any]:
    made = pod("a")
    made["spec"] = {**made["spec"], "volumes": [{"name": "v", kind: {}}], **spec}
    return {**given, "pods": [*given["pods"], made]}


LABELLED = {"securityContext": {"seLinuxOptions": {"level": "s0:c1,c2"}}}


@pytest.mark.parametrize(
    ("given", "target", "expected"),
    [
        pytest.param(at(34, "3.6.6-0"), "1.35.4", [], id="nothing that concerns it"),
        pytest.param(at(33, "3.5.26-0"), "1.34.4", ["1.34"], id="another etcd"),
        pytest.param(at(33, None), "1.34.4", [], id="external etcd"),
        pytest.param(at(36, "3.6.11-0"), "1.37.0", ["1.37"], id="the etcd after"),
        pytest.param(with_volume(at(32, "3.5.26-0"), "gitRepo"), "1.33.4", ["1.33"], id="gitRepo"),
        pytest.param(with_volume(at(32, "3.5.26-0"), "emptyDir"), "1.33.4", [], id="not gitRepo"),
        pytest.param(with_volume(at(33, None), "gitRepo"), "1.34.4", [], id="gitRepo, past it"),
        pytest.param(with_volume(at(30, None), "rbd"), "1.31.4", ["1.31"], id="rbd"),
        pytest.param(with_volume(at(35, "3.6.6-0"), "flexVolume"), "1.36.4", ["1.36"], id="flexVolume"),
        pytest.param(
            {**at(34, "3.6.6-0"), "kube_proxy_config": {"mode": "ipvs"}}, "1.35.4", ["1.35"], id="kube-proxy in ipvs"
        ),
        pytest.param({**at(34, "3.6.6-0"), "kube_proxy_config": {"mode": ""}}, "1.35.4", [], id="iptables"),
        pytest.param(
            with_volume(at(36, None), "persistentVolumeClaim", **LABELLED), "1.37.0", ["1.37"], id="SELinux labels"
        ),
        pytest.param(with_volume(at(36, None), "persistentVolumeClaim"), "1.37.0", [], id="no labels"),
    ],
)
def test_changes(given: dict[str, t.Any], target: str, expected: list[str]) -> None:
    verdict = decide(cluster(**given), target)
    assert [f["subject"] for f in verdict["findings"] if f["id"] == "release-change"] == expected


def test_a_chain_tells_of_each_hop() -> None:
    verdict = decide(cluster(**with_volume(at(32, "3.5.26-0"), "gitRepo")), "1.34.4", available=["1.33.9"])
    assert {f["subject"] for f in verdict["findings"] if f["id"] == "release-change"} == {"1.33", "1.34"}


def test_each_change_has_a_source() -> None:
    assert all(change.source.startswith("https://") and 31 <= change.minor <= 37 for change in changes.CHANGES)


OFF = {"proxy": {"disabled": True}, "dns": {"disabled": True}}
PROXY, DNS = "daemonset/kube-system/kube-proxy", "deployment/kube-system/coredns"


@pytest.mark.parametrize(
    ("given", "versions", "options", "expected"),
    [
        # The ConfigMap was left behind, or went too: kubeadm from 1.32 on does not ask.
        ({"kube_proxy": None, "kube_proxy_config": {}}, "1.34.4 1.35.4", {}, [("note", "addon-absent", PROXY)]),
        ({"kube_proxy": None}, "1.34.4 1.35.4", {}, [("note", "addon-absent", PROXY)]),
        ({"kube_proxy": None, "coredns": None, "cluster_config": OFF}, "1.34.4 1.35.4", {}, []),
        ({"kube_proxy": None, "cluster_config": OFF}, "1.31.4 1.32.0", {}, [("note", "addon-absent", PROXY)]),
        ({"kube_proxy": None, "cluster_config": OFF}, "1.31.4 1.32.1", {}, []),
        ({"coredns": None}, "1.34.4 1.35.4", {}, [("note", "addon-absent", DNS)]),
        # Before, it asks for the ConfigMap, and nothing can be skipped.
        (
            {"kube_proxy": None, "kube_proxy_config": {"mode": ""}},
            "1.30.4 1.31.4",
            {},
            [("warning", "addon-absent", PROXY)],
        ),
        ({"kube_proxy": None, "cluster_config": OFF}, "1.30.4 1.31.4", {}, []),
        ({"coredns": None, "corefile": ""}, "1.30.4 1.31.4", {}, [("warning", "addon-absent", DNS)]),
        ({"kube_proxy": None}, "1.34.4 1.35.4", {"skip_phases": ["addon/kube-proxy"]}, []),
        ({"kube_proxy": None}, "1.34.4 1.35.4", {"skip_phases": ["addon"]}, []),
        ({"kube_proxy": None}, "1.35.4 1.35.4", {}, []),
        (
            {"kube_proxy": None, "unreadable": {"kube-proxy": "no"}},
            "1.34.4 1.35.4",
            {},
            [("warning", "unreadable", "kube-proxy")],
        ),
    ],
)
def test_an_addon_that_the_cluster_does_not_have(
    given: dict[str, t.Any], versions: str, options: dict[str, t.Any], expected: list[t.Any]
) -> None:
    before, target = versions.split()
    given = {**given}
    config = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": f"v{before}"}
    config |= given.pop("cluster_config", {})
    etcd = "3.6.6-0" if before.startswith("1.35") else "3.6.5-0" if before.startswith("1.34") else "3.5.26-0"
    seen = cluster(
        nodes=[node("c1", f"v{before}", control_plane=True)],
        pods=control_plane("c1", f"v{before}", etcd),
        **{"cluster_config": config, **given},
    )
    verdict = decide(seen, target, **options)
    assert said(verdict) == expected


def test_the_run_is_told_what_is_not_there() -> None:
    seen = {"pods": control_plane("c1", "v1.30.4", "3.5.26-0"), "nodes": [node("c1", "v1.30.4", control_plane=True)]}
    verdict = decide(cluster(kube_proxy=None, **seen), "1.32.4", available=["1.31.4"])
    assert [(hop["to"], hop["absent_addons"]) for hop in verdict["hops"]] == [
        ("1.31.4", []),
        ("1.32.4", ["kube-proxy"]),
    ]
    assert [hop["absent_addons"] for hop in decide(cluster())["hops"]] == [[]]
    unreadable = decide(cluster(kube_proxy=None, unreadable={"kube-proxy": "no"}))
    assert [hop["absent_addons"] for hop in unreadable["hops"]] == [[]]


FOREIGN = ".:53 {\n  records example.org {\n  }\n}\n"
BY_HAND = "registry.k8s.io/coredns/coredns:v1.12.1-own"
CHECKS = ["CoreDNSMigration", "corednsunsupportedplugins"]


@pytest.mark.parametrize(
    ("given", "ignored", "skipped", "expected"),
    [
        ({"corefile": FOREIGN}, [], [], ["coredns-plugin-unknown"]),
        ({"corefile": FOREIGN}, CHECKS, [], []),
        ({"coredns": dns(BY_HAND)}, [], [], ["coredns-version-unknown"]),
        # The phase alone leaves the check, and the check alone leaves the migration.
        ({"coredns": dns(BY_HAND)}, [], ["addon/coredns"], ["coredns-version-unknown"]),
        ({"coredns": dns(BY_HAND)}, CHECKS, [], ["coredns-version-unknown"]),
        ({"coredns": dns(BY_HAND)}, CHECKS, ["addon/coredns"], []),
        ({"coredns": dns("mirror.example/coredns:v1.12.1")}, [], ["addon/coredns"], []),
        ({"coredns": dns(priorityClassName="x", nodeSelector={})}, [], [], ["coredns-customised"]),
        ({"coredns": dns(priorityClassName="x", nodeSelector={})}, [], ["addon"], []),
    ],
)
def test_what_the_run_leaves_out(
    given: dict[str, t.Any], ignored: list[str], skipped: list[str], expected: list[str]
) -> None:
    verdict = decide(cluster(**given), ignored_checks={"control_plane": ignored}, skip_phases=skipped)
    assert [entry["id"] for entry in verdict["findings"]] == expected


def of(kind: str, name: str, image: str, namespace: str = "kube-system") -> dict[str, t.Any]:
    made = pod(f"{name}-x", namespace=namespace, ownerReferences=[{"kind": kind, "name": name, "controller": True}])
    made["spec"]["containers"] = [{"name": "main", "image": image}]
    return made


@pytest.mark.parametrize(
    ("running", "subject", "pause"),
    [
        (
            of("DaemonSet", "kured", "ghcr.io/kubereboot/kured:1.20.0"),
            "daemonset/kube-system/kured",
            'kubectl annotate -n kube-system daemonset kured weave.works/kured-node-lock=\'{"nodeID":"manual"}\'',
        ),
        (
            of("StatefulSet", "scaler", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.0"),
            "statefulset/kube-system/scaler",
            "kubectl scale -n kube-system statefulset scaler --replicas=0",
        ),
        (
            of("Job", "descheduler-29401220", "mirror.example:5000/descheduler/descheduler@sha256:0a", "ops"),
            "job/ops/descheduler-29401220",
            'kubectl -n ops patch cronjob descheduler -p \'{"spec":{"suspend":true}}\'',
        ),
        (of("DaemonSet", "agent", "example.org/kured-exporter:1"), "", ""),
    ],
)
@pytest.mark.parametrize("target", ["1.34.4", "1.35.4"])
def test_controllers_that_act_on_the_same_nodes(
    running: dict[str, t.Any], subject: str, pause: str, target: str
) -> None:
    pods = [*control_plane("c1"), running, copy.deepcopy(running)]
    found = [
        entry for entry in decide(cluster(pods=pods), target)["findings"] if entry["id"] == "other-controller-active"
    ]
    expected = [("warning", subject)] if subject and target == "1.35.4" else []
    assert [(entry["severity"], entry["subject"]) for entry in found] == expected
    assert all(entry["remedy"].endswith(pause) for entry in found)
