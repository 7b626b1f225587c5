# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Swaps on a real node: what is swapped, how they are interrupted, and what has to hold afterwards."""

from __future__ import annotations

import json
import ssl
import time
import typing as t
import urllib.request

from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import swap as model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import (
    KeptFile,
    KubeletChange,
    Outcome,
    Server,
    Swap,
    SwappedPod,
)
from real_node import COMPONENTS, MANIFESTS, NEW, OLD, RealNode

FOLDER = "/var/lib/evergreen-kubeadm/swap"
UNIT = "evergreen-kubeadm-swap.service"
KUBELET, CONFIG, FLAGS = "/usr/bin/kubelet", "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env"
KEPT = "/var/lib/evergreen-kubeadm/kept"
HALT = "/root/halt"
STATIC_PODS = "ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods"
UNKNOWN_FLAG = "--no-such-flag=1"

HALTED = f"""\
import json, os, signal, sys, time
sys.path.insert(0, "{FOLDER}/program.pyz")
from {STATIC_PODS} import swap, swap_program

with open("{HALT}/plan.json") as file:
    plan = json.load(file)
do = swap_program.Program.do

def halting(self, step):
    do(self, step)
    part = "back" if swap.is_turned(self.journal.read()) else "forth"
    marker = f"{HALT}/{{part}}-{{step}}"
    if [part, step] in plan["steps"] and not os.path.exists(marker):
        open(marker, "w").close()
        os.sync()
        if plan["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(3600)

swap_program.Program.do = halting
sys.exit(swap_program.main(sys.argv[1:]))
"""
"""In the place of the unit's program: halts once when a step is done and before the journal has it."""


def prepare(node: RealNode) -> None:
    """Binaries and manifests of both versions, under /opt, and images of the new one."""
    node.run("mkdir", "-p", KEPT)
    node.run("sed", "-i", 's/--pod-infra-container-image=[^ "]*//', FLAGS)
    configuration = json.loads(node.kubectl("get", "configmap", "kubeadm-config", "-n", "kube-system", "-o", "json"))
    for version in (OLD, NEW):
        place = f"/opt/{version}"
        node.run("mkdir", "-p", place)
        minor = version.rpartition(".")[0]
        url = f"http://{node.lab.balancer.address}:8080/core:/stable:/v{minor}/deb"
        for name in ("kubelet", "kubeadm"):
            node.shell(f"curl -fsS {url}/{name}_{version}-1.1_amd64.deb -o /tmp/k.deb; dpkg-deb -x /tmp/k.deb /tmp/k")
            node.shell(f"mv /tmp/k/usr/bin/{name} {place}/{name}; rm -r /tmp/k*")
        cluster = configuration["data"]["ClusterConfiguration"].replace(f"v{OLD}", f"v{version}")
        init = (
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
            f"nodeRegistration: {{name: {node.machine.node_name}}}\n"
            f"localAPIEndpoint: {{advertiseAddress: {node.address}, bindPort: 6443}}\n---\n"
        )
        node.write(f"{place}/kubeadm.yaml", init + cluster)
        for phase in ("control-plane all", "etcd local"):
            node.shell(
                f"KUBEADM_INIT_DRYRUN_DIR={place} {place}/kubeadm init phase {phase} "
                f"--config {place}/kubeadm.yaml --dry-run"
            )
        node.run(f"{place}/kubeadm", "config", "images", "pull", "--config", f"{place}/kubeadm.yaml", timeout_s=600)


def swap_to(
    node: RealNode,
    version: str,
    edits: t.Mapping[str, t.Callable[[str], str]] | None = None,
    *,
    kubelet: str = "",
    kubelet_flag: str = "",
    **fields: t.Any,
) -> Swap:
    """Put on the node what a swap to `version` needs, with edited manifests; `kubelet` is a version, if it changes."""
    node.run("rm", "-rf", f"{FOLDER}/new")
    for name in COMPONENTS:
        text = node.read(f"/opt/{version}/{name}.yaml")
        node.write(f"{FOLDER}/new/{name}.yaml", (edits or {}).get(name, str)(text))
    change = None
    if kubelet:
        node.call(f"from {STATIC_PODS} import kubelet\nanswer = kubelet.keep('{KUBELET}', '{KEPT}/kubelet')")
        node.shell(f"cp {FLAGS} {KEPT}/flags; cp {CONFIG} {KEPT}/config")
        # As dpkg does it, under the kubelet that runs.
        node.shell(f"cp /opt/{kubelet}/kubelet {KUBELET}.dpkg-new && mv {KUBELET}.dpkg-new {KUBELET}")
        if kubelet_flag:
            node.run("sed", "-i", f's/ARGS="/ARGS="{kubelet_flag} /', FLAGS)
        files = (KeptFile(FLAGS, f"{KEPT}/flags"), KeptFile(CONFIG, f"{KEPT}/config"))
        change = KubeletChange(KUBELET, f"{KEPT}/kubelet", files)
    return Swap(
        f"s{time.time():.0f}",
        f"v{version}",
        tuple(
            SwappedPod(name, f"{MANIFESTS}/{name}.yaml", f"{FOLDER}/new/{name}.yaml", f"{FOLDER}/old/{name}.yaml")
            for name in COMPONENTS
        ),
        Server((node.address,), 6443),
        **{"notice_s": 0.5, "grace_s": 2.0, "ready_s": 120.0, **fields},
        kubelet=change,
    )


