# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes cluster on the lab's machines, made by kubeadm with its defaults."""

from __future__ import annotations

import json
import secrets
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template

import yaml

from lab import external_etcd, packages
from lab.commands import CommandError, LabError, run
from lab.config import GENERATED
from lab.machines import TEMPLATES, execute

if t.TYPE_CHECKING:
    from lab.config import Lab, Machine

IGNORED_PREFLIGHT = (
    "SystemVerification",
    "Swap",
    "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables",
    "NumCPU",
    "Mem",
    "FileExisting-crictl",
)
"""Checks about the host machine, which a container shares: cgroup version, swap, size, modules."""
STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
ADMIN = "/etc/kubernetes/admin.conf"
BROKEN = "lab/broken"
"""The label of what is not to come up."""
RIGHTS = Path(__file__).resolve().parent.parent / "docs" / "rbac"
ACCOUNT = "evergreen-upgrade"
"""The ServiceAccount of RIGHTS that has those of a whole run."""
WORKLOADS = Path(__file__).parent / "workloads.yaml"
API_TIMEOUT_S = 150.0
WORKLOADS_TIMEOUT_S = 240.0


def install_packages(lab: Lab, machine: Machine) -> None:
    """Configure the repository of the lab's minor and install the three packages, held, as production does."""
    url = f"http://{lab.balancer.address}:8080/core:/stable:/v{lab.release.minor}/deb/"
    version = f"{lab.release.version}-{packages.REVISION}"
    names = " ".join(f"{name}={version}" for name in packages.DEPENDS)
    script = f"""\
set -e
install -d -m 0755 /etc/apt/keyrings
curl --fail --silent --show-error {url}Release.key | gpg --dearmor --yes -o /etc/apt/keyrings/kubernetes-apt-keyring.gpg
echo 'deb [signed-by=/etc/apt/keyrings/kubernetes-apt-keyring.gpg] {url} /' > /etc/apt/sources.list.d/kubernetes.list
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io {names}
apt-mark hold {" ".join(packages.DEPENDS)}
"""
    execute(lab, machine, "sh", "-s", stdin=script)


def init(lab: Lab) -> dict[str, str]:
    """`kubeadm init` on the first control-plane node; return what a join needs."""
    first = lab.control_plane[0]
    if lab.etcd_endpoints:
        external_etcd.start(lab)
    key = secrets.token_hex(32)
    values = {
        "address": first.address,
        "balancer": lab.balancer.address,
        "version": lab.release.version,
        "ignored": ", ".join(IGNORED_PREFLIGHT),
        "certificate_key": key,
        "certificates": lab.certificates,
        "name": first.node_name,
        # Where there is one worker, what is drained from it has to go somewhere.
        "taints": "  taints: []" if lab.profile == "single" else "",
        "etcd": external_etcd.configuration(lab) if lab.etcd_endpoints else "",
    }
    _write(lab, first, "/root/kubeadm-init.yaml", "kubeadm-init.yaml", values)
    init = ("kubeadm", "init", "--config", "/root/kubeadm-init.yaml", "--upload-certs", "--skip-token-print")
    execute(lab, first, "env", *lab.kubeadm_environment, *init)
    execute(lab, first, "rm", "/root/kubeadm-init.yaml")
    printed = execute(lab, first, "kubeadm", "token", "create", "--ttl", "1h", "--print-join-command").stdout.split()
    return {
        "token": printed[printed.index("--token") + 1],
        "ca_hash": printed[printed.index("--discovery-token-ca-cert-hash") + 1],
        "certificate_key": key,
    }


def join(lab: Lab, machine: Machine, ticket: dict[str, str]) -> None:
    """`kubeadm join` of one node."""
    control_plane = ""
    if machine.role == "control_plane":
        control_plane = (
            "controlPlane:\n"
            f"  localAPIEndpoint: {{advertiseAddress: {machine.address}}}\n"
            f"  certificateKey: {ticket['certificate_key']}\n"
        )
    values = {
        "balancer": lab.balancer.address,
        "token": ticket["token"],
        "ca_hash": ticket["ca_hash"],
        "ignored": ", ".join(IGNORED_PREFLIGHT),
        "control_plane": control_plane,
        "certificates": lab.certificates,
        "name": machine.node_name,
    }
    _write(lab, machine, "/root/kubeadm-join.yaml", "kubeadm-join.yaml", values)
    execute(lab, machine, "env", *lab.kubeadm_environment, "kubeadm", "join", "--config", "/root/kubeadm-join.yaml")
    execute(lab, machine, "rm", "/root/kubeadm-join.yaml")


def kubectl(lab: Lab, *argv: str, stdin: str | None = None, timeout_s: float = 30, check: bool = True) -> str:
    """kubectl on the first control-plane node, through the balancer."""
    return execute(
        lab,
        lab.control_plane[0],
        "kubectl",
        "--kubeconfig",
        ADMIN,
        *argv,
        stdin=stdin,
        timeout_s=timeout_s,
        check=check,
    ).stdout


def apply_workloads(lab: Lab) -> None:
    kubectl(lab, "apply", "-f", "-", stdin=WORKLOADS.read_text())


def wait_workloads(lab: Lab) -> None:
    """Until every node and static pod is Ready and every workload has all its pods ready."""
    _until(lambda: problems(lab), WORKLOADS_TIMEOUT_S, "the workloads are not up")


