# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab is to be, read from its inventory and from versions.yml."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab import golang
from lab.commands import LabError, run

ROOT = Path(__file__).resolve().parent.parent
INVENTORY = ROOT / "inventories" / "lab"
GENERATED = INVENTORY / ".generated"
PROFILES = ("clean", "field", "single", "external-etcd")
NODE_NAMES = {"cp3": "m3.field.example"}
"""With the profile ``field``: nodes that do not have the name of their host."""
SERVICE_NETWORK = "10.96.0.0/12"
"""kubeadm's default."""


@dataclass(frozen=True)
class Release:
    """A Kubernetes version and the images that its kubeadm asks for."""

    version: str
    go: str
    etcd: str
    """Image tag, such as ``3.6.5-0``."""
    coredns: str
    pause: str
    etcd_tools: str = ""
    """Version of etcdctl and etcdutl where they are not those of `etcd`."""
    etcd_bridge: str = ""
    """Image tag of an etcd that is served beside."""

    @property
    def minor(self) -> str:
        return self.version.rsplit(".", 1)[0]

    def programs(self) -> list[golang.Program]:
        """Everything that is built for this version."""
        return [
            golang.kubernetes(self.version, self.go),
            *self.etcd_programs(),
            golang.coredns(self.coredns.removeprefix("v"), self.go),
            golang.pause(self.pause, self.go),
        ]

    def etcd_programs(self) -> list[golang.Program]:
        tags = [tag for tag in (self.etcd, self.etcd_bridge) if tag]
        found = [golang.etcd(tag.split("-")[0], self.go, tools=not self.etcd_tools) for tag in tags]
        return [*found, golang.etcd(self.etcd_tools, self.go)] if self.etcd_tools else found


@dataclass(frozen=True)
class Machine:
    """One container of the lab."""

    name: str
    address: str
    role: str
    """``control_plane``, ``worker`` or ``balancer``."""
    node_name: str
    """The name of its Node, which need not be that of the host."""
    pod_subnet: str = ""
    managed: bool = True
    """Whether it is in a group that upgrades are told of."""


@dataclass(frozen=True)
class Lab:
    prefix: str
    network: str
    pod_network: str
    release: Release
    """What the cluster is made with."""
    offered: tuple[Release, ...]
    """Every version that packages and images are served of, `release` included."""
    machines: tuple[Machine, ...]
    cache: Path
    profile: str = "clean"
    """One of PROFILES. ``field`` is a cluster with what years leave behind (field.py adds most of it)."""

    @property
    def control_plane(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.role == "control_plane"]

    @property
    def workers(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.role == "worker"]

    @property
    def nodes(self) -> list[Machine]:
        return self.control_plane + self.workers

    @property
    def balancer(self) -> Machine:
        return next(machine for machine in self.machines if machine.role == "balancer")

    @property
    def certificates(self) -> str:
        """kubeadm's certificatesDir."""
        return "/etc/kubernetes/ssl" if self.profile == "field" else "/etc/kubernetes/pki"

    @property
    def etcd_endpoints(self) -> list[str]:
        """Of an external etcd (external_etcd.py); empty where etcd is stacked."""
        if self.profile != "external-etcd":
            return []
        return [f"https://{machine.address}:2379" for machine in self.control_plane]

    @property
    def kubeadm_environment(self) -> list[str]:
        """What kubeadm finds in its environment, and writes into the static pods. There is no such proxy."""
        if self.profile != "field":
            return []
        past = f"127.0.0.1,localhost,{self.network},{self.pod_network},{SERVICE_NETWORK},.svc,.cluster.local"
        return [f"HTTPS_PROXY=http://{self.balancer.address}:3128", f"NO_PROXY={past}"]

    def container(self, machine: Machine) -> str:
        return f"{self.prefix}-{machine.name}"

    def image(self, kind: str) -> str:
        return f"localhost/{self.prefix}/{kind}"


def load() -> Lab:
    """Read the lab's inventory; raise LabError where it can't be a lab."""
    printed = run(
        [Path(sys.executable).parent / "ansible-inventory", "-i", INVENTORY, "--list"], what="reading the inventory"
    ).stdout
    return lab_of(json.loads(printed), os.environ)


def lab_of(inventory: dict[str, t.Any], environment: t.Mapping[str, str]) -> Lab:
    """The lab of an inventory, as `ansible-inventory --list` prints it; raise LabError where it can't be one."""
    hosts = inventory["_meta"]["hostvars"]
    variables: dict[str, t.Any] = next(iter(hosts.values()), {})
    wanted = environment.get("LAB_KUBERNETES_VERSION") or variables["lab_kubernetes_version"]
    offered_text = environment.get("LAB_OFFERED_VERSIONS")
    offered = offered_text.split(",") if offered_text else variables["lab_offered_versions"]
    profile = environment.get("LAB_PROFILE") or variables["lab_profile"]
    if profile not in PROFILES:
        raise LabError(f"lab_profile is {profile!r}; it can be one of {', '.join(PROFILES)}")
    releases = read_releases()
    network = ipaddress.ip_network(variables["lab_network"])
    pod_subnets = ipaddress.ip_network(variables["lab_pod_network"]).subnets(new_prefix=24)
    next(pod_subnets)
    machines = []
    groups = {"kube_control_plane": "control_plane", "kube_node": "worker"}
    if profile == "field":
        groups["lab_unmanaged"] = "worker"
    elif profile == "single":
        groups = {"lab_single_control_plane": "control_plane", "lab_single_worker": "worker"}
    groups["lab_balancer"] = "balancer"
    for group, role in groups.items():
        for name in inventory.get(group, {}).get("hosts", []):
            address = hosts[name].get("ansible_host", "")
            if not address or ipaddress.ip_address(address) not in network:
                raise LabError(f"{name} needs an ansible_host within lab_network ({network}); it has {address!r}")
            node_name = NODE_NAMES.get(name, name) if profile == "field" else name
            pod_subnet = "" if role == "balancer" else str(next(pod_subnets))
            managed = group != "lab_unmanaged"
            machines.append(Machine(name, address, role, node_name, pod_subnet, managed))
    lab = Lab(
        prefix=variables["lab_prefix"],
        network=str(network),
        pod_network=variables["lab_pod_network"],
        release=_release(releases, wanted),
        offered=tuple(_release(releases, version) for version in dict.fromkeys([wanted, *offered])),
        machines=tuple(machines),
        cache=golang.cache_directory(),
        profile=profile,
    )
    if not lab.control_plane or len([machine for machine in machines if machine.role == "balancer"]) != 1:
        raise LabError("the lab's inventory needs at least one host in kube_control_plane and one in lab_balancer")
    return lab


def read_releases() -> dict[str, Release]:
    """Every version that versions.yml names."""
    data = yaml.safe_load((Path(__file__).parent / "versions.yml").read_text())
    return {version: Release(version=version, **facts) for version, facts in data["kubernetes"].items()}


def _release(releases: dict[str, Release], version: str) -> Release:
    if version not in releases:
        raise LabError(f"the lab cannot build Kubernetes {version}; lab/versions.yml has {', '.join(releases)}")
    return releases[version]
