# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let tests find the collection in this checkout, the lab, and the packages beside this file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLLECTIONS = HERE.parent / ".collections"

sys.path[:0] = [str(HERE), str(HERE.parent)]

# For programs that tests start. ansible-test runs on a copy of the checkout that
# already sits in a collections tree; .collections is not in it.
if COLLECTIONS.is_dir():
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
