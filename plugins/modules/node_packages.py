#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_packages
short_description: Install the packages of a Kubernetes version on a node
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Installs packages by the package manager of the node, and holds them with apt. Nothing is restarted.
  - With O(repository), the package repository of the version and its key are configured first.
  - A kubelet whose program is not that of its package, as after a rollback of the node, is installed again.
  - Another package manager that runs at the same time is waited for.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._attributes.node
attributes:
  check_mode:
    details: >-
      A key that would be written is fetched and checked. Of the packages, only what is installed is looked at, since
      the repository of the version may not be there yet.
options:
  kubernetes_version:
    description: The version of the packages, with three numbers.
    type: str
    required: true
  state:
    description:
      - V(prepared) installs kubeadm and kubectl, and downloads the kubelet.
      - V(present) installs the kubelet. The one that runs keeps running.
    type: str
    choices: [prepared, present]
    required: true
  package_manager:
    description: That of the node. M(evergreen.kubeadm.kubeadm_info) reports it.
    type: str
    choices: [apt, dnf, yum]
    required: true
  allow_downgrade:
    description: Whether an older version may take the place of a newer one.
    type: bool
    default: false
  repository:
    description:
      - The package repository of the version, which is configured before anything is installed.
      - A source of apt that names O(repository.url) already is used, in whatever file it is, since two entries of one
        address with different keys keep apt from reading any. Otherwise O(repository.sources_list) is written. With dnf
        and yum the key alone is configured. The file of the repository is for M(ansible.builtin.yum_repository).
      - A key that is on the node stays while it is valid. One that is missing or expired is fetched from the
        repository. An expired one is replaced by the same key alone, unless O(repository.key_fingerprint) names
        another.
      - No lists but those of the repository are read, so that a repository of somebody else that is gone is no
        failure. Nothing is written before they were read, and what was written is put back where apt cannot read its
        sources with it.
    type: dict
    suboptions:
      url:
        description: The address of the repository.
        type: str
        required: true
      managed:
        description: >-
          Whether key and source are configured. Otherwise apt reads the lists of all sources of the node, and with
          dnf and yum nothing is done.
        type: bool
        default: true
      sources_list:
        description: The file that is written where no source of apt names O(repository.url) yet.
        type: path
        default: /etc/apt/sources.list.d/kubernetes.list
      keyring:
        description: The file of the key, for the source that is written.
        type: path
        default: /etc/apt/keyrings/kubernetes-apt-keyring.asc
      key_fingerprint:
        description:
          - The fingerprint of the primary key that signs the repository. Any other key is refused, on the node and in
            the repository.
          - Without it, the first key that the repository shows is trusted.
        type: str
        default: ""
  timeout_s:
    description: Seconds for all of it.
    type: int
    default: 900
"""

EXAMPLES = r"""
- name: Have the packages of the next version on the node
  evergreen.kubeadm.node_packages:
    kubernetes_version: 1.35.4
    state: prepared
    package_manager: apt
    repository:
      url: https://pkgs.k8s.io/core:/stable:/v1.35/deb/
      key_fingerprint: DE15B14486CD377B9E876E1A234654DA9A296436
  become: true
"""

RETURN = r"""
repository:
  description: The repository of the version.
  type: dict
  returned: when O(repository) is given, and O(repository.managed) is true
  contains:
    file:
      description: The file whose source is used. Empty with dnf and yum.
      type: str
      returned: success
      sample: /etc/apt/sources.list.d/kubernetes.list
    keyring:
      description: The file of its key. Empty where the source names none, or holds the key itself.
      type: str
      returned: success
      sample: /etc/apt/keyrings/kubernetes-apt-keyring.asc
    fingerprints:
      description: The keys in that file.
      type: list
      elements: str
      returned: success
      sample: [DE15B14486CD377B9E876E1A234654DA9A296436]
started:
  description: When the module began, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:02.120Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: success
  sample: 2.12
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import keys, proxy
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.apt import NodeRepository, Wanted
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.installed import KUBELET, Apt, Dnf
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["prepared", "present"], "required": True},
    "package_manager": {"type": "str", "choices": ["apt", "dnf", "yum"], "required": True},
    "allow_downgrade": {"type": "bool", "default": False},
    "repository": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "managed": {"type": "bool", "default": True},
            "sources_list": {"type": "path", "default": "/etc/apt/sources.list.d/kubernetes.list"},
            # Public keys.
            "keyring": {"type": "path", "default": "/etc/apt/keyrings/kubernetes-apt-keyring.asc", "no_log": False},
            "key_fingerprint": {"type": "str", "default": "", "no_log": False},
        },
    },
    "timeout_s": {"type": "int", "default": 900},
}
TOOLS = ["kubeadm", "kubectl"]


def have(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    deadline = Deadline(params["timeout_s"])
    manager, given = params["package_manager"], params["repository"]
    found = have_repository(given, manager, deadline, check_mode=module.check_mode) if given else {}
    options: dict[str, t.Any] = {"downgrade": params["allow_downgrade"], "check_mode": module.check_mode}
    arguments = (Node(), str(Version.parse(params["kubernetes_version"])), deadline)
    packages = Apt(*arguments, **options) if manager == "apt" else Dnf(manager, *arguments, **options)
    prepare = params["state"] == "prepared"
    changed = packages.have(TOOLS, [KUBELET]) if prepare else packages.have([KUBELET], [])
    return {
        "changed": found.pop("changed", False) or changed,
        **({"repository": found} if found else {}),
    }


def have_repository(given: dict[str, t.Any], manager: str, deadline: Deadline, *, check_mode: bool) -> dict[str, t.Any]:
    """The result of `NodeRepository`; empty where the repository is not managed."""
    wanted = Wanted(
        url=given["url"].rstrip("/") + "/",
        package_format="deb" if manager == "apt" else "rpm",
        sources_list=given["sources_list"],
        keyring=given["keyring"],
        fingerprint=keys.fingerprint_of(given["key_fingerprint"]),
    )
    repository = NodeRepository(Node(), wanted, deadline, check_mode=check_mode)
    with proxy.that_of_apt(wanted.url):
        if not given["managed"]:
            if manager == "apt":
                repository.read_all()
            return {}
        return repository.have() if manager == "apt" else repository.have_key()


def main() -> None:
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), have, timed=True)


if __name__ == "__main__":
    main()
