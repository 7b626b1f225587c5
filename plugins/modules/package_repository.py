#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_repository
short_description: Configure the package repository of a Kubernetes minor on a node
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Makes sure that a source of apt names O(url), that its key is trusted, and that its lists were read.
  - A source that names O(url) already is used, in whatever file it is, since two entries of one address with different
    keys keep apt from reading any. Otherwise O(sources_list) is written.
  - A key that is on the node stays while it is valid. One that is missing or expired is fetched from the repository. An
    expired one is replaced by the same key alone, unless O(key_fingerprint) names another.
  - No lists but those of the repository are read, so that a repository of somebody else that is gone is no failure.
    Nothing is written before they were read, and what was written is put back where apt cannot read its sources with
    it.
  - Another apt that runs at the same time is waited for.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._attributes.node
attributes:
  check_mode:
    details: A key that would be written is fetched and checked. No lists are read.
options:
  url:
    description: The repository of the minor.
    type: str
    required: true
  package_format:
    description:
      - What is in it.
      - With V(rpm) the key alone is looked after. The file of the repository is for
        M(ansible.builtin.yum_repository).
    type: str
    choices: [deb, rpm]
    default: deb
  managed:
    description: Whether key and source are looked after. Otherwise the lists of all sources of the node are read.
    type: bool
    default: true
  sources_list:
    description: The file that is written where no source names O(url) yet.
    type: path
    default: /etc/apt/sources.list.d/kubernetes.list
  keyring:
    description: The file of the key, for the source that is written.
    type: path
    default: /etc/apt/keyrings/kubernetes-apt-keyring.asc
  key_fingerprint:
    description:
      - The fingerprint of the primary key that signs the repository. Any other key is refused, on the node and in the
        repository.
      - Without it, the first key that the repository shows is trusted.
    type: str
    default: ""
  timeout_s:
    description: Seconds for all of it.
    type: int
    default: 300
seealso:
  - module: evergreen.kubeadm.package_versions
"""

EXAMPLES = r"""
- name: Configure the package repository
  evergreen.kubeadm.package_repository:
    url: https://pkgs.k8s.io/core:/stable:/v1.35/deb/
    key_fingerprint: DE15B14486CD377B9E876E1A234654DA9A296436
  become: true
"""

RETURN = r"""
file:
  description: The file whose source is used. Empty where O(managed) is false, and for V(rpm).
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
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import keys, proxy
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.apt import NodeRepository, Wanted

ARGUMENT_SPEC: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "package_format": {"type": "str", "choices": ["deb", "rpm"], "default": "deb"},
    "managed": {"type": "bool", "default": True},
    "sources_list": {"type": "path", "default": "/etc/apt/sources.list.d/kubernetes.list"},
    # Public keys.
    "keyring": {"type": "path", "default": "/etc/apt/keyrings/kubernetes-apt-keyring.asc", "no_log": False},
    "key_fingerprint": {"type": "str", "default": "", "no_log": False},
    "timeout_s": {"type": "int", "default": 300},
}


def configure(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    wanted = Wanted(
        url=params["url"].rstrip("/") + "/",
        package_format=params["package_format"],
        sources_list=params["sources_list"],
        keyring=params["keyring"],
        fingerprint=keys.fingerprint_of(params["key_fingerprint"]),
    )
    proxy.use_that_of_apt(wanted.url)
    work = NodeRepository(Node(), wanted, Deadline(params["timeout_s"]), check_mode=module.check_mode)
    if wanted.package_format == "rpm":
        return work.have_key()
    return work.have() if params["managed"] else work.read_all()


def main() -> None:
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), configure)


if __name__ == "__main__":
    main()
