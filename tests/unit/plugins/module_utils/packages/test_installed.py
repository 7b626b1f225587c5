# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.installed import verb_for


@pytest.mark.parametrize(
    ("version", "replaced", "verb"),
    [
        ("1.35.4", False, ""),
        # As after a rollback of the node: the package manager would have nothing to do.
        ("1.35.4", True, "reinstall"),
        ("1.34.4", False, "install"),
        ("1.34.4", True, "install"),
        ("1.36.0", False, "downgrade"),
        ("", True, "install"),
        ("of-a-vendor", False, "install"),
    ],
)
def test_verb_for(version: str, replaced: bool, verb: str) -> None:
    assert verb_for(version, "1.35.4", replaced=replaced) == verb
