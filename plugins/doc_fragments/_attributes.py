# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.

from __future__ import annotations


class ModuleDocFragment:
    # What a module does not say otherwise.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and tell the truth about what would change, without changing anything.
    support: full
  diff_mode:
    description: Returns what changes, or in check mode would change, when in diff mode.
    support: none
  idempotent:
    description:
      - When run twice in a row, the second run reports no change.
      - This assumes that nothing else changed the system between the two runs.
    support: full
"""

    NODE = r"""
options: {}
requirements:
  - root on the node
  - Python 3.9 or newer on the node, and nothing beyond its standard library
"""
