# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to the lab while it is upgraded, and what takes it back."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import time
import typing as t
from dataclasses import dataclass, field

from chaos.run import Moment
from lab import cluster, machines
from lab.commands import run

if t.TYPE_CHECKING:
    from lab.config import Lab, Machine

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Fault:
    """One fault, at the beginning of a step.

    `inject` is called then. The run ends, with success where `survives`, and
    the failure in its report has `says` (a regular expression). `heal` takes
    the cause away, and the upgrade is run again.
    """

    name: str
    at: Moment
    inject: t.Callable[[Lab, Process], None]
    heal: t.Callable[[Lab], None]
    says: str = ""
    survives: bool = False
    variables: t.Mapping[str, t.Any] = field(default_factory=dict)


def kill(_lab: Lab, process: Process) -> None:
    """End the controller as the kernel does where memory is out: no time to clean up, and none of its children live."""
    os.killpg(process.pid, signal.SIGKILL)


def kill_within(seconds: float, following: str) -> t.Callable[[Lab, Process], None]:
    """Kill at a random moment, at the latest when the drain of the `following` node begins: later faults are there."""

    def later(lab: Lab, process: Process) -> None:
        began, after = time.monotonic(), random.uniform(0, seconds)
        while time.monotonic() < began + after and not _is_cordoned(lab, following):
            time.sleep(0.2)
        kill(lab, process)
        print(f"  killed {time.monotonic() - began:.1f} s into the step", flush=True)

    return later


def nothing(_lab: Lab) -> None:
    """The fault is over when the run is."""


def machine(lab: Lab, name: str) -> Machine:
    return next(each for each in lab.machines if each.name == name)


def power_off(name: str) -> t.Callable[[Lab, Process], None]:
    return lambda lab, _process: _podman(lab, name, "kill", "--signal", "KILL")


def power_on(name: str) -> t.Callable[[Lab], None]:
    def start(lab: Lab) -> None:
        machines.start(lab, machine(lab, name))
        machines.wait_booted(lab, machine(lab, name))
        cluster.wait_workloads(lab)

    return start


def restart(name: str) -> t.Callable[[Lab, Process], None]:
    def again(lab: Lab, _process: Process) -> None:
        _podman(lab, name, "kill", "--signal", "KILL")
        machines.start(lab, machine(lab, name))
        machines.wait_booted(lab, machine(lab, name))

    return again


SWAP = "/var/lib/evergreen-kubeadm/swap/journal"
SWAP_STEPS = (
    "reject_connections",
    "stop_kubelet",
    "stop_kube-apiserver",
    "stop_kube-controller-manager",
    "stop_kube-scheduler",
    "stop_etcd",
    "replace_manifests",
    "start_kubelet",
    "wait_ready",
)
"""Those of a swap that succeeds, on a node with an etcd member."""


def swap_comes_to(lab: Lab, name: str, step: str) -> None:
    """Wait until the swap on the node begins a step, be it after a boot."""
    begun = f'until grep --text --quiet \'"begun".*"step":"{step}"\' {SWAP}; do sleep 0.05; done'
    _bash(lab, name, f"timeout 600 bash -c {shlex.quote(begun)}")


def unit_killed_at_each_step(name: str) -> t.Callable[[Lab, Process], None]:
    """SIGKILL to the unit at each step of one swap, and to the controller at the last of them."""

    def each(lab: Lab, process: Process) -> None:
        for step in SWAP_STEPS:
            swap_comes_to(lab, name, step)
            _bash(lab, name, "systemctl kill --signal=KILL evergreen-kubeadm-swap.service || true")
        kill(lab, process)

    return each


def power_lost_at_each_step(name: str) -> t.Callable[[Lab, Process], None]:
    """The swap resumes at each boot, and the node loses its power again at the next step."""

    def each(lab: Lab, _process: Process) -> None:
        for step in SWAP_STEPS:
            swap_comes_to(lab, name, step)
            _podman(lab, name, "kill", "--signal", "KILL")
            machines.start(lab, machine(lab, name))
            machines.wait_booted(lab, machine(lab, name))

    return each