def wait_api(lab: Lab) -> None:
    """Until the API answers through the balancer and every node of the inventory is Ready."""
    _until(lambda: node_problems(lab), API_TIMEOUT_S, "the cluster is not up")


def problems(lab: Lab) -> list[str]:
    """What keeps the cluster from being whole; empty where nothing does."""
    return node_problems(lab) or _static_pod_problems(lab) + _workload_problems(lab)


def node_problems(lab: Lab) -> list[str]:
    try:
        nodes = json.loads(kubectl(lab, "get", "nodes", "-o", "json"))["items"]
    except CommandError as error:
        return [str(error).splitlines()[-1].strip()]
    ready = _ready(nodes)
    return [f"{machine.name} is not Ready" for machine in lab.nodes if machine.node_name not in ready]


def _ready(items: list[dict[str, t.Any]]) -> set[str]:
    """The names of those nodes or pods whose condition Ready is true."""
    return {
        item["metadata"]["name"]
        for item in items
        for condition in item["status"].get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    }


def _static_pod_problems(lab: Lab) -> list[str]:
    """No workload counts them. One that was restarted, such as a leader that lost its Lease, may not be ready yet."""
    try:
        printed = kubectl(lab, "get", "pods", "-n", "kube-system", "-l", "tier=control-plane", "-o", "json")
    except CommandError as error:
        return [str(error).splitlines()[-1].strip()]
    ready = _ready(json.loads(printed)["items"])
    components = [name for name in STATIC_PODS if name != "etcd" or not lab.etcd_endpoints]
    wanted = [f"{component}-{machine.node_name}" for component in components for machine in lab.control_plane]
    return [f"static pod kube-system/{name} is not Ready" for name in wanted if name not in ready]


def _workload_problems(lab: Lab) -> list[str]:
    found = []
    try:
        for namespace in ("kube-system", "lab", *(("field", "field-system") if lab.profile == "field" else ())):
            kinds = "deployments,statefulsets,daemonsets"
            # Some are broken on purpose, and stay so.
            printed = kubectl(lab, "get", kinds, "-n", namespace, "-l", f"!{BROKEN}", "-o", "json")
            for item in json.loads(printed)["items"]:
                status = item["status"]
                wanted = status.get("desiredNumberScheduled", item["spec"].get("replicas", 1))
                ready = status.get("numberReady", status.get("readyReplicas", 0))
                if status.get("observedGeneration") != item["metadata"]["generation"] or ready != wanted:
                    found.append(f"{item['kind']} {namespace}/{item['metadata']['name']}: {ready} of {wanted} ready")
            if namespace == "lab" and not json.loads(printed)["items"]:
                found.append("the lab's workloads are not there")
    except CommandError as error:
        found.append(str(error).splitlines()[-1].strip())
    return found


def versions(lab: Lab) -> dict[str, str]:
    """Node name to the version of its kubelet."""
    nodes = json.loads(kubectl(lab, "get", "nodes", "-o", "json"))["items"]
    return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}


def ssh_key(lab: Lab) -> str:
    """The public half of the lab's SSH key, made at the first call and kept in the cache."""
    key = lab.cache / "ssh_key"
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", lab.prefix, "-f", key], what="making an SSH key")
    return key.with_suffix(".pub").read_text()


def for_account(kubeconfig: str, token: str) -> str:
    """The kubeconfig with ACCOUNT in the place of its user."""
    config = yaml.safe_load(kubeconfig)
    config["users"] = [{"name": ACCOUNT, "user": {"token": token}}]
    for each in config["contexts"]:
        each["context"]["user"] = ACCOUNT
    return yaml.safe_dump(config)


def fetch_credentials(lab: Lab) -> None:
    """The admin's kubeconfig, that of a run, the SSH key and the nodes' host keys, beside the inventory."""
    GENERATED.mkdir(mode=0o700, parents=True, exist_ok=True)
    admin = execute(lab, lab.control_plane[0], "cat", ADMIN).stdout
    rights = "".join(file.read_text() for file in sorted(RIGHTS.glob("*.yml")))
    kubectl(lab, "apply", "-f", "-", stdin=rights, timeout_s=120)
    token = kubectl(lab, "create", "token", ACCOUNT, "-n", "kube-system", "--duration=24h").strip()
    secrets_here = {
        "admin.conf": admin,
        "upgrade.conf": for_account(admin, token),
        "ssh_key": (lab.cache / "ssh_key").read_text(),
    }
    for name, content in secrets_here.items():
        file = GENERATED / name
        file.touch(mode=0o600)
        file.write_text(content)
    with ThreadPoolExecutor(4) as pool:
        keys = pool.map(
            lambda machine: execute(lab, machine, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").stdout, lab.nodes
        )
    lines = [f"{machine.address} {' '.join(key.split()[:2])}\n" for machine, key in zip(lab.nodes, keys, strict=True)]
    (GENERATED / "known_hosts").write_text("".join(lines))


def _write(lab: Lab, machine: Machine, path: str, template: str, values: dict[str, str]) -> None:
    text = Template((TEMPLATES / template).read_text()).substitute(values)
    execute(lab, machine, "sh", "-c", f"umask 077 && cat > {path}", stdin=text)


def _until(look: t.Callable[[], list[str]], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while seen := look():
        if time.monotonic() > deadline:
            raise LabError(f"{what} after {timeout_s:.0f} s: {'; '.join(seen)}")
        time.sleep(1)
