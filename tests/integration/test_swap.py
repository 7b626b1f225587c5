# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A swap of static pods on a real node: done, taken back, and interrupted at each of its steps.

Power losses at every step are in tests/power_loss.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

import swap_place
from real_node import COMPONENTS, MANIFESTS, NEW, OLD, RealNode, real_node
from swap_place import FOLDER, KEPT, UNIT

ONCE = dict.fromkeys(COMPONENTS, 1)
EXTRAS = """\
  initContainers:
  - name: before
    image: {image}
    command: [kube-apiserver, --version]
  containers:
  - name: beside
    image: {pause}
"""
HOOK = """\
    name: kube-apiserver
    lifecycle:
      postStart:
        exec: {command: [kube-apiserver, --version]}
      preStop:
        exec: {command: [kube-apiserver, --version]}
"""


@pytest.fixture(scope="module")
def node() -> t.Iterator[RealNode]:
    with real_node() as made:
        swap_place.prepare(made)
        yield made


def test_done_with_the_new_kubelet(node: RealNode) -> None:
    before = node.shell("ls /var/log/containers | grep coredns").split()
    # Long enough to be asked about and to get in the way, also on a busy machine.
    swap = swap_place.swap_to(node, NEW, kubelet=NEW, notice_s=10.0)
    swap_place.start(node, swap)
    with pytest.raises(Exception, match="has not ended"):
        swap_place.start(node, dataclasses.replace(swap, swap_id="another"))
    seen = swap_place.running(node)
    assert seen and seen["purpose"] == f"v{NEW}" and seen["step"]
    outcome = swap_place.wait(node)
    assert (outcome.outcome, outcome.cause, outcome.restarts) == ("done", "", ONCE)
    swap_place.check(node, NEW, NEW)
    assert swap_place.running(node) is None
    # Ordinary pods stay.
    assert node.shell("ls /var/log/containers | grep coredns").split() == before
    node.wait_ready()
    assert node.versions() == {**dict.fromkeys(COMPONENTS, f"v{NEW}"), "kubelet": f"v{NEW}", "etcd": "3.6.6-0"}
    swap_place.forget(node)
    assert node.run("ls", "-A", FOLDER) == ""
    assert not node.succeeds("test", "-e", f"/etc/systemd/system/{UNIT}")


def test_a_sidecar_an_init_container_and_hooks(node: RealNode) -> None:
    # Same kubelet: what is not in the swap keeps its containers.
    node.write(
        f"{MANIFESTS}/kube-apiserver-proxy.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver-proxy, namespace: kube-system}\n"
        "spec: {hostNetwork: true, containers: [{name: proxy, image: 'registry.k8s.io/pause:3.10.1'}]}\n",
    )

    def edit(text: str) -> str:
        image = next(line.split()[-1] for line in text.splitlines() if " image: " in line)
        extras = EXTRAS.format(image=image, pause="registry.k8s.io/pause:3.10.1")
        return text.replace("  containers:\n", extras, 1).replace("    name: kube-apiserver\n", HOOK, 1)

    for edits in ({"kube-apiserver": edit}, {}):
        # There and back: the second one stops a pod of that kind.
        swap_place.start(node, swap_place.swap_to(node, NEW, edits))
        outcome = swap_place.wait(node)
        assert (outcome.outcome, outcome.cause, outcome.restarts) == ("done", "", ONCE)
    assert len(node.shell("ls /var/log/containers | grep kube-apiserver-proxy").split()) == 1
    node.run("rm", f"{MANIFESTS}/kube-apiserver-proxy.yaml")
    swap_place.check(node, NEW, NEW)


@pytest.mark.parametrize("component", ["kube-apiserver", "etcd"])
def test_a_component_that_does_not_start(node: RealNode, component: str) -> None:
    swap_place.start(node, swap_place.swap_to(node, OLD, swap_place.with_flag(component), kubelet=OLD))
    outcome = swap_place.wait(node)
    assert (outcome.outcome, outcome.component) == ("put_back", component)
    assert "does not start: " in outcome.cause and "no-such-flag" in outcome.cause
    logs = node.run("ls", outcome.logs).split()
    assert "kubelet.log" in logs and any(name.startswith(f"{component}_") for name in logs)
    swap_place.check(node, NEW, NEW)


