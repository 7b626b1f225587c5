#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: target_programs
short_description: Ask the programs of a Kubernetes version what they know
version_added: 0.1.0
description:
  - Asks the programs of O(kubernetes_version) themselves which flags, feature gates and admission plug-ins they know,
    which images kubeadm would use, and what the kubelet says of its configuration. M(evergreen.kubeadm.skew_check)
    compares that with what the cluster uses.
  - C(kubeadm) and C(kubelet) come from O(binaries), from the node where it has this version already, or from their
    packages, which are downloaded and unpacked in a scratch folder and not installed. The node's own package sources
    are left alone, and the folder is removed in every ending.
  - The programs of the control plane and C(kube-proxy) come from O(binaries), or from the images of the node's
    containerd. They are copied out of an image that is mounted read-only for a moment; no container is started.
  - No program is started for good. Each is asked with C(--help) or C(--version), or with a configuration that it must
    refuse, and runs as the user nobody.
  - What is in use is read from the node, from the ConfigMaps C(kubeadm-config), C(kubelet-config) and C(kube-proxy),
    and from O(static_pods), O(kubelet_flags) and O(kubelet_feature_gates). The help does not list everything that a
    program takes, so whatever is in use and not listed is asked for by itself.
  - A program that cannot be had is no failure. Its RV(programs) entry says why.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._attributes.node
attributes:
  check_mode:
    details: Packages are downloaded to the scratch folder all the same. Images are not pulled.
requirements:
  - apt-get and dpkg-deb, or dnf with its download command and bsdtar or rpm2cpio and cpio, where packages are needed
  - C(ctr) of containerd, where programs of images are needed
notes:
  - The way with dnf is written after its documentation and is not among the tested ones.
options:
  kubernetes_version:
    description:
      - The version whose programs are asked, such as V(1.35.4).
      - V(1.35) stands for the newest patch of that minor in O(available_versions), V(latest) for the newest version.
    type: str
    required: true
  available_versions:
    description: Versions that the package repositories offer.
    type: list
    elements: str
    default: []
  binaries:
    description:
      - Programs that are on the node already, as paths by their name, which is one of C(kubeadm), C(kubelet),
        C(kube-apiserver), C(kube-controller-manager), C(kube-scheduler) and C(kube-proxy).
      - Their version is not looked at.
    type: dict
    default: {}
  download:
    description: Whether packages are downloaded where C(kubeadm) or C(kubelet) of this version is not on the node.
    type: bool
    default: true
  repository_url:
    description:
      - The package repository of the version's minor, with a slash at its end. C({minor}) may stand for the minor.
      - The default is the community's.
    type: str
  keyring:
    description:
      - The file of the key that signs the repository, where no source of the node names one. Where it does not exist,
        or its key is not valid any more, the key is fetched from the repository.
    type: path
    default: /etc/apt/keyrings/kubernetes-apt-keyring.asc
  key_fingerprint:
    description:
      - The fingerprint of the primary key that signs the repository. Any other key is refused.
    type: str
    default: ""
    version_added: 0.2.0
  images:
    description:
      - V(never) looks at no image.
      - V(present) looks at those that are on the node.
      - V(pull) has the runtime pull the images of the version before, as the upgrade itself would later. They stay.
    type: str
    choices: [never, present, pull]
    default: present
  image_repository:
    description: Where images come from. The default is that of C(kubeadm-config), or kubeadm's own.
    type: str
  kubeconfig:
    description: A kubeconfig on the node that may read the ConfigMaps. The default is /etc/kubernetes/admin.conf.
    type: path
  static_pods:
    description: The C(static_pods) of other nodes, as M(evergreen.kubeadm.kubeadm_info) returns them.
    type: list
    elements: dict
    default: []
  kubelet_flags:
    description: The C(kubelet.flags) of other nodes, as M(evergreen.kubeadm.kubeadm_info) returns them.
    type: list
    elements: dict
    default: []
  kubelet_feature_gates:
    description: The C(kubelet.config.featureGates) of other nodes.
    type: list
    elements: dict
    default: []
  scratch:
    description:
      - The folder in which the scratch folder is made. It needs 1 GiB for a while.
      - Programs must be allowed to run there, so that a file system that is mounted noexec will not do.
    type: path
    default: /var/lib
  timeout_s:
    description: Seconds after which downloads are given up.
    type: int
    default: 300
seealso:
  - module: evergreen.kubeadm.skew_check
  - module: evergreen.kubeadm.kubeadm_info
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Ask the programs of the next version
  evergreen.kubeadm.target_programs:
    kubernetes_version: 1.35.4
    images: pull
  become: true
  register: target

- name: Plan with their answers
  evergreen.kubeadm.skew_check:
    kubernetes_version: 1.35.4
    programs: ["{{ target }}"]
  delegate_to: localhost
"""

RETURN = r"""
kubernetes_version:
  description: The version whose programs were asked.
  type: str
  returned: success
  sample: 1.35.4
