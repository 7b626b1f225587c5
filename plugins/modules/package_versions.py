#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_versions
short_description: Ask package repositories which versions of Kubernetes they offer
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Reads the indexes of the package repositories of Kubernetes, which has one for each minor, and returns the versions
    in them.
  - It needs no package manager and no configured repository. It does not check the signature of an index; the package
    manager does that when it installs. What is read decides on a plan only.
  - It asks through the proxy that apt is configured with, if any, or that the environment names. The first repository
    that gives no answer ends it.
  - Nothing is changed.
requirements:
  - Python >= 3.9
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
options:
  repository_url:
    description:
      - The address of a repository, with C({minor}) in the place of the minor.
    type: str
    required: true
  package_format:
    description: What is in it.
    type: str
    choices: [deb, rpm]
    default: deb
  package:
    description: The package whose versions are looked for.
    type: str
    default: kubeadm
  running:
    description:
      - Versions that run now, such as V(1.34.4), or their minors. The minor of the oldest is the first to be asked for.
    type: list
    elements: str
    required: true
  target:
    description:
      - A version or a minor; its minor is the last to be asked for.
      - With V(latest), the first minor that has no repository ends the search.
    type: str
    default: latest
  timeout_s:
    description: Seconds for all of it.
    type: int
    default: 60
seealso:
  - module: evergreen.kubeadm.skew_check
"""

EXAMPLES = r"""
- name: See what there is from 1.34 on
  evergreen.kubeadm.package_versions:
    repository_url: https://pkgs.k8s.io/core:/stable:/v{minor}/deb/
    running: ["1.34.4"]
  register: offered

- name: Plan the way to the newest of them
  evergreen.kubeadm.skew_check:
    kubernetes_version: latest
    available_versions: "{{ offered.versions }}"
  delegate_to: localhost
"""

RETURN = r"""
versions:
  description: The versions that are offered, oldest first.
  type: list
  elements: str
  returned: always
  sample: [1.34.4, 1.35.3, 1.35.4]
newest:
  description: The newest of them that is no pre-release; none where there is none.
  type: str
  returned: always
  sample: 1.35.4
minors:
  description: Minors that have a repository.
  type: list
  elements: str
  returned: always
  sample: ["1.34", "1.35"]
missing:
  description: Minors up to that of O(target) that have none.
  type: list
  elements: str
  returned: always
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import index, proxy, repository

ARGUMENT_SPEC: dict[str, t.Any] = {
    "repository_url": {"type": "str", "required": True},
    "package_format": {"type": "str", "choices": ["deb", "rpm"], "default": "deb"},
    "package": {"type": "str", "default": "kubeadm"},
    "running": {"type": "list", "elements": "str", "required": True},
    "target": {"type": "str", "default": "latest"},
    "timeout_s": {"type": "int", "default": 60},
}


def look(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    if "{minor}" not in params["repository_url"]:
        raise EvergreenError(
            "repository_url has no {minor} in it, so it would be the same repository for every minor.",
            hint="Write it as in https://pkgs.k8s.io/core:/stable:/v{minor}/deb/",
        )
    with proxy.that_of_apt(params["repository_url"]):
        return ask(params)


def ask(params: dict[str, t.Any]) -> dict[str, t.Any]:
    deadline = Deadline(params["timeout_s"])
    found, there, missing = set(), [], []
    open_end = params["target"].strip() == "latest"
    for minor in index.minors(params["running"], None if open_end else params["target"]):
        url = params["repository_url"].replace("{minor}", minor)
        if deadline.expired():
            raise repository.RepositoryError(f"{url} was not asked any more after {params['timeout_s']} s.")
        try:
            found.update(repository.versions(url, params["package_format"], params["package"], deadline))
        except repository.NoRepository:
            if open_end:
                break
            missing.append(minor)
            continue
        there.append(minor)
    stable = [version for version in found if not version.pre]
    return {
        "changed": False,
        "versions": [str(version) for version in sorted(found)],
        "newest": str(max(stable)) if stable else None,
        "minors": there,
        "missing": missing,
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), look)


if __name__ == "__main__":
    main()
