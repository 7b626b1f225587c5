# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control-plane node in namespaces of its own: real kubeadm, etcd and API server, without a kubelet and systemd.

Run as a program (by test_kubeadm_upgrade.py) it enters new mount, network and
process namespaces, lays an overlay over /etc and /var/lib, and is "cp1" there.
What the kubelet would do for kubeadm is done by StaticPods below: run etcd and
kube-apiserver as their manifests say, from the binaries of the image's
version, and keep the mirror pods. The controller manager and the scheduler
are only said to run. Swaps need a real node (test_swap.py).

    kubeadm_node.py WORK OLD_KUBERNETES NEW_KUBERNETES OLD_ETCD NEW_ETCD SCENARIO
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import yaml

ADDRESS = "192.0.2.11"
MANIFESTS = Path("/etc/kubernetes/manifests")
KUBELET = Path("/usr/local/sbin/kubelet")
CONFIG_PIPE = Path("/run/kubelet-config")
KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/super-admin.conf")
OLD, NEW = "1.34.4", "1.35.4"
CONFIG = f"""\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {{advertiseAddress: {ADDRESS}, bindPort: 6443}}
nodeRegistration: {{name: cp1, criSocket: "unix:///run/containerd/containerd.sock"}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v{OLD}
networking: {{podSubnet: 10.244.0.0/16}}
featureGates: {{WaitForAllControlPlaneComponents: true}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
failCgroupV1: false
"""


# Of the shell of the installation, from where kubeadm copies them into the static pods.
PROXIES = {"HTTPS_PROXY": "http://somebody:of-a-proxy@192.0.2.3:3128", "no_proxy": "192.0.2.0/24,10.96.0.0/12"}