programs:
  description:
    - The answers of C(kubelet), C(kube-apiserver), C(kube-controller-manager), C(kube-scheduler) and C(kube-proxy), by
      name.
  type: dict
  returned: success
  contains:
    path:
      description: Where the program was while it was asked.
      type: str
      returned: success
      sample: /usr/bin/kubelet
    error:
      description: Why the program was not asked. Empty where it was; everything else is empty where it was not.
      type: str
      returned: success
      sample: the image registry.k8s.io/kube-scheduler:v1.35.4 is not on the node
    flags:
      description: The flags that its help lists.
      type: list
      elements: str
      returned: success
      sample: [config, kubeconfig, node-ip]
    deprecated_flags:
      description: Those of them that are deprecated, and what is said of that.
      type: dict
      returned: success
      sample: {"address": "This parameter should be set via the config file"}
    feature_gates:
      description: The feature gates that its help lists. Gates that are generally available are not among them.
      type: dict
      returned: success
      sample: {"SELinuxMount": {"stage": "BETA", "default": false}}
    admission_plugins:
      description: All admission plug-ins that it knows. Only C(kube-apiserver) has any.
      type: list
      elements: str
      returned: success
      sample: [AlwaysPullImages, NodeRestriction]
    asked_flags:
      description: Flags that are in use and not listed, each V(known) or V(unknown).
      type: dict
      returned: success
      sample: {"cloud-config": "unknown"}
    asked_feature_gates:
      description: Feature gates that are in use, each V(known), V(unknown), or V(locked) where it takes no such value.
      type: dict
      returned: success
      sample: {"NodeSwap=false": "locked", "CPUManager=true": "unknown"}
images:
  description: The images that kubeadm of this version uses.
  type: list
  elements: dict
  returned: success
  sample: [{"name": "etcd", "image": "registry.k8s.io/etcd:3.6.6-0", "tag": "3.6.6-0"}]
kubelet_config:
  description: What the kubelet says of its configuration.
  type: dict
  returned: success
  contains:
    asked:
      description: Whether it was asked.
      type: bool
      returned: success
      sample: true
    source:
      description: Where the configuration is from, the ConfigMap C(kubelet-config), or else the file of the node.
      type: str
      returned: success
      sample: configmap/kube-system/kubelet-config
    unknown_fields:
      description: Fields that it does not know, and ignores.
      type: list
      elements: str
      returned: success
      sample: []
    errors:
      description: Why it would not start with it. Feature gates are asked for by themselves.
      type: list
      elements: str
      returned: success
      sample: []
kube_proxy_feature_gates:
  description: The feature gates in the ConfigMap C(kube-proxy).
  type: dict
  returned: success
  sample: {}
notes:
  description: What could not be found out, and why.
  type: list
  elements: str
  returned: success
  sample: []
started:
  description: When the module began, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:08.312Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: success
  sample: 8.312
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import keys, proxy
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.asking import ASKED
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.target import (
    Request,
    TargetPrograms,
    scratch_folder,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.targets import target_version
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

REPOSITORY = "https://pkgs.k8s.io/core:/stable:/v{minor}/{format}/"

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "available_versions": {"type": "list", "elements": "str", "default": []},
    "binaries": {"type": "dict", "default": {}},
    "download": {"type": "bool", "default": True},
    "repository_url": {"type": "str"},
    # Public keys.
    "keyring": {"type": "path", "default": "/etc/apt/keyrings/kubernetes-apt-keyring.asc", "no_log": False},
    "key_fingerprint": {"type": "str", "default": "", "no_log": False},
    "images": {"type": "str", "choices": ["never", "present", "pull"], "default": "present"},
    "image_repository": {"type": "str"},
    "kubeconfig": {"type": "path"},
    "static_pods": {"type": "list", "elements": "dict", "default": []},
    "kubelet_flags": {"type": "list", "elements": "dict", "default": []},
    "kubelet_feature_gates": {"type": "list", "elements": "dict", "default": []},
    "scratch": {"type": "path", "default": "/var/lib"},
    "timeout_s": {"type": "int", "default": 300},
}


def ask(module: AnsibleModule) -> dict[str, t.Any]:
    """Have the programs, ask them, and leave nothing behind."""
    params = module.params
    available = [Version.parse(text) for text in params["available_versions"]]
    version = target_version(params["kubernetes_version"], available)
    strangers = sorted(set(params["binaries"]) - {"kubeadm", *ASKED})
    if strangers:
        raise EvergreenError(f"binaries names {', '.join(strangers)}.", hint=f"Known are kubeadm, {', '.join(ASKED)}.")
    node = Node()
    manager = "apt" if node.find("apt-get") else "dnf" if node.find("dnf") else ""
    package_format = "deb" if manager == "apt" else "rpm"
    url = params["repository_url"] or REPOSITORY.format(minor=version.minor_text, format=package_format)
    request = Request(
        version=str(version),
        binaries={name: str(path) for name, path in params["binaries"].items()},
        download=params["download"],
        repository_url=url.replace("{minor}", version.minor_text).rstrip("/") + "/",
        keyring=params["keyring"],
        key_fingerprint=keys.fingerprint_of(params["key_fingerprint"]),
        package_manager=manager,
        images=params["images"],
        image_repository=params["image_repository"] or "",
        kubeconfig=params["kubeconfig"] or "",
        static_pods=params["static_pods"],
        kubelet_flags=params["kubelet_flags"],
        kubelet_feature_gates=params["kubelet_feature_gates"],
        scratch=params["scratch"],
    )
    with proxy.that_of_apt(request.repository_url), scratch_folder(request.scratch) as scratch:
        work = TargetPrograms(node, request, scratch, Deadline(params["timeout_s"]))
        result = work.ask(check_mode=module.check_mode)
    return {
        **result,
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, ask, timed=True)


if __name__ == "__main__":
    main()
