# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a static pod beside its flags is not as kubeadm writes it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import kubeadm_pods
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.kubeadm_defaults import DEFAULT_FLAGS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.pod_drift import pod_drift
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.kubeadm.mirror import defaulted, mirror
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    said,
    static,
)

Json = dict[str, t.Any]
Edit = t.Callable[[Json, Json], object]
"""What an operator does to the pod's spec and to its container."""

CONFIG: Json = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.34.4"}
API, KCM, SCHEDULER, ETCD = "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"
AUDIT = {"name": "audit", "hostPath": "/etc/audit", "mountPath": "/etc/audit", "readOnly": True}


def edited(component: str, edit: Edit, version: str = "1.34.4") -> Json:
    pod = mirror(component, "c1", version)
    edit(pod["spec"], pod["spec"]["containers"][0])
    return defaulted(pod)


def env(*variables: Json) -> Edit:
    return lambda _spec, main: main.update(env=list(variables))


def mounted(name: str, host: str, path: str, **rest: t.Any) -> Edit:
    def edit(spec: Json, main: Json) -> None:
        spec["volumes"].append({"name": name, "hostPath": {"path": host, "type": "DirectoryOrCreate"}})
        main["volumeMounts"].append({"name": name, "mountPath": path, **rest})

    return edit


def unmounted(name: str) -> Edit:
    def edit(spec: Json, main: Json) -> None:
        spec["volumes"] = [entry for entry in spec["volumes"] if entry["name"] != name]
        main["volumeMounts"] = [entry for entry in main["volumeMounts"] if entry["name"] != name]

    return edit


def moved(name: str, path: str) -> Edit:
    """Another path, on the node and in the container."""

    def edit(spec: Json, main: Json) -> None:
        next(entry for entry in spec["volumes"] if entry["name"] == name)["hostPath"]["path"] = path
        next(entry for entry in main["volumeMounts"] if entry["name"] == name)["mountPath"] = path

    return edit


def both(*edits: Edit) -> Edit:
    return lambda spec, main: [edit(spec, main) for edit in edits]


def in_pod(**fields: t.Any) -> Edit:
    return lambda spec, _main: spec.update(fields)


def in_container(**fields: t.Any) -> Edit:
    return lambda _spec, main: main.update(fields)


def in_probe(probe: str, **fields: t.Any) -> Edit:
    return lambda _spec, main: main[probe].update(fields)


def without(name: str) -> Edit:
    return lambda _spec, main: main.pop(name)


def nothing(_spec: Json, _main: Json) -> None:
    pass


def given(key: str, **parts: t.Any) -> Json:
    return {**CONFIG, key: parts}


def local_etcd(**parts: t.Any) -> Json:
    return {**CONFIG, "etcd": {"local": parts}}


@pytest.mark.parametrize("version", ["1.34.4", "1.35.4"])
@pytest.mark.parametrize("component", sorted(DEFAULT_FLAGS))
def test_nothing_is_found_on_what_kubeadm_wrote(component: str, version: str) -> None:
    for config in (CONFIG, {**CONFIG, "kubernetesVersion": f"v{version}"}, {}):
        assert pod_drift(component, mirror(component, "c1", version), config) == ([], [])
        assert pod_drift(component, edited(component, nothing, version), config) == ([], [])