def test_a_kubelet_that_does_not_start(node: RealNode) -> None:
    swap = swap_place.swap_to(node, OLD, kubelet=OLD, kubelet_flag=swap_place.UNKNOWN_FLAG)
    swap_place.start(node, swap)
    outcome = swap_place.wait(node)
    assert (outcome.outcome, outcome.component) == ("put_back", "kubelet")
    assert "no-such-flag" in outcome.cause
    swap_place.check(node, NEW, NEW)
    assert node.read(swap_place.FLAGS) == node.read(f"{KEPT}/flags")


def test_killed_at_each_step(node: RealNode) -> None:
    swap = swap_place.swap_to(node, OLD, kubelet=OLD)
    swap_place.halt_at(node, swap_place.FORTH, kill=True)
    swap_place.start(node, swap)
    outcome = swap_place.wait(node)
    assert swap_place.halt_no_more(node) == [f"{part}-{step}" for part, step in swap_place.FORTH]
    assert (outcome.outcome, outcome.cause) == ("done", "")
    swap_place.check(node, OLD, OLD)


def test_killed_at_each_step_back(node: RealNode) -> None:
    swap = swap_place.swap_to(node, NEW, swap_place.with_flag("kube-apiserver"), kubelet=NEW)
    swap_place.halt_at(node, swap_place.BACK, kill=True)
    swap_place.start(node, swap)
    outcome = swap_place.wait(node)
    assert swap_place.halt_no_more(node) == [f"{part}-{step}" for part, step in swap_place.BACK]
    assert (outcome.outcome, outcome.component) == ("put_back", "kube-apiserver")
    swap_place.check(node, OLD, OLD)


def test_a_power_loss_between_old_and_new(node: RealNode) -> None:
    swap = swap_place.swap_to(node, NEW, kubelet=NEW)
    swap_place.halt_at(node, [("forth", "replace_manifests")], kill=False)
    swap_place.start(node, swap)
    swap_place.wait_halted(node, "forth", "replace_manifests")
    node.power_loss()
    node.power_on()
    outcome = swap_place.wait(node)
    assert (outcome.outcome, outcome.cause, outcome.restarts) == ("done", "", ONCE)
    swap_place.check(node, NEW, NEW)


def test_a_full_disk(node: RealNode) -> None:
    swap = swap_place.swap_to(node, OLD, kubelet=OLD)
    node.shell(f"mkdir -p /root/kept && cp -a {FOLDER}/new {KEPT} /root/kept")
    node.run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", FOLDER)
    try:
        node.run("cp", "-a", "/root/kept/new", FOLDER)
        swap_place.start(node, swap)
        node.shell(f"cat /dev/zero > {FOLDER}/full || true")
        outcome = swap_place.wait(node)
        assert (outcome.outcome, outcome.cause, outcome.restarts) == ("done", "", ONCE)
    finally:
        node.run("umount", "--lazy", FOLDER)
    swap_place.check(node, OLD, OLD)


UPGRADE: dict[str, t.Any] = {
    "kubernetes_version": NEW,
    "role": "first_control_plane",
    # A container shares the kernel and the swap of its host.
    "ignore_preflight_errors": ["SystemVerification", "Swap", "NumCPU", "Mem"],
    "timeout_s": 600,
}
PAUSE_FLAG = "--pod-infra-container-image=registry.k8s.io/pause:3.10.1"
EMULATED = {name: {"emulated-version": "1.34"} for name in COMPONENTS[:3]}
PATCHES = "/root/patches"


