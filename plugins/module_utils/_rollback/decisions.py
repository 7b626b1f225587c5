# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What taking the control plane of one node back has to do, and whether it is done: pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import MirrorPod
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback import manifests
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

ORDER = ("kube-scheduler", "kube-controller-manager", "kube-apiserver")
"""kubeadm's order backwards: neither of the first two may be newer than an API server. etcd stays as it is."""


VERSION, FINALIZED = "rollback-version", "rollback-finalized"


class RollbackError(EvergreenError):
    """A control plane that cannot be taken back, or that did not come back."""


@dataclass(frozen=True)
class Component:
    """One component as the node has it. `text` of None is: there is no manifest."""

    name: str
    text: str | None
    tag: str = ""
    flags: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What is done with one component. `text` is the manifest to write, the present one where none is to be written."""

    name: str
    before: str
    text: str
    tag: str
    removed: tuple[str, ...]
    """Words that its command is to lose."""

    @property
    def changes(self) -> bool:
        return self.text != self.before


def make_steps(
    components: t.Sequence[Component],
    target: Version,
    configured: t.Mapping[str, t.Collection[str]],
    *,
    node: str,
    kubelet: str,
) -> list[Step]:
    """The steps in their order. `kubelet` is the version that runs on the node, empty where it is not known.

    Raises RollbackError where there is no way back, before anything is done,
    and the errors of manifests.change.
    """
    by_name = {component.name: component for component in components}
    steps = []
    for name in ORDER:
        component = by_name.get(name)
        if component is None or component.text is None:
            raise RollbackError(
                f"There is no manifest of {name} on {node}.",
                hint="Run this on a control-plane node. What an interrupted kubeadm moved away is in the newest "
                "/etc/kubernetes/tmp/kubeadm-backup-manifests-*: copy it back, then run this again.",
            )
        refusal = why_not(component, target)
        if refusal is not None:
            raise RollbackError(
                f"{name} on {node} cannot go back to {target.tag}: {refusal.why}.",
                hint="See docs/rollback.md for when there is a way back. The way back to a state before is otherwise "
                "a restore of etcd.",
            )
        words = tuple(words_to_remove(component, target, configured.get(name, ())))
        text = manifests.change(component.text, name, target.tag, words)
        steps.append(Step(name, component.text, text, component.tag, words))
    if _minor(kubelet) is not None and t.cast("int", _minor(kubelet)) > target.minor:
        raise RollbackError(
            f"The kubelet of {node} is {kubelet}, and a kubelet must not be newer than an API server that it can "
            f"reach; {target.tag} is older.",
            hint="Take the kubelets back first (rollback_kubelets).",
        )
    return steps


def words_to_remove(component: Component, target: Version, configured: t.Collection[str]) -> list[str]:
    """The words by which a component emulates what it is back at; a way back that goes further stays open."""
    emulated = _emulation.emulated_minor(component.flags.get(_emulation.FLAG))
    if emulated is None or emulated < target.minor:
        return []
    return _emulation.added_words(component.flags, configured)


class Refusal(t.NamedTuple):
    """Why a component cannot go back; `id` is that of the finding."""

    id: str
    why: str


def why_not(component: Component, target: Version) -> Refusal | None:
    """Why a component cannot go back to `target`; None where it can, or is there already.

    Within a minor nothing is stored that an older patch could not read.
    Across one, only a component that behaved like the older minor all the time
    has kept to that.
    """
    try:
        running = Version.parse(component.tag)
    except VersionError:
        return Refusal(VERSION, f"its image tag {component.tag or '(none)'} is no version")
    if running.major != target.major:
        return Refusal(VERSION, f"it is {running.tag}, of another major version")
    if running < target:
        return Refusal(VERSION, f"it is {running.tag}, which is older: that would be an upgrade")
    behind = running.minor - target.minor
    if behind > 1:
        return Refusal(VERSION, f"it is {running.tag}, {behind} minors newer, and the way back is one minor")
    emulated = _emulation.emulated_minor(component.flags.get(_emulation.FLAG))
    if behind == 0 or (emulated is not None and emulated <= target.minor):
        return None
    how = f"without --{_emulation.FLAG}" if emulated is None else f"with --{_emulation.FLAG}=1.{emulated}"
    return Refusal(FINALIZED, f"it runs {running.tag} {how}, and may have stored what {target.minor_text} cannot read")


def unproven(
    step: Step, target: Version, pods: t.Mapping[str, MirrorPod] | None, api_version: str, *, ready: bool, error: str
) -> list[str]:
    """What is not yet seen of a component that was taken back, in sentences.

    `api_version`, `ready` and `error` are of this node's own API server.
    """
    if error:
        return [f"the API server of this node does not answer: {error}"]
    missing = []
    if step.name == "kube-apiserver":
        if not _is(api_version, target):
            missing.append(f"the API server of this node is {api_version or 'of unknown version'}, not {target.tag}")
        if not ready:
            missing.append("the API server of this node is not ready")
    if pods is None:
        return [*missing, "the control-plane pods of this node could not be read"]
    pod = pods.get(step.name)
    if pod is None:
        missing.append(f"pod {step.name} is not there")
    elif not _is(pod.tag, target):
        missing.append(f"pod {step.name} still is {pod.tag or 'without a tag'}")
    elif not pod.ready:
        missing.append(f"pod {step.name} is not Ready")
    return missing


def _is(seen: str, target: Version) -> bool:
    try:
        return Version.parse(seen) == target
    except VersionError:
        return False


def _minor(text: str) -> int | None:
    try:
        return Version.parse(text).minor
    except VersionError:
        return None
