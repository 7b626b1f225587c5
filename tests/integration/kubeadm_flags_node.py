# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node of kubeadm_node.py, on which the new kubeadm ends an upgrade with several files of kubelet flags."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import kubeadm_node

FLAGS = Path("/var/lib/kubelet/kubeadm-flags.env")
TEXTS = {
    "the pause image alone": 'KUBELET_KUBEADM_ARGS="--pod-infra-container-image=x"\n',
    "nothing": 'KUBELET_KUBEADM_ARGS=""\n',
    "a comment first": '# ours\nKUBELET_KUBEADM_ARGS="--v=2"\n',
    "no file": None,
}


def scenario_flags(_pods: kubeadm_node.StaticPods, new: Path) -> dict[str, t.Any]:
    """Of each: what kubeadm ended with and said, and what is in the file then."""
    kubeadm_node.install(new)
    seen = {}
    for name, text in TEXTS.items():
        FLAGS.unlink(missing_ok=True)
        if text is not None:
            FLAGS.write_text(text)
        command = ("kubeadm", "upgrade", "node", "phase", "post-upgrade", *kubeadm_node.KUBECTL[1:])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        left = FLAGS.read_text() if FLAGS.exists() else None
        seen[name] = {"rc": done.returncode, "said": done.stdout + done.stderr, "left": left}
    return seen


kubeadm_node.SCENARIOS["flags"] = scenario_flags

if __name__ == "__main__":
    kubeadm_node.main()
