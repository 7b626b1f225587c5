# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests of real kubeadm, edited, beside those that it wrote."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.compose import ComposeError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.edits import (
    comparable_version,
    edits_of,
    static_pod_edits,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import StaticPod
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.kubeadm.mirror import manifest

Pod = dict[str, t.Any]
Edit = t.Callable[[Pod], t.Any]


def main(pod: Pod) -> Pod:
    return t.cast("Pod", pod["spec"]["containers"][-1])


def words(*added: str) -> Edit:
    return lambda pod: main(pod)["command"].extend(added)


def variable(name: str, value: str) -> Edit:
    return lambda pod: main(pod).setdefault("env", []).append({"name": name, "value": value})


def image(text: str) -> Edit:
    return lambda pod: main(pod).update(image=text)


def mounted(pod: Pod) -> None:
    pod["spec"]["volumes"].append({"name": "audit", "hostPath": {"path": "/etc/audit"}})
    main(pod)["volumeMounts"].append({"name": "audit", "mountPath": "/etc/audit", "readOnly": True})


def elsewhere(pod: Pod) -> None:
    for volume in pod["spec"]["volumes"]:
        if volume["name"] == "kubeconfig":
            volume["hostPath"]["path"] = "/srv/scheduler.conf"


def renamed(pod: Pod) -> None:
    pod["spec"]["volumes"][0]["name"] = main(pod)["volumeMounts"][0]["name"] = "another"


def accompanied(pod: Pod) -> None:
    """A sidecar that comes first, and what is beside containers."""
    pod["spec"]["containers"].insert(0, {"name": "kms", "image": "kms.example/plugin:1", "command": ["kms", "--v=9"]})
    pod["spec"]["initContainers"] = [{"name": "wait", "image": "wait.example/wait:1"}]
    pod["spec"]["hostAliases"] = [{"ip": "192.0.2.9", "hostnames": ["idp.example"]}]
    pod["metadata"]["annotations"] = {"prometheus.io/scrape": "true"}
    pod["metadata"]["labels"]["tier"] = "mine"


def rationed(pod: Pod) -> None:
    main(pod)["resources"] = {"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}}
    main(pod)["livenessProbe"]["timeoutSeconds"] = 60
    del main(pod)["startupProbe"]["failureThreshold"]
    main(pod)["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "5"]}}}


def wrapped(pod: Pod) -> None:
    main(pod).update(command=["/bin/sh", "-c", "exec kube-scheduler"])


def nothing(_pod: Pod) -> None:
    pass


@pytest.mark.parametrize(
    ("edit", "added", "changed", "removed"),
    [
        (nothing, "", "", ""),
        (words("--v=4", "--token", "hush"), "--token, --v", "", ""),
        (words("--leader-elect=false"), "", "--leader-elect", ""),
        (variable("GOGC", "50"), "environment GOGC", "", ""),
        (mounted, "mount /etc/audit", "", ""),
        (elsewhere, "", "mount /etc/kubernetes/scheduler.conf", ""),
        (renamed, "", "", ""),
        (
            accompanied,
            "annotation prometheus.io/scrape, container kms, init container wait, spec.hostAliases",
            "label tier",
            "",
        ),
        (
            rationed,
            "lifecycle.preStop.exec.command, resources.limits.memory",
            "livenessProbe.timeoutSeconds, resources.requests.cpu",
            "startupProbe.failureThreshold",
        ),
        (image("registry.k8s.io/kube-scheduler:v1.34.3"), "", "", ""),
        (image("registry.k8s.io/kube-scheduler:v1.34.4-rc.1"), "", "", ""),
        (image("mirror.example:5000/kube-scheduler:v1.34.4"), "", "image", ""),
        (image("registry.k8s.io/kube-scheduler:v1.34.4-mine"), "", "image", ""),
        (image("registry.k8s.io/kube-scheduler:v1.34.4@sha256:0a1b"), "", "image", ""),
        # An upgrade that can be taken back.
        (words("--emulated-version=1.33"), "", "", ""),
    ],
)
def test_edits_of_a_manifest(edit: Edit, added: str, changed: str, removed: str) -> None:
    live = manifest("kube-scheduler")
    edit(live)
    found = edits_of("kube-scheduler", live, manifest("kube-scheduler"))
    assert {name: ", ".join(names) for name, names in found.items()} == {
        "added": added,
        "changed": changed,
        "removed": removed,
    }


def test_a_command_in_a_shell() -> None:
    live = manifest("kube-scheduler")
    wrapped(live)
    found = edits_of("kube-scheduler", live, manifest("kube-scheduler"))
    assert found["changed"] == ["command"]
    assert "--kubeconfig" in found["removed"]


def test_an_etcd_that_joined() -> None:
    live = manifest("etcd")
    command = main(live)["command"]
    command[:] = [word for word in command if not word.startswith("--initial-cluster=")]
    command += ["--initial-cluster=cp1=https://192.0.2.11:2380,cp2=https://192.0.2.12:2380"]
    command += ["--initial-cluster-state=existing"]
    assert not any(edits_of("etcd", live, manifest("etcd")).values())


def test_components_that_do_not_run_as_root() -> None:
    """In a dry run kubeadm does not know the users."""
    live = manifest("kube-scheduler")
    main(live)["securityContext"] = {"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False}
    live["spec"]["securityContext"]["runAsUser"] = 65501
    assert edits_of("kube-scheduler", live, manifest("kube-scheduler"))["added"] != []
    assert not any(edits_of("kube-scheduler", live, manifest("kube-scheduler"), rootless=True).values())


def pods(**tags: str) -> dict[str, StaticPod]:
    names = {name.replace("_", "-"): tag for name, tag in tags.items()}
    return {name: StaticPod(file="", component=name, tag=tag) for name, tag in names.items()}


@pytest.mark.parametrize(
    ("tags", "kubeadm", "expected"),
    [
        ({"kube_apiserver": "v1.34.4", "kube_scheduler": "v1.34.4", "etcd": "3.6.5-0"}, "1.34.4", "v1.34.4"),
        ({"kube_apiserver": "v1.34.4"}, "1.34.1", "v1.34.4"),
        ({"kube_apiserver": "v1.34.4-mine"}, "1.34.4", ""),
        ({"kube_apiserver": "v1.34.4"}, "", "kubeadm is not installed."),
        ({"kube_apiserver": "v1.34.4"}, "1.35.4", "kubeadm is 1.35.4 and the static pods are v1.34.4"),
        # In the middle of an upgrade.
        ({"kube_apiserver": "v1.35.4", "kube_scheduler": "v1.34.4"}, "1.35.4", "static pods are v1.34.4, v1.35.4"),
    ],
)
def test_whose_manifests_can_be_compared(tags: dict[str, str], kubeadm: str, expected: str) -> None:
    if expected and not expected.startswith("v"):
        with pytest.raises(ComposeError) as raised:
            comparable_version(pods(**tags), kubeadm)
        assert expected in raised.value.message
    else:
        assert comparable_version(pods(**tags), kubeadm) == expected


def test_the_files_of_another_machine(tmp_path: Path) -> None:
    assert static_pod_edits(Node(tmp_path), "", "1.34.4") is None
