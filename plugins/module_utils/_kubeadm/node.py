# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Read a node: its files, its processes and the commands that are installed on it.

Everything is below `root`, so that a tree of files can stand for a node.
Nothing here changes anything, and nothing fails because something is missing.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import kubelet, manifests
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.certificates import parse_certificate
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubelet_config import merged
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import (
    CONTROL_PLANE_COMPONENTS,
    STATIC_POD_COMPONENTS,
    Certificate,
    Flag,
    JsonDict,
    StaticPod,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import CERTIFICATES, certificates_dir

# Not PATH: sudo's secure_path leaves /usr/local/bin out on some distributions.
_BINARY_PLACES = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin", "opt/bin")
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)")
# In systemd's order of preference.
_UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
COMMAND_TIMEOUT_S = 10.0
MANIFESTS = "/etc/kubernetes/manifests"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
KUBELET_FLAGS = "/var/lib/kubelet/kubeadm-flags.env"
KUBELET_INSTANCE_CONFIG = "/var/lib/kubelet/instance-config.yaml"
KUBEADM_TMP = "/etc/kubernetes/tmp"


class Node:
    """One node. Paths that go in and come out are those of the node, `root` is put before them."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.path(path))

    def read(self, path: str) -> str | None:
        """The text of a file; None where it cannot be read."""
        try:
            return self.path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def read_bytes(self, path: str) -> bytes | None:
        """The contents of a file; None where it cannot be read."""
        try:
            return self.path(path).read_bytes()
        except OSError:
            return None

    def names(self, path: str) -> list[str]:
        """The names in a folder, sorted; empty where there is none."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def modified(self, path: str) -> float:
        """When a file was last written, seconds since the epoch; 0 where there is none."""
        try:
            return self.path(path).stat().st_mtime
        except OSError:
            return 0.0

    def find(self, command: str) -> str:
        """Where a command is installed, on this machine's file system; empty where it is not."""
        for place in _BINARY_PLACES:
            found = self.root / place / command
            if os.access(found, os.X_OK):
                return str(found)
        return ""

    def output(self, command: str, *arguments: str, executable: str = "", any_rc: bool = False) -> str:
        """What a command prints; empty where it is missing, takes longer than 10 s or (unless `any_rc`) fails."""
        done = self._run(command, *arguments, executable=executable)
        return done.stdout.decode("utf-8", "replace") if done and (any_rc or done.returncode == 0) else ""

    def complaint(self, command: str, *arguments: str) -> str:
        """What a command that fails says about it; empty where it does not fail, or did not end."""
        done = self._run(command, *arguments)
        return done.stderr.decode("utf-8", "replace") if done and done.returncode else ""

    def _run(self, command: str, *arguments: str, executable: str = "") -> subprocess.CompletedProcess[bytes] | None:
        program = executable or self.find(command)
        if not program:
            return None
        try:
            return subprocess.run(
                [command, *arguments],
                executable=program,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return None

    def version_of(self, command: str, *arguments: str, executable: str = "") -> str:
        """``1.35.4``: the first version in what a command prints; empty where there is none."""
        found = _VERSION.search(self.output(command, *arguments, executable=executable))
        return found[1] if found else ""

    # -- what kubeadm and the kubelet keep on disk

    def yaml(self, path: str) -> JsonDict:
        """A YAML file as a dict; empty where it is missing or cannot be read as one."""
        try:
            return _yamlread.load_mapping(self.read(path) or "")
        except _yamlread.UnreadableYaml:
            return {}

    def kubelet_drop_ins(self, flags: list[Flag]) -> JsonDict:
        """What the files of the kubelet's --config-dir lay over its configuration, together; nulls take away."""
        folder = next((flag.value for flag in reversed(flags) if flag.name == "config-dir"), "")
        found: JsonDict = {}
        # In the order of Go's filepath.WalkDir.
        for path in sorted(self._files(folder), key=lambda path: path.split("/")) if folder else []:
            if path.endswith(".conf"):
                found = merged(found, self.yaml(path), keep_null=True)
        return {key: value for key, value in found.items() if key not in ("apiVersion", "kind")}

    def _files(self, folder: str) -> list[str]:
        base = str(self.path(folder))
        return [f"{folder}{place[len(base) :]}/{name}" for place, _folders, names in os.walk(base) for name in names]

    def manager_states(self) -> dict[str, str]:
        """Policies that the kubelet's CPU and memory managers wrote down, by the fields that set them."""
        found = {}
        for manager in ("cpu", "memory"):
            policy = self.yaml(f"/var/lib/kubelet/{manager}_manager_state").get("policyName")
            if policy:
                found[f"{manager}ManagerPolicy"] = str(policy)
        return found

    def static_pods(self) -> tuple[dict[str, StaticPod], list[StaticPod]]:
        """kubeadm's own manifests by component, and every other file that the kubelet would read.

        The kubelet takes every file of the folder whose name does not begin with a dot, whatever it ends in.
        """
        own: dict[str, StaticPod] = {}
        foreign: list[StaticPod] = []
        for name in self.names(MANIFESTS):
            path = f"{MANIFESTS}/{name}"
            if name.startswith(".") or self.path(path).is_dir():
                continue
            component = name[: -len(".yaml")] if name.endswith(".yaml") else name
            pod = manifests.parse_static_pod(self.read(path) or "", path, component)
            if component in STATIC_POD_COMPONENTS and name.endswith(".yaml"):
                own[component] = pod
            else:
                foreign.append(pod)
        return own, foreign

    def is_control_plane(self) -> bool:
        """Whether kubeadm made this a control-plane node.

        Looks beyond kube-apiserver.yaml, which kubeadm itself goes by: a run that was killed between two renames
        leaves that file in a backup folder, and the node must not pass for a worker then.
        """
        return any(self.exists(f"{MANIFESTS}/{component}.yaml") for component in CONTROL_PLANE_COMPONENTS) or (
            # The kubeconfig of an administrator may have been copied to a worker.
            self.exists("/etc/kubernetes/admin.conf") and self.exists("/etc/kubernetes/controller-manager.conf")
        )

    def certificates_dir(self) -> str:
        """The folder of kubeadm's certificates: by the static pods, on a worker by the CA that its kubelet trusts."""
        own, _foreign = self.static_pods()
        client_ca = dict_of(dict_of(self.yaml(KUBELET_CONFIG).get("authentication")).get("x509")).get("clientCAFile")
        folder, _slash, name = str(client_ca or "").rpartition("/")
        return (
            certificates_dir({component: pod.flags for component, pod in own.items()})
            or (folder if name == "ca.crt" and folder.startswith("/") else "")
            or CERTIFICATES
        )

    def certificate(self, path: str) -> Certificate | None:
        """The certificate of a PEM file, or of the client in a kubeconfig; None where there is none to read."""
        text = self.read(path)
        if text is None:
            return None
        try:
            if path.endswith(".conf"):
                text = Kubeconfig.parse(text, path).client_certificate_pem(self.root)
            return parse_certificate(text, path)
        except ValueError:
            return None

    def kubelet_client(self) -> Certificate | None:
        """The certificate by which the kubelet knows itself to the API server."""
        return self.certificate("/etc/kubernetes/kubelet.conf") or self.certificate(
            "/var/lib/kubelet/pki/kubelet-client-current.pem"
        )

    def node_name(self) -> str:
        """The name of the Node object, from the kubelet's client certificate; else the host name, as it defaults to."""
        client = self.kubelet_client()
        prefix = "system:node:"
        if client and client.subject_cn.startswith(prefix):
            return client.subject_cn[len(prefix) :]
        return self.hostname().lower()

    def hostname(self) -> str:
        return (self.read("/etc/hostname") or "").strip() if self.root != Path("/") else socket.gethostname()

    # -- the running kubelet

    def kubelet_pid(self) -> int | None:
        """The process of the kubelet service; None where it does not run."""
        shown = self.output("systemctl", "show", "kubelet", "--property=MainPID") if self.root == Path("/") else ""
        found = re.search(r"MainPID=([1-9]\d*)", shown)
        if found:
            return int(found[1])
        for name in self.names("/proc"):
            if name.isdigit() and (self.read(f"/proc/{name}/comm") or "").strip() == "kubelet":
                return int(name)
        return None

    def kubelet_running_version(self, pid: int) -> str:
        """The version of the running process, which is not the installed one until it is restarted.

        ``/proc/PID/exe`` can be run even after a package replaced the file behind it.
        """
        return self.version_of("kubelet", "--version", executable=str(self.path(f"/proc/{pid}/exe")))

    def process_started(self, pid: int) -> float | None:
        """When a process started, seconds since the epoch (proc(5): stat field 22, ticks after btime)."""
        stat = self.read(f"/proc/{pid}/stat") or ""
        boot = re.search(r"^btime (\d+)", self.read("/proc/stat") or "", re.MULTILINE)
        fields = stat.rpartition(")")[2].split()
        if not boot or len(fields) < 20:
            return None
        return int(boot[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")

    def kubelet_flags(self) -> tuple[list[Flag], list[str]]:
        """Kubelet flags from every place that sets them, and variables that are set to nothing."""
        flags: list[Flag] = []
        empty: list[str] = []
        files = [KUBELET_FLAGS, "/etc/default/kubelet", "/etc/sysconfig/kubelet"]
        units: list[Flag] = []
        seen: set[str] = set()
        for folder in _UNIT_FOLDERS:
            for unit in [f"{folder}/kubelet.service"] + [
                f"{folder}/kubelet.service.d/{name}"
                for name in self.names(f"{folder}/kubelet.service.d")
                if name.endswith(".conf")
            ]:
                # A file of the same name in a folder that systemd prefers hides this one; /lib may be /usr/lib.
                name = unit[len(folder) :]
                if name not in seen and self.exists(unit):
                    seen.add(name)
                    text = self.read(unit) or ""
                    units += kubelet.unit_flags(text, unit)
                    files += [path for path in kubelet.environment_files(text) if path not in files]
        for path in files:
            found, unset = kubelet.environment_flags(self.read(path) or "", path)
            flags += found
            empty += [f"{path}: {name}" for name in unset]
        return flags + units, empty

    def tree_bytes(self, path: str) -> int:
        """The size of all files below a folder, in bytes."""
        total = 0
        for folder, _folders, files in os.walk(self.path(path)):
            for name in files:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size
                except OSError:
                    continue
        return total