def locked(name: str, seconds: int) -> t.Callable[[Lab, Process], None]:
    """Somebody has the lock of dpkg for a while, in which the controller is killed."""
    hold = (
        "import fcntl, time; file = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
        f"time.sleep({seconds})"
    )

    def lock(lab: Lab, process: Process) -> None:
        _bash(lab, name, f"systemd-run --unit=chaos-lock python3 -c {shlex.quote(hold)}")
        time.sleep(seconds / 2)
        kill(lab, process)

    return lock


def script(name: str, text: str) -> t.Callable[[Lab, Process], None]:
    return lambda lab, _process: _bash(lab, name, text)


def scripted_heal(name: str, text: str) -> t.Callable[[Lab], None]:
    return lambda lab: _bash(lab, name, text)


def kubectl(*argv: str) -> t.Callable[[Lab, Process], None]:
    return lambda lab, _process: healed_by_kubectl(*argv)(lab)


def healed_by_kubectl(*argv: str) -> t.Callable[[Lab], None]:
    def call(lab: Lab) -> None:
        cluster.kubectl(lab, *argv)

    return call


def _is_cordoned(lab: Lab, name: str) -> bool:
    """Whether the API says so. While an API server stops, it may not answer."""
    found = cluster.kubectl(lab, "get", "node", name, "--output=jsonpath={.spec.unschedulable}", check=False)
    return found == "true"


def _bash(lab: Lab, name: str, text: str) -> None:
    machines.execute(lab, machine(lab, name), "bash", "-euc", text)


def _podman(lab: Lab, name: str, *verb: str) -> None:
    run(["podman", *verb, lab.container(machine(lab, name))], what=f"{verb[0]} {name}")


# The one budget of the pods of the web Service, as the lab has it and as nobody can satisfy it.
LETS_GO, NEVER_LETS_GO = '{"spec": {"maxUnavailable": 1}}', '{"spec": {"maxUnavailable": 0}}'
WEB_BUDGET = ("patch", "poddisruptionbudget", "web", "--namespace", "lab", "--type", "merge", "--patch")
# A small file system over the folder stands for the disk: that of a container is its host's.
FULL = "mount -t tmpfs -o size=64k tmpfs {0} && dd if=/dev/zero of={0}/full bs=1k count=64 status=none || true"
CONFIG = "kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system get configmap kubeadm-config"
BAD_FLAG = f"""\
{CONFIG} --output yaml > /root/kubeadm-config.yaml
sed 's/^    apiServer: {{}}$/    apiServer: {{extraArgs: [{{name: no-such-flag, value: "1"}}]}}/' \\
    /root/kubeadm-config.yaml |
  kubectl --kubeconfig /etc/kubernetes/admin.conf replace --filename -
{CONFIG} --output yaml | grep --quiet no-such-flag
"""
# The configuration is uploaded by kubeadm behind a swap that succeeds, so that the line stays as it was written.
GOOD_FLAGS = f"""\
{CONFIG} --output yaml | sed 's/^    apiServer: {{extraArgs:.*$/    apiServer: {{}}/; /extraArgs:.*no-such-flag/d' |
  kubectl --kubeconfig /etc/kubernetes/admin.conf replace --filename -
! {CONFIG} --output yaml | grep --quiet no-such-flag
"""
BAD_ETCD_FLAG = f"""\
{CONFIG} --output yaml |
  sed 's/^\\( *\\)dataDir: .*$/&\\n\\1extraArgs: [{{name: no-such-flag, value: "1"}}]/' |
  kubectl --kubeconfig /etc/kubernetes/admin.conf replace --filename -
{CONFIG} --output yaml | grep --quiet no-such-flag
"""
# What was tried before is the program with its flags, and not the unit. The old kubelet starts.
DROP_IN = "/run/systemd/system/kubelet.service.d/99-chaos.conf"
BAD_KUBELET = f"""\
mkdir --parents {os.path.dirname(DROP_IN)}
cat > {DROP_IN} <<'UNIT'
[Service]
ExecStartPre=/bin/sh -c '! /usr/bin/kubelet --version | grep --quiet 1.35.4'
UNIT
systemctl daemon-reload
"""
AS_BEFORE = "the node serves as before"

