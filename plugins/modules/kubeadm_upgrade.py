#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_upgrade
short_description: Upgrade the part of a node that kubeadm manages
version_added: 0.1.0
description:
  - On a control-plane node, replaces the static pods and the kubelet by one swap, in which each static pod stops once
    and starts once, and runs C(kubeadm upgrade apply) on the first control-plane node and C(kubeadm upgrade node) on
    every other one at its end. On a worker it runs C(kubeadm upgrade node) and restarts the kubelet where the installed
    one is another than the running one, or the target's.
  - Every manifest is written by the installed C(kubeadm), in a dry run against the live configuration. Before anything
    stops, kubeadm's checks are made, certificates are renewed, the kubelet's configuration and flags are brought to the
    target, the installed kubelet is tried with them, the static pods of every other control-plane node are Ready, and
    another etcd member leads.
  - The swap is a systemd unit on the node, C(evergreen-kubeadm-swap.service). New connections to the API server from
    outside are refused, the kubelet stops, the API server and the other components shut down gracefully, the manifests
    are replaced, and the installed kubelet starts. Where a component or the kubelet does not start, the old manifests,
    the old kubelet and its files are restored, logs are kept, and the task fails with the cause. An interrupted
    connection or task does not stop the unit; the next task waits for it and resumes. In the end every member of a
    stacked etcd is healthy.
  - Does not install packages, drain the node or uncordon it. Install the target's C(kubeadm) and C(kubelet) before.
    The old kubelet keeps running until the swap, or on a worker until its restart. Where the kubelet is to follow
    later, install its package later and run the task again, which is a swap with the same manifests.
  - What is done is judged by evidence, never by an exit code or a fact of an earlier play. On a control-plane node that
    is that the manifests are those that kubeadm writes, the image tags of the running pods, the version that the node's
    own API server reports at its own address, a running kubelet that is the installed one, and on the first one
    C(kubernetesVersion) in the ConfigMap C(kubeadm-config). A worker counts as done when its running kubelet has the
    target's version, otherwise C(kubeadm upgrade node) is run, which takes a second or two there.
  - C(kubeadm) outlives the task that started it. A task waits for the C(kubeadm upgrade) of another task and for one
    that a person started, then resumes from the evidence. There is a note in C(/var/lib/evergreen-kubeadm) while an
    upgrade is not finished, which makes a later task run C(kubeadm) again, and never makes it skip anything.
  - C(kubeadm) copies the proxy variables of its environment into the static pods that it writes. It is started with
    those that all static pods of the control plane have on the node, and without others, so that they stay as they are.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._attributes.node
attributes:
  check_mode:
    details:
      - The prediction comes from the same evidence, with the manifests that C(kubeadm) writes in a dry run.
      - C(kubeadm upgrade plan) is not asked in check mode, since it creates a short-lived Job in C(kube-system).
      - Where the target's C(kubeadm) is not installed yet, RV(notes) says so.
  diff_mode:
    support: full
requirements:
  - kubeadm of the target version on the node, for O(state=upgraded)
  - systemd with C(systemd-run) on control-plane nodes