def start(node: RealNode, swap: Swap) -> None:
    code = f"from {STATIC_PODS} import swap, swap_unit\n"
    code += "answer = swap_unit.start(swap.Swap.from_json(arguments))"
    node.call(code, **swap.to_json())


def wait(node: RealNode, seconds: float = 240) -> Outcome:
    code = f"""
        from {STATIC_PODS} import swap_unit
        from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
        answer = swap_unit.wait(Deadline({seconds})).to_json()
    """
    return Outcome.from_json(node.call(code))


def running(node: RealNode) -> dict[str, str] | None:
    return t.cast(
        "dict[str, str] | None", node.call(f"from {STATIC_PODS} import swap_unit\nanswer = swap_unit.running()")
    )


def forget(node: RealNode) -> None:
    node.call(f"from {STATIC_PODS} import swap_unit\nanswer = swap_unit.forget()")


def halt_at(node: RealNode, steps: t.Sequence[tuple[str, str]], *, kill: bool) -> None:
    """Have the unit's program halt at steps of the next swap, ``(forth|back, step)``: killed, or still."""
    node.run("rm", "-rf", HALT)
    node.write(f"{HALT}/plan.json", json.dumps({"steps": steps, "kill": kill}))
    node.write(f"{HALT}/program.py", HALTED)
    text = f"[Service]\nExecStart=\nExecStart=/usr/bin/python3 {HALT}/program.py run {FOLDER}\n"
    # Gone at the next boot, as the halts are.
    node.write(f"/run/systemd/system/{UNIT}.d/halt.conf", text)


def halt_no_more(node: RealNode) -> list[str]:
    """The steps at which it halted."""
    node.run("rm", "-rf", f"/run/systemd/system/{UNIT}.d")
    node.run("systemctl", "daemon-reload")
    return node.shell(f"cd {HALT}; ls -tr | grep -v '[.]' || true").split()


def wait_halted(node: RealNode, part: str, step: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not node.succeeds("test", "-e", f"{HALT}/{part}-{step}"):
        assert time.monotonic() < deadline, f"{part} {step} was not reached: {running(node)}"
        time.sleep(0.2)


def check(node: RealNode, version: str, kubelet: str) -> None:
    """What has to hold however a swap ended: the kubelet runs, nothing is rejected, one set of manifests, it serves."""
    assert node.run("systemctl", "is-active", "kubelet").strip() == "active"
    pid = node.run("systemctl", "show", "--value", "--property=MainPID", "kubelet").strip()
    running_version = node.run("bash", "-c", f"exec -a kubelet /proc/{pid}/exe --version").split()[-1]
    assert running_version == f"v{kubelet}"
    assert rejects(node) == ""
    images = node.shell(f"grep -h ' image: .*kube-' {MANIFESTS}/*.yaml").split("\n")[:-1]
    assert len(images) == 3 and all(line.endswith(f":v{version}") for line in images), images
    assert sorted(node.run("ls", "-A", MANIFESTS).split()) == sorted(f"{name}.yaml" for name in COMPONENTS)
    assert not node.succeeds("systemctl", "is-enabled", UNIT)
    assert not node.succeeds("test", "-e", "/usr/bin/.kubelet.swap-old")
    wait_served(node)
    assert json.loads(node.kubectl("get", "--raw", "/version"))["gitVersion"] == f"v{version}"


def rejects(node: RealNode) -> str:
    return node.shell("nft list tables | grep swap || true; iptables -S INPUT | grep swap || true")


def wait_served(node: RealNode, seconds: float = 30) -> None:
    """Until the API server says that it is ready to one who comes from outside of the node, on a busy machine."""
    deadline = time.monotonic() + seconds
    while not _ready(node):
        assert time.monotonic() < deadline, "the API server does not serve"
        time.sleep(0.5)


def _ready(node: RealNode) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        url = f"https://{node.address}:6443/readyz"
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def with_flag(component: str) -> dict[str, t.Callable[[str], str]]:
    """An edit that gives a component a flag that it does not know."""
    return {
        component: lambda text: text.replace(f"    - {component}\n", f"    - {component}\n    - {UNKNOWN_FLAG}\n", 1)
    }


FORTH = [
    ("forth", step)
    for step in model.forward(Swap("", "", tuple(SwappedPod(n, "", "", "") for n in COMPONENTS), Server((), 0)))
]
BACK = [
    ("back", step)
    for step in model.backward(Swap("", "", tuple(SwappedPod(n, "", "", "") for n in COMPONENTS), Server((), 0)))
]
