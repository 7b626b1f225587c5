#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_hooks
short_description: Find the task files for the hooks of an upgrade run
version_added: 0.2.0
author: The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Resolves the files that a user has for the hooks of a run, and fails where a hook has another name, or a file is
    missing, is no YAML or holds no list of tasks.
  - Tasks are not run. The entry point C(hooks) of the role P(evergreen.kubeadm.upgrade#role) includes them.
  - A file with a relative path is looked for in the folder of the inventory, then in the working directory.
  - Runs on the controller and needs no connection to the host; the task needs no C(delegate_to).
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
options:
  hooks:
    description:
      - Lists of files by the name of the hook.
      - Hooks that run once are C(pre_run), C(pre_hop), C(pre_control_plane), C(post_control_plane), C(pre_workers),
        C(post_workers), C(post_hop), C(post_run) and C(on_failure).
      - Hooks that run on a node are C(pre_control_plane_node), C(post_control_plane_node), C(before_api_server_stop),
        C(after_api_server_start), C(pre_worker) and C(post_worker).
    type: dict
    default: {}
  folder:
    description:
      - A folder with a file for each hook, of its name and with the ending C(.yml) or C(.yaml). They come before those
        of O(hooks).
      - Folders in it, hidden files and files with other endings are let be.
    type: path
seealso:
  - module: ansible.builtin.include_tasks
"""

EXAMPLES = r"""
- name: Find the files of the hooks
  evergreen.kubeadm.upgrade_hooks:
    folder: hooks
    hooks:
      pre_worker:
        - hooks.d/silence-alerts.yml
  register: found
  run_once: true
"""

RETURN = r"""
hooks:
  description: The absolute paths of the files of each hook that has any, in the order in which they run.
  returned: success
  type: dict
  sample: {"pre_worker": ["/srv/upgrade/hooks.d/silence-alerts.yml"]}
"""