options:
  state:
    description:
      - V(upgraded) upgrades the node where the evidence does not show that it is upgraded, and proves it.
      - V(rolled_back) swaps the manifests of a control-plane node for those of an older version, which the installed
        C(kubeadm) writes, and proves it. It deploys its own minor and the one before. etcd is left alone, and
        C(kubeadm upgrade) is not run. Within a minor any patch can be rolled back to. Across a minor each component
        must emulate the minor before, as it does with C(--emulated-version) in O(extra_flags); otherwise the task fails
        before it changes anything, and also where the installed kubelet is of a newer minor. With V(control-plane) in
        O(skip_phases) the manifests stay and only the kubelet becomes the installed one; O(kubernetes_version) is that
        of the control plane then, whatever C(kubeadm) is installed. On a worker only the kubelet becomes the installed
        one.
      - V(planned) changes nothing on the node. On a control-plane node it compares the manifests that C(kubeadm) writes
        with the live ones and runs C(kubeadm upgrade plan), where the installed C(kubeadm) is the target's. The plan
        creates a short-lived Job in C(kube-system), as a check of the cluster's health.
      - V(verified) changes nothing and fails where the evidence does not show that the node is upgraded. On a worker
        that includes its kubelet.
    type: str
    choices: [planned, upgraded, rolled_back, verified]
    default: upgraded
  kubernetes_version:
    description: The version to bring the node to, with three numbers.
    type: str
    required: true
  role:
    description:
      - What the node is in this upgrade.
      - V(auto) tells V(control_plane) from V(worker). Which control-plane node is the first one must be said.
    type: str
    choices: [auto, first_control_plane, control_plane, worker]
    default: auto
  ignore_preflight_errors:
    description:
      - Names of kubeadm's checks whose errors become warnings, such as V(CreateJob).
      - V(all) is refused.
    type: list
    elements: str
    default: []
  patches:
    description:
      - Folder with kubeadm patches on the node. kubeadm does not remember it, so it must be given at every upgrade that
        is to keep them.
    type: path
  extra_flags:
    description:
      - Flags that components of a control-plane node get beside those of C(kubeadm-config), by component and flag,
        through patches that are given to C(kubeadm).
      - They stay in the manifests until the task is run without them.
    type: dict
    default: {}
  skip_phases:
    description: Phases of C(kubeadm upgrade) to leave out. What a phase would have done is then not asked as evidence.
    type: list
    elements: str
    default: []
  certificate_renewal:
    description: Whether kubeadm renews the certificates of the components, where it writes another manifest of one.
    type: bool
    default: true
  etcd_upgrade:
    description: Whether etcd is upgraded where it runs as a static pod of the node.
    type: bool
    default: true
  verbosity:
    description:
      - Level of kubeadm's log, from 0 to 10. What it adds is in RV(stderr_lines).
      - On a control-plane node it is also the level that the logs of the API server, the controller manager and the
        scheduler are raised to, where it is lower. They stay so until the task is run with a lower one.
      - V(5) adds stack traces. V(8) and more write what is sent to the API and received, which can be long.
    type: int
    default: 0
    version_added: 0.2.0
  notice_s:
    description:
      - Seconds between the first refused connection to the API server and its stop, in which a load balancer takes it
        out. An API server with a C(--shutdown-delay-duration) of its own has that one.
    type: float
    default: 2
    version_added: 0.2.0
  grace_s:
    description: Seconds that the API server may take to finish what it was asked, before it is killed.
    type: float
    default: 10
    version_added: 0.2.0
  kubeconfig:
    description:
      - Kubeconfig on the node, for kubeadm and for the evidence.
      - Without it C(/etc/kubernetes/admin.conf) is used on control-plane nodes and C(/etc/kubernetes/kubelet.conf) on
        workers, as kubeadm does.
    type: path
  timeout_s:
    description:
      - Seconds for everything together, the wait for an earlier task on the node included.
      - At the end of it C(kubeadm) is ended and the task fails. A C(kubeadm) that something else has started is named
        and left alone, and a swap continues.
      - A control-plane node takes half a minute, and its components have five minutes to start.
      - With O(state=verified) it is the time that the components may take to follow their manifests, 90 at most. V(0)
        looks once.
    type: int
    default: 1800
seealso:
  - module: evergreen.kubeadm.kubeadm_info
  - module: evergreen.kubeadm.cluster_gate
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: See what the upgrade would do on the first control-plane node
  evergreen.kubeadm.kubeadm_upgrade:
    state: planned
    kubernetes_version: 1.35.4
    role: first_control_plane
  become: true
  register: plan

- name: Upgrade the first control-plane node
  evergreen.kubeadm.kubeadm_upgrade:
    kubernetes_version: 1.35.4
    role: first_control_plane
  become: true

- name: Upgrade another control-plane node or a worker
  evergreen.kubeadm.kubeadm_upgrade:
    kubernetes_version: 1.35.4
  become: true

- name: Upgrade a worker that is known to fail one check
  evergreen.kubeadm.kubeadm_upgrade:
    kubernetes_version: 1.35.4
    ignore_preflight_errors:
      - SystemVerification
  become: true
"""

RETURN = r"""
node:
  description: Name of the node.
  type: str
  returned: when the node was looked at
  sample: cp1
role:
  description: V(first_control_plane), V(control_plane) or V(worker).
  type: str
  returned: when the node was looked at
  sample: control_plane
from:
  description: The version that the node ran when the task began. Of its own API server, on a worker of its kubelet.
  type: str
  returned: when the node was looked at
  sample: v1.34.4
to:
  description: The version to bring it to.
  type: str
  returned: when the node was looked at
  sample: v1.35.4
done:
  description: Whether the evidence shows that nothing is left to do.
  type: bool
  returned: when the node was looked at
  sample: true
missing:
  description: What the evidence lacks, in sentences.
  type: list
  elements: str
  returned: when the node was looked at
  sample: []
components:
  description: Static pods of the node with the versions before and after, in kubeadm's order.
  type: list
  elements: dict
  returned: when the node was looked at
  sample:
    - {"name": "etcd", "from": "3.6.5-0", "to": "3.6.6-0"}
    - {"name": "kube-apiserver", "from": "v1.34.4", "to": "v1.35.4"}
