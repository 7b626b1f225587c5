# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder that kubeadm_info reads as a control-plane node: what real kubeadm writes, and real programs."""

from __future__ import annotations

from pathlib import Path

from harness.programs import kubeadm, program

VERSION = "1.34.4"
FLAGS = "var/lib/kubelet/kubeadm-flags.env"
ADDRESS = "192.0.2.11"


def put(root: Path, path: str, text: str = "") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def make_control_plane(root: Path, place: Path, name: str) -> None:
    """Certificates, kubeconfigs and manifests of a node of 1.34.4 below `root`; `place` is for kubeadm's own files."""
    kubernetes, certificates = root / "etc/kubernetes", root / "etc/kubernetes/pki"
    place.mkdir(parents=True, exist_ok=True)
    kubeadm(VERSION, place, "certs", "all", name=name, certificates=certificates)
    kubeconfigs = ("--kubeconfig-dir", str(kubernetes))
    kubeadm(VERSION, place, "kubeconfig", "all", *kubeconfigs, name=name, certificates=certificates)
    kubeadm(VERSION, place, "control-plane", "all", "--dry-run", name=name)
    kubeadm(VERSION, place, "etcd", "local", "--dry-run", name=name)
    for component in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"):
        put(root, f"etc/kubernetes/manifests/{component}.yaml", (place / f"{component}.yaml").read_text())
    put(root, "etc/hostname", f"{name}\n")
    put(root, FLAGS, f'KUBELET_KUBEADM_ARGS="--node-ip={ADDRESS}"\n')
    put(root, "var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n")
    put(root, "var/lib/kubelet/instance-config.yaml", "kind: KubeletConfiguration\n")
    put(root, "var/lib/etcd/member/snap/db", "some data")
    # The configuration of the kernel, and control groups of version 2.
    put(root, "proc/config.gz")
    put(root, "sys/fs/cgroup/cgroup.controllers")
    install(root, VERSION)
    run_kubelet(root, VERSION)


def install(root: Path, version: str, *names: str) -> None:
    """The programs of a version as its packages bring them; all three where no names are given."""
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    for name in names or ("kubeadm", "kubelet", "kubectl"):
        link = root / "usr/bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(program(version, name))


def run_kubelet(root: Path, version: str) -> None:
    """The kubelet's process, as the kernel shows it."""
    put(root, "proc/77/comm", "kubelet\n")
    (root / "proc/77/exe").symlink_to(program(version, "kubelet"))
