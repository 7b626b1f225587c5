# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Folders of the controller for what a run writes: reports, diagnostics, and backups with every Secret in them."""

from __future__ import annotations

import os


def make_folder(path: str, mode: int = 0o777) -> None:
    """Make the folder `path` where it is missing. Git ignores the topmost of the folders that are made.

    A folder that is there already is its owner's and stays as it is. Raises OSError.
    """
    path = os.path.abspath(path)
    if os.path.isdir(path):
        return
    top = path
    while not os.path.lexists(os.path.dirname(top)):
        top = os.path.dirname(top)
    os.makedirs(path, mode=mode, exist_ok=True)
    try:
        with open(os.path.join(top, ".gitignore"), "x", encoding="ascii") as file:
            file.write("*\n")
    except FileExistsError:
        # Another task of the run made the folder at the same time.
        return
