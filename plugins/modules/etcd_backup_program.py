#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_backup_program
short_description: Put a program on a node that saves backups of etcd without Ansible
version_added: 0.1.0
description:
  - Writes one file that Python runs. It holds the code of M(evergreen.kubeadm.etcd_snapshot), and saves, verifies and
    prunes as that does, by a file of options.
  - The role P(evergreen.kubeadm.etcd_backup#role) runs it from a systemd timer.
  - Python's standard library is all that it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  idempotent:
    details: The file changes with the version of the collection.
options:
  path:
    description: Where the program is to be. Its folder is made where it does not exist.
    type: path
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: evergreen.kubeadm.etcd_snapshot
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Put the program on the node
  evergreen.kubeadm.etcd_backup_program:
    path: /usr/local/lib/evergreen-kubeadm/etcd-backup.pyz
  register: program

- name: Save a backup by it, as a timer would
  ansible.builtin.command:
    argv:
      - "{{ program.interpreter }}"
      - "{{ program.path }}"
      - /etc/evergreen-kubeadm/etcd-backup.json
  changed_when: true
"""

RETURN = r"""
path:
  description: Where the program is, or was.
  type: str
  returned: success
  sample: /usr/local/lib/evergreen-kubeadm/etcd-backup.pyz
interpreter:
  description: The Python that ran this module, and can run the program.
  type: str
  returned: success
  sample: /usr/bin/python3.11
"""

import os
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state, _program_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module

# What the program is made of has to be on the node, too.
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import program


def run(module: AnsibleModule) -> dict[str, t.Any]:
    path = os.path.abspath(module.params["path"])
    result = {"path": path, "interpreter": sys.executable}
    try:
        if module.params["state"] == "absent":
            changed = os.path.lexists(path)
            if changed and not module.check_mode:
                _node_state.remove(path)
            return {**result, "changed": changed}
        wanted = _program_file.build(program.__name__)
        changed = content(path) != wanted
        if changed and not module.check_mode:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            _node_state.replace(path, wanted, mode=0o644)
    except OSError as error:
        raise EvergreenError(f"The program {path} could not be put there: {error.strerror}.") from None
    return {**result, "changed": changed}


def content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