steps:
  description:
    - What kubeadm did, from its output. The names are kubeadm's phases, with one for each component.
    - The steps of the swap are among them, as C(swap/stop_kubelet).
    - C(outcome) is V(ok), V(unchanged), V(skipped), V(failed) or V(interrupted).
  type: list
  elements: dict
  returned: when the node was looked at
  sample:
    - name: control-plane/etcd
      started: "2026-01-31T12:00:00.000Z"
      finished: "2026-01-31T12:01:08.000Z"
      duration_s: 68.0
      outcome: ok
evidence:
  description: What was seen last.
  type: dict
  returned: when the node was looked at
  contains:
    control_plane:
      description: Whether it is a control-plane node.
      type: bool
      returned: when the node was looked at
      sample: true
    manifest_tags:
      description: Image tags in kubeadm's manifests.
      type: dict
      returned: when the node was looked at
      sample: {"etcd": "3.6.6-0", "kube-apiserver": "v1.35.4"}
    expected_etcd_tag:
      description: The etcd that kubeadm would run. Empty where that is not known.
      type: str
      returned: when the node was looked at
      sample: 3.6.6-0
    api_server:
      description: Address of the node's own API server.
      type: str
      returned: when the node was looked at
      sample: 192.0.2.11:6443
    api_server_version:
      description: The version that it reports.
      type: str
      returned: when the node was looked at
      sample: v1.35.4
    api_server_ready:
      description: Whether its readiness endpoint says so. Null where it was not asked.
      type: bool
      returned: when the node was looked at
      sample: true
    api_server_error:
      description: Why it could not be asked.
      type: str
      returned: when the node was looked at
      sample: ""
    mirror_pods:
      description: The running control-plane pods of the node. Null where they could not be read.
      type: dict
      returned: when the node was looked at
      sample: {"etcd": {"component": "etcd", "tag": "3.6.6-0", "ready": true}}
    cluster_version:
      description: The version in the ConfigMap C(kubeadm-config).
      type: str
      returned: when the node was looked at
      sample: v1.35.4
    cluster_version_error:
      description: Why it could not be read.
      type: str
      returned: when the node was looked at
      sample: ""
    differing:
      description: Components whose manifest is not the wanted one. Null where C(kubeadm) could not be asked for it.
      type: list
      elements: str
      returned: when the node was looked at
      sample: []
    kubelet_running_version:
      description: Version of the running kubelet.
      type: str
      returned: when the node was looked at
      sample: "1.35.4"
    kubelet_installed_version:
      description: Version of the installed kubelet.
      type: str
      returned: when the node was looked at
      sample: "1.35.4"
    kubelet_config_written:
      description: When the kubelet's configuration was last written, seconds since the epoch.
      type: float
      returned: when the node was looked at
      sample: 1769860800.0
    interrupted:
      description: Target of an interrupted upgrade of this node.
      type: str
      returned: when the node was looked at
      sample: ""
swap:
  description: The swap of static pods. Empty where none was needed, or none has ended.
  type: dict
  returned: when the node was looked at
  contains:
    swap_id:
      description: Name of the swap.
      type: str
      returned: when there was a swap
      sample: 7f1c9a0d5b3e4e6f9a1b2c3d4e5f6071
    purpose:
      description: The version that it brought.
      type: str
      returned: when there was a swap
      sample: v1.35.4
    outcome:
      description:
        - V(done), or V(put_back) where the old state was restored and serves, or V(failed) where that does not serve.
      type: str
      returned: when there was a swap
      sample: done
    cause:
      description: Why the new components did not start.
      type: str
      returned: when there was a swap
      sample: ""
    component:
      description: The component that did not start.
      type: str
      returned: when there was a swap
      sample: ""
    logs:
      description: Folder on the node with the logs of what did not start.
      type: str
      returned: when there was a swap
      sample: ""
    steps:
      description: Its steps with their times.
      type: list
      elements: dict
      returned: when there was a swap
      sample:
        - {"name": "stop_kubelet", "started": "2026-01-31T12:00:00.000Z", "finished": "2026-01-31T12:00:00.100Z"}
    restarts:
      description: How many times each static pod was started.
      type: dict
      returned: when there was a swap
      sample: {"kube-apiserver": 1, "kube-controller-manager": 1, "kube-scheduler": 1, "etcd": 1}
  sample: {}
kubelet_restarted:
  description: When the kubelet of a worker was restarted, RFC 3339 in UTC. Empty where it was not.
  type: str
  returned: when the node was looked at
  sample: "2026-01-31T12:00:00.000Z"
addons:
  description:
    - What kubeadm did with CoreDNS and kube-proxy. It upgrades them with the last control-plane node, and on the others
      names those that it waits for.
  type: dict
  returned: when the node was looked at
  sample: {"deferred": true, "waiting_for": ["cp2", "cp3"], "applied": []}
bypasses:
  description: Safeguards that the options switched off.
  type: list
  elements: dict
  returned: when the node was looked at
  sample: [{"option": "ignore_preflight_errors", "value": ["CreateJob"]}]
