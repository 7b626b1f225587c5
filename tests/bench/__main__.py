# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python tests/bench [drain | etcd | plan]``, drains where nothing is named.

What it needs is found from this checkout.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> int:
    # Run as a directory, Python looks for modules in it, not in what it is a package of.
    sys.path[:1] = [str(path) for path in (ROOT / ".collections", ROOT, HERE.parent, HERE.parent / "integration")]
    subject, arguments = "drain", sys.argv[1:]
    if arguments and arguments[0] in ("drain", "etcd", "plan", "upgrade"):
        subject, *arguments = arguments
    if subject == "etcd":
        from bench.etcd import main as bench
    elif subject == "plan":
        from bench.plan import main as bench
    elif subject == "upgrade":
        from bench.upgrade import main as bench
    else:
        from bench.drain import main as bench
    return bench(arguments)


if __name__ == "__main__":
    sys.exit(main())
