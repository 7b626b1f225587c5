#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_images
short_description: Have the images of a version on a control-plane node
version_added: 0.2.0
description:
  - Has the container runtime pull the images that C(kubeadm) of a version deploys, those that are not on the node yet.
    A node that has all of them needs no registry.
  - The first image that cannot be pulled ends it, with the registry's answer and what to do. How long that takes is
    bounded by O(attempts) and O(retry_s). C(kubeadm config images pull) asks the registry for images that are there,
    and five times for each, whatever the answer is.
  - The installed C(kubeadm) names the images. They are pulled one by one with the call that it makes itself
    (C(runtime.v1.ImageService), at the socket of the kubelet), by the runtime's own configuration of mirrors, proxies
    and credentials. This works with containerd and CRI-O, and needs neither C(crictl) nor C(ctr).
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._attributes.node
attributes:
  check_mode:
    details:
      - Where the version's C(kubeadm) is not installed yet, only the images whose tag is the version itself are looked
        for, and RV(notes) says so.
requirements:
  - kubeadm of the version on the node
options:
  kubernetes_version:
    description: The version whose images are wanted, with three numbers.
    type: str
    required: true
  image_repository:
    description: Where they are pulled from, as C(kubeadm-config) says. Empty is kubeadm's default.
    type: str
    default: ""
  etcd_image_tag:
    description: Tag of the etcd image, where it is not the one that kubeadm of this version deploys.
    type: str
    default: ""
  cri_socket:
    description:
      - Socket of the container runtime on the node, with or without C(unix://).
      - Without it, it is the one that the kubelet uses.
    type: str
  attempts:
    description:
      - How often an image is asked for before it counts as one that cannot be pulled, three seconds apart.
      - What another attempt would not change is not asked for again, such as an image that the registry does not have.
    type: int
    default: 3
  retry_s:
    description:
      - No attempt at an image begins so many seconds after the first one began. A registry that does not answer at all
        makes one attempt take as long as the container runtime waits for it, 30 seconds with containerd.
    type: float
    default: 20
  timeout_s:
    description:
      - Seconds for everything together. An image that is still being pulled then counts as not pulled.
      - It is what bounds a registry that takes connections and says nothing, where the container runtime does not.
    type: float
    default: 900
seealso:
  - module: evergreen.kubeadm.kubeadm_upgrade
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Have the images on the node before its upgrade
  evergreen.kubeadm.kubeadm_images:
    kubernetes_version: 1.35.4
  become: true

- name: The same from a registry of one's own
  evergreen.kubeadm.kubeadm_images:
    kubernetes_version: 1.35.4
    image_repository: registry.example/k8s
  become: true
"""

RETURN = r"""
images:
  description: The images that the version needs, in kubeadm's order.
  type: list
  elements: str
  returned: when they are known
  sample: ["registry.k8s.io/kube-apiserver:v1.35.4", "registry.k8s.io/etcd:3.6.6-0"]
missing:
  description: Those that were not on the node before.
  type: list
  elements: str
  returned: when they are known
  sample: ["registry.k8s.io/kube-apiserver:v1.35.4"]
pulled:
  description: Those that were pulled.
  type: list
  elements: dict
  returned: when they are known
  sample: [{"image": "registry.k8s.io/kube-apiserver:v1.35.4", "duration_s": 4.2}]
notes:
  description: Things to know about this result, in sentences.
  type: list
  elements: str
  returned: when they are known
  sample: []
failure:
  description: The image that could not be pulled, and why.
  type: dict
  returned: when an image could not be pulled
  sample:
    image: registry.k8s.io/etcd:3.6.6-0
    answer: "failed to do request: Head \"https://registry.k8s.io/v2/etcd/manifests/3.6.6-0\": connection refused"
    attempts: 3
    seconds: 9.1
started:
  description: When the task started, in UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When it ended, in UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:05.456Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: always
  sample: 5.333
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images import decisions, pulling
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.cri import ImageService
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.info import runtime_endpoint
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "image_repository": {"type": "str", "default": ""},
    "etcd_image_tag": {"type": "str", "default": ""},
    "cri_socket": {"type": "str"},
    "attempts": {"type": "int", "default": pulling.BOUNDS.attempts},
    "retry_s": {"type": "float", "default": pulling.BOUNDS.retry_s},
    "timeout_s": {"type": "float", "default": 900},
}


def images_of(params: dict[str, t.Any], node: Node, deadline: Deadline, *, check_mode: bool) -> tuple[list[str], str]:
    """The images, and a note where not all of them could be named. Raises ImagesError and VersionError."""
    version, repository = params["kubernetes_version"], params["image_repository"]
    configuration = decisions.cluster_configuration(version, repository, params["etcd_image_tag"])
    kubeadm = node.find("kubeadm")
    installed = node.version_of("kubeadm", "version", "-o", "short")
    if check_mode and installed != str(Version.parse(version)):
        return decisions.known_images(version, repository), (
            f"kubeadm on {node.node_name()} is {installed or 'not installed'}, not {version}: only the images whose "
            "tag is the version were looked for."
        )
    if not kubeadm:
        raise pulling.ImagesError(
            f"kubeadm is not installed on {node.node_name()}, and it names the images.",
            hint=f"Install the package kubeadm {version}, then run this again.",
        )
    return pulling.listed(kubeadm, configuration, deadline), ""


def have_images(module: AnsibleModule, result: dict[str, t.Any]) -> None:
    """Fills `result` as it goes, so that a failure has what was done before. Raises EvergreenError."""
    params, node, deadline = module.params, Node(), Deadline(module.params["timeout_s"])
    if params["attempts"] < 1:
        raise EvergreenError(f"attempts is {params['attempts']}; it must be at least 1.")
    images, note = images_of(params, node, deadline, check_mode=module.check_mode)
    endpoint = params["cri_socket"] or runtime_endpoint(node)
    if not endpoint:
        raise EvergreenError(
            f"No socket of a container runtime was found on {node.node_name()}.",
            hint="Name it in the option cri_socket.",
        )
    service = ImageService(endpoint)
    missing = pulling.missing(service, images)
    result.update(images=images, missing=missing, pulled=[], notes=[note] if note else [])
    if module.check_mode:
        result["changed"] = bool(missing)
        return
    bounds = decisions.Bounds(params["attempts"], params["retry_s"])
    for image, seconds in pulling.pull(service, missing, node.node_name(), bounds, deadline):
        result["changed"] = True
        result["pulled"].append({"image": image, "duration_s": round(seconds, 1)})


def run(module: AnsibleModule) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {"changed": False}
    try:
        have_images(module, result)
    except EvergreenError as error:
        error.result = {**result, **error.result}
        raise
    return result


def main() -> None:
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), run, timed=True)


if __name__ == "__main__":
    main()