# In the order in which an upgrade comes to them: each run goes on where the one before ended.
FAULTS = (
    Fault("killed while it saves etcd", Moment("backup"), kill, nothing),
    Fault(
        "the disk of a node is full",
        Moment("prepare", "cp2"),
        script("cp2", FULL.format("/var/cache/apt/archives")),
        scripted_heal("cp2", "umount /var/cache/apt/archives"),
        says=r"No space left on device|enough free space",
    ),
    Fault("killed while nodes are prepared", Moment("prepare", "worker1"), kill, nothing),
    Fault(
        "an image cannot be pulled",
        Moment("images", "cp1"),
        script("balancer", "systemctl stop docker-registry"),
        scripted_heal("balancer", "systemctl start docker-registry"),
        # Which image and node is told first depends on what the runs before have pulled.
        says=r"The image \S+ could not be pulled on cp[123]: .*connection refused",
    ),
    Fault("killed before the first node", Moment("gate", "cp1"), kill, nothing),
    Fault("killed while a node drains", Moment("drain", "cp1"), kill, nothing),
    # What is to be read by the step after it is changed while the node drains.
    Fault(
        "the API server of the new version does not start",
        Moment("drain", "cp1"),
        script("cp1", BAD_FLAG),
        scripted_heal("cp1", GOOD_FLAGS),
        says=rf"no-such-flag.*{AS_BEFORE}|{AS_BEFORE}.*no-such-flag",
    ),
    Fault(
        "the etcd of the new version does not start",
        Moment("drain", "cp1"),
        script("cp1", BAD_ETCD_FLAG),
        scripted_heal("cp1", GOOD_FLAGS),
        says=rf"no-such-flag.*{AS_BEFORE}|{AS_BEFORE}.*no-such-flag",
    ),
    Fault(
        "the new kubelet does not start",
        Moment("drain", "cp1"),
        script("cp1", BAD_KUBELET),
        scripted_heal("cp1", f"rm {DROP_IN}; systemctl daemon-reload"),
        says=AS_BEFORE,
    ),
    Fault("killed while the kubelet is installed", Moment("packages", "cp1"), kill, nothing),
    Fault(
        "the unit of the swap is killed at each step",
        Moment("upgrade", "cp1"),
        unit_killed_at_each_step("cp1"),
        nothing,
    ),
    Fault("killed before the uncordon", Moment("uncordon", "cp1"), kill, nothing),
    Fault("killed as the swap begins", Moment("upgrade", "cp2"), kill, nothing),
    Fault("killed at a random moment", Moment("drain", "cp2"), kill_within(60, "cp3"), nothing),
    Fault(
        "a control-plane node loses its power at each step of its swap",
        Moment("upgrade", "cp3"),
        power_lost_at_each_step("cp3"),
        nothing,
        says="cp3 could not be reached any more",
    ),
    Fault(
        "a budget never lets go",
        Moment("drain", "worker1"),
        kubectl(*WEB_BUDGET, NEVER_LETS_GO),
        healed_by_kubectl(*WEB_BUDGET, LETS_GO),
        says=r"lab/web for web-[^;]*maxUnavailable is 0",
        variables={"kubelet_drain_timeout_s": 60},
    ),
    Fault(
        "the package manager is locked, and the run killed", Moment("drain", "worker1"), locked("worker1", 90), nothing
    ),
    Fault(
        "a worker dies",
        Moment("upgrade", "worker2"),
        power_off("worker2"),
        power_on("worker2"),
        says="worker2 could not be reached any more",
    ),
    Fault(
        "the balancer restarts",
        Moment("drain", "worker2"),
        restart("balancer"),
        nothing,
        survives=True,
    ),
)
