# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What is observed on a node, as plain data."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

CONTROL_PLANE_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""The static pods that carry the Kubernetes version as their image tag."""

STATIC_POD_COMPONENTS = ("etcd", *CONTROL_PLANE_COMPONENTS)
"""In the order in which kubeadm upgrades them."""


# Of containerd, CRI-O, cri-dockerd, and the kubelet's own for Docker, which ended with 1.24.
SOCKETS = (
    *("/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock", "/run/dockershim.sock"),
)


@dataclass
class StaticPod:
    """One manifest in the kubelet's static pod folder."""

    file: str
    component: str
    """The file name without ``.yaml``; for manifests of kubeadm that is the component's name."""
    name: str = ""
    image: str = ""
    tag: str = ""
    flags: dict[str, str] = field(default_factory=dict)
    """Flags of the command without their dashes; a flag that is given twice keeps the last value, as Go does."""
    api_references: list[str] = field(default_factory=list)
    """API objects that the pod names, such as ``secret/x``: a kubelet from 1.34 on refuses such a static pod."""
    proxies: dict[str, str] = field(default_factory=dict)
    """Proxy variables of its container, which may have a password in them: the result of a module has only names."""
    error: str = ""
    """Why the file could not be read as a pod; every other field but `file` and `component` is empty then."""


@dataclass
class Flag:
    """One kubelet flag and where it was set."""

    name: str
    value: str
    file: str
    line: int


@dataclass
class Certificate:
    """The public part of a certificate."""

    path: str
    subject_cn: str
    subject_o: list[str]
    not_after: float
    """Seconds since the epoch."""


@dataclass
class MirrorPod:
    """What the API server says about a static pod of this node."""

    component: str
    tag: str
    ready: bool


@dataclass
class Evidence:
    """Everything that tells whether this node's part of an upgrade is done. Empty text is: not known."""

    control_plane: bool
    manifest_tags: dict[str, str] = field(default_factory=dict)
    expected_etcd_tag: str = ""
    """What kubeadm would run for the target; empty where it was not asked or etcd is not on this node."""
    api_server: str = ""
    """``host:port`` at which this node's own API server advertises itself."""
    api_server_version: str = ""
    api_server_ready: bool | None = None
    api_server_error: str = ""
    mirror_pods: dict[str, MirrorPod] | None = None
    """None where they could not be read."""
    cluster_version: str = ""
    """``kubernetesVersion`` of the ConfigMap kubeadm-config."""
    cluster_version_error: str = ""
    differing: list[str] | None = None
    """Components whose manifest is not the one that is wanted; None where kubeadm could not be asked for that one."""
    kubelet_running_version: str = ""
    kubelet_installed_version: str = ""
    """Of a control-plane node, where both must be the same."""
    kubelet_config_written: float = 0.0
    """When config.yaml of the kubelet was last written, seconds since the epoch."""
    interrupted: str = ""
    """The target of an interrupted upgrade of this node; empty where there is none."""


@dataclass(frozen=True)
class Options:
    """How kubeadm is to be called: the options of the module that reach its command line."""

    target: str
    """``v1.35.4``."""
    role: str
    """``first_control_plane``, ``control_plane`` or ``worker``."""
    rollback: bool = False
    """Whether the control plane goes back to the target, by its manifests alone."""
    ignore_preflight_errors: tuple[str, ...] = ()
    skip_phases: tuple[str, ...] = ()
    patches: str = ""
    certificate_renewal: bool = True
    etcd_upgrade: bool = True
    kubeconfig: str = ""
    extra_flags: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    """Flags that components get beside those of kubeadm-config, by component."""
    verbosity: int = 0
    """The level of kubeadm's log; 0 leaves it as kubeadm has it."""
    notice_s: float = 2.0
    """How long new connections to the API server are refused before it is stopped."""
    grace_s: float = 10.0
    """How long the API server may take to finish what it was asked."""


@dataclass
class Line:
    """One line that kubeadm wrote."""

    at: float
    """Seconds since the epoch."""
    stream: str
    """``stdout`` or ``stderr``."""
    text: str


@dataclass
class Step:
    """One stretch of a run of kubeadm, as its output tells it."""

    name: str
    started: float
    finished: float | None = None
    outcome: str = "running"
    """``ok``, ``unchanged``, ``skipped``, ``failed``, ``interrupted`` or ``running``."""


@dataclass
class Ran:
    """A run of kubeadm that ended, or was ended."""

    argv: list[str]
    rc: int | None
    """None where it was ended at the deadline."""
    lines: list[Line]
    timed_out: bool = False

    def stream(self, name: str) -> list[str]:
        return [line.text for line in self.lines if line.stream == name]


JsonDict = dict[str, t.Any]