command:
  description: The command that was run, or would be in check mode. Empty where there was nothing to do.
  type: list
  elements: str
  returned: when the node was looked at
  sample: ["/usr/bin/kubeadm", "upgrade", "node"]
rc:
  description: Exit code of kubeadm.
  type: int
  returned: when kubeadm was run and ended
  sample: 0
stdout_lines:
  description: What kubeadm printed, of a long output the last 5000 lines.
  type: list
  elements: str
  returned: when the node was looked at
  sample: ["[upgrade] SUCCESS! A control plane node of your cluster was upgraded to \"v1.35.4\"."]
stderr_lines:
  description: Its warnings and errors, and its log, of a long one the last 5000 lines.
  type: list
  elements: str
  returned: when the node was looked at
  sample: []
manifest_diff:
  description:
    - The lines of the manifests that change, in check mode and with O(state=planned), without values of environment
      variables.
  type: str
  returned: when the node was looked at
  sample: ""
plan:
  description: The UpgradePlan of kubeadm (C(output.kubeadm.k8s.io)), with O(state=planned). Null otherwise.
  type: dict
  returned: when the node was looked at
  sample: {"availableUpgrades": [{"description": "stable version", "components": []}], "configVersions": []}
notes:
  description: Things to know about this result, in sentences.
  type: list
  elements: str
  returned: when the node was looked at
  sample: []
as_before:
  description:
    - Whether the failed task left the node as it was, because nothing was stopped or the old state was restored and
      serves. V(false) where that is not known.
  type: bool
  returned: when O(state=upgraded) or O(state=rolled_back) failed
  sample: true
failure:
  description: Where and why kubeadm or the swap failed.
  type: dict
  returned: when kubeadm or the swap failed
  sample:
    phase: control-plane/kube-apiserver
    errors: ["error execution phase control-plane: couldn't complete the static pod upgrade: ..."]
    checks: []
    rolled_back: true
    timed_out: false
started:
  description: When the module began, UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:02:41.000Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: always
  sample: 161.0
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.upgrade import NodeUpgrade, missing_manifests
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["planned", "upgraded", "rolled_back", "verified"], "default": "upgraded"},
    "kubernetes_version": {"type": "str", "required": True},
    "role": {
        "type": "str",
        "choices": ["auto", "first_control_plane", "control_plane", "worker"],
        "default": "auto",
    },
    "ignore_preflight_errors": {"type": "list", "elements": "str", "default": []},
    "patches": {"type": "path"},
    "extra_flags": {"type": "dict", "default": {}},
    "skip_phases": {"type": "list", "elements": "str", "default": []},
    "certificate_renewal": {"type": "bool", "default": True},
    "etcd_upgrade": {"type": "bool", "default": True},
    "verbosity": {"type": "int", "default": 0},
    "notice_s": {"type": "float", "default": 2},
    "grace_s": {"type": "float", "default": 10},
    "kubeconfig": {"type": "path"},
    "timeout_s": {"type": "int", "default": 1800},
}


def options_of(params: dict[str, t.Any], node: Node, *, acts: bool) -> Options:
    """Resolve the role and refuse what is never right. Raises UpgradeError and VersionError."""
    # What an interrupted kubeadm moved away is restored by the one that acts, when it has the lock.
    missing = [] if acts else missing_manifests(node)
    role = decisions.resolve_role(params["role"], node.is_control_plane(), missing, node.node_name())
    options = Options(
        target=Version.parse(params["kubernetes_version"]).tag,
        role=role,
        rollback=params["state"] == "rolled_back",
        ignore_preflight_errors=tuple(params["ignore_preflight_errors"]),
        skip_phases=tuple(params["skip_phases"]),
        patches=params["patches"] or "",
        certificate_renewal=params["certificate_renewal"],
        etcd_upgrade=params["etcd_upgrade"],
        kubeconfig=params["kubeconfig"] or "",
        extra_flags={
            component: {name: str(value) for name, value in flags.items()}
            for component, flags in params["extra_flags"].items()
        },
        verbosity=params["verbosity"],
        notice_s=params["notice_s"],
        grace_s=params["grace_s"],
    )
    decisions.check_options(options)
    return options


def bring_to_state(module: AnsibleModule) -> dict[str, t.Any]:
    node, state = Node(), module.params["state"]
    acts = state in ("upgraded", "rolled_back") and not module.check_mode
    upgrade = NodeUpgrade(node, options_of(module.params, node, acts=acts), Deadline(module.params["timeout_s"]))
    if state == "planned":
        return upgrade.plan(check_mode=module.check_mode)
    if state == "verified":
        return upgrade.verify()
    return upgrade.upgrade() if acts else upgrade.predict()


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, bring_to_state, timed=True)


if __name__ == "__main__":
    main()
