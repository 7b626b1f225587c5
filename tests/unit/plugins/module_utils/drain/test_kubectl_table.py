# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of `kubectl drain` as a decision table: every obstacle under every combination of the options.

Source of the rules: kubernetes/kubectl, pkg/drain/filters.go. Single rules are
in test_drain_decisions.py.
"""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options

Json = dict[str, t.Any]

FLAGS = ("ignore_daemonsets", "delete_emptydir_data", "force")
EXISTING = {("n", "agent")}
EMPTY_DIR: Json = {"name": "cache", "emptyDir": {}}
MIRROR: Json = {"annotations": {"kubernetes.io/config.mirror": "0a1b"}}
TERMINATING: Json = {"deletionTimestamp": "2026-01-31T12:00:00Z", "deletionGracePeriodSeconds": 30}


def owner(kind: str, name: str = "web", api_version: str = "apps/v1", *, controller: bool | None = True) -> Json:
    reference: Json = {"kind": kind, "name": name, "apiVersion": api_version}
    return reference if controller is None else {**reference, "controller": controller}


def pod(*owners: Json, volumes: t.Sequence[Json] = (), phase: str = "Running", **metadata: t.Any) -> Json:
    found: Json = {"namespace": "n", "name": "p", "uid": "u", **metadata}
    if owners:
        found["ownerReferences"] = list(owners)
    return {"metadata": found, "spec": {"volumes": list(volumes)}, "status": {"phase": phase}}


WEB, AGENT, LOST = owner("ReplicaSet"), owner("DaemonSet", "agent"), owner("DaemonSet", "lost")


def with_flags(flags: t.Iterable[str]) -> Options:
    given: Json = dict.fromkeys(flags, True)
    return Options(**given)


class Obstacle(t.NamedTuple):
    """A pod, the options without all of which it is refused, and what becomes of it with them.

    `warnings` are parts of what is said where it goes, one for each loss.
    """

    pod: Json
    needs: frozenset[str]
    then: str
    warnings: tuple[str, ...] = ()


def needs(*flags: str) -> frozenset[str]:
    return frozenset(flags)


LOSES_DATA, LOSES_POD, LOST_SET = "emptyDir", "no controller", "DaemonSet lost does not exist"

OBSTACLES = {
    "a pod of a ReplicaSet": Obstacle(pod(WEB), needs(), "evict"),
    "a pod that nobody controls": Obstacle(pod(), needs("force"), "evict", (LOSES_POD,)),
    "a pod with an emptyDir": Obstacle(
        pod(WEB, volumes=[EMPTY_DIR]), needs("delete_emptydir_data"), "evict", (LOSES_DATA,)
    ),
    "a pod that nobody controls, with an emptyDir": Obstacle(
        pod(volumes=[EMPTY_DIR]), needs("force", "delete_emptydir_data"), "evict", (LOSES_DATA, LOSES_POD)
    ),
    "a pod of a DaemonSet": Obstacle(pod(AGENT), needs("ignore_daemonsets"), "skip"),
    # It stays, and so does its data.
    "a pod of a DaemonSet, with an emptyDir": Obstacle(
        pod(AGENT, volumes=[EMPTY_DIR]), needs("ignore_daemonsets"), "skip"
    ),
    # Ignoring DaemonSets is no answer to one that is gone.
    "a pod of a DaemonSet that is gone": Obstacle(pod(LOST), needs("force"), "evict", (LOST_SET,)),
    "a pod of a DaemonSet that is gone, with an emptyDir": Obstacle(
        pod(LOST, volumes=[EMPTY_DIR]), needs("force", "delete_emptydir_data"), "evict", (LOST_SET, LOSES_DATA)
    ),
    # A DaemonSet of the same name in another namespace is another one.
    "a pod of a DaemonSet that is elsewhere": Obstacle(
        pod(AGENT, namespace="m"), needs("force"), "evict", ("DaemonSet agent does not exist",)
    ),
    # The DaemonSet is an owner and not the controller, which is what counts.
    "a pod with a DaemonSet among its owners": Obstacle(
        pod(owner("DaemonSet", "agent", controller=None), WEB), needs(), "evict"
    ),
    "a pod with a DaemonSet as its only owner, and no controller": Obstacle(
        pod(owner("DaemonSet", "agent", controller=False)), needs("force"), "evict", (LOSES_POD,)
    ),
    "a pod of a DaemonSet, with another owner before": Obstacle(
        pod(owner("Application", "shop", "app.example/v1", controller=None), AGENT),
        needs("ignore_daemonsets"),
        "skip",
    ),
    # kubectl compares the API version too.
    "a pod of a DaemonSet of an old API": Obstacle(
        pod(owner("DaemonSet", "agent", "extensions/v1beta1")), needs(), "evict"
    ),
    "a static pod": Obstacle(pod(owner("Node", "w1", "v1"), **MIRROR), needs(), "skip"),
    "a static pod that nobody controls": Obstacle(pod(**MIRROR), needs(), "skip"),
    "a static pod with an emptyDir": Obstacle(
        pod(owner("Node", "w1", "v1"), volumes=[EMPTY_DIR], **MIRROR), needs(), "skip"
    ),
    "a static pod that has ended": Obstacle(pod(phase="Failed", **MIRROR), needs(), "skip"),
}


@pytest.mark.parametrize(
    "flags",
    [each for n in range(4) for each in itertools.combinations(FLAGS, n)],
    ids=lambda each: "+".join(each) or "none",
)
@pytest.mark.parametrize("name", OBSTACLES)
def test_every_obstacle_under_every_combination_of_options(name: str, flags: tuple[str, ...]) -> None:
    obstacle = OBSTACLES[name]
    record = decisions.classify(obstacle.pod, "w1", with_flags(flags), EXISTING)
    if not obstacle.needs.issubset(flags):
        assert record.decision == "refuse"
        # The message tells the options that are missing, and no other.
        _message, hint = decisions.refusal([record]) or ("", "")
        assert {flag for flag in FLAGS if flag in hint} == obstacle.needs.difference(flags)
        return
    assert record.decision == obstacle.then
    assert decisions.refusal([record]) is None
    assert len(record.warnings) == len(obstacle.warnings)
    assert all(part in text for part, text in zip(obstacle.warnings, record.warnings))


ENDED = [name for name, obstacle in OBSTACLES.items() if obstacle.then == "evict" or "DaemonSet" in name]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
@pytest.mark.parametrize("name", ENDED)
def test_what_has_ended_goes_without_any_option(name: str, phase: str) -> None:
    found = {**OBSTACLES[name].pod, "status": {"phase": phase}}
    record = decisions.classify(found, "w1", Options(), EXISTING)
    assert (record.decision, record.reasons, record.warnings) == ("evict", [f"finished ({phase})"], [])


@pytest.mark.parametrize("status", [{"phase": "Pending"}, {"phase": "Unknown"}, {"phase": "Running"}, {}, None])
def test_what_has_not_ended_is_judged_whatever_its_phase(status: Json | None) -> None:
    record = decisions.classify({**pod(), "status": status}, "w1", Options(), EXISTING)
    assert (record.decision, record.reasons) == ("refuse", ["no controller would recreate it"])


@pytest.mark.parametrize(
    "controller",
    [
        owner("ReplicationController", api_version="v1"),
        owner("StatefulSet"),
        owner("Job", api_version="batch/v1"),
        # Whether a controller of another API exists and recreates the pod is not looked at.
        owner("Workload", api_version="example.com/v1alpha1"),
    ],
    ids=lambda each: str(each["kind"]),
)
def test_any_controller_is_one(controller: Json) -> None:
    assert decisions.classify(pod(controller), "w1", Options(), EXISTING).decision == "evict"


@pytest.mark.parametrize(
    ("volumes", "lost"),
    [
        ([{"name": "v", "emptyDir": {}}], True),
        ([{"name": "v", "emptyDir": None}], True),
        # Unlike kubectl: what is in memory is lost with every restart of the node.
        ([{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}], False),
        ([{"name": "v", "emptyDir": {"medium": "HugePages"}}], True),
        ([{"name": "a", "configMap": {"name": "x"}}, {"name": "b", "emptyDir": {}}], True),
        # Data of the node that is not the pod's own.
        ([{"name": "v", "hostPath": {"path": "/var/lib/x"}}], False),
        ([{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}], False),
        ([{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}], False),
        ([{"name": "v", "projected": {"sources": []}}], False),
        ([], False),
    ],
)
def test_which_volumes_are_lost(volumes: list[Json], lost: bool) -> None:
    decision = decisions.classify(pod(WEB, volumes=volumes), "w1", Options(), EXISTING).decision
    assert decision == ("refuse" if lost else "evict")


@pytest.mark.parametrize(
    ("names", "lost"),
    [("cache", False), ("tmp, cache", False), ("tmp,cache", False), ("tmp", True), ("cach", True), ("", True)],
)
def test_volumes_that_the_pod_says_are_safe_are_not_missed(names: str, lost: bool) -> None:
    """As the cluster autoscaler reads its annotation."""
    annotations = {"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": names}
    found = pod(WEB, volumes=[EMPTY_DIR], annotations=annotations)
    record = decisions.classify(found, "w1", Options(), EXISTING)
    assert record.decision == ("refuse" if lost else "evict") and record.warnings == []


@pytest.mark.parametrize("volumes", [None, "absent"])
def test_a_pod_without_volumes(volumes: str | None) -> None:
    found = pod(WEB)
    found["spec"] = {} if volumes else {"volumes": None}
    assert decisions.classify(found, "w1", Options(), EXISTING).decision == "evict"


# kubectl judges a terminating pod as any other, and so stops at what its own first run had removed.
# Here it is waited for, unless it stays on the node anyway.
@pytest.mark.parametrize("name", OBSTACLES)
def test_what_terminates_already_is_waited_for(name: str) -> None:
    obstacle = OBSTACLES[name]
    found = {**obstacle.pod, "metadata": {**obstacle.pod["metadata"], **TERMINATING}}
    expected = "skip" if obstacle.then == "skip" else "wait"
    assert decisions.classify(found, "w1", with_flags(FLAGS), EXISTING).decision == expected
    if "DaemonSet" not in name:
        assert decisions.classify(found, "w1", Options(), EXISTING).decision == expected


@pytest.mark.parametrize(
    ("grace", "decision"),
    [(None, "wait"), (31, "wait"), (30, "wait"), (29, "evict"), (0, "evict")],
)
@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
def test_only_a_shorter_grace_period_is_asked_for_again(grace: int | None, decision: str, phase: str) -> None:
    found = pod(WEB, phase=phase, **TERMINATING)
    assert decisions.classify(found, "w1", Options(grace=grace), EXISTING).decision == decision


@pytest.mark.parametrize(
    "annotation",
    [
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
        "karpenter.sh/do-not-disrupt",
    ],
)
def test_advice_for_autoscalers_is_none_for_drains(annotation: str) -> None:
    found = pod(WEB, annotations={annotation: "false"})
    assert decisions.classify(found, "w1", Options(), EXISTING).decision == "evict"
