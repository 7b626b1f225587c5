# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  controller:
    description:
      - The process that controls the run, as M(evergreen.kubeadm.upgrade_journal) returns it under C(controller).
      - It is judged only where it can be seen, on the machine and in the process namespace in which it runs.
        Elsewhere, and where it is empty, the option makes no difference.
    type: dict
    suboptions:
      host:
        description: The node name of its machine.
        type: str
      boot_id:
        description: The identifier of that machine's boot.
        type: str
      pid_namespace:
        description: The process namespace that it runs in.
        type: str
      pid:
        description: Its process identifier.
        type: int
      started:
        description: When it began, in clock ticks since that boot.
        type: int
"""
