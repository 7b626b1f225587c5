# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest at an older version: the image, the words that go, and all that stays."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.manifests import change, with_tag

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: kube-scheduler
spec:
  containers:
  - command:
    - kube-scheduler
    - --leader-elect=true
    # Kept by the administrator.
    - --emulated-version=1.34
    - --v=2
    image: registry.example:5000/k8s/kube-scheduler:v1.35.4
    imagePullPolicy: IfNotPresent
    name: kube-scheduler
  priorityClassName: system-node-critical
"""
EMULATED = ["--emulated-version=1.34"]


@pytest.mark.parametrize(
    ("image", "changed"),
    [
        ("registry.k8s.io/kube-scheduler:v1.35.4", "registry.k8s.io/kube-scheduler:v1.34.4"),
        ("registry.example:5000/k8s/kube-scheduler:v1.35.4", "registry.example:5000/k8s/kube-scheduler:v1.34.4"),
        ("registry.k8s.io/kube-scheduler:v1.35.4@sha256:0a1b", "registry.k8s.io/kube-scheduler:v1.34.4"),
        ("kube-scheduler", "kube-scheduler:v1.34.4"),
    ],
)
def test_image_at_a_tag(image: str, changed: str) -> None:
    assert with_tag(image, "v1.34.4") == changed


def test_only_these_lines_change() -> None:
    changed = change(MANIFEST, "kube-scheduler", "v1.34.4", EMULATED)
    expected = MANIFEST.replace("    - --emulated-version=1.34\n", "").replace("v1.35.4", "v1.34.4")
    assert changed == expected
    assert change(changed, "kube-scheduler", "v1.34.4", []) == changed


@pytest.mark.parametrize(
    "image",
    ['"registry.k8s.io/kube-scheduler:v1.35.4"', "registry.k8s.io/kube-scheduler:v1.35.4  # pinned"],
)
def test_quotes_and_comments_stay(image: str) -> None:
    text = MANIFEST.replace("registry.example:5000/k8s/kube-scheduler:v1.35.4", image)
    assert change(text, "kube-scheduler", "v1.34.4", EMULATED) == text.replace("v1.35.4", "v1.34.4").replace(
        "    - --emulated-version=1.34\n", ""
    )


def test_an_init_container_of_the_same_image_goes_along_and_another_does_not() -> None:
    text = MANIFEST + (
        "  initContainers:\n"
        "  - name: prepare\n"
        "    image: registry.example:5000/k8s/kube-scheduler:v1.35.4\n"
        "  - name: other\n"
        "    image: registry.example:5000/tool:v1.35.4\n"
    )
    images = [
        c["image"] for c in _yamlread.load(change(text, "kube-scheduler", "v1.34.4", []))["spec"]["initContainers"]
    ]
    assert images == ["registry.example:5000/k8s/kube-scheduler:v1.34.4", "registry.example:5000/tool:v1.35.4"]


@pytest.mark.parametrize(
    "text",
    [
        "kind: ConfigMap\nspec: {}\n",
        "a: [",
        # The image is on the same line as the container begins, in flow style.
        "kind: Pod\nspec:\n  containers:\n  - {name: kube-scheduler, image: 'a/b:v1.35.4', command: [x]}\n",
    ],
)
def test_what_kubeadm_does_not_write_is_refused(text: str) -> None:
    with pytest.raises(EvergreenError):
        change(text, "kube-scheduler", "v1.34.4", [])
