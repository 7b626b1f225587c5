# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of so many nodes, of an API server and etcd alone: what is there is what was written."""

from __future__ import annotations

import itertools
import json
import typing as t
from concurrent.futures import ThreadPoolExecutor

from bench.cluster import AuditedCluster
from control_plane import COMPONENTS, LABEL, static_pod
from harness import objects
from harness.cluster import path_of
from harness.process import wait_for

Json = dict[str, t.Any]

THREADS = 8
CONTROL_PLANE = ("control-1", "control-2", "control-3")
# Fixed, so that what grows with pods times budgets of a namespace would show.
NAMESPACES = 20
PODS_OF_APP = 20
THEN, LATER = "2026-01-31T12:00:00Z", "2026-01-31T12:00:07Z"
VERSION = "v1.34.4"


class StillCluster(AuditedCluster):
    """Nothing runs that would change an object: no controllers, no scheduler, no kubelets."""

    def start(self) -> None:
        try:
            self.etcd.start()
            self.start_api_server()
            wait_for("the namespace kube-system", lambda: self._found("/api/v1/namespaces/kube-system"))
            self._bind()
        except BaseException:
            self.stop()
            raise


class Stage:
    """What is in the cluster; `nodes` counts the workers, `objects` all nodes, pods and budgets."""

    def __init__(self, cluster: StillCluster, pods_on_node: int) -> None:
        self._cluster = cluster
        self._pods_on_node = pods_on_node
        self._pods = itertools.count()
        self._apps: set[int] = set()
        self.nodes = 0
        self.objects = 0

    def begin(self) -> None:
        """The control plane, as kubeadm's shows itself, and the namespaces."""
        config: Json = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration"}
        config["kubernetesVersion"] = VERSION
        kubelet = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
        self._cluster.apply(
            *(objects.namespace(name) for name in _namespaces()),
            _config_map("kubeadm-config", "ClusterConfiguration", config),
            _config_map("kubelet-config", "kubelet", kubelet),
        )
        for name in CONTROL_PLANE:
            self._make(node(name, LABEL))
            for component in COMPONENTS:
                flags = ("--etcd-servers=https://127.0.0.1:2379",) if component == "kube-apiserver" else ()
                address = f"127.0.0.1:{self._cluster.port}" if component == "kube-apiserver" else ""
                self._make(running(static_pod(component, name, VERSION, address=address, flags=flags)))
            self._make(running(static_pod("etcd", name, "3.6.5-0")))

    def grow(self, nodes: int) -> None:
        """Have so many workers, with their pods and budgets."""
        names = [f"worker-{number}" for number in range(self.nodes, nodes)]
        made: list[Json] = [node(name, {"pool": f"pool-{place % 4}"}) for place, name in enumerate(names)]
        numbers = [next(self._pods) for _place in range(len(names) * self._pods_on_node)]
        made += [pod(number, names[place % len(names)]) for place, number in enumerate(numbers)]
        apps = {number // PODS_OF_APP for number in numbers} - self._apps
        made += [budget(app) for app in sorted(apps)]
        self._apps |= apps
        with ThreadPoolExecutor(max_workers=THREADS) as threads:
            list(threads.map(self._make, made))
        self.nodes = nodes

    def _make(self, wanted: Json) -> None:
        """Create an object and its status, as creation drops the status."""
        collection, name = path_of(wanted).rsplit("/", 1)
        client = self._cluster.client
        client.request("POST", collection, body=wanted)
        client.patch(f"{collection}/{name}/status", {"status": wanted["status"]})
        if wanted["kind"] == "Node":
            # Each begins with the taint of one that is not ready, which a controller would take away.
            client.patch(f"{collection}/{name}", {"spec": {"taints": None}})
        self.objects += 1


def _namespaces() -> list[str]:
    return [f"team-{number}" for number in range(NAMESPACES)]


def _config_map(name: str, key: str, value: Json) -> Json:
    metadata = {"name": name, "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: json.dumps(value)}}


def node(name: str, labels: dict[str, str]) -> Json:
    made = objects.node(name, labels=labels, kubelet_version=VERSION, faked=False)
    made["status"]["conditions"] = [
        {"type": kind, "status": status, "lastTransitionTime": THEN, "lastHeartbeatTime": THEN, "reason": "Kubelet"}
        for kind, status in (
            ("MemoryPressure", "False"),
            ("DiskPressure", "False"),
            ("PIDPressure", "False"),
            ("Ready", "True"),
        )
    ]
    # A kubelet tells the images that its node has, 50 of them at the most.
    made["status"]["images"] = [
        {"names": [f"registry.example.org/team/image-{n}@sha256:{n:064x}"], "sizeBytes": 50_000_000 + n}
        for n in range(20)
    ]
    return made


def pod(number: int, on: str) -> Json:
    """A pod of a Deployment, with about as much in it as one has: some 7.5 kB of JSON."""
    app = number // PODS_OF_APP
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"app-{app}-5d8f9",
        "uid": f"00000000-0000-4000-8000-{app:012x}",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    made = objects.pod(
        f"app-{app}-5d8f9-{number}",
        _namespaces()[app % NAMESPACES],
        on=on,
        labels={"app": f"app-{app}", "pod-template-hash": "5d8f9", "app.kubernetes.io/part-of": "shop"},
        owner=owner,
    )
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "timeoutSeconds": 2}
    container = made["spec"]["containers"][0]
    container.update(
        env=[{"name": f"SETTING_{n}", "value": f"value-{n}-of-the-application"} for n in range(20)],
        ports=[{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        resources={"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        readinessProbe=probe,
        livenessProbe=probe,
        volumeMounts=[{"name": "config", "mountPath": "/etc/app"}, {"name": "cache", "mountPath": "/var/cache/app"}],
    )
    made["spec"]["volumes"] = [{"name": "config", "configMap": {"name": "app"}}, {"name": "cache", "emptyDir": {}}]
    return running(made)


def running(made: Json) -> Json:
    """The pod with the status of one that runs and is Ready."""
    containers = made["spec"]["containers"]
    made["status"] = {
        "phase": "Running",
        "hostIP": "127.0.0.1",
        "podIP": "10.0.0.1",
        "startTime": THEN,
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": THEN if kind == "PodScheduled" else LATER}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ],
        "containerStatuses": [
            {
                "name": each["name"],
                "image": each["image"],
                "imageID": f"{each['image'].partition(':')[0]}@sha256:{0:064x}",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": LATER}},
            }
            for each in containers
        ],
    }
    return made


def budget(app: int) -> Json:
    made = objects.budget(f"app-{app}", _namespaces()[app % NAMESPACES], f"app-{app}", maxUnavailable=1)
    made["status"] = {
        "disruptionsAllowed": 1,
        "expectedPods": PODS_OF_APP,
        "currentHealthy": PODS_OF_APP,
        "desiredHealthy": PODS_OF_APP - 1,
        "observedGeneration": 1,
    }
    return made
