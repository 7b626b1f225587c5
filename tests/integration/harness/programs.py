# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real programs of the two versions that tests upgrade between: what kubeadm writes, what the target knows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

from lab import golang

VERSIONS = {"1.34.4": "1.24", "1.35.4": "1.25"}
NAMES = ("kubeadm", "kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
CONFIG = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {{advertiseAddress: 192.0.2.11, bindPort: 6443}}
nodeRegistration: {{name: {name}, criSocket: "unix:///run/containerd/containerd.sock"}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v{version}
certificatesDir: {certificates}
encryptionAlgorithm: ECDSA-P256
networking: {{podSubnet: 10.244.0.0/16}}
"""


def program(version: str, name: str) -> Path:
    """One of Kubernetes' programs, such as ``kubelet``."""
    return golang.build(golang.kubernetes(version, VERSIONS[version]), golang.cache_directory()) / name


def kubeadm(
    version: str,
    place: Path,
    *phase: str,
    name: str = "cp1",
    certificates: Path = Path("/etc/kubernetes/pki"),
    more: str = "",
) -> str:
    """What a phase of `kubeadm init` says. Its program, its configuration and its dry runs are in `place`.

    `more` is more of the ClusterConfiguration.
    """
    binary, config = place / "kubeadm", place / "kubeadm.yaml"
    if not binary.exists():
        binary.symlink_to(program(version, "kubeadm"))
    config.write_text(CONFIG.format(version=version, name=name, certificates=certificates) + more)
    command = [str(binary), "init", "phase", *phase, "--config", str(config)]
    environment = {**os.environ, "KUBEADM_INIT_DRYRUN_DIR": str(place)}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


@contextmanager
def scratch_folder() -> t.Iterator[Path]:
    """A folder that nobody can reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="evergreen-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def binaries(version: str) -> dict[str, str]:
    """Its programs, as target_programs takes them."""
    return {name: str(program(version, name)) for name in NAMES}
