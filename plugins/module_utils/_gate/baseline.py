# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What was not ready before an upgrade began, which its gates do not wait for: pure.

It is compared by workload and, for DaemonSets, by node: names of pods do not
outlive an upgrade. The lock of the upgrade keeps it, so that a run that
resumes on another controller does not count what the upgrade itself broke.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time, seconds_between
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import workload_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.model import Json
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NotReady

LASTING_S = 300
"""What is not ready for a shorter time may be a rollout or a restart."""
LASTING_CRASHES = 5
"""The back-off of the kubelet makes that many crashes in a row last longer than LASTING_S."""
_RESET_S = 600
"""A container that ran for so long has its back-off reset: it is not in a loop."""
_SCHEDULED_JOB = re.compile(r"-\d{8,}$")
_KUBEADM_STATIC_PODS = (*model.VERSIONED_COMPONENTS, "etcd")


class Trouble(t.NamedTuple):
    """A pod that has not been ready for long: `since` is empty where it keeps restarting, `node` where it has none."""

    subject: str
    pod: str
    node: str
    since: str
    seen: str


class Before:
    """The record, and what is left of it while the pods of one look are compared with it."""

    def __init__(self, not_ready: NotReady) -> None:
        self._left = {subject: list(nodes) for subject, nodes in not_ready.items()}

    def has(self, pod: Json) -> bool:
        """Whether this pod that is not ready stands for one that was not ready before."""
        subject = subject_of(pod)
        nodes = self._left.get(subject, [])
        if subject.startswith("daemonset/"):
            return model.node_of(pod) in nodes
        if nodes:
            nodes.pop()
            return True
        return False

    def nodes(self) -> frozenset[str]:
        """The nodes that were not Ready."""
        return frozenset(subject[5:] for subject in self._left if subject.startswith("node/"))


def subject_of(pod: Json) -> str:
    """``deployment/kube-system/coredns``: the workload that the pod is of, else the pod."""
    workload = None if model.is_mirror(pod) else workload_of(pod)
    if workload is None:
        return f"pod/{model.qualified(pod)}"
    kind, namespace, name = workload
    return f"{kind.lower()}/{namespace}/{_SCHEDULED_JOB.sub('', name) if kind == 'Job' else name}"


def lasting_troubles(nodes: list[Json], pods: list[Json], now: datetime) -> list[Trouble]:
    """Pods of kube-system that have not been ready for long.

    Without kubeadm's static pods, which are judged by themselves, and without
    the pods of nodes that are not Ready, which say no more than their node.
    """
    down = {model.name_of(node) for node in nodes if not model.is_true(node, "Ready")}
    found = []
    for pod in pods:
        if (
            (pod.get("metadata") or {}).get("namespace") != "kube-system"
            or model.node_of(pod) in down
            or model.is_finished(pod)
            or model.is_terminating(pod)
            or (model.is_mirror(pod) and model.labels(pod).get("component") in _KUBEADM_STATIC_PODS)
        ):
            continue
        seen, since, crashes = model.pod_trouble(pod), _not_ready_since(pod), _crashes(pod, now)
        if seen and since is not None and (now - since).total_seconds() >= LASTING_S:
            told = since.strftime("%Y-%m-%dT%H:%M:%SZ")
            found.append(Trouble(subject_of(pod), model.name_of(pod), model.node_of(pod), told, seen))
        elif crashes:
            found.append(Trouble(subject_of(pod), model.name_of(pod), model.node_of(pod), "", crashes))
    return found


def _not_ready_since(pod: Json) -> datetime | None:
    """A pod that is not scheduled has no condition Ready yet."""
    ready = (model.condition(pod, "Ready") or {}).get("lastTransitionTime")
    return parse_time(ready or (pod.get("metadata") or {}).get("creationTimestamp"))


def _crashes(pod: Json, now: datetime) -> str:
    """Which container crashes again and again, whatever it does now: at each start it runs, and may be Ready."""
    status = pod.get("status") or {}
    for container in status.get("initContainerStatuses") or []:
        done = (container.get("state") or {}).get("terminated") or {}
        if done.get("exitCode") != 0 and (told := _loop(container, now)):
            return told
    return next(filter(None, (_loop(each, now) for each in status.get("containerStatuses") or [])), "")


def _loop(container: Json, now: datetime) -> str:
    state, restarts = container.get("state") or {}, container.get("restartCount", 0)
    before = (container.get("lastState") or {}).get("terminated") or {}
    last = state.get("terminated") or before
    ran_s = seconds_between(last.get("startedAt"), last.get("finishedAt")) or 0.0
    if restarts < LASTING_CRASHES or ran_s >= _RESET_S:
        return ""
    if "running" in state:
        began = parse_time(state["running"].get("startedAt"))
        loops = bool(before) and began is not None and (now - began).total_seconds() < _RESET_S
    else:
        loops = "terminated" in state or (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
    return f"container {container.get('name')} crashes again and again, {restarts} restarts" if loops else ""
