# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python tests/bench``: the packages that it needs are found from this checkout."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> int:
    # Run as a directory, Python looks for modules in it, not in what it is a package of.
    sys.path[:1] = [str(path) for path in (ROOT / ".collections", ROOT, HERE.parent, HERE.parent / "integration")]
    from bench.drain import main as bench_drain

    return bench_drain()


if __name__ == "__main__":
    sys.exit(main())
