# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which images a control-plane node needs, when one counts as not to be had, and how that is said. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

DEFAULT_REPOSITORY = "registry.k8s.io"
OF_THE_VERSION = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
"""The images whose tag is the version itself, so that they are known without its kubeadm."""
_SAID_LIMIT = 1000

# gRPC: INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED. The same question has the same answer.
_FINAL_CODES = (3, 5, 7, 16)
_FINAL = re.compile(
    r"manifest unknown|: not found|pull access denied|\bunauthorized\b|authorization failed|\b40[134] "
    r"|invalid reference",
    re.IGNORECASE,
)
# What is known of an answer by its words, and what to do then; the first that fits.
_ADVICE = (
    (
        r"no space left on device|disk quota exceeded",
        "Make room on the file system of the container runtime on {node}",
    ),
    (
        r"\b429\b|too many requests|toomanyrequests",
        "The registry limits how much is asked: wait, or prepare fewer nodes at a time (node_prepare_parallel)",
    ),
    (
        r"\bunauthorized\b|access denied|authorization failed|\b40[13] |forbidden|no basic auth",
        "Give the container runtime on {node} the right to pull from that registry",
    ),
    (
        r"x509|certificate|tls: |server gave HTTP response to HTTPS",
        "Have the container runtime on {node} trust that registry, in its own configuration",
    ),
    (
        r"not found|manifest unknown|\b404\b|invalid reference",
        "Push the image to the registry, or correct imageRepository or etcd.local.imageTag in kubeadm-config",
    ),
    (
        r"refused|no such host|misbehaving|time.?out|timed out|exceeded|unreachable|no route|reset by|\bEOF\b|\b50\d\b",
        "Have the registry answer: see that it runs, and which mirrors, proxy and names the runtime on {node} uses",
    ),
)


class Answer(t.NamedTuple):
    """Why an image was not pulled: the status of gRPC, None where there was none, and the runtime's own words."""

    code: int | None
    said: str


@dataclass(frozen=True)
class Bounds:
    """Of attempts at one image: how many there are, and how long after the first one another may begin."""

    attempts: int
    retry_s: float


def cluster_configuration(version: str, repository: str, etcd_tag: str) -> dict[str, t.Any]:
    """What decides on the images, as kubeadm reads it: v1beta4 from 1.31 on, and v1beta3 until 1.36."""
    parsed = Version.parse(version)
    return {
        "apiVersion": f"kubeadm.k8s.io/{'v1beta4' if parsed.minor >= 31 else 'v1beta3'}",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": parsed.tag,
        "imageRepository": repository or DEFAULT_REPOSITORY,
        "etcd": {"local": {"imageTag": etcd_tag} if etcd_tag else {}},
    }


def known_images(version: str, repository: str) -> list[str]:
    """The images that can be named without the version's kubeadm."""
    return [f"{repository or DEFAULT_REPOSITORY}/{name}:{Version.parse(version).tag}" for name in OF_THE_VERSION]


def again(answer: Answer, attempt: int, elapsed_s: float, bounds: Bounds) -> bool:
    """Whether an image is asked for once more, after `attempt` times and `elapsed_s` since it was asked for first."""
    if answer.code in _FINAL_CODES or _FINAL.search(answer.said):
        return False
    return attempt < bounds.attempts and elapsed_s < bounds.retry_s


def plain(said: str) -> str:
    """The words of a runtime on one line of bounded length."""
    words = " ".join(said.split())
    return words if len(words) <= _SAID_LIMIT else words[:_SAID_LIMIT] + " ..."


def failure(image: str, answer: Answer, node: str, attempt: int, elapsed_s: float) -> tuple[str, str]:
    """Message and hint where an image could not be pulled."""
    times = "once" if attempt == 1 else f"{attempt} times"
    message = (
        f"The image {image} could not be pulled on {node}: {plain(answer.said).rstrip('.')}. "
        f"It was asked for {times}, in {elapsed_s:.0f} s."
    )
    advice = next(
        (each for words, each in _ADVICE if re.search(words, answer.said, re.IGNORECASE)),
        "See what the container runtime on {node} says about it",
    ).format(node=node)
    return message, (
        f"{advice}. Then run this again; images that are on the node are not asked for, and need no registry."
    )
