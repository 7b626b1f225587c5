# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The text of a static pod manifest at another version: pure.

Lines are changed and the rest is left as it is written, since patches,
comments and what an operator added must survive. What came of it is read again
and compared with what was meant, so that a manifest in another style is
refused and never half changed.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import image_tag
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import flags

_PURPOSE = "rollback"
_IMAGE = re.compile(
    r"""^(?P<head>\s*(?:-\s+)?["']?image["']?:\s+)(?P<quote>["']?)(?P<image>[^\s"']+)(?P=quote)(?P<tail>\s*(?:\s\#.*)?)$"""
)


class ManifestError(EvergreenError):
    """A manifest that is not in the shape in which kubeadm writes it."""


def with_tag(image: str, tag: str) -> str:
    """``registry:5000/a/kube-apiserver:v1.34.4``: the image at another tag. A digest is of the old one, and goes."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}:{tag}"


def change(text: str, component: str, tag: str, words: t.Sequence[str]) -> str:
    """The manifest of `component` at the image tag, without `words` of its command.

    Raises ManifestError, and StaticPodError where the words cannot be taken out.
    """
    text = flags.take_out(text, {_PURPOSE: words}, _PURPOSE).text
    pod = _load(text, component)
    image = str(_main(pod, component).get("image") or "")
    if image_tag(image) == tag:
        return text
    # A container beside it that runs the same image is to run the same one still.
    for container in _containers(pod):
        if container.get("image") == image:
            container["image"] = with_tag(image, tag)
    lines = []
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        named = _IMAGE.match(bare)
        if named and named["image"] == image:
            line = (
                f"{named['head']}{named['quote']}{with_tag(image, tag)}{named['quote']}{named['tail']}"
                + (line[len(bare) :])
            )
        lines.append(line)
    changed = "".join(lines)
    if _load(changed, component) != pod:
        raise ManifestError(
            f"The image of {component} is not written in its manifest as kubeadm writes it, so that it could not be "
            "changed without changing more.",
            hint="Write the image of a container on a line of its own.",
        )
    return changed


def _main(pod: dict[str, t.Any], component: str) -> dict[str, t.Any]:
    containers = _containers(pod)
    if pod.get("kind") != "Pod" or not containers:
        raise ManifestError(f"The manifest of {component} is not that of a pod with containers.")
    # The container of a component has its name; one beside it, which a patch added, has another.
    named = [container for container in containers if container.get("name") == component]
    return (named or containers)[0]


def _containers(pod: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    spec = pod.get("spec") or {}
    found = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    return [container for container in found if isinstance(container, dict)]


def _load(text: str, component: str) -> dict[str, t.Any]:
    try:
        return _yamlread.load_mapping(text)
    except _yamlread.UnreadableYaml as error:
        raise ManifestError(f"The manifest of {component} could not be read: {error}.") from None
