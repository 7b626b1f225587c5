# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static pods as kubeadm wrote them, and their mirror pods as a kubelet and an API server show them."""

from __future__ import annotations

import copy
import functools
import typing as t
from pathlib import Path

import yaml

FIXTURES = Path(__file__).resolve().parent / "fixtures"

ETCD_TAGS = {"1.34.4": "3.6.5-0", "1.35.4": "3.6.6-0"}


def text_of(component: str, version: str) -> str:
    """The file. What kubeadm 1.35.4 wrote differs from that of 1.34.4 in the tags of the images alone."""
    text = (FIXTURES / "1.34.4" / f"{component}.yaml").read_text()
    return text.replace(":v1.34.4", f":v{version}").replace(ETCD_TAGS["1.34.4"], ETCD_TAGS[version])


@functools.cache
def _read(component: str, version: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load(text_of(component, version)))


def manifest(component: str, version: str = "1.34.4") -> dict[str, t.Any]:
    """The manifest. That of the API server has two extraArgs, --shutdown-delay-duration and --audit-log-format."""
    return copy.deepcopy(_read(component, version))


def mirror(component: str, on: str, version: str = "1.34.4") -> dict[str, t.Any]:
    """The mirror pod of the manifest, with what a kubelet adds."""
    pod = manifest(component, version)
    pod.pop("status", None)
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["name"] = f"{component}-{on}"
    metadata["annotations"] = {
        **metadata.get("annotations", {}),
        "kubernetes.io/config.hash": "0a1b",
        "kubernetes.io/config.mirror": "0a1b",
        "kubernetes.io/config.seen": "2026-01-31T12:00:00.000000000Z",
        "kubernetes.io/config.source": "file",
    }
    spec["nodeName"] = on
    spec["tolerations"] = [{"effect": "NoExecute", "operator": "Exists"}]
    return pod


def defaulted(pod: dict[str, t.Any]) -> dict[str, t.Any]:
    """The pod with the defaults of the API server (pkg/apis/core/v1/defaults.go) and of its admission."""
    spec = pod["spec"]
    for container in spec["containers"]:
        _fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            _fill(container.get(name, {}), successThreshold=1)
        for port in container.get("ports", []):
            _fill(port, hostPort=port["containerPort"])
    _fill(spec, dnsPolicy="ClusterFirst", restartPolicy="Always", terminationGracePeriodSeconds=30)
    _fill(spec, enableServiceLinks=True, schedulerName="default-scheduler", preemptionPolicy="PreemptLowerPriority")
    return pod


def _fill(part: dict[str, t.Any], **defaults: t.Any) -> None:
    for name, value in defaults.items():
        part.setdefault(name, value)