def run(*command: str, stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class StaticPods(threading.Thread):
    """The part of a kubelet that kubeadm waits for."""

    def __init__(self, work: Path, binaries: dict[str, Path]) -> None:
        super().__init__(daemon=True)
        self.work = work
        self.binaries = binaries
        self.running: dict[str, tuple[str, subprocess.Popen[bytes] | None]] = {}
        self.mirrored: dict[str, str] = {}
        self.pause = threading.Event()
        self._looking = threading.Lock()

    def run(self) -> None:
        while True:
            with self._looking:
                if not self.pause.is_set():
                    self.look()
            time.sleep(0.3)

    def hold(self) -> None:
        """Follow the manifests no longer; what is being done about them is finished first."""
        with self._looking:
            self.pause.set()

    def look(self) -> None:
        present: dict[str, tuple[str, dict[str, t.Any]]] = {}
        for path in MANIFESTS.glob("*.yaml"):
            try:
                text = path.read_text()
                pod = yaml.safe_load(text)
            except (OSError, yaml.YAMLError):
                continue
            if pod:
                present[path.stem] = (hashlib.sha256(text.encode()).hexdigest()[:32], pod)
        for name, (digest, process) in list(self.running.items()):
            if present.get(name, ("", {}))[0] != digest:
                if process:
                    process.terminate()
                    process.wait()
                del self.running[name]
        for name, (digest, pod) in present.items():
            if name not in self.running:
                self.running[name] = (digest, self.start_pod(name, pod))
        for name, (digest, pod) in present.items():
            if self.mirrored.get(name) == digest:
                continue
            if self.mirror(name, digest, pod):
                self.mirrored[name] = digest

    def wait_mirrored(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while len(self.mirrored) < 4:
            if time.monotonic() > until:
                raise RuntimeError(f"mirror pods: {sorted(self.mirrored)}")
            time.sleep(0.2)

    def start_pod(self, name: str, pod: dict[str, t.Any]) -> subprocess.Popen[bytes] | None:
        container = pod["spec"]["containers"][0]
        if name not in ("etcd", "kube-apiserver"):
            return None
        version = container["image"].rsplit(":", 1)[1].lstrip("v").split("-")[0]
        log = (self.work / f"{name}.log").open("ab")
        return subprocess.Popen(
            container["command"], executable=str(self.binaries[version] / name), stdout=log, stderr=log
        )

    def mirror(self, name: str, digest: str, pod: dict[str, t.Any]) -> bool:
        body = json.loads(json.dumps(pod))
        body["metadata"]["name"] = f"{name}-cp1"
        body["metadata"].setdefault("annotations", {}).update(
            {"kubernetes.io/config.hash": digest, "kubernetes.io/config.mirror": digest}
        )
        body["spec"]["nodeName"] = "cp1"
        status = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [],
        }
        try:
            gone = ("--ignore-not-found", "--grace-period=0", "--force")
            run(*KUBECTL, "delete", "pod", "-n", "kube-system", f"{name}-cp1", *gone)
            run(*KUBECTL, "create", "-f", "-", stdin=json.dumps(body))
            patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
            run(*KUBECTL, "patch", "pod", "-n", "kube-system", f"{name}-cp1", *patch)
        except RuntimeError as error:
            (self.work / "mirror.log").open("a").write(f"{error}\n")
            return False
        return True


def enter(work: Path, old: Path) -> None:
    """Make the namespaces that this process already is in look like a node."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{ADDRESS}/24", "dev", "lo")
    memory = work / "memory"
    memory.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", str(memory))
    for place in ("etc", "var/lib", "usr/local/sbin"):
        upper, scratch = memory / place / "upper", memory / place / "work"
        upper.mkdir(parents=True)
        scratch.mkdir()
        options = f"lowerdir=/{place},upperdir={upper},workdir={scratch}"
        run("mount", "-t", "overlay", "overlay", "-o", options, f"/{place}")
    install(old)
    # The host may itself run in a container that has no resolv.conf or a foreign host name.
    run("hostname", "cp1")


def install(binaries: Path) -> None:
    for name in ("kubeadm", "kubectl", "kubelet"):
        link = Path("/usr/local/sbin") / name
        link.unlink(missing_ok=True)
        link.symlink_to(binaries / name)
    os.environ["PATH"] = f"/usr/local/sbin:{os.environ['PATH']}"


def make_cluster(work: Path) -> None:
    config = work / "kubeadm.yaml"
    config.write_text(CONFIG)
    os.environ.update(PROXIES)
    for phase in ("certs all", "kubeconfig all", "etcd local", "control-plane all"):
        run("kubeadm", "init", "phase", *phase.split(), "--config", str(config))
    for name in PROXIES:
        del os.environ[name]


def fill_cluster(work: Path) -> None:
    config = str(work / "kubeadm.yaml")
    admins = "kubeadm:cluster-admins"
    run(*KUBECTL, "create", "clusterrolebinding", admins, "--clusterrole=cluster-admin", f"--group={admins}")
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "cp1", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        # Unschedulable: kubeadm then leaves out its test Job, which nothing here would run.
        "spec": {"unschedulable": True},
    }
    run(*KUBECTL, "create", "-f", "-", stdin=json.dumps(node))
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": f"v{OLD}"}}}
    run(*KUBECTL, "patch", "node", "cp1", "--subresource=status", "--type=merge", "-p", json.dumps(ready))
    Path("/var/lib/kubelet").mkdir(exist_ok=True)
    Path("/var/lib/kubelet/kubeadm-flags.env").write_text('KUBELET_KUBEADM_ARGS="--pod-infra-container-image=x"\n')
    Path("/var/lib/kubelet/config.yaml").write_text("kind: KubeletConfiguration\ncgroupDriver: systemd\n")
    Path("/var/lib/kubelet/instance-config.yaml").write_text(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
        'containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock"\n'
    )
    run("kubeadm", "init", "phase", "upload-config", "all", "--config", config, "--kubeconfig", KUBECTL[2])
    run("kubeadm", "init", "phase", "bootstrap-token", "--config", config, "--kubeconfig", KUBECTL[2])
    run("kubeadm", "init", "phase", "addon", "all", "--config", config, "--kubeconfig", KUBECTL[2])


def wait_ready(seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            run(*KUBECTL, "get", "--raw", "/readyz")
            return
        except RuntimeError:
            if time.monotonic() > until:
                raise
            time.sleep(0.3)


def module(name: str, check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    """Run a module of the collection as Ansible does on a node: a process with its arguments on stdin."""
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.evergreen.kubeadm.plugins.modules.{name}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode}}),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return t.cast("dict[str, t.Any]", json.loads(done.stdout))
    except ValueError:
        return {"unreadable": done.stdout + done.stderr}


# What this machine cannot give a node in namespaces: a container runtime, and cgroup version 2.
IGNORED = ["SystemVerification", "ImagePull", "ContainerRuntimeVersion", "Mem", "NumCPU"]
# Without a runtime kubeadm waits a minute for it in each of these.
SLOW = ["upload-config/kubelet", "kubelet-config"]
UPGRADE: dict[str, t.Any] = {
    "kubernetes_version": NEW,
    "role": "first_control_plane",
    "ignore_preflight_errors": IGNORED,
    "skip_phases": SLOW,
}


def scenario_upgrade(pods: StaticPods, new: Path) -> dict[str, t.Any]:
    """Every state of kubeadm_upgrade around an upgrade of a first control-plane node that a person makes."""
    seen = {"info_before": module("kubeadm_info")}
    seen["wrong_kubeadm"] = module("kubeadm_upgrade", **UPGRADE)
    seen["predicted_without_kubeadm"] = module("kubeadm_upgrade", check_mode=True, **UPGRADE)
    old = KUBELET.readlink()
    install(new)
    seen["not_first"] = module("kubeadm_upgrade", kubernetes_version=NEW)
    seen["planned"] = module("kubeadm_upgrade", state="planned", **UPGRADE)
    seen["predicted"] = module("kubeadm_upgrade", check_mode=True, **UPGRADE)
    seen["not_verified"] = module("kubeadm_upgrade", state="verified", timeout_s=0, **UPGRADE)
    kubelet = stand_in()
    beside = threading.Thread(target=lambda: seen.update(beside=beside_kubeadm()), daemon=True)
    beside.start()
    flags = (f"--ignore-preflight-errors={','.join(IGNORED)}", f"--skip-phases={','.join(SLOW)}")
    os.environ.update(PROXIES)
    run("kubeadm", "upgrade", "apply", f"v{NEW}", "--yes", *flags)
    for name in PROXIES:
        del os.environ[name]
    beside.join()
    # What kubeadm has written itself is what it writes in a dry run.
    seen["again"] = module("kubeadm_upgrade", **UPGRADE)
    seen["verified"] = module("kubeadm_upgrade", state="verified", **UPGRADE)
    seen["predicted_again"] = module("kubeadm_upgrade", check_mode=True, **UPGRADE)
    flags_of_a_rollback = {key: {"emulated-version": "1.34"} for key in ("kube-apiserver", "kube-scheduler")}
    seen["emulated"] = module("kubeadm_upgrade", check_mode=True, **UPGRADE, extra_flags=flags_of_a_rollback)
    seen["no_rollback"] = module(
        "kubeadm_upgrade", check_mode=True, **{**UPGRADE, "state": "rolled_back", "kubernetes_version": OLD}
    )
    seen["info_after"] = module("kubeadm_info")
    seen["proxies"] = proxies()
    kubelet.kill()
    kubelet.wait()
    seen.update({f"worker_{name}": result for name, result in as_worker(pods, old).items()})
    return seen


def stand_in() -> subprocess.Popen[bytes]:
    """A kubelet that waits for its configuration: its name and the version of its executable are all that is read."""
    CONFIG_PIPE.unlink(missing_ok=True)
    os.mkfifo(CONFIG_PIPE)
    return subprocess.Popen([KUBELET, f"--config={CONFIG_PIPE}"], stderr=subprocess.DEVNULL)


def proxies() -> dict[str, t.Any]:
    """The variables of each static pod."""
    pods = {path.stem: yaml.safe_load(path.read_text()) for path in MANIFESTS.glob("*.yaml")}
    return {
        name: {entry["name"]: entry["value"] for entry in pod["spec"]["containers"][0].get("env", [])}
        for name, pod in pods.items()
    }


def beside_kubeadm() -> dict[str, t.Any]:
    """A task that begins while a kubeadm runs which a person started."""
    wait_for_kubeadm()
    return module("kubeadm_upgrade", timeout_s=180, **UPGRADE)


def as_worker(pods: StaticPods, old: Path) -> dict[str, t.Any]:
    """A worker of a cluster whose control plane is on the target: this node, with its manifests out of sight.

    Its kubelet is still the `old` one: there is no systemd that could restart it.
    """
    seen = {}
    pods.hold()
    MANIFESTS.rename("/etc/kubernetes/away")
    MANIFESTS.mkdir()
    Path("/etc/kubernetes/admin.conf").rename("/etc/kubernetes/away.conf")
    worker: dict[str, t.Any] = {"kubernetes_version": NEW, "ignore_preflight_errors": IGNORED}
    new = KUBELET.readlink()
    KUBELET.unlink()
    KUBELET.symlink_to(old)
    kubelet = stand_in()
    seen["info"] = module("kubeadm_info")
    seen["predicted"] = module("kubeadm_upgrade", check_mode=True, **worker)
    seen["as_control_plane"] = module("kubeadm_upgrade", **{**worker, "role": "control_plane"})
    seen["upgraded"] = module("kubeadm_upgrade", timeout_s=120, **worker)
    seen["info_upgraded"] = module("kubeadm_info")
    config_map = ("configmap", "kubelet-config", "-n", "kube-system", "-o", "json")
    seen["kubelet_config"] = yaml.safe_load(json.loads(run(*KUBECTL, "get", *config_map))["data"]["kubelet"])
    kubelet.kill()
    kubelet.wait()
    KUBELET.unlink()
    KUBELET.symlink_to(new)
    kubelet = stand_in()
    seen["kubelet_upgraded"] = module("kubeadm_upgrade", **worker)
    kubelet.kill()
    return seen


def scenario_refused(pods: StaticPods, new: Path) -> dict[str, t.Any]:
    """A preflight check that fails, as it does with nothing ignored on this node: nothing may be changed."""
    install(new)
    before = {path.name: path.read_text() for path in MANIFESTS.iterdir()}
    refused = {**UPGRADE, "ignore_preflight_errors": []}
    seen = {"refused": module("kubeadm_upgrade", **refused)}
    seen["refused_verbosely"] = module("kubeadm_upgrade", verbosity=5, **refused)
    seen["all"] = module("kubeadm_upgrade", **{**UPGRADE, "ignore_preflight_errors": ["all"]})
    seen["predicted"] = module("kubeadm_upgrade", check_mode=True, **UPGRADE)
    (MANIFESTS / "kube-scheduler.yaml").rename("/etc/kube-scheduler.yaml")
    seen["manifest_missing"] = module("kubeadm_upgrade", **UPGRADE)
    Path("/etc/kube-scheduler.yaml").rename(MANIFESTS / "kube-scheduler.yaml")
    seen["untouched"] = {"value": before == {path.name: path.read_text() for path in MANIFESTS.iterdir()}}
    return seen


def wait_for_kubeadm() -> None:
    until = time.monotonic() + 60
    while not _kubeadm_runs():
        if time.monotonic() > until:
            raise RuntimeError("kubeadm did not start")
        time.sleep(0.1)


def _kubeadm_runs() -> bool:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"kubeadm") and b"apply" in words:
            return True
    return False


SCENARIOS = {
    "upgrade": scenario_upgrade,
    "refused": scenario_refused,
}


def main() -> None:
    if os.environ.get("EVERGREEN_IN_NAMESPACES") != "1":
        os.environ["EVERGREEN_IN_NAMESPACES"] = "1"
        flags = ("--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
        os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])
    work, old, new, etcd_old, etcd_new = (Path(argument).resolve() for argument in sys.argv[1:6])
    enter(work, old)
    binaries = {OLD: old, NEW: new}
    binaries.update({etcd.name.split("-", 1)[1]: etcd for etcd in (etcd_old, etcd_new)})
    make_cluster(work)
    pods = StaticPods(work, binaries)
    pods.start()
    wait_ready()
    fill_cluster(work)
    pods.wait_mirrored()
    result = SCENARIOS[sys.argv[6]](pods, new)
    (work / "result.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
