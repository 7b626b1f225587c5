# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real control-plane node: systemd, containerd, and what `kubeadm init` makes, in a container of the lab's own kind.

It is a lab of one node and the machine that serves images and packages, beside
the lab and without touching it. What has to be built for it, the lab's code
builds. One process at a time has it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import subprocess
import sys
import tempfile
import textwrap
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import yaml

from lab import __main__ as lab_command
from lab import cluster, config, golang, host, images, machines, packages, systems
from lab.config import Lab

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "/root/collections/ansible_collections/evergreen/kubeadm"
PREFIX, NETWORK = "evergreen-node", "10.78.0.0/24"
OLD, NEW = "1.34.4", "1.35.4"
MANIFESTS = "/etc/kubernetes/manifests"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
READY_S = 120.0


class RealNode:
    """The node. Commands run as root; modules come by Ansible over SSH, as in production."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.machine = lab.control_plane[0]
        self.container = lab.container(self.machine)

    @property
    def address(self) -> str:
        return self.machine.address

    def run(self, *argv: str, stdin: str | None = None, check: bool = True, timeout_s: float = 300) -> str:
        """What a command prints. A failed one raises LabError."""
        return machines.execute(self.lab, self.machine, *argv, stdin=stdin, check=check, timeout_s=timeout_s).stdout

    def shell(self, script: str, *, check: bool = True, timeout_s: float = 300) -> str:
        return self.run("sh", "-euc", script, check=check, timeout_s=timeout_s)

    def succeeds(self, *argv: str) -> bool:
        return machines.execute(self.lab, self.machine, *argv, check=False).returncode == 0

    def read(self, path: str) -> str:
        return self.run("cat", path)

    def write(self, path: str, text: str) -> None:
        self.run("sh", "-c", f"umask 077 && mkdir -p $(dirname {path}) && cat > {path}", stdin=text)

    def kubectl(self, *argv: str, check: bool = True) -> str:
        """At this node's own API server."""
        server = f"--server=https://{self.address}:6443"
        return self.run("kubectl", "--kubeconfig", cluster.ADMIN, server, "--request-timeout=10s", *argv, check=check)

    def call(self, code: str, **arguments: t.Any) -> t.Any:
        """The value of `answer` after `code` ran on the node, with the collection's plugins and with `arguments`."""
        program = "import json, sys\narguments = json.load(sys.stdin)\n" + textwrap.dedent(code)
        program += "\njson.dump(answer, sys.stdout)\n"
        environment = ("env", "PYTHONPATH=/root/collections")
        return json.loads(self.run(*environment, "python3", "-c", program, stdin=json.dumps(arguments)))

    def module(self, name: str, *, check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        """The result of a module of the collection, run by Ansible."""
        with tempfile.TemporaryDirectory() as folder:
            options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
            variables = {
                "ansible_host": self.address,
                "ansible_user": "ops",
                "ansible_ssh_private_key_file": str(self.lab.cache / "ssh_key"),
                "ansible_ssh_common_args": options,
                "ansible_python_interpreter": "/usr/bin/python3",
            }
            inventory = Path(folder) / "hosts.yml"
            inventory.write_text(yaml.safe_dump({"all": {"hosts": {self.machine.name: variables}}}))
            command = [
                str(Path(sys.executable).parent / "ansible"),
                "-i",
                str(inventory),
                self.machine.name,
                "--become",
            ]
            command += ["--tree", folder, "-m", f"evergreen.kubeadm.{name}", "-a", json.dumps(arguments)]
            done = subprocess.run(
                [*command, *(["--check"] if check_mode else [])], cwd=ROOT, capture_output=True, text=True, check=False
            )
            result = Path(folder) / self.machine.name
            if not result.exists():
                raise RuntimeError(f"{name} gave no result:\n{done.stdout}\n{done.stderr}")
            return t.cast("dict[str, t.Any]", json.loads(result.read_text()))

    def put_collection(self) -> None:
        """Give the node the plugins of this checkout, for `call`."""
        self.run("mkdir", "-p", COLLECTION)
        archive = subprocess.run(
            ["tar", "--create", "--exclude=__pycache__", "--directory", str(ROOT), "plugins"],
            capture_output=True,
            check=True,
        ).stdout
        command = ["podman", "exec", "--interactive", self.container, "tar", "--extract", "--directory", COLLECTION]
        subprocess.run(command, input=archive, check=True)

    def install(self, version: str, *names: str) -> None:
        """Packages of a version, as node_prepare has them installed; the kubelet is not restarted."""
        minor = version.rpartition(".")[0]
        url = f"http://{self.lab.balancer.address}:8080/core:/stable:/v{minor}/deb/"
        wanted = " ".join(f"{name}={version}-{packages.REVISION}" for name in names)
        key = "/etc/apt/keyrings/kubernetes-apt-keyring.gpg"
        self.shell(f"""
            echo 'deb [signed-by={key}] {url} /' > /etc/apt/sources.list.d/kubernetes.list
            export DEBIAN_FRONTEND=noninteractive
            apt-get update -q
            apt-get install -q -y --no-install-recommends --allow-downgrades --allow-change-held-packages \
                -o Dpkg::Options::=--force-unsafe-io {wanted}
            apt-mark hold {" ".join(names)}
        """)

    def power_loss(self) -> None:
        """Every process of the node is gone at once."""
        subprocess.run(["podman", "kill", "--signal", "KILL", self.container], capture_output=True, check=True)
        subprocess.run(["podman", "wait", self.container], capture_output=True, check=True)

    def power_on(self) -> None:
        machines.start(self.lab, self.machine)
        machines.attach_host(self.lab)
        machines.wait_booted(self.lab, self.machine)

    def versions(self) -> dict[str, str]:
        """The version of each component by the image of its running static pod, of the kubelet by the Node."""
        pods = json.loads(self.kubectl("get", "pods", "-n", "kube-system", "-l", "tier=control-plane", "-o", "json"))
        found = {
            pod["metadata"]["labels"]["component"]: pod["spec"]["containers"][0]["image"].rpartition(":")[2]
            for pod in pods["items"]
        }
        node = json.loads(self.kubectl("get", "node", self.machine.node_name, "-o", "json"))
        return {**found, "kubelet": node["status"]["nodeInfo"]["kubeletVersion"]}

    def wait_ready(self, seconds: float = READY_S) -> None:
        """Until the Node is Ready and the static pods are."""
        deadline = time.monotonic() + seconds
        while problems := self.problems():
            if time.monotonic() > deadline:
                raise AssertionError(f"the node is not ready after {seconds:g} s: {problems}")
            time.sleep(0.5)

    def problems(self) -> list[str]:
        return cluster.node_problems(self.lab) or cluster._static_pod_problems(self.lab)


def lab_of_one_node() -> Lab:
    lab = config.load()
    first = lab.control_plane[0]
    node = replace(first, address="10.78.0.11", node_name=first.name)
    balancer = replace(lab.balancer, address="10.78.0.2")
    releases = config.read_releases()
    return replace(
        lab,
        prefix=PREFIX,
        network=NETWORK,
        release=releases[OLD],
        offered=(releases[OLD], releases[NEW]),
        machines=(node, balancer),
        profile="clean",
    )


@contextlib.contextmanager
def real_node() -> t.Iterator[RealNode]:
    """A node on OLD, whose registry and package repository have NEW as well; removed afterwards."""
    lab = lab_of_one_node()
    lab.cache.mkdir(parents=True, exist_ok=True)
    with (lab.cache / "node.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield make(lab)
        finally:
            machines.destroy(lab)


def make(lab: Lab) -> RealNode:
    host.prepare(print)
    node_image, balancer_image = _build(lab)
    machines.destroy(lab)
    machines.make_network(lab)
    node = RealNode(lab)
    machines.create(lab, lab.balancer, balancer_image, "")
    machines.create(lab, node.machine, node_image, cluster.ssh_key(lab))
    for machine in lab.machines:
        machines.start(lab, machine)
    machines.attach_host(lab)
    for machine in lab.machines:
        machines.wait_booted(lab, machine)
    machines.execute(lab, lab.balancer, "chown", "-R", "docker-registry:docker-registry", "/srv/registry")
    if images.missing(lab):
        with lab_command._only_one(lab):
            for image in images.missing(lab):
                images.push(image, lab)
    cluster.install_packages(lab, node.machine)
    cluster.init(lab)
    # It is alone, and runs what a worker would.
    node.kubectl("taint", "node", "--all", "node-role.kubernetes.io/control-plane:NoSchedule-")
    node.wait_ready()
    node.put_collection()
    return node


def _build(lab: Lab) -> tuple[str, str]:
    """What the cache does not have is built; the images are those of the lab, where it made them."""
    if packages.missing(lab) or any(not golang.is_built(each, lab.cache) for each in images.build_programs(lab)):
        with lab_command._only_one(lab):
            for program in images.build_programs(lab):
                golang.build(program, lab.cache)
            for release in packages.missing(lab):
                packages.publish(release, lab)
    shared = config.load()
    return systems.image(systems.NODE, shared), systems.image(systems.BALANCER, shared)
