# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Tell systemd what to do."""

from __future__ import annotations

import subprocess

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

TIMEOUT_S = 120.0


class SystemdError(EvergreenError):
    """systemd that did not do what it was told."""


def systemctl(*arguments: str) -> None:
    """Run systemctl. Raises SystemdError."""
    command = " ".join(["systemctl", *arguments])
    try:
        done = subprocess.run(
            ["systemctl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemdError(f"{command} did not end well: {error}.") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise SystemdError(
            f"{command} failed: {said or f'exit code {done.returncode}'}.",
            hint=f"See journalctl --unit {arguments[-1]} --lines 50 on this node.",
        )