def started(node: RealNode) -> set[str]:
    """The containers of the control plane that run."""
    pods = json.loads(node.kubectl("get", "pods", "-n", "kube-system", "-l", "tier=control-plane", "-o", "json"))
    return {status["containerID"] for pod in pods["items"] for status in pod["status"]["containerStatuses"]}


def reinstall_kubelet(node: RealNode) -> None:
    """After a swap that was put back, the package manager has the new kubelet and the disk the old one."""
    node.shell("apt-get install -q -y --reinstall --allow-change-held-packages kubelet")


def lose_lead(node: RealNode, seconds: int) -> None:
    """Have the controller manager end, and lead again after so many seconds, as after a restart."""
    lease = ("lease", "--namespace=kube-system", "kube-controller-manager")
    read = functools.partial(node.kubectl, "get", *lease, "--output=jsonpath={.spec.renewTime}")
    deadline, renewed = time.monotonic() + 120, read()
    # Only who leads ends when it is somebody else who does.
    while read() == renewed:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    spec = {"holderIdentity": "another", "leaseDurationSeconds": seconds, "acquireTime": now, "renewTime": now}
    led = node.run("pgrep", "kube-controller")
    node.kubectl("patch", *lease, "--type=merge", "--patch", json.dumps({"spec": spec}))
    while node.run("pgrep", "kube-controller", check=False) in ("", led):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def check_upgraded(node: RealNode, result: dict[str, t.Any]) -> None:
    assert "msg" not in result, result["msg"]
    assert (result["changed"], result["done"], result["missing"]) == (True, True, [])
    assert (result["swap"]["outcome"], result["swap"]["restarts"]) == ("done", ONCE)
    swap_place.check(node, NEW, NEW)
    assert not node.succeeds("test", "-e", "/var/lib/evergreen-kubeadm/kubeadm-upgrade.json")
    assert node.run("ls", "-A", FOLDER).split() in ([], ["logs"])


def test_the_module_upgrades_the_node(node: RealNode) -> None:
    # A kubelet of NEW does not know it, and kubeadm takes it out before the kubelet starts.
    node.run("sed", "-i", f's|ARGS="|ARGS="{PAUSE_FLAG} |', swap_place.FLAGS)
    node.install(NEW, "kubeadm", "kubelet")
    node.wait_ready()
    predicted = node.module("kubeadm_upgrade", check_mode=True, **UPGRADE)
    assert (predicted["changed"], predicted["from"]) == (True, f"v{OLD}"), predicted.get("msg")
    assert "+    image: registry.k8s.io/etcd:3.6.6-0" in predicted["manifest_diff"]
    before = node.run("stat", "--format=%Y", "/etc/kubernetes/pki/apiserver.crt")
    upgraded = node.module("kubeadm_upgrade", **UPGRADE)
    check_upgraded(node, upgraded)
    assert (upgraded["from"], upgraded["command"][1:]) == (f"v{OLD}", predicted["command"][1:])
    outcomes = {step["name"]: step["outcome"] for step in upgraded["steps"]}
    assert {name: outcomes[f"control-plane/{name}"] for name in COMPONENTS[:3]} == dict.fromkeys(
        COMPONENTS[:3], "unchanged"
    )
    assert outcomes["swap/stop_kubelet"] == outcomes["kubelet-config"] == outcomes["addon"] == "ok"
    assert upgraded["evidence"]["cluster_version"] == f"v{NEW}"
    assert node.run("stat", "--format=%Y", "/etc/kubernetes/pki/apiserver.crt") > before
    assert PAUSE_FLAG not in node.read(swap_place.FLAGS)
    node.wait_ready()
    containers = started(node)
    for state in ("upgraded", "verified"):
        again = node.module("kubeadm_upgrade", **UPGRADE, state=state)
        assert (again.get("msg"), again["changed"], again["swap"], again["command"]) == (None, False, {}, [])
    assert started(node) == containers


