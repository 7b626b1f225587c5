# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: `ansible-playbook upgrade.yml` on the lab, as a user would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lab.config import INVENTORY, ROOT


def upgrade(version: str) -> int:
    """Upgrade the lab's cluster to `version` under traffic; return ansible-playbook's exit code."""
    playbook = Path(sys.executable).parent / "ansible-playbook"
    argv = [str(playbook), "-i", str(INVENTORY), "upgrade.yml", "-e", f"kubernetes_version={version}"]
    print("+ " + " ".join(["ansible-playbook", "-i", "inventories/lab", *argv[3:]]), file=sys.stderr, flush=True)
    return subprocess.run(argv, cwd=ROOT, check=False).returncode
