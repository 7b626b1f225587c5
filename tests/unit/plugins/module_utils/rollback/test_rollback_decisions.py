# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a component can go back, in which order, and when it is back."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import MirrorPod
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.decisions import (
    FINALIZED,
    VERSION,
    Component,
    RollbackError,
    Step,
    make_steps,
    unproven,
    why_not,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

TARGET = Version.parse("1.34.4")


def manifest(name: str, tag: str, *flags: str) -> str:
    words = "".join(f"    - {word}\n" for word in (name, *flags))
    return (
        f"kind: Pod\nspec:\n  containers:\n  - command:\n{words}    image: registry.k8s.io/{name}:{tag}\n"
        f"    name: {name}\n"
    )


def component(name: str, tag: str = "v1.35.4", emulates: str = "1.34") -> Component:
    flags = {"emulated-version": emulates} if emulates else {}
    return Component(name, manifest(name, tag, *(f"--{key}={value}" for key, value in flags.items())), tag, flags)


@pytest.mark.parametrize(
    ("tag", "emulates", "refused"),
    [
        ("v1.35.4", "1.34", ""),
        ("v1.35.4", "kube=1.34", ""),
        ("v1.35.4", "1.33", ""),
        ("v1.34.4", "", ""),
        ("v1.34.7", "", ""),
        ("v1.34.4", "1.34", ""),
        ("v1.35.4", "", FINALIZED),
        ("v1.35.4", "1.35", FINALIZED),
        ("v1.35.4", "nonsense", FINALIZED),
        ("v1.36.1", "1.34", VERSION),
        ("v1.34.3", "", VERSION),
        ("v1.33.9", "", VERSION),
        ("v2.34.4", "", VERSION),
        ("latest", "1.34", VERSION),
        ("", "1.34", VERSION),
    ],
)
def test_whether_there_is_a_way_back(tag: str, emulates: str, refused: str) -> None:
    refusal = why_not(component("kube-apiserver", tag, emulates), TARGET)
    assert (refusal.id if refusal else "") == refused


def steps(components: list[Component], *, kubelet: str = "1.34.4", **configured: t.Any) -> list[Step]:
    return make_steps(components, TARGET, configured, node="cp1", kubelet=kubelet)


def test_order_is_the_opposite_of_kubeadms() -> None:
    found = steps([component(name) for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")])
    assert [step.name for step in found] == ["kube-scheduler", "kube-controller-manager", "kube-apiserver"]
    for step in found:
        assert step.changes
        assert step.removed == ("--emulated-version=1.34",)
        assert step.text == manifest(step.name, "v1.34.4")


def test_what_is_back_is_left_and_a_half_done_node_is_gone_on_with() -> None:
    found = steps(
        [
            component("kube-apiserver"),
            component("kube-controller-manager", "v1.34.4", ""),
            component("kube-scheduler", "v1.34.4", ""),
        ]
    )
    assert [step.changes for step in found] == [False, False, True]


def test_a_flag_of_kubeadm_config_stays() -> None:
    made = [component(name) for name in decisions.ORDER]
    (scheduler, *_others) = make_steps(
        made, TARGET, {"kube-scheduler": {"emulated-version"}}, node="cp1", kubelet="1.34.4"
    )
    assert scheduler.removed == ()
    assert "--emulated-version=1.34" in scheduler.text


@pytest.mark.parametrize(
    ("target", "emulates", "removed"),
    [
        ("1.34.4", "1.34", ["--emulated-version=1.34"]),
        # To another patch of the newer minor: the way back to the older one stays open.
        ("1.35.1", "1.34", []),
        ("1.34.4", "1.33", []),
        ("1.35.1", "", []),
    ],
)
def test_emulation_goes_with_the_minor_that_it_is_of(target: str, emulates: str, removed: list[str]) -> None:
    made = component("kube-scheduler", "v1.35.4", emulates)
    assert decisions.words_to_remove(made, Version.parse(target), ()) == removed


@pytest.mark.parametrize(
    ("components", "kubelet", "said"),
    [
        (
            [component("kube-apiserver"), component("kube-scheduler")],
            "1.34.4",
            "no manifest of kube-controller-manager",
        ),
        (
            [
                component("kube-apiserver", emulates=""),
                component("kube-controller-manager"),
                component("kube-scheduler"),
            ],
            "1.34.4",
            "kube-apiserver on cp1 cannot go back",
        ),
        ([component(name) for name in decisions.ORDER], "1.35.4", "The kubelet of cp1 is 1.35.4"),
    ],
)
def test_nothing_is_begun_where_it_cannot_be_ended(components: list[Component], kubelet: str, said: str) -> None:
    with pytest.raises(RollbackError, match=said):
        steps(components, kubelet=kubelet)


@pytest.mark.parametrize("kubelet", ["1.34.9", "1.33.1", ""])
def test_a_kubelet_that_is_not_of_a_newer_minor_is_well(kubelet: str) -> None:
    assert steps([component(name) for name in decisions.ORDER], kubelet=kubelet)


def pod(name: str, tag: str = "v1.34.4", *, ready: bool = True) -> dict[str, MirrorPod]:
    return {name: MirrorPod(component=name, tag=tag, ready=ready)}


@pytest.mark.parametrize(
    ("name", "pods", "version", "ready", "error", "missing"),
    [
        ("kube-scheduler", pod("kube-scheduler"), "v1.35.4", True, "", []),
        ("kube-apiserver", pod("kube-apiserver"), "v1.34.4", True, "", []),
        ("kube-apiserver", pod("kube-apiserver"), "v1.35.4", True, "", ["is v1.35.4, not v1.34.4"]),
        ("kube-apiserver", pod("kube-apiserver"), "v1.34.4", False, "", ["is not ready"]),
        ("kube-scheduler", pod("kube-scheduler", "v1.35.4"), "v1.35.4", True, "", ["still is v1.35.4"]),
        ("kube-scheduler", pod("kube-scheduler", ready=False), "v1.35.4", True, "", ["is not Ready"]),
        ("kube-scheduler", {}, "v1.35.4", True, "", ["is not there"]),
        ("kube-scheduler", None, "v1.35.4", True, "", ["could not be read"]),
        ("kube-scheduler", pod("kube-scheduler"), "", False, "refused", ["does not answer: refused"]),
    ],
)
def test_when_a_component_is_back(
    name: str,
    pods: dict[str, MirrorPod] | None,
    version: str,
    ready: bool,
    error: str,
    missing: list[str],
) -> None:
    step = Step(name, "", "", "v1.35.4", ())
    found = unproven(step, TARGET, pods, version, ready=ready, error=error)
    assert len(found) == len(missing)
    assert all(part in said for part, said in zip(missing, found))