def test_the_module_rolls_a_node_back(node: RealNode) -> None:
    emulating = node.module("kubeadm_upgrade", **UPGRADE, extra_flags=EMULATED)
    assert "msg" not in emulating, emulating["msg"]
    # The kubelet is the same, and etcd's manifest.
    assert emulating["swap"]["restarts"] == dict.fromkeys(COMPONENTS[:3], 1)
    back = {**UPGRADE, "kubernetes_version": OLD, "state": "rolled_back"}
    newer = node.module("kubeadm_upgrade", **back)
    assert f"The kubelet that is installed on {node.machine.node_name} is {NEW}" in newer["msg"]
    node.install(OLD, "kubelet")
    rolled_back = node.module("kubeadm_upgrade", **back)
    assert "msg" not in rolled_back, rolled_back["msg"]
    assert (rolled_back["swap"]["restarts"], rolled_back["command"]) == (ONCE, [])
    swap_place.check(node, OLD, OLD)
    node.wait_ready()
    versions = node.versions()
    assert (versions["kube-apiserver"], versions["kubelet"], versions["etcd"]) == (f"v{OLD}", f"v{OLD}", "3.6.6-0")
    again = node.module("kubeadm_upgrade", **back)
    assert (again.get("msg"), again["changed"]) == (None, False)


def test_a_kubelet_that_refuses_its_flags_stops_nothing(node: RealNode) -> None:
    node.install(NEW, "kubelet")
    flags = node.read(swap_place.FLAGS)
    node.write("/etc/default/kubelet", f"KUBELET_EXTRA_ARGS={swap_place.UNKNOWN_FLAG}\n")
    containers = started(node)
    refused = node.module("kubeadm_upgrade", **UPGRADE)
    node.write("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=\n")
    assert "unknown flag: --no-such-flag" in refused["msg"]
    assert refused["as_before"] is True
    assert started(node) == containers
    assert node.read(swap_place.FLAGS) == flags


def test_an_api_server_that_does_not_start_is_put_back(node: RealNode) -> None:
    patch = [{"op": "add", "path": "/spec/containers/0/command/-", "value": swap_place.UNKNOWN_FLAG}]
    node.write(f"{PATCHES}/kube-apiserver+json.json", json.dumps(patch))
    lose_lead(node, seconds=25)
    failed = node.module("kubeadm_upgrade", **UPGRADE, patches=PATCHES)
    assert (failed["changed"], failed["as_before"]) == (True, True), failed["msg"]
    assert "no-such-flag" in failed["msg"] and "the node serves as before" in failed["msg"]
    preflights = [step["outcome"] for step in failed["steps"] if step["name"] == "preflight"]
    assert preflights[:2] == ["failed", "ok"]
    assert any("CreateJob was run twice" in note for note in failed["notes"])
    assert failed["failure"]["phase"] == "swap/kube-apiserver" and failed["failure"]["rolled_back"]
    assert failed["swap"]["outcome"] == "put_back" and failed["swap"]["logs"] in failed["hint"]
    swap_place.check(node, OLD, OLD)
    assert "no-such-flag" in node.shell(f"cat {failed['swap']['logs']}/kube-apiserver*.log")


def test_a_killed_module_is_resumed(node: RealNode) -> None:
    reinstall_kubelet(node)
    swap_place.halt_at(node, [("forth", "replace_manifests")], kill=False)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(node.module, "kubeadm_upgrade", **UPGRADE)
        swap_place.wait_halted(node, "forth", "replace_manifests")
        # Its program comes by standard input, so that nothing tells it by its command line.
        pid = json.loads(node.read("/var/lib/evergreen-kubeadm/kubeadm-upgrade.lock"))["pid"]
        node.run("kill", "-KILL", str(pid))
        assert "swap" not in first.result()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(node.module, "kubeadm_upgrade", **UPGRADE)
        time.sleep(3)
        swap_place.halt_no_more(node)
        node.run("systemctl", "kill", "--signal=KILL", UNIT)
        resumed = second.result()
    check_upgraded(node, resumed)
    assert any("was still running on this node" in note for note in resumed["notes"])