@pytest.mark.parametrize("version", ["1.34.4", "1.35.4"])
@pytest.mark.parametrize(
    ("component", "edit", "expected"),
    [
        pytest.param(API, env({"name": "GOGC", "value": "50"}), ["environment: GOGC"], id="environment"),
        pytest.param(
            ETCD, env({"name": "HTTPS_PROXY", "value": "http://p"}), ["environment: HTTPS_PROXY"], id="proxy of etcd"
        ),
        pytest.param(
            API, in_container(envFrom=[{"configMapRef": {"name": "x"}}]), ["envFrom"], id="environment of an object"
        ),
        pytest.param(
            API, mounted("audit", "/etc/audit", "/etc/audit", readOnly=True), ["mounts: /etc/audit"], id="mount"
        ),
        pytest.param(ETCD, mounted("wal", "/fast/wal", "/wal"), ["mounts: /wal"], id="mount of etcd"),
        pytest.param(
            KCM, moved("flexvolume-dir", "/opt/flex"), ["mounts: /opt/flex"], id="another folder of flexvolumes"
        ),
        pytest.param(
            ETCD,
            moved("etcd-data", "/data/etcd"),
            ["mounts: /data/etcd", "without the mounts: /var/lib/etcd"],
            id="another folder of etcd",
        ),
        pytest.param(
            API,
            lambda _spec, main: main["volumeMounts"][0].update(readOnly=False),
            ["mounts: /etc/ssl/certs"],
            id="mounted to be written",
        ),
        pytest.param(API, unmounted("ca-certs"), ["without the mounts: /etc/ssl/certs"], id="mount taken away"),
        pytest.param(
            SCHEDULER,
            lambda spec, _main: spec["volumes"].append({"name": "scratch", "emptyDir": {}}),
            ["volumes: scratch"],
            id="volume",
        ),
        pytest.param(
            API,
            in_container(resources={"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}),
            ["resources.limits.memory"],
            id="limit, which is requested too",
        ),
        pytest.param(
            ETCD,
            in_container(resources={"requests": {"cpu": "500m", "memory": "2Gi"}}),
            ["resources.requests.cpu", "resources.requests.memory"],
            id="requests",
        ),
        pytest.param(
            KCM,
            in_container(resources={"requests": {"cpu": "200m", "memory": "1Gi"}}),
            ["resources.requests.memory"],
            id="one more request",
        ),
        pytest.param(SCHEDULER, in_container(resources={}), ["resources.requests.cpu"], id="no requests"),
        pytest.param(
            API,
            in_probe("livenessProbe", failureThreshold=30, timeoutSeconds=60),
            ["livenessProbe.timeoutSeconds", "livenessProbe.failureThreshold"],
            id="a patient probe",
        ),
        pytest.param(
            API,
            lambda _spec, main: main["livenessProbe"]["httpGet"].update(path="/livez?exclude=etcd"),
            ["livenessProbe.httpGet.path"],
            id="path of a probe",
        ),
        pytest.param(
            ETCD,
            in_container(livenessProbe={"exec": {"command": ["true"]}}),
            ["livenessProbe"],
            id="probe of a command",
        ),
        pytest.param(
            KCM,
            in_container(readinessProbe={"httpGet": {"path": "/healthz", "port": 10257}}),
            ["readinessProbe"],
            id="one more probe",
        ),
        pytest.param(API, without("readinessProbe"), ["without readinessProbe"], id="no readinessProbe"),
        pytest.param(ETCD, without("startupProbe"), ["without startupProbe"], id="no startupProbe"),
        pytest.param(
            API,
            lambda spec, _main: spec["containers"].append({"name": "konnectivity", "image": "k:1"}),
            ["containers: konnectivity"],
            id="container",
        ),
        pytest.param(
            API,
            lambda spec, _main: spec["containers"].insert(0, {"name": "kms", "image": "k:1"}),
            ["containers: kms"],
            id="container before it",
        ),
        pytest.param(
            ETCD,
            in_pod(initContainers=[{"name": "defrag", "image": "d:1"}]),
            ["init containers: defrag"],
            id="init container",
        ),
        pytest.param(
            SCHEDULER,
            lambda _spec, main: main["ports"].append({"containerPort": 9090}),
            ["ports: 9090"],
            id="port",
        ),
        pytest.param(
            API,
            in_container(image="mirror.example/kube-apiserver:v1.34.4"),
            ["repository of the image"],
            id="repository",
        ),
        pytest.param(
            API, in_container(image="registry.k8s.io/kube-apiserver:v1.34.4-fips.1"), ["tag of the image"], id="tag"
        ),
        pytest.param(
            ETCD,
            in_container(image="mirror.example/etcd:v3.6.5@sha256:0a"),
            ["repository of the image", "tag of the image", "digest of the image"],
            id="image of etcd",
        ),
        pytest.param(
            API, in_pod(hostAliases=[{"ip": "192.0.2.9", "hostnames": ["idp"]}]), ["hostAliases"], id="hostAliases"
        ),
        pytest.param(API, in_pod(dnsPolicy="ClusterFirstWithHostNet"), ["dnsPolicy"], id="dnsPolicy"),
        pytest.param(API, in_pod(dnsConfig={"nameservers": ["192.0.2.9"]}), ["dnsConfig"], id="dnsConfig"),
        pytest.param(
            ETCD, in_pod(priorityClassName="system-cluster-critical"), ["priorityClassName"], id="priorityClassName"
        ),
        pytest.param(
            API, in_pod(terminationGracePeriodSeconds=90), ["terminationGracePeriodSeconds"], id="grace period"
        ),
        pytest.param(
            SCHEDULER,
            in_pod(securityContext={"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}),
            ["securityContext.runAsUser"],
            id="user",
        ),
        pytest.param(
            SCHEDULER,
            in_pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
            ["securityContext.seccompProfile"],
            id="seccomp",
        ),
        pytest.param(
            SCHEDULER,
            in_container(securityContext={"privileged": True}),
            ["securityContext of the container"],
            id="privileged",
        ),
        pytest.param(
            API,
            in_container(lifecycle={"preStop": {"sleep": {"seconds": 5}}}),
            ["lifecycle"],
            id="hook of the container",
        ),
        pytest.param(
            API,
            both(env({"name": "GOGC"}), mounted("audit", "/etc/audit", "/etc/audit"), in_pod(hostPID=True)),
            ["environment: GOGC", "mounts: /etc/audit", "hostPID"],
            id="several",
        ),
    ],
)
def test_edits(component: str, edit: Edit, expected: list[str], version: str) -> None:
    assert pod_drift(component, edited(component, edit, version), CONFIG) == (expected, [])


@pytest.mark.parametrize(
    ("component", "edit", "config"),
    [
        pytest.param(
            API,
            env({"name": "HTTPS_PROXY", "value": "http://p"}, {"name": "no_proxy", "value": "10.0.0.0/8"}),
            CONFIG,
            id="proxy",
        ),
        pytest.param(
            API,
            env({"name": "GOGC", "value": "50"}),
            given("apiServer", extraEnvs=[{"name": "GOGC", "value": "50"}]),
            id="extraEnvs",
        ),
        pytest.param(
            ETCD,
            env({"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}),
            local_etcd(extraEnvs=[{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]),
            id="extraEnvs of etcd, with a default of the API server",
        ),
        pytest.param(
            API,
            mounted("audit", "/etc/audit", "/etc/audit", readOnly=True),
            given("apiServer", extraVolumes=[AUDIT]),
            id="extraVolumes",
        ),
        pytest.param(
            API,
            mounted("other-name", "/etc/audit", "/etc/audit", readOnly=True),
            given("apiServer", extraVolumes=[AUDIT]),
            id="extraVolumes by another name",
        ),
        pytest.param(
            API,
            moved("ca-certs", "/etc/own/certs"),
            given(
                "apiServer",
                extraVolumes=[
                    {"name": "ca-certs", "hostPath": "/etc/own/certs", "mountPath": "/etc/own/certs", "readOnly": True}
                ],
            ),
            id="extraVolumes in the place of kubeadm's",
        ),
        pytest.param(
            API,
            mounted("etc-pki-ca-trust", "/etc/pki/ca-trust", "/etc/pki/ca-trust", readOnly=True),
            CONFIG,
            id="certificates of a distribution",
        ),
        pytest.param(KCM, unmounted("flexvolume-dir"), CONFIG, id="no flexvolumes, as of 1.36"),
        pytest.param(
            KCM,
            moved("flexvolume-dir", "/opt/flex"),
            given("controllerManager", extraArgs=[{"name": "flex-volume-plugin-dir", "value": "/opt/flex"}]),
            id="flexvolumes by a flag",
        ),
        pytest.param(
            API,
            moved("k8s-certs", "/etc/kubernetes/own"),
            {**CONFIG, "certificatesDir": "/etc/kubernetes/own"},
            id="certificatesDir",
        ),
        pytest.param(ETCD, moved("etcd-data", "/data/etcd"), local_etcd(dataDir="/data/etcd"), id="dataDir"),
        pytest.param(
            API,
            both(
                mounted("etcd-certs-0", "/etc/etcd/a", "/etc/etcd/a", readOnly=True),
                mounted("etcd-certs-1", "/srv/keys", "/srv/keys", readOnly=True),
            ),
            {
                **CONFIG,
                "etcd": {
                    "external": {"caFile": "/etc/etcd/a/ca", "certFile": "/etc/etcd/a/b/c", "keyFile": "/srv/keys/k"}
                },
            },
            id="external etcd",
        ),
        pytest.param(
            API,
            in_container(image="m.example/kube-apiserver:v1.34.4"),
            {**CONFIG, "imageRepository": "m.example"},
            id="i",
        ),
        pytest.param(
            ETCD,
            in_container(image="own.example/etcd:3.5.24-own"),
            local_etcd(imageRepository="own.example", imageTag="3.5.24-own"),
            id="image of etcd",
        ),
        pytest.param(
            API, in_container(image="registry.k8s.io/kube-apiserver:v1.33.13"), CONFIG, id="a release before the others"
        ),
        pytest.param(
            API,
            in_container(image="ci.example/kube-apiserver:v1.36.0-alpha.1_abc"),
            {**CONFIG, "kubernetesVersion": "v1.36.0-alpha.1+abc"},
            id="a build of CI",
        ),
        pytest.param(API, in_probe("startupProbe", failureThreshold=60), CONFIG, id="a timeout of kubeadm init"),
        pytest.param(SCHEDULER, without("readinessProbe"), CONFIG, id="as of an older kubeadm"),
        pytest.param(
            ETCD,
            lambda _spec, main: main["livenessProbe"]["httpGet"].update(
                path="/health?exclude=NOSPACE&serializable=true"
            ),
            CONFIG,
            id="a path of an older kubeadm",
        ),
        pytest.param(API, without("ports"), CONFIG, id="no port, as until 1.33"),
        pytest.param(
            SCHEDULER,
            both(
                in_pod(securityContext={"runAsUser": 999, "runAsGroup": 999}),
                in_container(securityContext={"capabilities": {"drop": ["ALL"]}}),
            ),
            {**CONFIG, "featureGates": {"RootlessControlPlane": True}},
            id="RootlessControlPlane",
        ),
    ],
)
def test_what_kubeadm_would_write(component: str, edit: Edit, config: Json) -> None:
    assert pod_drift(component, edited(component, edit), config) == ([], [])


@pytest.mark.parametrize(
    ("labels", "annotations", "expected"),
    [
        ({"topology.kubernetes.io/zone": "a"}, {"evergreen.kubeadm/looked-at": "1"}, []),
        ({}, {"kubernetes.io/limit-ranger": "LimitRanger plugin set: memory request"}, []),
        (
            {"team": "a", "app": "b"},
            {"prometheus.io/scrape": "true"},
            ["labels: app, team", "annotations: prometheus.io/scrape"],
        ),
        ({"tier": "mine"}, {}, ["labels: tier"]),
    ],
)
def test_labels_and_annotations(labels: dict[str, str], annotations: dict[str, str], expected: list[str]) -> None:
    pod = edited(API, nothing)
    pod["metadata"]["labels"].update(labels)
    pod["metadata"]["annotations"].update(annotations)
    assert pod_drift(API, pod, CONFIG).edited == expected


def test_resources_of_a_limit_range() -> None:
    resources = {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    pod = edited(API, in_container(resources=resources))
    assert pod_drift(API, pod, CONFIG).edited == ["resources.limits.memory", "resources.requests.memory"]
    pod["metadata"]["annotations"][kubeadm_pods.LIMIT_RANGER] = "LimitRanger plugin set: memory request"
    assert pod_drift(API, pod, CONFIG).edited == []


@pytest.mark.parametrize(
    ("component", "edit", "config", "expected"),
    [
        (API, nothing, given("apiServer", extraEnvs=[{"name": "GOGC", "value": "50"}]), ([], ["environment: GOGC"])),
        (
            API,
            env({"name": "GOGC", "value": "90"}),
            given("apiServer", extraEnvs=[{"name": "GOGC", "value": "50"}]),
            (["environment: GOGC"], []),
        ),
        (
            API,
            env({"name": "no_proxy", "value": "a"}),
            given("apiServer", extraEnvs=[{"name": "no_proxy", "value": "b"}]),
            (["environment: no_proxy"], []),
        ),
        (API, nothing, given("apiServer", extraVolumes=[AUDIT]), ([], ["mounts: /etc/audit"])),
        (
            API,
            mounted("audit", "/srv/audit", "/etc/audit", readOnly=True),
            given("apiServer", extraVolumes=[AUDIT]),
            (["mounts: /etc/audit"], []),
        ),
    ],
)
def test_what_the_configuration_says_otherwise(component: str, edit: Edit, config: Json, expected: t.Any) -> None:
    assert pod_drift(component, edited(component, edit), config) == expected


@pytest.mark.parametrize(
    "broken",
    [
        {"etcd": None, "apiServer": [], "featureGates": "x"},
        {"apiServer": {"extraEnvs": "x", "extraVolumes": ["x", {}]}, "etcd": {"external": {"caFile": None}}},
    ],
)
def test_a_configuration_of_another_shape_is_no_error(broken: Json) -> None:
    for component in DEFAULT_FLAGS:
        pod_drift(component, edited(component, nothing), {**CONFIG, **broken})
        pod_drift(component, {}, {**CONFIG, **broken})


def test_flags_and_the_rest_are_one_finding() -> None:
    pod = static(SCHEDULER, "c1", "v1.34.4", "--v=4")
    env({"name": "SECRET", "value": "hush"})(pod["spec"], pod["spec"]["containers"][0])
    others = [entry for entry in control_plane("c1") if entry["metadata"]["labels"]["component"] != SCHEDULER]
    verdict = decide(cluster(pods=[*others, pod]))
    assert said(verdict) == [("warning", "static-pod-edited", "pod/kube-system/kube-scheduler-c1")]
    assert verdict["findings"][0]["evidence"].endswith("; set by hand or by a patch: --v; environment: SECRET")
    assert "hush" not in str(verdict["findings"])


def test_one_finding_says_what_the_configuration_has_more() -> None:
    config = given("scheduler", extraArgs=[{"name": "v", "value": "4"}], extraEnvs=[{"name": "GOGC", "value": "hush"}])
    verdict = decide(cluster(cluster_config=config))
    assert said(verdict) == [("warning", "static-pod-behind-config", "pod/kube-system/kube-scheduler-c1")]
    assert verdict["findings"][0]["evidence"].endswith(": --v; environment: GOGC")
    assert "hush" not in str(verdict["findings"])
