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
    pod_subnet: str = ""


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

    def container(self, machine: Machine) -> str:
        return f"{self.prefix}-{machine.name}"

    def image(self, kind: str) -> str:
        return f"localhost/{self.prefix}/{kind}"


def load() -> Lab:
    """Read the lab's inventory; raise LabError where it can't be a lab."""
    printed = run(
        [Path(sys.executable).parent / "ansible-inventory", "-i", INVENTORY, "--list"], what="reading the inventory"
    ).stdout
    inventory = json.loads(printed)
    hosts = inventory["_meta"]["hostvars"]
    variables: dict[str, t.Any] = next(iter(hosts.values()), {})
    wanted = os.environ.get("LAB_KUBERNETES_VERSION") or variables["lab_kubernetes_version"]
    offered_text = os.environ.get("LAB_OFFERED_VERSIONS")
    offered = offered_text.split(",") if offered_text else variables["lab_offered_versions"]
    releases = read_releases()
    network = ipaddress.ip_network(variables["lab_network"])
    pod_subnets = ipaddress.ip_network(variables["lab_pod_network"]).subnets(new_prefix=24)
    next(pod_subnets)
    machines = []
    for group, role in (("kube_control_plane", "control_plane"), ("kube_node", "worker"), ("lab_balancer", "balancer")):
        for name in inventory.get(group, {}).get("hosts", []):
            address = hosts[name].get("ansible_host", "")
            if not address or ipaddress.ip_address(address) not in network:
                raise LabError(f"{name} needs an ansible_host within lab_network ({network}); it has {address!r}")
            machines.append(Machine(name, address, role, "" if role == "balancer" else str(next(pod_subnets))))
    lab = Lab(
        prefix=variables["lab_prefix"],
        network=str(network),
        pod_network=variables["lab_pod_network"],
        release=_release(releases, wanted),
        offered=tuple(_release(releases, version) for version in dict.fromkeys([wanted, *offered])),
        machines=tuple(machines),
        cache=golang.cache_directory(),
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
